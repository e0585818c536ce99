"""Texts without labels: a table, a folder, a file, lines, or one text.

    texts = UnlabelledTexts("reviews.csv")
    for found in texts: found.id, texts.held(found.id)

In: a path, `-` for the lines of standard input, or a text itself. Out: what
`data.Unlabelled` gives of pictures, with the texts in memory.
"""

import collections
import os
import pathlib
import sys
import zlib
from collections.abc import Iterator, Sequence

from tl_keras import io_watchdog
from tl_keras.data.texts.encodings import (
    AUTO,
    check_encoding,
    is_broken,
    rows_of,
    text_of,
)
from tl_keras.data.texts.folders import text_files
from tl_keras.data.texts.listing import NO_TEXT
from tl_keras.data.texts.rows import (
    BROKEN,
    JSON_LINES,
    SEPARATED,
    read_table,
)
from tl_keras.data.unlabelled import Found
from tl_keras.errors import DataError

LINES = "-"
ONE = "the text"
EMPTY_LINE = "an empty line"


class UnlabelledTexts:
    """Texts by their place; iterate over it once.

    Args:
        source: a `.csv`, `.tsv` or `.jsonl`; a folder of `.txt`, with its
            sub-folders; one `.txt`; `-` for lines of standard input; or a
            text.
        text_columns, encoding: of a table, as in `list_texts`.

    Attributes:
        kind: of input.
        ignored: counts by reason; whole when the iteration has ended.
        hints, told: as of `data.Unlabelled`.
    """

    kind = "text"

    def __init__(
        self,
        source: str,
        text_columns: Sequence[str] = (),
        encoding: str = AUTO,
    ):
        check_encoding(encoding)
        self.source = source
        self.ignored: collections.Counter = collections.Counter()
        self.hints: list[str] = []
        self.told: tuple[str, ...] = ()
        self._columns, self._encoding = text_columns, encoding
        self._held: dict[str, bytes] = {}

    def __iter__(self) -> Iterator[Found]:
        for id_, text, reason in self._texts():
            encoded = text.encode("utf-8", "replace")
            if not reason and not text.strip("\x1e \t\r\n"):
                reason = f"{NO_TEXT} - write one, or leave it out"
            self._held[id_] = encoded
            # In the place of a file's time: it changes when the text does.
            yield Found(id_, reason, "", len(encoded), zlib.crc32(encoded))

    def held(self, id_: str) -> bytes | None:
        """The text of an id, as UTF-8."""
        return self._held.get(id_)

    def _texts(self) -> Iterator[tuple[str, str, str]]:
        """(id, text, why it cannot be read) of each."""
        suffix = pathlib.PurePath(self.source).suffix.lower()
        if self.source == LINES:
            yield from self._of_lines()
        elif os.path.isdir(self.source):
            yield from self._of_folder()
        elif not os.path.exists(self.source):
            yield ONE, self.source, ""
        elif suffix in (*SEPARATED, *JSON_LINES):
            yield from self._of_table()
        else:
            yield self._of_file(self.source, os.path.basename(self.source))

    def _of_lines(self) -> Iterator[tuple[str, str, str]]:
        text, _ = rows_of(sys.stdin.buffer.read(), "utf-8", "standard input")
        lines = [line.strip() for line in text.rstrip().split("\n")]
        width = len(str(len(lines)))
        for number, line in enumerate(lines, 1):
            # So that they stand in their order.
            id_ = f"line {number:0{width}}"
            if not line:
                self.ignored[EMPTY_LINE] += 1
            elif is_broken(line):
                yield id_, "", BROKEN
            else:
                yield id_, line, ""

    def _of_folder(self) -> Iterator[tuple[str, str, str]]:
        for path in text_files(self.source, self.ignored):
            yield self._of_file(path, os.path.relpath(path, self.source))

    def _of_file(self, path: str, id_: str) -> tuple[str, str, str]:
        try:
            text, _ = text_of(io_watchdog.read(path), self._encoding, path)
        except OSError as error:
            why = f"cannot be read ({error.strerror}) - check its rights"
            return id_, "", why
        except DataError as error:
            return id_, "", str(error)
        return id_, text.strip(), ""

    def _of_table(self) -> Iterator[tuple[str, str, str]]:
        table = read_table(
            self.source,
            text_columns=self._columns,
            encoding=self._encoding,
            need_label=False,
            lists=True,
        )
        texts = ", ".join(table.columns.texts)
        self.told = (f"texts are from the column {texts}",)
        start = os.path.dirname(self.source) or "."
        for row in table.rows:
            yield os.path.relpath(row.where, start), row.text, row.fault
