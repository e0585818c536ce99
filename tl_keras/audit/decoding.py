"""Examples -> what the decoder of training says of each, and a small picture.

In: examples and which of them. Out: of each its header and, where it passes,
a small grey picture and perceptual hashes of it; else why it is refused. This
is the decoder that an export holds, so a check leaves out what a server refuses
and nothing else. TensorFlow's errors name no file, so what fails as it is
decoded is asked for one by one.
"""

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import imagehash
import numpy as np
import tensorflow as tf
from PIL import Image

from tl_keras.data import Examples
from tl_keras.inputs.image import pixels
from tl_keras.inputs.image.libjpeg_warnings import heard
from tl_keras.tf_data import PARALLEL, paced

LOOK_SIDE = 32  # of the small grey picture that is hashed
HASH_SIZE = 16  # bits on a side: 256 bits
MIN_SPREAD = 4  # standard deviation in grey levels
FEW = 128  # pictures that are decoded one by one
GROUP = 64  # JPEGs that are listened to together
DOES_NOT_DECODE = "does not decode"


class Depth(NamedTuple):
    """How far pictures are looked into.

    Attributes:
        decode: decode them; else their headers alone are read.
        look: make small pictures of those that are decoded.
        max_pixels: width x height above which nothing is decoded.
    """

    decode: bool
    look: bool
    max_pixels: int


class Decoded(NamedTuple):
    """What the decoder says of one picture.

    Attributes:
        header: int64 (6,): format, width, height, orientation, alpha, depth,
            as in `pixels.Header`.
        fault: "" or why it is refused.
        small: uint8 grey (LOOK_SIDE, LOOK_SIDE); a number without `look`.
    """

    header: np.ndarray
    fault: str
    small: np.ndarray


def decoded_batches(
    examples: Examples, indices: Sequence[int], depth: Depth
) -> Iterator[tuple[int, Decoded]]:
    """Decodes in parallel; gives each index with what came of it.

    What fails as it is decoded is missing, and so is what cannot be read.

    Args:
        examples: where the pictures are.
        indices: which of them, in the order they are given back.
        depth: how far they are looked into.

    Returns:
        Pairs of an index and what was decoded, one by one.
    """
    if len(indices) <= FEW:
        # A pipeline takes a second to be made.
        for index in indices:
            with contextlib.suppress(OSError):
                yield index, decoded_alone(examples.read(index), depth)
        return
    if examples.files is not None:
        # As bytes: a text would have to be UTF-8, which a name need not be.
        names = [os.fsencode(examples.files[i]) for i in indices]
    else:
        names = [examples.encoded[i] for i in indices]

    in_files = examples.files is not None
    decode = _decoder(depth)

    def load(index, source):
        encoded = tf.io.read_file(source) if in_files else source
        return index, *decode(encoded)

    dataset = paced(
        tf.data.Dataset.from_tensor_slices((list(indices), names))
        .map(load, num_parallel_calls=PARALLEL)
        .ignore_errors()
        .batch(64)
        .prefetch(2)
    )
    for batch in dataset.as_numpy_iterator():
        for index, header, fault, small in zip(*batch, strict=True):
            yield int(index), Decoded(header, fault.decode(), small)


@functools.cache
def _decoder(depth: Depth):
    """Bytes -> the parts of `Decoded`, traced once."""

    @tf.function(
        input_signature=[tf.TensorSpec((), tf.string)], autograph=False
    )
    def decode(encoded):
        header = pixels.read_header(encoded)
        fault = pixels.verdict(header, depth.max_pixels)
        said = [tf.cast(value, tf.int64) for value in header[:6]]
        small = tf.zeros((LOOK_SIDE, LOOK_SIDE) if depth.look else (), tf.uint8)
        if depth.decode:
            small = tf.cond(
                fault == "",
                lambda: _small(pixels.decode_passed(encoded, header), depth),
                lambda: small,
            )
        return tf.stack(said), fault, small

    return decode


def _small(picture: tf.Tensor, depth: Depth) -> tf.Tensor:
    """A small grey picture, or a number: uint8."""
    if not depth.look:
        # Something of the picture must be asked for, or it is not made.
        return tf.cast(tf.shape(picture)[0] % 2, tf.uint8)
    small = tf.image.resize(
        picture[tf.newaxis], (LOOK_SIDE, LOOK_SIDE), method="area"
    )[0]
    grey = tf.image.rgb_to_grayscale(small)[..., 0]
    return tf.saturate_cast(tf.round(grey), tf.uint8)


def decoded_alone(encoded: bytes, depth: Depth) -> Decoded:
    """What the decoder says of one picture's bytes."""
    try:
        header, fault, small = _decoder(depth)(tf.constant(encoded))
        return Decoded(header.numpy(), fault.numpy().decode(), small.numpy())
    except (tf.errors.OpError, ValueError):
        if not depth.decode:
            raise  # Headers are read whatever the bytes are.
        header_alone = depth._replace(decode=False, look=False)
        said = decoded_alone(encoded, header_alone)
        return said._replace(fault=said.fault or DOES_NOT_DECODE)


def look_of_mended(encoded: bytes, depth: Depth) -> np.ndarray | None:
    """A small picture of what Pillow alone can read, or None."""
    mended = pixels.repair(encoded, depth.max_pixels)
    if mended is None:
        return None
    found = decoded_alone(mended, depth)
    return None if found.fault else found.small


def damaged(
    examples: Examples, indices: Sequence[int], max_pixels: int
) -> list[int]:
    """Those JPEGs that libjpeg warns of: asked in groups, then alone.

    Args:
        examples: where the pictures are.
        indices: of the JPEGs among them.
        max_pixels: width x height above which nothing is decoded.

    Returns:
        The indices of those, in the order given.
    """
    found = []
    for start in range(0, len(indices), GROUP):
        group = indices[start : start + GROUP]
        if not is_warned_of(examples, group, max_pixels):
            continue
        found += [
            index
            for index in group
            if is_warned_of(examples, [index], max_pixels)
        ]
    return found


def is_warned_of(
    examples: Examples, indices: Sequence[int], max_pixels: int
) -> bool:
    """Whether libjpeg says anything of any of these.

    Args:
        examples: where the pictures are.
        indices: which are decoded; one that cannot be read says nothing.
        max_pixels: width x height above which nothing is decoded.

    Returns:
        True where a warning was heard, of whichever of them.
    """
    depth = Depth(decode=True, look=False, max_pixels=max_pixels)
    with heard() as lines:
        for index in indices:
            with contextlib.suppress(OSError):
                decoded_alone(examples.read(index), depth)
    return bool(lines)


def looks_of(picture: np.ndarray) -> tuple[str, str]:
    """Two perceptual hashes in hexadecimal: of a picture and its mirror.

    Args:
        picture: uint8 grey (LOOK_SIDE, LOOK_SIDE).

    Returns:
        "none" twice for a picture so plain that its hash means nothing.
    """
    if picture.std() < MIN_SPREAD:
        return "none", "none"
    hashes = [
        imagehash.dhash(Image.fromarray(np.ascontiguousarray(p)), HASH_SIZE)
        for p in (picture, picture[:, ::-1])
    ]
    first, mirrored = (np.packbits(h.hash).tobytes().hex() for h in hashes)
    return first, mirrored
