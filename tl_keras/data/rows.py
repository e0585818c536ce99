"""A table -> its rows, each with its line, and what is wrong with it.

    for row in Rows("pets.csv", Wanted(label=True)):
        row.cells["path"], row.where, row.fault

In: text with any usual separator, JSON Lines or Parquet. Out: rows one by one.
What a spreadsheet adds is no fault: a byte order mark, columns without a name,
commas behind the last cell, rows without a cell (counted), another case.
"""

import collections
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tl_keras.data import json_lines, parquet
from tl_keras.data.columns import Named, name_columns, names_a_column
from tl_keras.data.delimited import BLANKS, NAMES, DelimitedText
from tl_keras.data.wanted import Wanted
from tl_keras.errors import DataError

MAX_FAULTS = 5  # rows named one by one
EMPTY_ROW = "an empty row"
REMARK = "a line of remarks"
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = (".parquet", ".pq")
# What a table's name ends in; config has the same list.
TABLES = (".csv", ".tsv", ".tab", ".txt", *JSON_LINES, *PARQUET)


class Row(NamedTuple):
    """One row of a table.

    Attributes:
        cells: column -> text, for the columns that have a name.
        where: `file.csv:LINE`.
        fault: what is wrong with its number of cells, or "".
    """

    cells: dict[str, str]
    where: str
    fault: str = ""


class Rows:
    """The rows of a table, one by one; iterate over it once.

    Args:
        file: a table; what it is called decides between text, JSON Lines and
            Parquet.
        wanted: which columns there must be.

    Attributes:
        ignored: rows without a cell and lines of remarks that were passed, by
            reason; all of them when the last row was given.
        names: of the columns; path and label under these names.
        header: the columns as the file calls them; () without a header.
        told: what was found out about the columns, in words.

    Raises:
        DataError: no such columns, no text in a known encoding, or quotes
            that do not close.
        MachineError: Parquet without pyarrow.
    """

    def __init__(
        self,
        file: str,
        wanted: Wanted = Wanted(),  # noqa: B008 - it is frozen
    ):
        self.file = file
        self.ignored: collections.Counter = collections.Counter()
        self._text: DelimitedText | None = None
        self._keys: list[str] = []
        if file.lower().endswith((*JSON_LINES, *PARQUET)):
            self._of = parquet
            if file.lower().endswith(JSON_LINES):
                self._of = json_lines
            self._keys = self._of.names_in(file)
            named = name_columns([self._keys], wanted, file, header=True)
            self.header = tuple(self._keys)
            self.told = named.told
        else:
            self._text = DelimitedText(file, wanted.usual_names)
            named = _named_text(self._text, wanted)
            first = self._text.sample[:1] if named.has_header else []
            self.header = tuple(cell for row in first for cell in row)
            self.told = (*_told_of(self._text), *named.told)
        self.names = named.names
        self._has_header = named.has_header

    def __iter__(self) -> Iterator[Row]:
        if self._text is None:
            for cells, line in self._of.records(self.file, self._keys):
                yield self._row(cells, line)
            return
        header = self._has_header
        for cells, line in self._text.records():
            if not any(cell.strip() for cell in cells):
                self.ignored[EMPTY_ROW] += bool(cells)
            elif header:
                header = False
            else:
                yield self._row(cells, line)
        if self._text.remarks:
            self.ignored[REMARK] += self._text.remarks

    def _row(self, cells: Sequence[str], line: int) -> Row:
        return _row(self.names, cells, f"{self.file}:{line}")


def is_table(name: str) -> bool:
    """Whether a dataset's name is that of a table, in any case."""
    return name.lower().endswith(TABLES)


def _named_text(text: DelimitedText, wanted: Wanted) -> Named:
    """The columns of a text; a list with blanks has no header, unless its
    first line is surely one."""
    header = None
    if text.mark == BLANKS and text.sample:
        header = names_a_column(text.sample[0], wanted)
    return name_columns(text.sample, wanted, text.file, header=header)


def _told_of(text: DelimitedText) -> list[str]:
    told = []
    if text.encoding.startswith("utf-16") or text.encoding == "utf-32":
        told.append(f"it is read as {text.encoding.upper()}")
    if text.mark not in (",", BLANKS):
        told.append(f"{NAMES[text.mark]} are between its cells")
    return told


def _row(names: Sequence[str], cells: Sequence[str], where: str) -> Row:
    count = len(names)
    # A blank cell too many, or a cell without a name too few, is no fault.
    filled = list(cells)
    while len(filled) > count and not filled[-1].strip():
        filled.pop()
    while len(filled) < count and not names[len(filled)]:
        filled.append("")
    columns = {
        name: cell for name, cell in zip(names, filled, strict=False) if name
    }
    if len(filled) == count:
        return Row(columns, where)
    named = [name for name in names if name]
    received = [*filled[:count], filled[count:]] if filled[count:] else filled
    return Row(
        columns,
        where,
        f"expected {len(named)} fields ({','.join(named)}), received "
        f"{[cell for cell in received if cell]}",
    )


def raise_first(faults: Sequence[str], hints: Sequence[str] = ()) -> None:
    """The first faults, how many more there are, and what may explain them."""
    if len(faults) > MAX_FAULTS:
        more = f"and {len(faults) - MAX_FAULTS:,} more rows like these"
        raise DataError([*faults[:MAX_FAULTS], more, *hints])
    if faults:
        raise DataError([*faults, *hints])


def blank(cells: Mapping[str, str], column: str) -> bool:
    """Whether a row says nothing in a column."""
    return not cells.get(column, "").strip()
