"""A table of texts -> its rows, each with where it stands.

    for row in read_rows("reviews.csv"):
        row.where, row.text, row.label, row.split

In: `.csv` (commas, semicolons or tabs, as the header has them), `.tsv` or
JSONL. Out: rows. A row that is no row, such as one with a cell too few, says so
itself.
"""

import csv
import io
import json
import pathlib
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tl_keras import io_watchdog
from tl_keras.data.json_lines import as_cell
from tl_keras.data.texts.columns import Columns, find_columns
from tl_keras.data.texts.encodings import AUTO, is_broken, rows_of
from tl_keras.errors import DataError

JSON_LINES = (".jsonl", ".ndjson", ".json")
SEPARATED = (".csv", ".tsv", ".tab")
MAX_CELL = 10_000_000  # characters
WHITE = "\ufeff \t\r"
BROKEN = "not valid UTF-8 - save it as UTF-8, or leave it out"


class TextRow(NamedTuple):
    """One row.

    Attributes:
        where: `file.csv:LINE`.
        text, label, split: of the cells; "" where one is empty.
        fault: why it is no row, or "".
        cells: all of them, by their columns' names.
    """

    where: str
    text: str
    label: str
    split: str
    fault: str = ""
    cells: Mapping[str, str] = types.MappingProxyType({})


class Table(NamedTuple):
    """What was read of a file.

    Attributes:
        rows: in the order of the file.
        columns: that were found.
        encoding: in which it was read.
    """

    rows: list[TextRow]
    columns: Columns
    encoding: str


def read_table(
    file: str,
    *,
    text_columns: Sequence[str] = (),
    label_column: str = "",
    encoding: str = AUTO,
    need_label: bool = True,
    lists: bool = False,
) -> Table:
    """Reads all rows of a table.

    Args:
        file: `.csv`, `.tsv`, or `.jsonl` with an object in each line.
        text_columns, label_column, need_label: of `find_columns`.
        encoding: of `rows_of`.
        lists: in JSON, take a label that is a list or a fraction, as
            `json_lines.as_cell` writes it; else such a row is at fault.

    Returns:
        `Table`; empty rows are left out.

    Raises:
        DataError: it cannot be read, or has no such columns.
    """
    try:
        content = io_watchdog.read(file)
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}) - check the path"
        ) from None
    text, encoding = rows_of(content, encoding, file)
    options = (file, text_columns, label_column, need_label)
    if pathlib.PurePath(file).suffix.lower() in JSON_LINES:
        columns, rows = _of_json_lines(text, *options, lists)
    else:
        columns, rows = _of_separated(text, *options)
    return Table(list(rows), columns, encoding)


def _of_separated(
    text: str, file: str, text_columns, label_column, need_label
) -> tuple[Columns, Iterator[TextRow]]:
    """The rows of a table with a header."""
    first = text.lstrip("\r\n").partition("\n")[0]
    mark = max(",;\t", key=first.count)
    # A quoted text may be longer than csv's own limit, for the whole process.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark,
                        strict=True)  # fmt: skip
    try:
        header = next((cells for cells in reader if any(cells)), [])
    except csv.Error as error:
        raise _not_csv(file, reader.line_num, error) from None
    header = [name.strip(WHITE) for name in header]
    columns = find_columns(
        header, f"{file}:1", text_columns, label_column, need_label
    )
    return columns, _rows(reader, header, columns, file)


def _rows(reader, header, columns: Columns, file: str) -> Iterator[TextRow]:
    places = {name: place for place, name in enumerate(header)}
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{file}:{reader.line_num}"
            while len(cells) > len(header) and not cells[-1].strip():
                cells.pop()
            if len(cells) != len(header):
                fault = (
                    f"{len(cells)} cells; expected {len(header)} - put quotes "
                    "around a text that has the separator in it"
                )
                yield TextRow(where, "", "", "", fault)
                continue
            if any(map(is_broken, cells)):
                yield TextRow(where, "", "", "", BROKEN)
                continue
            yield TextRow(
                where,
                columns.joined([cells[places[name]] for name in columns.texts]),
                cells[places[columns.label]].strip() if columns.label else "",
                cells[places[columns.split]].strip() if columns.split else "",
                cells=dict(zip(header, cells, strict=True)),
            )
    except csv.Error as error:
        raise _not_csv(file, reader.line_num, error) from None


def _not_csv(file: str, line: int, error: Exception) -> DataError:
    return DataError(
        f"{file}:{line}: not readable as a table ({error}) - check its quotes"
    )


def _of_json_lines(
    text: str, file: str, text_columns, label_column, need_label, lists
) -> tuple[Columns, Iterator[TextRow]]:
    """The rows of a file with an object in each line."""
    lines = [
        (number, line)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip(WHITE)
    ]
    objects = [(number, _object(line)) for number, line in lines]
    first = next((o for _, o in objects if isinstance(o, dict)), None)
    if first is None:
        told = objects[0][1] if objects else "nothing"
        raise DataError(
            f"{file}: expected an object of JSON in each line, found "
            f"{told!s:.100} - write one a line"
        )
    columns = find_columns(
        list(first), f"{file}:1", text_columns, label_column, need_label
    )
    return columns, (
        _json_row(found, columns, f"{file}:{number}", lists)
        for number, found in objects
    )


def _object(line: str):
    """An object, or what is wrong with the line, in words."""
    if is_broken(line):
        return BROKEN
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"no JSON ({str(error).splitlines()[0][:80]})"
    return found if isinstance(found, dict) else f"no object: {found!r:.40}"


def _json_row(found, columns: Columns, where: str, lists: bool) -> TextRow:
    if isinstance(found, str):
        return TextRow(where, "", "", "", found)
    values = [found.get(name) for name in columns.texts]
    label = found.get(columns.label, "") if columns.label else ""
    split = found.get(columns.split, "") if columns.split else ""
    wrong = [v for v in values if not isinstance(v, (str, type(None)))]
    if wrong:
        fault = f"its text is {wrong[0]!r:.40}; expected a string"
        return TextRow(where, "", "", "", fault)
    if isinstance(label, (list, dict, float)) and not lists:
        fault = f"its label is {label!r:.40}; expected one class"
        return TextRow(where, "", "", "", fault)
    try:
        text = columns.joined([value or "" for value in values])
        text.encode()  # JSON can hold halves of characters.
    except UnicodeEncodeError:
        return TextRow(where, "", "", "", "its text has half a character in it")
    if isinstance(label, (list, dict, float)):
        label = as_cell(label)
    label = "" if label is None else str(label).strip()
    cells = {name: as_cell(value) for name, value in found.items()}
    return TextRow(where, text, label, str(split or "").strip(), cells=cells)
