"""Examples -> facts about each picture: what it is, whether it decodes.

    facts = Reader(decode=True, look=True, max_pixels=10**8).read(examples)
    facts[0].problem, facts[0].sha256

In: examples, in files or in memory. Out: one `Facts` each, in their order.
Files are opened without blocking and only when they are regular. Header, size
and whether it decodes are what the decoder says that training and the exported
graph use; Pillow adds what is worth counting, and words for what is refused.
Facts of unchanged files come from a `FactCache`.
"""

import dataclasses
import hashlib
import os
import stat
from collections.abc import Sequence
from concurrent import futures

import numpy as np

from tl_keras import io_watchdog, progress
from tl_keras.audit.cache import FactCache
from tl_keras.audit.decoding import (
    Decoded,
    Depth,
    damaged,
    decoded_alone,
    decoded_batches,
    look_of_mended,
    looks_of,
)
from tl_keras.audit.facts import HEADER, YES, Facts
from tl_keras.data import Examples
from tl_keras.data.examples import Stamp
from tl_keras.inputs.image import formats, pixels
from tl_keras.inputs.image.header_facts import (
    ALPHA,
    DAMAGED,
    DEEP,
    TURNED,
    explain,
    read_facts,
)
from tl_keras.inputs.image.libjpeg_warnings import heard

MIN_LOOK = 24  # pixels; smaller or plainer pictures look all alike
# Raising threads beyond this only queues: hashing shares the cores.
THREADS = min(8, os.cpu_count() or 1)
# Without decoding, Pillow's word is enough for these, whose size it reads as
# the decoder does; asking that takes ten times as long.
BY_PILLOW = ("JPEG", "PNG")
# The end of a reason that lies in the storage and not in the picture.
SEE_TO_DISK = "check the disk"
# Four channels of 16 bits; a file with more than that for each pixel that may
# be there is no picture, and is not read into memory.
BYTES_A_PIXEL, MAX_OTHER_BYTES = 8, 64 << 20


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
            with progress.doing("reading", len(missing), "pictures") as work:
                for index, fact in zip(missing, read, strict=True):
                    facts[index] = fact
                    work.advance()
        undecoded = [i for i in range(count) if self._to_decode(facts[i])]
        for index, fact in self._decode(examples, undecoded, facts).items():
            facts[index] = fact
        if examples.files is not None and self.cache is not None:
            changed = sorted({*missing, *undecoded})
            self.cache.put(
                (examples.files[i], stamps[i], facts[i]) for i in changed
            )
        return facts

    def _first_look(self, examples: Examples, index: int) -> Facts:
        """Hash of one example, and what Pillow says of it."""
        if examples.files is None:
            content = examples.encoded[index]
        else:
            limit = BYTES_A_PIXEL * self.max_pixels + MAX_OTHER_BYTES
            content, problem = read_regular(examples.files[index], limit)
            if problem:
                return Facts(problem=problem)
        return facts_of(content)

    @property
    def _depth(self) -> Depth:
        return Depth(self.decode, self.decode and self.look, self.max_pixels)

    def _to_decode(self, facts: Facts) -> bool:
        """Whether the decoder has something to say that is not known yet."""
        size = facts.width * facts.height
        if facts.problem:
            return False
        if not facts.decoded and facts.format not in formats.PILLOW_FORMATS:
            # Whether it is too large is for the decoder to say, too.
            known = facts.format in BY_PILLOW and 0 < size <= self.max_pixels
            return self.decode or not known
        if size > self.max_pixels:
            return False
        if not facts.decoded or (self.decode and facts.decoded == HEADER):
            return True
        return self._depth.look and not facts.look

    def _decode(
        self, examples: Examples, indices: Sequence[int], known: list[Facts]
    ) -> dict[int, Facts]:
        """Asks the decoder: index -> the facts, with what it says."""
        good: dict[int, Facts] = {}
        files = [examples.files[i] for i in indices] if examples.files else []
        with heard() as lines, io_watchdog.expecting(files):
            looked = decoded_batches(examples, indices, self._depth)
            for index, found in progress.counted(
                looked, "checking", len(indices)
            ):
                io_watchdog.answered()
                if not found.fault:
                    good[index] = self._decoded(known[index], found)
            refused = {
                index: self._refused(known[index], examples, index)
                for index in indices
                if index not in good
            }
        # libjpeg names no file; where it said nothing at all, no picture is
        # decoded a second time.
        if lines:
            jpegs = [i for i in sorted(good) if good[i].format == "JPEG"]
            for index in damaged(examples, jpegs, self.max_pixels):
                notes = (*good[index].notes, DAMAGED)
                good[index] = dataclasses.replace(good[index], notes=notes)
        return good | refused

    def _refused(self, facts: Facts, examples: Examples, index: int) -> Facts:
        """The facts of a picture that the decoder refuses, with the reason."""
        try:
            content = examples.read(index)
        except OSError as error:  # It could be read before.
            return Facts(problem=unread(error))
        found = decoded_alone(content, self._depth)
        if not found.fault:
            return self._decoded(facts, found)
        facts = with_header(facts, found.header)
        if found.fault.startswith("too large"):
            return facts  # The limit is a rule, which another run may change.
        if not facts.width:
            width, height, *_ = pixels.peek(content)
            facts = dataclasses.replace(facts, width=width, height=height)
        why = explain(content, found.fault, self.max_pixels)
        if self._depth.look:
            small = look_of_mended(content, self._depth)
            facts = self._with_look(facts, small)
        return dataclasses.replace(facts, decoded=why)

    def _decoded(self, facts: Facts, found: Decoded) -> Facts:
        """The facts of a picture that decodes, with its hashes if wanted."""
        facts = with_header(facts, found.header)
        if self._depth.look:
            facts = self._with_look(facts, found.small)
        return dataclasses.replace(
            facts, decoded=YES if self.decode else HEADER
        )

    def _with_look(self, facts: Facts, small: np.ndarray | None) -> Facts:
        look, mirrored = "none", "none"
        if small is not None and facts.side >= MIN_LOOK:
            look, mirrored = looks_of(small)
        return dataclasses.replace(facts, look=look, mirrored=mirrored)


def with_header(facts: Facts, header: np.ndarray) -> Facts:
    """Facts with what the decoder read in a header; see `Decoded`."""
    format_, width, height, turn, alpha, depth = header.tolist()
    name = pixels.FORMATS[format_]
    if not format_:
        return facts
    # Pillow's guess at these gives way to what was decoded.
    notes = [n for n in facts.notes if n not in (TURNED, ALPHA, DEEP)]
    notes += [TURNED] * (turn > 1) + [ALPHA] * alpha
    notes += [DEEP] * (name == "PNG" and depth == 16)
    return dataclasses.replace(
        facts,
        format=name,
        width=width,
        height=height,
        notes=tuple(notes),
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
    """What the bytes alone say, before the decoder is asked."""
    found = read_facts(content)
    return Facts(
        sha256=hashlib.sha256(content).hexdigest(),
        format=found.format,
        width=found.width,
        height=found.height,
        notes=found.notes,
        problem=found.problem,
    )
