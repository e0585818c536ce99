"""Every write, fsync, rename and unlink of ours, counted; and what then fails.

    with failing(5, errno.ENOSPC): ...      # the 6th raises OSError
    with dying(5): ...                      # the 6th ends the process

A write that dies has written half of what it was given.
"""

import builtins
import contextlib
import io
import os
import signal

OPERATIONS = ("fsync", "rename", "replace", "unlink", "rmdir", "mkdir", "write")


class Count:
    """How many operations were done."""

    def __init__(self):
        self.done = 0


@contextlib.contextmanager
def failing(at: int, code: int):
    """Operation number `at` raises OSError; those after it do not."""

    def fail(half):
        raise OSError(code, os.strerror(code))

    with _counting(at, fail) as count:
        yield count


@contextlib.contextmanager
def dying(at: int):
    """Operation number `at` is the last thing that the process does."""

    def die(half):
        half()
        os.kill(os.getpid(), signal.SIGKILL)

    with _counting(at, die) as count:
        yield count


@contextlib.contextmanager
def _counting(at: int, then):
    count = Count()

    def step(half=lambda: None):
        number, count.done = count.done, count.done + 1
        if number == at:
            then(half)

    before = {name: getattr(os, name) for name in OPERATIONS if name != "write"}
    opened = builtins.open

    def wrapped(real):
        def call(*arguments, **more):
            step()
            return real(*arguments, **more)

        return call

    def open_counted(file, mode="r", *arguments, **more):
        stream = opened(file, mode, *arguments, **more)
        return _Writer(stream, step) if set(mode) & set("wax+") else stream

    for name, real in before.items():
        setattr(os, name, wrapped(real))
    builtins.open = io.open = open_counted
    try:
        yield count
    finally:
        for name, real in before.items():
            setattr(os, name, real)
        builtins.open = io.open = opened


class _Writer:
    """A stream whose writes are counted."""

    def __init__(self, stream, step):
        self._stream, self._step = stream, step

    def write(self, content):
        def half():
            self._stream.write(content[: len(content) // 2])
            self._stream.flush()

        self._step(half)
        return self._stream.write(content)

    def __enter__(self):
        self._stream.__enter__()
        return self

    def __exit__(self, *raised):
        return self._stream.__exit__(*raised)

    def __getattr__(self, name):
        return getattr(self._stream, name)
