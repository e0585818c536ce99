"""Signals: the first stops a command that can go on, a second stops it dead.

    with watching(resumable=True):
        with at_a_step():
            model.fit(..., callbacks=[TrainingBackup(..., stop=requested)])

In: SIGTERM, SIGINT, SIGHUP. Out: exit code 75 after the first, 128 + its number
after a second. A thread of its own reads the signals, since Python gives them
to the main one only between two operations of TensorFlow, which may take long.

All that a run writes is complete or absent, so that ending the process where
it is loses no more than a kill would. Where a little patience saves what was
trained since the last save, `at_a_step` says so: the main thread then asks
`requested` at each step, saves, and ends by itself.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

from tl_keras.errors import StoppedError

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# What the main thread may take, besides a step, before it is ended.
PATIENCE = 10.0
SAVING = 120.0


class _Watch:
    """What the two threads know of each other."""

    def __init__(self):
        self.asked: signal.Signals | None = None
        self.patient = False
        self.taken = False  # The main thread has seen it and is saving.
        self.last_step = time.monotonic()
        self.longest_step = 0.0


_watch = _Watch()
# Where lines go: a copy of stderr, which may be turned aside for a while.
_stderr = 2


def requested() -> bool:
    """Whether to stop; to be asked at each step inside `at_a_step`."""
    now = time.monotonic()
    _watch.longest_step = max(_watch.longest_step, now - _watch.last_step)
    _watch.last_step = now
    _watch.taken = _watch.asked is not None
    return _watch.taken


@contextlib.contextmanager
def at_a_step() -> Iterator[None]:
    """Inside, the main thread asks `requested` and stops by itself."""
    _watch.last_step, _watch.longest_step = time.monotonic(), 0.0
    _watch.patient = True
    try:
        yield
    finally:
        _watch.patient = False


@contextlib.contextmanager
def watching(resumable: bool) -> Iterator[None]:
    """Takes the signals while a command runs; on the main thread alone.

    Args:
        resumable: whether the same command goes on where it was stopped;
            else a first signal ends it like a second one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    global _watch, _stderr
    _watch = _Watch()
    with contextlib.suppress(OSError):  # It may be closed.
        _stderr = os.dup(2)
    ours, written_to = socket.socketpair()
    written_to.setblocking(False)
    before = {number: signal.signal(number, _ignore) for number in SIGNALS}
    wakeup = signal.set_wakeup_fd(written_to.fileno())
    watcher = threading.Thread(
        target=_read_signals, args=(ours, resumable), daemon=True
    )
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        written_to.close()
        watcher.join()
        ours.close()
        kept, _stderr = _stderr, 2
        if kept != 2:
            os.close(kept)


def _ignore(number, frame) -> None:
    """Python writes the number to the socket, and that is all it takes."""


def _read_signals(ours: socket.socket, resumable: bool) -> None:
    while number := ours.recv(1):
        name = signal.Signals(number[0])
        if name not in SIGNALS:
            continue
        if _watch.asked is not None or not resumable:
            end(128 + name, f"stopped at once by {name.name}")
        _watch.asked = name
        if _watch.patient:
            say(f"{name.name}: saving; once more stops at once")
            threading.Thread(target=_end_the_patient, daemon=True).start()
        else:
            _end_resumable()


def _end_the_patient() -> None:
    """Ends a main thread that does not come to a step."""
    began = time.monotonic()
    while _watch.patient:
        allowed = PATIENCE + _watch.longest_step
        if _watch.taken:
            allowed += SAVING
        if time.monotonic() - began > allowed:
            break
        time.sleep(0.05)
    else:
        if _watch.taken:
            return  # It is on its way out, with a line of its own.
    _end_resumable()


def _end_resumable() -> None:
    end(
        StoppedError.exit_code,
        f"stopped by {_watch.asked.name} - run the same command to go on",
    )


def one_line(text: str) -> str:
    """A message with control characters escaped, so that it is one line."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in text
    )


def say(line: str) -> None:
    """A line on stderr, from any thread at any time."""
    # Past Python's buffers and locks, which the main thread may hold.
    with contextlib.suppress(OSError):
        # A terminal's line may hold how far work has come.
        clear = "\r\x1b[K" if os.isatty(_stderr) else ""
        os.write(_stderr, f"{clear}{one_line(line)}\n".encode())


def end(code: int, line: str) -> None:
    """Ends the process where it is, whatever its threads are doing."""
    say(line)
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        sys.stdout.flush()
    os._exit(code)
