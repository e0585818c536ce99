"""Colour, where a person sees it.

    print(styled("error:", "bad", sys.stderr), line)

In: text, what it means, the stream it goes to. Out: the text, coloured where
the stream is a terminal that nobody has asked to be plain.
"""

import os
from typing import TextIO

CODES = {"bad": "1;31", "warn": "33", "good": "1;32", "faint": "36"}


def is_terminal(stream: TextIO) -> bool:
    """Whether a line there can be written anew."""
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # It is closed.
        return False


def has_colour(stream: TextIO) -> bool:
    """Whether colour is seen there and wanted."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def styled(text: str, style: str, stream: TextIO) -> str:
    """The text as it goes to a stream.

    Args:
        text: without codes of its own.
        style: of `CODES`.
        stream: that it is written to.

    Returns:
        The text, with codes where they are seen.
    """
    if not has_colour(stream):
        return text
    return f"\x1b[{CODES[style]}m{text}\x1b[0m"


def error_line(line: str, stream: TextIO) -> str:
    """One fault as every command tells it."""
    return f"{styled('error:', 'bad', stream)} {line}"
