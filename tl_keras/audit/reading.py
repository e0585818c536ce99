"""Examples -> facts about each picture: what it is, whether it decodes.

    facts = Reader(decode=True, look=True, max_pixels=10**8).read(examples)
    facts[0].problem, facts[0].sha256

In: examples, in files or in memory. Out: one `Facts` each, in their order.
Files are opened without blocking and only when they are regular; the size in
the header is judged before anything is decoded; decoding is done by the
decoder that training uses. Facts of unchanged files come from a `FactCache`.
"""

import dataclasses
import functools
import hashlib
import os
import re
import stat
from collections.abc import Sequence
from concurrent import futures

import imagehash
import numpy as np
import tensorflow as tf
from PIL import Image

from tl_keras import pixels
from tl_keras.audit.cache import FactCache
from tl_keras.audit.complaints import heard
from tl_keras.audit.facts import Facts
from tl_keras.audit.headers import DAMAGED, read_header
from tl_keras.data import Examples

LOOK_SIDE = 32  # of the small grey picture that is hashed
HASH_SIZE = 16  # bits on a side: 256 bits
LEAST_LOOK = 24  # pixels; smaller or plainer pictures look all alike
LEAST_SPREAD = 4  # standard deviation in grey levels
# Raising threads beyond this only queues: hashing shares the cores.
THREADS = min(8, os.cpu_count() or 1)
FEW = 128  # pictures that are decoded one by one
GROUP = 64  # JPEGs that are listened to together
BYTES_A_PIXEL, MOST_OTHER_BYTES = 8, 64 << 20


@dataclasses.dataclass(frozen=True)
class Reader:
    """How pictures are read.

    Attributes:
        decode: decode each with the training decoder; else headers alone.
        look: hash what it looks like, to find near-duplicates.
        max_pixels: more are never decoded.
        cache: facts from earlier, or None.
    """

    decode: bool
    look: bool
    max_pixels: int
    cache: FactCache | None = None

    def read(self, examples: Examples) -> list[Facts]:
        """The facts about each example, in their order."""
        count = len(examples)
        stamps: list = [None] * count
        facts: list[Facts | None] = [None] * count
        if examples.files is not None and self.cache is not None:
            for index, file in enumerate(examples.files):
                stamps[index] = stamp_of(file)
                facts[index] = self.cache.get(file, stamps[index])
        missing = [i for i in range(count) if facts[i] is None]
        with futures.ThreadPoolExecutor(THREADS) as pool:
            read = pool.map(
                lambda i: self._first_look(examples, i), missing, chunksize=64
            )
            for index, fact in zip(missing, read, strict=True):
                facts[index] = fact
        undecoded = [i for i in range(count) if self._to_decode(facts[i])]
        self._decode(examples, undecoded, facts)
        if examples.files is not None and self.cache is not None:
            changed = sorted({*missing, *undecoded})
            self.cache.put(
                (examples.files[i], stamps[i], facts[i]) for i in changed
            )
        return facts

    def _first_look(self, examples: Examples, index: int) -> Facts:
        """Hash and header of one example."""
        if examples.files is None:
            content = examples.encoded[index]
        else:
            limit = BYTES_A_PIXEL * self.max_pixels + MOST_OTHER_BYTES
            content, problem = read_regular(examples.files[index], limit)
            if problem:
                return Facts(problem=problem)
        return facts_of(content)

    def _to_decode(self, facts: Facts) -> bool:
        if facts.problem or facts.pixels > self.max_pixels:
            return False
        if facts.repairable and not facts.decoded:
            return True
        return self.decode and (
            not facts.decoded
            or (self.look and facts.decoded == "yes" and not facts.look)
        )

    def _decode(
        self, examples: Examples, indices: Sequence[int], facts: list[Facts]
    ) -> None:
        """Decodes what is not decoded yet; puts what came of it in `facts`."""
        good = set()
        with heard() as complaints:
            for batch, small in decoded_batches(
                examples, indices, self.look, self.max_pixels
            ):
                for index, picture in zip(batch, small, strict=True):
                    good.add(int(index))
                    facts[index] = self._decoded(facts[index], picture)
            for index in indices:
                if index not in good:
                    facts[index] = dataclasses.replace(
                        facts[index],
                        decoded=decoding_fault(
                            examples, index, self.max_pixels
                        ),
                    )
        if complaints:
            jpegs = [i for i in sorted(good) if facts[i].format == "JPEG"]
            for index in damaged(examples, jpegs, self.max_pixels):
                notes = (*facts[index].notes, DAMAGED)
                facts[index] = dataclasses.replace(facts[index], notes=notes)

    def _decoded(self, facts: Facts, small: np.ndarray) -> Facts:
        """The facts of a picture that decodes, with its hashes if wanted."""
        look, mirrored = facts.look, facts.mirrored
        if self.look:
            look, mirrored = "none", "none"
            if facts.side >= LEAST_LOOK:
                look, mirrored = looks_of(small)
        return dataclasses.replace(
            facts, decoded="yes", look=look, mirrored=mirrored
        )


def stamp_of(file: str) -> tuple[int, int, int] | None:
    """(size, modification time, inode): changes when a file does."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def read_regular(file: str, most_bytes: int) -> tuple[bytes, str]:
    """A regular file's bytes, and why it cannot be read, or "".

    A pipe without a writer would hold up a plain `open` for ever.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return b"", f"cannot be read ({error.strerror}) - check its rights"
    with open(descriptor, "rb", buffering=0) as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return b"", "not a regular file - take it away"
        if status.st_size > most_bytes:
            return b"", (
                f"{status.st_size / 1e6:,.0f} MB in one file - store it smaller"
            )
        try:
            return stream.read(), ""
        except OSError as error:
            return b"", f"cannot be read ({error.strerror}) - check the disk"


def facts_of(content: bytes) -> Facts:
    """What the bytes alone say."""
    header = read_header(content)
    return Facts(
        sha256=hashlib.sha256(content).hexdigest(),
        format=header.format,
        width=header.width,
        height=header.height,
        pixels=header.pixels(),
        notes=tuple(header.notes),
        problem=header.problem,
        repairable=header.repairable,
    )


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
    """A small picture, or why the training decoder refuses the original."""
    try:
        if examples.files is not None:
            encoded = tf.io.read_file(os.fsencode(examples.files[index]))
        else:
            encoded = tf.constant(examples.encoded[index])
        return _decoder(max_pixels, look)(encoded).numpy()
    except (tf.errors.OpError, ValueError) as error:
        reason = re.sub(r"\{\{.*?\}\}|\[Op:.*|\n.*", "", str(error)).strip()
        return f"does not decode ({reason[:120]})"


def decoding_fault(examples: Examples, index: int, max_pixels: int) -> str:
    """Why the training decoder refuses a picture, or "yes"."""
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
