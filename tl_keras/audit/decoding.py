"""Examples -> small pictures and their hashes, by the decoder of training.

In: examples and which of them. Out: of each that decodes a small grey picture
and perceptual hashes of it; of each that does not, why. TensorFlow's errors
name no file, so they are asked for one by one.
"""

import contextlib
import functools
import os
import re
from collections.abc import Sequence

import imagehash
import numpy as np
import tensorflow as tf
from PIL import Image

from tl_keras.data import Examples
from tl_keras.inputs.image import pixels
from tl_keras.inputs.image.libjpeg_warnings import heard

LOOK_SIDE = 32  # of the small grey picture that is hashed
HASH_SIZE = 16  # bits on a side: 256 bits
LEAST_SPREAD = 4  # standard deviation in grey levels
FEW = 128  # pictures that are decoded one by one
GROUP = 64  # JPEGs that are listened to together


def decoded_batches(
    examples: Examples, indices: Sequence[int], look: bool, max_pixels: int
):
    """Decodes in parallel; gives (indices, small pictures) of what decodes.

    What does not decode is missing: TensorFlow's errors name no file, so they
    are asked for one by one afterwards.
    """
    if len(indices) <= FEW:
        # A pipeline takes a second to be made.
        for index in indices:
            with contextlib.suppress(OSError):
                small = decoded_alone(examples, index, look, max_pixels)
                if not isinstance(small, str):
                    yield [index], [small]
        return
    if examples.files is not None:
        names = [os.fsencode(examples.files[i]) for i in indices]
    else:
        names = [examples.encoded[i] for i in indices]

    in_files = examples.files is not None
    decode = _decoder(max_pixels, look)

    def load(index, source):
        encoded = tf.io.read_file(source) if in_files else source
        return index, decode(encoded)

    dataset = (
        tf.data.Dataset.from_tensor_slices((list(indices), names))
        .map(load, num_parallel_calls=tf.data.AUTOTUNE)
        .ignore_errors()
        .batch(64)
        .prefetch(2)
    )
    yield from dataset.as_numpy_iterator()


@functools.cache
def _decoder(max_pixels: int, look: bool):
    """Bytes -> a small grey picture, or the height alone; traced once."""

    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def decode(encoded):
        picture = pixels.decode(encoded, max_pixels=max_pixels)
        if not look:
            # Something of the picture must be asked for, or it is not made.
            return tf.shape(picture)[0]
        small = tf.image.resize(
            picture[tf.newaxis], (LOOK_SIDE, LOOK_SIDE), method="area"
        )[0]
        grey = tf.image.rgb_to_grayscale(small)[..., 0]
        return tf.saturate_cast(tf.round(grey), tf.uint8)

    return decode


def decoded_alone(
    examples: Examples, index: int, look: bool, max_pixels: int
) -> np.ndarray | str:
    """A small picture, or why the training decoder refuses the original.

    Raises:
        OSError: its file cannot be read.
    """
    return _decoded(examples.read(index), look, max_pixels)


def look_of_mended(
    examples: Examples, index: int, max_pixels: int
) -> np.ndarray | None:
    """A small picture of what Pillow alone can read, or None.

    Raises:
        OSError: its file cannot be read.
    """
    mended = pixels.repair(examples.read(index), max_pixels)
    small = "" if mended is None else _decoded(mended, True, max_pixels)
    return None if isinstance(small, str) else small


def _decoded(encoded: bytes, look: bool, max_pixels: int) -> np.ndarray | str:
    try:
        return _decoder(max_pixels, look)(tf.constant(encoded)).numpy()
    except (tf.errors.OpError, ValueError) as error:
        reason = re.sub(r"\{\{.*?\}\}|\[Op:.*|\n.*", "", str(error)).strip()
        return f"does not decode ({reason[:120]})"


def decoding_fault(examples: Examples, index: int, max_pixels: int) -> str:
    """Why the training decoder refuses a picture, or "yes"; or an OSError."""
    fault = decoded_alone(examples, index, False, max_pixels)
    return fault if isinstance(fault, str) else "yes"


def damaged(
    examples: Examples, indices: Sequence[int], max_pixels: int
) -> list[int]:
    """Those among JPEGs of which libjpeg complains: in groups, then alone."""
    found = []
    for start in range(0, len(indices), GROUP):
        group = indices[start : start + GROUP]
        if not complains(examples, group, max_pixels):
            continue
        found += [
            index for index in group if complains(examples, [index], max_pixels)
        ]
    return found


def complains(
    examples: Examples, indices: Sequence[int], max_pixels: int
) -> bool:
    """Whether libjpeg says anything of any of these."""
    with heard() as complaints:
        for index in indices:
            with contextlib.suppress(OSError):
                decoding_fault(examples, index, max_pixels)
    return bool(complaints)


def looks_of(picture: np.ndarray) -> tuple[str, str]:
    """Two perceptual hashes in hexadecimal: of a picture and its mirror.

    Args:
        picture: uint8 grey (LOOK_SIDE, LOOK_SIDE).

    Returns:
        "none" twice for a picture so plain that its hash means nothing.
    """
    if picture.std() < LEAST_SPREAD:
        return "none", "none"
    hashes = [
        imagehash.dhash(Image.fromarray(np.ascontiguousarray(p)), HASH_SIZE)
        for p in (picture, picture[:, ::-1])
    ]
    first, mirrored = (np.packbits(h.hash).tobytes().hex() for h in hashes)
    return first, mirrored
