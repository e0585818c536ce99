"""Examples -> facts about each picture: what it is, whether it decodes.

    facts = Reader(decode=True, look=True, max_pixels=10**8).read(examples)
    facts[0].problem, facts[0].sha256

In: examples, in files or in memory. Out: one `Facts` each, in their order.
Files are opened without blocking and only when they are regular; the size in
the header is judged before anything is decoded; decoding is done by the
decoder that training uses. Facts of unchanged files come from a `FactCache`.
"""

import dataclasses
import hashlib
import os
import stat
from collections.abc import Sequence
from concurrent import futures

import numpy as np

from tl_keras import io_watchdog
from tl_keras.audit.cache import FactCache
from tl_keras.audit.decoding import (
    damaged,
    decoded_batches,
    decoding_fault,
    look_of_mended,
    looks_of,
)
from tl_keras.audit.facts import Facts
from tl_keras.data import Examples
from tl_keras.data.examples import Stamp
from tl_keras.inputs.image.header_facts import DAMAGED, read_header
from tl_keras.inputs.image.libjpeg_warnings import heard

LEAST_LOOK = 24  # pixels; smaller or plainer pictures look all alike
# Raising threads beyond this only queues: hashing shares the cores.
THREADS = min(8, os.cpu_count() or 1)
# The end of a reason that lies in the storage and not in the picture.
SEE_TO_DISK = "check the disk"
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

    def read(
        self, examples: Examples, stamps: Sequence[Stamp | None] | None = None
    ) -> list[Facts]:
        """The facts about each example, in their order.

        Args:
            examples: what is read, where the cache does not know it.
            stamps: of the examples; asked of the disk when None.
        """
        count = len(examples)
        stamps = examples.stamps() if stamps is None else stamps
        facts: list[Facts | None] = [None] * count
        if examples.files is not None and self.cache is not None:
            for index, file in enumerate(examples.files):
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
            or (self.look and not facts.look and self._can_look(facts))
        )

    @staticmethod
    def _can_look(facts: Facts) -> bool:
        return facts.decoded == "yes" or facts.repairable

    def _decode(
        self, examples: Examples, indices: Sequence[int], facts: list[Facts]
    ) -> None:
        """Decodes what is not decoded yet; puts what came of it in `facts`."""
        good = set()
        files = [examples.files[i] for i in indices] if examples.files else []
        with heard() as complaints, io_watchdog.expecting(files):
            for batch, small in decoded_batches(
                examples, indices, self.look, self.max_pixels
            ):
                io_watchdog.answered()
                for index, picture in zip(batch, small, strict=True):
                    good.add(int(index))
                    facts[index] = self._decoded(facts[index], picture)
            for index in indices:
                if index not in good:
                    facts[index] = self._undecoded(
                        facts[index], examples, index
                    )
        if complaints:
            jpegs = [i for i in sorted(good) if facts[i].format == "JPEG"]
            for index in damaged(examples, jpegs, self.max_pixels):
                notes = (*facts[index].notes, DAMAGED)
                facts[index] = dataclasses.replace(facts[index], notes=notes)

    def _undecoded(self, facts: Facts, examples: Examples, index: int) -> Facts:
        """The facts of a picture that may not decode, with the reason."""
        try:
            fault = decoding_fault(examples, index, self.max_pixels)
            facts = dataclasses.replace(facts, decoded=fault)
            if not self.look or not facts.repairable or fault == "yes":
                return facts
            small = look_of_mended(examples, index, self.max_pixels)
        except OSError as error:  # It could be read before.
            return Facts(problem=unread(error))
        if small is None:
            return facts
        return dataclasses.replace(self._decoded(facts, small), decoded=fault)

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


def read_regular(file: str, most_bytes: int) -> tuple[bytes, str]:
    """A regular file's bytes, and why it cannot be read, or "".

    A pipe without a writer would hold up a plain `open` for ever.
    """
    try:
        return io_watchdog.patiently(file, lambda: _read(file, most_bytes))
    except OSError as error:
        return b"", unread(error)


def unread(error: OSError) -> str:
    """Why a file cannot be read, and the remedy."""
    see_to = (
        SEE_TO_DISK
        if error.errno in io_watchdog.PASSING
        else "check its rights"
    )
    return f"cannot be read ({error.strerror}) - {see_to}"


def _read(file: str, most_bytes: int) -> tuple[bytes, str]:
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return b"", "not a regular file - take it away"
        if status.st_size > most_bytes:
            return b"", (
                f"{status.st_size / 1e6:,.0f} MB in one file - store it smaller"
            )
        return stream.readall(), ""


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
