"""A text of columns -> its encoding, its separator, its records.

    text = DelimitedText("pets.txt")
    text.sample                     # the first records, to guess by
    for cells, line in text.records(): ...

In: a file with commas, semicolons, tabs, `|` or blanks between its cells, in
UTF-8 or UTF-16. Out: lists of texts, each with its line. Whether the first of
them is a header is for `columns` to say.
"""

import codecs
import csv
import io
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence

from tl_keras.data.looking import may_be_image
from tl_keras.errors import DataError

MARKS = (",", ";", "\t", "|")
BLANKS = " "
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "|",
         BLANKS: "blanks"}  # fmt: skip
KINDS = {",": "comma-separated", ";": "semicolon-separated",
         "\t": "tab-separated", "|": "|-separated"}  # fmt: skip
SAMPLE_BYTES, SAMPLE_RECORDS = 1 << 16, 50
_BINARY = {b"PK\x03\x04": "Excel", b"\xd0\xcf\x11\xe0": "Excel",
           b"PAR1": "Parquet", b"\x1f\x8b": "a gzip archive"}  # fmt: skip
# The longest first: the mark of UTF-32 begins as that of UTF-16.
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What a spreadsheet writes above the header to say its separator.
_SEP_LINE = re.compile(r"(?i)\s*\"?sep=(.)\"?\s*")

Record = tuple[list[str], int]


class DelimitedText:
    """A file of columns, looked into once; see the module's text.

    Args:
        file: its path.
        names: names that a header has, in lower case; a separator that takes
            one of them out of the first line is the right one.

    Attributes:
        mark: what stands between cells: one of `MARKS`, or `BLANKS`.
        encoding: as Python calls it.
        sample: its first records, as `records` gives them.
        remarks: how many lines of remarks `records` has passed over.

    Raises:
        DataError: it is no text that is known here.
    """

    def __init__(self, file: str, names: Sequence[str] = ()):
        self.file = file
        self.remarks = 0
        with _opened(file, "rb") as stream:
            first = stream.read(SAMPLE_BYTES)
            whole = len(first) < SAMPLE_BYTES
        self.encoding = _encoding(first, file)
        decoder = codecs.getincrementaldecoder(self.encoding)("replace")
        text = decoder.decode(first)
        if not whole:  # The last line is half a line.
            text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
        self._said, self._skipped = _said_separator(text)
        self.mark = self._said or _separator(
            "".join(text.splitlines(True)[self._skipped :]), names
        )
        self.sample = _records_of(text, self.mark, self._skipped)

    def records(self) -> Iterator[Record]:
        """All records with the line each ends in; empty ones have no cell
        that says anything.

        Raises:
            DataError: bytes that are no text, or quotes that do not close.
        """
        skipped = self._skipped
        try:
            with _opened(self.file, encoding=self.encoding) as stream:
                for _ in range(skipped):
                    next(stream)
                if self.mark == BLANKS:
                    yield from self._lines(stream)
                    return
                reader = csv.reader(stream, delimiter=self.mark, strict=True)
                for cells in reader:
                    yield cells, reader.line_num + skipped
        except UnicodeDecodeError:
            raise DataError(_encoding_fault(self.file)) from None
        except csv.Error as error:
            raise DataError(
                f"{self.file}:{reader.line_num + skipped}: not readable as "
                f"{KINDS[self.mark]} text ({error}) - check quotes and "
                f"{NAMES[self.mark]}"
            ) from None

    def _lines(self, stream: Iterable[str]) -> Iterator[Record]:
        for line, text in enumerate(stream, 1 + self._skipped):
            if is_remark(text):
                self.remarks += 1
            else:
                yield cut_at_blanks(text), line


def _opened(file: str, mode: str = "r", **how):
    try:
        if "b" not in mode:
            how["newline"] = ""
        return open(file, mode, **how)
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}) - check the path"
        ) from None


