"""A run's record of its settings, `run.flags`, read: by everyone from here.

    read_flags(folder.flags)["dataset"]

In: the file that `Settings.to_flags` gave the text of: a `--name=value` a line,
in UTF-8. Out: texts by name. What people write themselves, with comments and
files in files, absl reads for `config.arguments`; a test holds the two
against each other.
"""

import io
import os
import pathlib


def parse_flags(text: str) -> dict[str, str]:
    """Texts by name, of the lines that hold a flag."""
    # Lines as open() sees them and absl too: str.splitlines would end one at
    # characters that a path may hold.
    lines = (line.rstrip("\n") for line in io.StringIO(text, newline=None))
    pairs = (line.partition("=") for line in lines)
    return {
        name.removeprefix("--"): value
        for name, equals, value in pairs
        if name.startswith("--") and equals
    }


def read_flags(file: str | os.PathLike) -> dict[str, str]:
    """The settings of a run.

    Raises:
        OSError, ValueError: it cannot be read, or is no text in UTF-8.
    """
    return parse_flags(pathlib.Path(file).read_text(encoding="utf-8"))
