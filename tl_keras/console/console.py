"""The console of a command; see `tl_keras.console`.

In: what is logged, and work in progress. Out: lines on standard output and
standard error, a bar where a terminal is; the logger as it was, in the end.
"""

import contextlib
import logging
import os
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from tl_keras import log, progress
from tl_keras.console.bar import bar_line, sentence
from tl_keras.console.styles import is_terminal, styled

REDRAW = 0.1  # seconds, on a terminal
LOOK = 1.0  # the same elsewhere
SETTLED = 1.0  # a line that passes is left to be read so long
LONG = 2.0  # an epoch that takes so long leaves its line
FIRST_LINE, EACH_LINE = 10.0, 60.0  # seconds, where there is no terminal
CLEAR = "\r\x1b[K"


class Console(logging.Handler):
    """Shows lines as they are, and progress on a line of its own.

    Args:
        quiet: results and warnings alone, no progress.
        to_stderr: everything on stderr, since stdout is for a program.
        clock: gives seconds.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        to_stderr: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(log.RESULT if quiet else logging.INFO)
        self.quiet, self.to_stderr, self.clock = quiet, to_stderr, clock
        self._told = -float("inf")  # when work was last told of in a file
        self._passing, self._passed = "", -float("inf")
        self._drawn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Shows a record; called with the handler's lock held."""
        if getattr(record, "passing", False):
            self._pass(record.getMessage())
            return
        self._leave_passing()
        whole = getattr(record, "whole", False)
        self._show(record.getMessage(), record.levelno, whole=whole)

    def _show(
        self, line: str, level: int = logging.INFO, *, whole: bool = False
    ) -> None:
        # The streams of this moment: a test may have put others there.
        wrong = level >= logging.WARNING
        stream = sys.stderr if wrong else self._stdout()
        if is_terminal(stream) and not whole:
            line = wrapped(line, _columns(stream))
        if wrong:
            line = styled(line, "warn", stream)
        self._clear()
        print(line, file=stream, flush=True)

    def _pass(self, line: str) -> None:
        """A line that the next of its kind replaces, unless time goes by."""
        now, stream = self.clock(), self._terminal()
        every = EACH_LINE if stream is None else LONG
        stays = now - self._passed >= every
        if stays or stream is not None:
            self._passed = now
        self._passing = "" if stays else line
        if stays:
            self._show(line)
        elif stream is not None and not self.quiet:
            self._write(stream, line)

    def _leave_passing(self) -> None:
        """Its last line stays."""
        line, self._passing = self._passing, ""
        if line:
            self._show(line)

    def tick(self) -> None:
        """Shows how far work has come, where it is time to."""
        with self.lock:
            if self.quiet:
                return
            work, now = progress.current(), self.clock()
            stream = self._terminal()
            if stream is None:
                self._tell(work, now)
            elif self._passing and now - self._passed < SETTLED:
                self._write(stream, self._passing)
            elif work is not None:
                columns, plain = _columns(stream), not _has_lines(stream)
                line = bar_line(work, now, columns, plain=plain)
                self._write(stream, line)
            else:
                self._clear()

    def _tell(self, work: progress.Work | None, now: float) -> None:
        if work is None or now - work.began < FIRST_LINE:
            return
        if now - self._told >= EACH_LINE:
            self._told = now
            self._show(sentence(work, now))

    def _write(self, stream: TextIO, line: str) -> None:
        """On the line that is written anew."""
        line = line[: _columns(stream) - 1]
        stream.write(CLEAR + styled(line, "faint", stream))
        stream.flush()
        self._drawn = True

    def _clear(self) -> None:
        stream = self._terminal()
        if self._drawn and stream is not None:
            stream.write(CLEAR)
            stream.flush()
        self._drawn = False

    def _stdout(self) -> TextIO:
        return sys.stderr if self.to_stderr else sys.stdout

    def _terminal(self) -> TextIO | None:
        """Where a line can be written anew; None where there is no such."""
        for stream in (self._stdout(), sys.stderr):
            if is_terminal(stream):
                return stream
        return None

    def end(self) -> None:
        """Leaves the terminal as it was found."""
        with self.lock:
            self._leave_passing()
            self._clear()


def wrapped(text: str, columns: int) -> str:
    """Lines that fit a terminal; words and paths stay whole.

    Args:
        text: one or more lines.
        columns: of the terminal.
    """
    lines = []
    for line in text.split("\n"):
        if len(line) < columns:
            lines.append(line)
            continue
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(
            line, columns - 1, subsequent_indent=f"{indent}  ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    return "\n".join(lines)


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _has_lines(stream: TextIO) -> bool:
    """Whether the bar's characters can be written there."""
    return (stream.encoding or "").lower().replace("-", "") == "utf8"


@contextlib.contextmanager
def on_console(
    *, quiet: bool = False, to_stderr: bool = False
) -> Iterator[None]:
    """Inside, all lines stand on the console; within another one, once.

    Args:
        quiet: results and warnings alone, no progress.
        to_stderr: everything on stderr, since stdout is for a program.

    Example:
        @on_console()
        def main(): ...
    """
    logger = log.LOGGER
    _write_any_letter(sys.stdout)
    if any(isinstance(handler, Console) for handler in logger.handlers):
        yield
        return
    console = Console(quiet=quiet, to_stderr=to_stderr)
    before = logger.level, logger.propagate
    logger.addHandler(console)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    done = threading.Event()
    ticker = threading.Thread(target=_tick, args=(console, done), daemon=True)
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
        console.end()
        logger.removeHandler(console)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def _write_any_letter(stream: TextIO) -> None:
    """Letters that a terminal's encoding lacks are written as \\u00e9."""
    if getattr(stream, "errors", "") == "strict":
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="backslashreplace")


def _tick(console: Console, done: threading.Event) -> None:
    while not done.wait(REDRAW if console._terminal() else LOOK):
        # Whoever read us may be gone; the main thread will find out.
        with contextlib.suppress(OSError, ValueError):
            console.tick()