def _encoding(first: bytes, file: str) -> str:
    """By its mark, or by the noughts between letters; else UTF-8."""
    for mark, kind in _BINARY.items():
        if first.startswith(mark):
            raise DataError(
                f"{file}: expected a table as text, found {kind} - save it as "
                "UTF-8 text with commas"
            )
    for mark, encoding in _ENCODINGS:
        if first.startswith(mark):
            return encoding
    start = first[:200]
    if len(start) > 3 and 0 not in start[::2] and set(start[1::2]) == {0}:
        return "utf-16-le"
    if len(start) > 3 and 0 not in start[1::2] and set(start[::2]) == {0}:
        return "utf-16-be"
    return "utf-8-sig"


def _said_separator(text: str) -> tuple[str, int]:
    """The separator of a line sep=; and how many lines say it."""
    found = _SEP_LINE.fullmatch(next(iter(text.splitlines()), ""))
    return (found[1], 1) if found else ("", 0)


def _separator(text: str, names: Sequence[str]) -> str:
    """What stands between the cells of a text."""
    parsed = {mark: _records_of(text, mark) for mark in MARKS}
    heads = {mark: rows[0] for mark, rows in parsed.items() if rows}
    for mark, head in heads.items():
        if len(head) > 1 and {cell.strip().lower() for cell in head} & {*names}:
            return mark
    alike = [mark for mark, rows in parsed.items() if _are_alike(rows)]
    if len(alike) > 1:
        clean = [m for m in alike if any(map(_has_path, parsed[m][-1:]))]
        alike = clean or alike
    if alike:
        return alike[0]
    if any(len(head) > 1 for head in heads.values()):
        return max(heads, key=lambda mark: len(heads[mark]))
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [cut_at_blanks(line) for line in lines if not is_remark(line)]
    return BLANKS if _are_alike(rows) else ","


def _are_alike(rows: Sequence[Sequence[str]]) -> bool:
    """Whether all rows have the same cells, two or more."""
    widths = {len(row) for row in rows}
    return len(widths) == 1 and widths.pop() > 1


def _has_path(cells: Sequence[str]) -> bool:
    return any(ends_as_image(cell) for cell in cells)


def _records_of(text: str, mark: str, skip: int = 0) -> list[list[str]]:
    """The first records that say something, as far as they can be read."""
    lines = text.splitlines(True)[skip:]
    if mark == BLANKS:
        rows = (cut_at_blanks(line) for line in lines if not is_remark(line))
    else:
        rows = _readable(
            csv.reader(io.StringIO("".join(lines), newline=""), delimiter=mark)
        )
    filled = (row for row in rows if any(cell.strip() for cell in row))
    return list(itertools.islice(filled, SAMPLE_RECORDS))


def _readable(reader) -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error:
        return  # It is told where all of it is read.


def ends_as_image(cell: str) -> bool:
    """Whether a text ends in what a picture's name ends in."""
    suffix = os.path.splitext(cell.strip())[1]
    return bool(suffix) and may_be_image("x" + suffix)


def is_remark(line: str) -> bool:
    """Whether a line of a list is a remark."""
    return line.lstrip().startswith(("#", "%", "//"))


def cut_at_blanks(line: str) -> list[str]:
    """The cells of a line of a list, such as `my photos/1.jpg cat`.

    Blanks in a path that ends as a picture's are kept, and so are those of a
    text behind it; numbers behind it are a cell each.
    """
    parts = line.split()
    ends = [i for i, part in enumerate(parts) if ends_as_image(part)]
    if not ends:
        return parts
    last = ends[-1]
    first = 1 if last and parts[0].isdecimal() else 0
    pieces = re.split(r"(\s+)", line.strip())
    path = "".join(pieces[2 * first : 2 * last + 1])
    behind = parts[last + 1 :]
    if not all(re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", b) for b in behind):
        behind = [" ".join(behind)]
    return [*parts[:first], path, *behind]


def _encoding_fault(file: str) -> str:
    """Names the byte that is no text, and what the file may be instead."""
    with open(file, "rb") as stream:
        content = stream.read()
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return (
            f"{file}:{line}: expected UTF-8 text, found byte "
            f"{content[error.start]:#x}, perhaps Latin-1 - save it as UTF-8"
        )
    return f"{file}: it changes while it is read - try again"
