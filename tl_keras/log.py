"""What library pieces have to say: silent, unless somebody listens.

    log.info("features: 120 pictures")        # in a piece of the library
    with log.on_console():                    # in a command
        ...

In: lines. Out: records of the logger `tl_keras`, which nobody shows until a
script asks for them as for those of any library:

    logging.basicConfig(level=logging.INFO)

A warning is shown on stderr unless a script sends it elsewhere. In a command
the same lines stand on the console as they are: what happens on stdout, what
went wrong on stderr.
"""

import contextlib
import logging
import sys
from collections.abc import Iterator

LOGGER = logging.getLogger("tl_keras")


def info(line: str) -> None:
    """Says what happens."""
    LOGGER.info("%s", line)


def warn(line: str) -> None:
    """Says what went wrong and is gone on from."""
    LOGGER.warning("%s", line)


class _Console(logging.Handler):
    """Prints lines as they are."""

    def emit(self, record: logging.LogRecord) -> None:
        # The streams of this moment: a test may have put others there.
        wrong = record.levelno >= logging.WARNING
        stream = sys.stderr if wrong else sys.stdout
        print(record.getMessage(), file=stream, flush=True)


@contextlib.contextmanager
def on_console() -> Iterator[None]:
    """Inside, all lines stand on the console; within another one, once.

    Example:
        @on_console()
        def main(): ...
    """
    if any(isinstance(handler, _Console) for handler in LOGGER.handlers):
        yield
        return
    console, before = _Console(), (LOGGER.level, LOGGER.propagate)
    LOGGER.addHandler(console)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.removeHandler(console)
        LOGGER.setLevel(before[0])
        LOGGER.propagate = before[1]
