"""A .csv -> its rows, each with its line, and what is wrong with it.

    for row in read_rows("pets.csv", ("path", "label"), "path,label"):
        row.cells["path"], row.where, row.fault

In: UTF-8, comma separated, with a header. Out: rows one by one. What a
spreadsheet adds is no fault: a byte order mark, columns without a name, commas
behind the last cell, rows without a cell (counted), a header in another case.
"""

import collections
import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tl_keras.data.looking import may_be_picture
from tl_keras.errors import DataError

MOST_FAULTS = 5  # rows named one by one
EMPTY_ROW = "an empty row"
# The column of paths, by its usual names; the first that is there counts. A
# run's split.csv says `id`, and other tables number their rows so.
PATH_COLUMNS = (
    "path", "filename", "file_name", "filepath", "file_path", "file",
    "image_path", "img_path", "image", "img", "image_name", "image_id", "id",
)  # fmt: skip
ENCODING_MARKS = {
    b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK\x03\x04": "Excel",
    b"\xd0\xcf\x11\xe0": "Excel",
}  # fmt: skip


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


def read_rows(
    file: str,
    columns: Sequence[str],
    expected: str,
    ignored: collections.Counter | None = None,
) -> Iterator[Row]:
    """Rows one by one.

    Args:
        file: UTF-8, comma separated, with a header.
        columns: that the header must have; path under any of its names.
        expected: the header in words, for the message.
        ignored: counts rows without a cell.

    Returns:
        An iterator; a row whose cells do not fit the header says so itself.

    Raises:
        DataError: no such header, not UTF-8, or quotes that do not close.
    """
    ignored = collections.Counter() if ignored is None else ignored
    line = 1
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            names = _header(next(reader, []), file, columns, expected)
            for cells in reader:
                line = reader.line_num
                if not any(cell.strip() for cell in cells):
                    ignored[EMPTY_ROW] += bool(cells)
                    continue
                yield _row(names, cells, f"{file}:{line}")
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}) - check the path"
        ) from None
    except UnicodeDecodeError:
        raise DataError(_encoding_fault(file)) from None
    except csv.Error as error:
        raise DataError(
            f"{file}:{reader.line_num}: not readable as comma-separated text "
            f"({error}) - check quotes and commas"
        ) from None


def _header(
    cells: Sequence[str], file: str, columns: Sequence[str], expected: str
) -> list[str]:
    """The columns' names as this package calls them; "" for those without."""
    given = [cell.strip() for cell in cells]
    known = {"path", *columns, "split"}
    names = [
        name.lower() if name not in known and name.lower() in known else name
        for name in given
    ]
    paths = [n.lower() for n in names]
    as_path = next((n for n in PATH_COLUMNS if n in paths), None)
    if as_path is not None:
        names[paths.index(as_path)] = "path"
    while names and not names[-1]:
        names.pop()
    missing = [name for name in columns if name not in names]
    if missing:
        raise DataError(_header_fault(file, given, missing, expected))
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        raise DataError(
            f"{file}:1: a column stands twice in {','.join(given)} - rename one"
        )
    return names


def _header_fault(
    file: str, given: Sequence[str], missing: Sequence[str], expected: str
) -> str:
    joined = ",".join(given)
    marks = [m for m in (";", "\t", "|") if m in joined]
    hint = ""
    if marks:
        hint = f" - write commas, not {marks[0]!r}"
    elif given and may_be_picture(given[0]):
        hint = f" - write the line {expected.partition('[')[0]} above its rows"
    elif len(missing) == 1 and len(given) > 1:
        hint = f" - rename one of its columns to {missing[0]}"
    return (
        f"{file}:1: expected the header {expected}, received "
        f"{joined[:200] or 'nothing'}{hint}"
    )


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


def _encoding_fault(file: str) -> str:
    """Names the byte that is no UTF-8, and what the file may be instead."""
    with open(file, "rb") as stream:
        content = stream.read()
    for mark, name in ENCODING_MARKS.items():
        if content.startswith(mark):
            return (
                f"{file}: expected UTF-8 text, found {name} - save it as "
                "UTF-8 text with commas"
            )
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return (
            f"{file}:{line}: expected UTF-8 text, found byte "
            f"{content[error.start]:#x}, perhaps Latin-1 - save it as UTF-8"
        )
    return f"{file}: it changes while it is read - try again"


def raise_first(faults: Sequence[str], hints: Sequence[str] = ()) -> None:
    """The first faults, how many more there are, and what may explain them."""
    if len(faults) > MOST_FAULTS:
        more = f"and {len(faults) - MOST_FAULTS:,} more rows like these"
        raise DataError([*faults[:MOST_FAULTS], more, *hints])
    if faults:
        raise DataError([*faults, *hints])


def blank(cells: Mapping[str, str], column: str) -> bool:
    """Whether a row says nothing in a column."""
    return not cells.get(column, "").strip()
