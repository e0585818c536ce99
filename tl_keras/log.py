"""What library pieces have to say: silent, unless somebody listens.

    log.info("features: 120 pictures")        # in a piece of the library
    log.passing("head 3/10  loss 0.431")      # the next such line replaces it
    log.result("test accuracy: 0.9667")       # what was asked for

In: lines. Out: records of the logger `tl_keras`, which nobody shows until a
script asks for them as for those of any library:

    logging.basicConfig(level=logging.INFO)

A warning is shown on stderr unless a script sends it elsewhere. In a command
`tl_keras.console` shows them all.
"""

import contextlib
import logging
from collections.abc import Iterator

LOGGER = logging.getLogger("tl_keras")
# Above what happens on the way, below what went wrong.
RESULT = 25
logging.addLevelName(RESULT, "RESULT")


def info(line: str, *, whole: bool = False) -> None:
    """Says what happens.

    Args:
        line: or several.
        whole: whether none is broken where it is long, as of a command.
    """
    LOGGER.info("%s", line, extra={"whole": whole})


def passing(line: str) -> None:
    """Says what holds until the next such line, as an epoch's numbers do."""
    LOGGER.info("%s", line, extra={"passing": True})


def result(line: str, *, whole: bool = False) -> None:
    """Says what was asked for; `--quiet` shows it too.

    Args:
        line: or several.
        whole: whether none is broken where it is long, as of a table.
    """
    LOGGER.log(RESULT, "%s", line, extra={"whole": whole})


def warn(line: str) -> None:
    """Says what went wrong and is gone on from."""
    LOGGER.warning("%s", line)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Inside, only warnings are told: of what is done over and over."""
    before = LOGGER.level
    LOGGER.setLevel(logging.WARNING)
    try:
        yield
    finally:
        LOGGER.setLevel(before)
