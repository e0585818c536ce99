"""Cells that hold several labels, 0/1 columns, rows that repeat a path.

    separators_in(["cat|outdoor", "dog"])     # (Separator("|", 1, 3, 2),)
    split_labels("cat|outdoor", "|")          # ("cat", "outdoor")
    marks = read_marks(["1", "0", "0.0"])     # marks.values, marks.refused

In: a column's texts. Out: labels and what speaks for a separator. Nothing is
decided here: a blank may be between two labels or in the name of one, and
who asks knows what else the table says.
"""

import ast
import collections
import csv
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

# A list as JSON or Python writes it, such as ["cat", "outdoor"].
LIST = "[]"
MARKS = ("|", ";", "\t", ",", "/", "+", "&", " ")
# In a name of one class these are as likely as between two.
IN_NAMES = (",", "/", "+", "&", " ")
YES = {"1", "1.0", "true", "yes", "y", "t", "x"}
NO = {"0", "0.0", "false", "no", "n", "f"}
MINUS = {"-1", "-1.0"}
MAX_CELL = 10_000  # characters that are read as a list


class Separator(NamedTuple):
    """What a column would be, cut at a mark.

    Attributes:
        mark: one of `MARKS`, or `LIST`.
        cells: how many cells hold it between two labels.
        labels: how many different labels there would be.
        names: how many different cells there are, uncut.
    """

    mark: str
    cells: int
    labels: int
    names: int

    @property
    def in_names(self) -> bool:
        """Whether the mark may as well be part of a name."""
        return self.mark in IN_NAMES

    @property
    def combines(self) -> bool:
        """Whether the cells are fewer labels in different company."""
        return self.labels < self.names


@dataclasses.dataclass(frozen=True)
class Marks:
    """A 0/1 column.

    Attributes:
        values: uint8 (cells,), 0 where a cell is missing or refused.
        missing: places of cells that say nothing.
        refused: place -> why.
    """

    values: np.ndarray
    missing: tuple[int, ...]
    refused: Mapping[int, str]


def separators_in(cells: Sequence[str]) -> tuple[Separator, ...]:
    """What may stand between labels in a column's cells.

    Args:
        cells: its texts; those that say nothing do not count.

    Returns:
        A `Separator` for each mark that a cell holds between two labels, the
        one in the most cells first.

    Example:
        (found,) = separators_in(["cat|dog", "dog", "cat|fox"])
        found.mark, found.cells, found.labels           # ("|", 2, 3)
    """
    counts = collections.Counter(cell.strip() for cell in cells)
    counts.pop("", None)
    found = []
    for mark in (LIST, *MARKS):
        parts = {
            cell: split_labels(cell, mark)
            for cell in counts
            if _may_hold(cell, mark)
        }
        held = sum(
            counts[cell]
            for cell, some in parts.items()
            if len(some) > 1 or (mark == LIST and some != (cell,))
        )
        if not held:
            continue
        labels = {one for cell in counts for one in parts.get(cell, (cell,))}
        found.append(Separator(mark, held, len(labels), len(counts)))
        if mark == LIST:
            break  # What stands between brackets is no separator of its own.
    order = (LIST, *MARKS)
    return tuple(
        sorted(found, key=lambda one: (-one.cells, order.index(one.mark)))
    )


def _may_hold(cell: str, mark: str) -> bool:
    """Whether it is worth while to cut a cell; most are one label."""
    if mark == LIST:
        return cell[0] in "[{("
    return len(cell.split()) > 1 if mark == " " else mark in cell


def split_labels(cell: str, separator: str) -> tuple[str, ...]:
    """The labels of a cell, each once, in their order.

    Args:
        cell: its text.
        separator: what stands between labels; `LIST` for a list as JSON or
            Python writes it; "" for none.

    Returns:
        Labels without blanks around them; () for a cell that says nothing.

    Example:
        split_labels("cat, dog", ",")       # ("cat", "dog")
    """
    if separator == LIST:
        listed = _as_list(cell)
        parts = [cell] if listed is None else listed
    elif not separator:
        parts = [cell]
    elif separator == " ":
        parts = cell.split()
    elif '"' in cell and len(separator) == 1:
        parts = _quoted(cell, separator)
    else:
        parts = cell.split(separator)
    return tuple(dict.fromkeys(p.strip() for p in parts if p.strip()))


def _quoted(cell: str, separator: str) -> list[str]:
    """Parts of which some stand in quotes: "red, dark", blue."""
    try:
        rows = csv.reader(
            [cell], delimiter=separator, skipinitialspace=True, strict=True
        )
        return [part for row in rows for part in row]
    except csv.Error:
        return cell.split(separator)


def _as_list(cell: str) -> list[str] | None:
    """The labels of a list, or of a set or tuple; None for another text."""
    text = cell.strip()
    if len(text) > MAX_CELL or text[:1] + text[-1:] not in ("[]", "{}", "()"):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (
            ValueError,
            SyntaxError,
            RecursionError,
            MemoryError,
            TypeError,
        ):
            continue
        if isinstance(found, (list, tuple, set)):
            if all(isinstance(one, (str, int, float)) for one in found):
                return [str(one) for one in found]
    return None


def read_marks(cells: Sequence[str], *, minus_is_no: bool = False) -> Marks:
    """Reads a 0/1 column: does a row have this label?

    Args:
        cells: its texts: 0 and 1, 0.0 and 1.0, true and false, yes and no, or
            x, in any case.
        minus_is_no: whether -1 says no, as in tables of -1 and 1.

    Returns:
        `Marks`.

    Example:
        read_marks(["1", "0", "-1"]).refused        # {2: "is neither 0 ..."}
    """
    values = np.zeros(len(cells), np.uint8)
    missing, refused = [], {}
    no = NO | MINUS if minus_is_no else NO
    for place, cell in enumerate(cells):
        text = cell.strip().casefold()
        if text in YES:
            values[place] = 1
        elif not text:
            missing.append(place)
        elif text not in no:
            refused[place] = "is neither 0 nor 1 - write one of them"
    return Marks(values, tuple(missing), refused)


def labels_by_path(
    paths: Sequence[str], labels: Sequence[Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """The labels of all rows of a path, each once.

    Args:
        paths: of each row.
        labels: those of each row.

    Returns:
        Path -> labels, in the order of the rows.

    Example:
        labels_by_path(["1.jpg", "1.jpg"], [("cat",), ("dog",)])
        # {"1.jpg": ("cat", "dog")}
    """
    gathered: dict[str, dict[str, None]] = {}
    for path, some in zip(paths, labels, strict=True):
        gathered.setdefault(path, {}).update(dict.fromkeys(some))
    return {path: tuple(some) for path, some in gathered.items()}
