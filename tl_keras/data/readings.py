"""A table's columns -> what can be predicted from it; nothing is decided.

    facts = target_facts({"path": paths, "label": cells}, path="path")
    facts.columns["label"].numeric          # cells that are numbers
    facts.columns["label"].separators       # what may stand between labels
    facts.marked                            # columns of 0 and 1
    facts.repeated                          # paths in rows of other cells

In: raw cells by column. Out: counts that say which readings are possible:
classes, several labels (in a cell, in columns, in rows) or numbers.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras.data.labels import MINUS, NO, YES, Separator, separators_in
from tl_keras.data.numbers import NOT_KNOWN, read_numbers


@dataclasses.dataclass(frozen=True)
class ColumnFacts:
    """What the cells of a column are.

    Attributes:
        name: of the column.
        rows: how many cells there are.
        filled: how many are not empty.
        unknown: how many of these are a word for "not known", as N/A.
        distinct: how many different texts there are, without empty ones.
        numeric: how many are numbers, see `read_numbers`.
        unit: that stands in the cells, as in "12 cm"; or "".
        whole: how many of these are whole.
        marks: whether all that say something are 0/1 or the like, or -1/1.
        minus: whether -1 is among those marks, as "no".
        separators: what may stand between labels, see `separators_in`.
    """

    name: str
    rows: int
    filled: int
    unknown: int
    distinct: int
    numeric: int
    unit: str
    whole: int
    marks: bool
    minus: bool
    separators: tuple[Separator, ...]

    @property
    def all_numeric(self) -> bool:
        """Whether each cell that is not empty or N/A is a number."""
        return 0 < self.filled - self.unknown == self.numeric


@dataclasses.dataclass(frozen=True)
class TargetFacts:
    """What the columns of a table are, beside its paths.

    Attributes:
        columns: name -> its facts, in the table's order, without the paths.
        rows: how many there are.
        repeated: paths that stand in several rows whose other cells differ;
            path -> how many rows.
        same: how many rows repeat another one cell by cell.
    """

    columns: Mapping[str, ColumnFacts]
    rows: int
    repeated: Mapping[str, int]
    same: int

    @property
    def marked(self) -> tuple[str, ...]:
        """The columns that hold 0 and 1, or the like, alone."""
        return tuple(n for n, facts in self.columns.items() if facts.marks)

    @property
    def numeric(self) -> tuple[str, ...]:
        """The columns of numbers, those of 0 and 1 among them."""
        return tuple(n for n, f in self.columns.items() if f.all_numeric)


def target_facts(
    columns: Mapping[str, Sequence[str]],
    path: str = "path",
    leave_out: Sequence[str] = ("split",),
) -> TargetFacts:
    """The facts of a table's columns.

    Args:
        columns: name -> its cells as texts, all of one length.
        path: the column of paths.
        leave_out: columns that are no targets, such as the group's.

    Returns:
        `TargetFacts`.

    Example:
        facts = target_facts({"path": ["1.jpg"], "cat": ["1"], "dog": ["0"]})
        facts.marked                                    # ("cat", "dog")
    """
    targets = {
        name: cells
        for name, cells in columns.items()
        if name != path and name not in leave_out
    }
    rows = len(next(iter(columns.values()), ()))
    by_path: dict[str, set] = {}
    counts: dict[str, int] = {}
    same = 0
    for place, one in enumerate(columns.get(path, ())):
        cells = tuple(cells[place].strip() for cells in targets.values())
        known = by_path.setdefault(one, set())
        same += cells in known
        known.add(cells)
        counts[one] = counts.get(one, 0) + 1
    repeated = {p: counts[p] for p, known in by_path.items() if len(known) > 1}
    facts = {name: column_facts(name, cells) for name, cells in targets.items()}
    return TargetFacts(facts, rows, repeated, same)


def column_facts(name: str, cells: Sequence[str]) -> ColumnFacts:
    """The facts of one column.

    Args:
        name: of the column.
        cells: its texts.

    Example:
        column_facts("age", ["31", "n/a"]).numeric      # 1
    """
    filled = [cell.strip() for cell in cells if cell.strip()]
    known = [text for text in filled if text.casefold() not in NOT_KNOWN]
    numbers = read_numbers(known)
    finite = numbers.values[np.isfinite(numbers.values)]
    kinds = {text.casefold() for text in filled}
    zero_one = kinds <= YES | NO
    minus = bool(kinds & MINUS) and kinds <= YES | MINUS
    return ColumnFacts(
        name,
        rows=len(cells),
        filled=len(filled),
        unknown=len(filled) - len(known),
        distinct=len(set(filled)),
        numeric=len(finite),
        unit=numbers.unit,
        whole=int((finite == finite.round()).sum()),
        marks=bool(kinds) and (zero_one or minus),
        minus=minus,
        separators=separators_in(known),
    )
