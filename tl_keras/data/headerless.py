"""A table without a header -> which column is what.

    name_by_content([["img/1.jpg", "cat"]], Wanted(label=True), "t.csv")
    # (("path", "label"), ("it has no header: column 1 has ...",))

In: the first records. Out: the columns' names. Paths are known by what images'
files end in, a split by its words, and where one column is left, it is the
label.
"""

from collections.abc import Sequence

from tl_keras.data.delimited import ends_as_image
from tl_keras.data.split_words import split_named
from tl_keras.data.wanted import Wanted
from tl_keras.errors import DataError


def name_by_content(
    sample: Sequence[Sequence[str]], wanted: Wanted, file: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of a table without a header, by what stands in them.

    Args:
        sample: the first records.
        wanted: which columns there must be, or by which number.
        file: for messages.

    Returns:
        The columns' names: "path", "label", "split", and numbers from 1 on for
        others; and what was found out, in words.

    Raises:
        DataError: a column is missing, or two can be meant.
    """
    width = max(len(row) for row in sample)
    columns = [
        [row[i].strip() for row in sample if i < len(row)] for i in range(width)
    ]
    names = [str(number) for number in range(1, width + 1)]
    path = _numbered(wanted.path_column, "path_column", width, file)
    label = _numbered(wanted.label_column, "label_column", width, file)
    free = [i for i in range(width) if i not in (path, label)]
    if path is None:
        path = _column_of_paths([columns[i] for i in free], file)
        path = free[path]
    free = [i for i in free if i != path]
    words = [i for i in free if all(map(split_named, columns[i]))]
    needs = wanted.label and label is None
    if "split" in wanted.others and len(free) == 1:
        words = free[:]
    if len(words) == 1 and (len(free) > 1 or not needs):
        names[words[0]] = "split"
        free.remove(words[0])
    # Numbers of the rows stand before the paths, and say nothing of them.
    free = [i for i in free if i > path or not counts_rows(columns[i])]
    if label is None and len(free) == 1:
        label = free[0]
    missing = [name for name in wanted.others if name not in names]
    missing += ["label"] * (wanted.label and label is None)
    if missing:
        hint = "--label_column=2 says that it is the second column"
        if wanted.others or not free:
            hint = f"write the line {wanted.header} above its rows"
        raise DataError(
            f"{file}:1: it has no header, and {width} columns of which none "
            f"is known to be the {missing[0]} - {hint}"
        )
    names[path] = "path"
    if label is not None:
        names[label] = "label"
    return tuple(names), (_told(names),)


def _told(names: Sequence[str]) -> str:
    found = [
        f"column {names.index(name) + 1} {words}"
        for name, words in (
            ("path", "has the paths"), ("label", "the labels"),
            ("split", "the split"),
        )
        if name in names
    ]  # fmt: skip
    return f"it has no header: {', '.join(found)}"


def _numbered(name: str, flag: str, width: int, file: str) -> int | None:
    if not name:
        return None
    if name.isdecimal() and 1 <= int(name) <= width:
        return int(name) - 1
    raise DataError(
        f"{file}:1: --{flag}={name}: it has no header - give the column's "
        f"number, 1 to {width}"
    )


def _column_of_paths(columns: Sequence[Sequence[str]], file: str) -> int:
    """The one that names pictures; else the first of two columns or one."""
    shares = [sum(map(ends_as_image, column)) for column in columns]
    best = max(shares)
    places = [i for i, share in enumerate(shares) if share == best]
    if best and len(places) == 1:
        return places[0]
    if not best and len(columns) <= 2:
        return 0
    raise DataError(
        f"{file}:1: it has no header, and which of its {len(columns)} columns "
        "has the paths is not known - --path_column=1 says that it is the first"
    )


def counts_rows(cells: Sequence[str]) -> bool:
    """Whether cells are 1, 2, 3, ... or 0, 1, 2, ..., two of them or more."""
    if len(cells) < 2 or not all(cell.isdecimal() for cell in cells):
        return False
    return all(int(c) == int(cells[0]) + i for i, c in enumerate(cells))
