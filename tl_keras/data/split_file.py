"""A split in a file of its own -> the split of each path of a table.

    splits = read_split_file("splits.csv")
    splits.of("img/1.jpg")              # "train"; None where it says nothing

In: a table of paths and of train, val or test. Out: a lookup by path; a path
may lack its extension, or be written with backslashes, in either of the two.
"""

import os

from tl_keras.data.numbered_lists import IMAGES, pairs_in
from tl_keras.data.rows import Row, Rows, raise_first
from tl_keras.data.split_words import (
    BY_NUMBER,
    coded_splits,
    split_named,
    splits_among,
)
from tl_keras.data.wanted import Wanted

WANTED = Wanted(others=("split",), expected="path,split")


class SplitFile:
    """Path -> split; see the module's text.

    Args:
        file: its name, for messages.
        splits: path -> split, as they are written.
    """

    def __init__(self, file: str, splits: dict[str, str]):
        self.file = file
        self._by_path = {_plain(path): s for path, s in splits.items()}
        self._by_stem: dict[str, set[str]] = {}
        for path, split in self._by_path.items():
            stem = os.path.splitext(path)[0]
            self._by_stem.setdefault(stem, set()).add(split)

    def of(self, path: str) -> str | None:
        """The split of a path; None where the file says nothing of it."""
        plain = _plain(path)
        if plain in self._by_path:
            return self._by_path[plain]
        splits = self._by_stem.get(plain) or self._by_stem.get(
            os.path.splitext(plain)[0], ()
        )
        return next(iter(splits)) if len(splits) == 1 else None


def read_split_file(file: str) -> SplitFile:
    """Reads a table of paths and splits.

    Args:
        file: any table, with a column split, or without a header a list of
            paths and of train, val or test, or of the numbers that stand for
            them, see `split_words.coded_splits`; the numbers of pictures in
            the place of paths are those of the images.txt beside it.

    Raises:
        DataError: naming its rows.
    """
    reader = Rows(file, WANTED)
    rows = list(reader)
    words = {row.cells.get("split", "").strip() for row in rows}
    name = os.path.basename(file)
    if reader.header:
        name = reader.header[reader.names.index("split")]
    known = coded_splits(words, name) or splits_among(
        sorted(word for word in words if split_named(word))
    )
    numbered = _numbered(file, rows)
    faults, splits = [], {}
    for row in rows:
        word = row.cells.get("split", "").strip()
        path = row.cells.get("path", "").strip()
        path = _plain(numbered.get(path, path))
        fault = row.fault
        if not fault and word not in known:
            fault = f"split {word!r}; expected train, val or test{_hint(words)}"
        elif not fault and splits.get(path, known[word]) != known[word]:
            fault = f"{path} stands above in {splits[path]} - keep one row"
        if fault:
            faults.append(f"{row.where}: {fault}")
        else:
            splits[path] = known[word]
    raise_first(faults)
    return SplitFile(file, splits)


def _numbered(file: str, rows: list[Row]) -> dict[str, str]:
    """Number -> path, where a file numbers pictures as images.txt does."""
    images = os.path.join(os.path.dirname(file), IMAGES)
    numbers = (row.cells.get("path", "").strip() for row in rows)
    if not all(map(str.isdecimal, numbers)) or not os.path.isfile(images):
        return {}
    return pairs_in(images, strict=False)


def _hint(words: set[str]) -> str:
    """What to do about numbers that can be read in two ways."""
    if not words <= set(BY_NUMBER):
        return ""
    return (
        " - 0 and 1 can be train and val, or 1 train and 0 test: write the "
        "words, or call the column is_train"
    )


def _plain(path: str) -> str:
    return path.strip().replace("\\", "/").removeprefix("./")
