"""Storage on a bad day: fails for a moment, or does not answer at all.

    content = read("photos/1.jpg")               # three tries
    with watching(timeout=600):                  # once, by a command
        with expecting(files):                   # TensorFlow reads these
            for batch in dataset:
                answered()

In: paths. Out: bytes, and where nothing comes for long, a line that names the
file which is waited for; in the end exit code 4, since no thread can be called
back from a read that hangs. A thread of its own looks, once a second.

What Python reads, `reading` names. What TensorFlow reads has no name outside
it: when nothing was `answered` for a while, the expected files are touched one
after another, and the one that hangs is told. So a step that computes for long
is never taken for a disk that hangs, and nothing is read besides while all is
well.
"""

import contextlib
import errno
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import tenacity

from tl_keras import signals
from tl_keras.errors import MachineError

T = TypeVar("T")

# What a network share or a disk may say once, and not again.
PASSING = frozenset(
    {
        errno.EIO,
        errno.ESTALE,
        errno.EAGAIN,
        errno.ETIMEDOUT,
        errno.ENODEV,
        errno.ENOTCONN,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
    }
)
PAUSES = (0.1, 1.0)  # seconds between the tries
LOOK_EVERY = 1.0
QUIET = 5.0  # seconds without an answer, after which files are touched
TELL_EVERY = 30.0
SWEEP_EVERY = 30.0


def read(path: str | os.PathLike) -> bytes:
    """All bytes of a file.

    Raises:
        OSError: it cannot be read; what may pass was tried three times.
    """
    return patiently(path, lambda: pathlib.Path(path).read_bytes())


def patiently(path: str | os.PathLike, do: Callable[[], T]) -> T:
    """What `do` gives, which reads `path`; tried again where that may help."""
    tries = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_pass),
        wait=tenacity.wait_chain(*map(tenacity.wait_fixed, PAUSES)),
        stop=tenacity.stop_after_attempt(len(PAUSES) + 1),
        sleep=time.sleep,
        reraise=True,
    )

    def attempt() -> T:
        with reading(path):
            return do()

    return tries(attempt)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in PASSING


class _Watch:
    """What the threads of a command know of each other."""

    def __init__(self):
        self.expected: Sequence[str] = ()
        self.last_answer = time.monotonic()
        # Path of each read, and when it began.
        self.now: dict[object, tuple[str, float]] = {}
        # The same of the file that is being touched.
        self.touched: tuple[str, float] | None = None
        self.sweep: threading.Thread | None = None
        self.next_sweep = 0.0
        self.over = threading.Event()

    def is_quiet(self) -> bool:
        """Whether nothing was read for a while that should be."""
        passed = time.monotonic() - self.last_answer
        return passed > QUIET and bool(self.expected)

    def oldest(self) -> tuple[str, float]:
        """What is waited for longest, and for how many seconds."""
        reads = list(self.now.values())
        if touched := self.touched:
            # While answers come, nobody waits for it.
            path, since = touched
            reads.append((path, max(since, self.last_answer)))
        if not reads:
            return "", 0.0
        path, since = min(reads, key=lambda read: read[1])
        return path, time.monotonic() - since


_watch = _Watch()


def answered() -> None:
    """Something was read, or computed from what was read."""
    _watch.last_answer = time.monotonic()


@contextlib.contextmanager
def reading(path: str | os.PathLike) -> Iterator[None]:
    """Inside, this thread waits for a path."""
    watch, key = _watch, object()
    watch.now[key] = os.fspath(path), time.monotonic()
    try:
        yield
    finally:
        del watch.now[key]
    answered()


@contextlib.contextmanager
def expecting(paths: Sequence[str]) -> Iterator[None]:
    """Inside, TensorFlow may read any of these."""
    watch = _watch
    before, watch.expected = watch.expected, paths
    answered()
    try:
        yield
    finally:
        watch.expected = before


@contextlib.contextmanager
def watching(timeout: float) -> Iterator[None]:
    """Tells what is waited for, while a command runs.

    Args:
        timeout: seconds without an answer after which the process ends.
    """
    global _watch
    _watch = watch = _Watch()
    threading.Thread(target=_look, args=(watch, timeout), daemon=True).start()
    try:
        yield
    finally:
        watch.over.set()


def _look(watch: _Watch, timeout: float) -> None:
    told, next_line = "", TELL_EVERY
    while not watch.over.wait(LOOK_EVERY):
        _sweep_if_quiet(watch)
        path, waited = watch.oldest()
        if told and (path != told or waited < TELL_EVERY):
            signals.say(f"{told}: answered, going on")
            told, next_line = "", TELL_EVERY
        if waited >= timeout:
            signals.end(
                MachineError.exit_code,
                f"error: {path}: no answer for {timeout:g} s (--io_timeout) - "
                "see to its disk or network share, then run the same command",
            )
        if waited >= next_line:
            told, next_line = path, waited + TELL_EVERY
            signals.say(f"waiting for {path}: no answer for {waited:.0f} s")


def _sweep_if_quiet(watch: _Watch) -> None:
    """Touches what is expected, one sweep at a time, if nothing was read."""
    if not watch.is_quiet() or time.monotonic() < watch.next_sweep:
        return
    if watch.sweep is None or not watch.sweep.is_alive():
        watch.sweep = threading.Thread(
            target=_touch_all, args=(watch, watch.expected), daemon=True
        )
        watch.sweep.start()


def _touch_all(watch: _Watch, paths: Sequence[str]) -> None:
    for path in paths:
        if watch.over.is_set() or not watch.is_quiet():
            break
        watch.touched = path, time.monotonic()
        with contextlib.suppress(OSError, ValueError):
            _touch(path)
        watch.touched = None
    watch.next_sweep = time.monotonic() + SWEEP_EVERY


def _touch(path: str) -> None:
    """Asks the storage for the ends of a file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.pread(descriptor, 1, 0)
        os.pread(descriptor, 1, max(0, os.fstat(descriptor).st_size - 1))
    finally:
        os.close(descriptor)
