"""A table's columns -> which of them is the path, the label, the split.

    named = name_columns(sample, Wanted(label=True), "t.csv")
    named.names         # ("path", "label", "", "age"); "" for one without name
    named.has_header    # whether the sample's first record is one
    named.told          # ("paths are from the column id, labels from breed",)

In: the first records. Out: the columns' names as this package calls them. A
column is known by its usual names; where two columns can be meant, the flags
of each reading are told and nothing is guessed.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from tl_keras.data.delimited import ends_as_image
from tl_keras.data.headerless import name_by_content
from tl_keras.data.wanted import PATH_NAMES, SPLIT_NAMES, Wanted
from tl_keras.errors import DataError

# The column of labels; where there is no `label`, one of these alone counts.
LABEL_NAMES = (
    "labels", "class", "classes", "target", "targets", "category", "breed",
    "species", "tags", "class_name", "classname", "label_name",
    "finding_labels",
)  # fmt: skip
SHOWN = 200  # characters of a header


class Named(NamedTuple):
    """What columns are.

    Attributes:
        names: "path", "label", "split" and others as the file calls them, or
            by their number; "" for a column without a name.
        has_header: whether the first record is one.
        told: what was found, where it does not go without saying.
    """

    names: tuple[str, ...]
    has_header: bool
    told: tuple[str, ...] = ()


def name_columns(
    sample: Sequence[Sequence[str]],
    wanted: Wanted,
    file: str,
    *,
    header: bool | None = None,
) -> Named:
    """Which column is what.

    Args:
        sample: the first records of a table.
        wanted: what there must be.
        file: for messages.
        header: whether the first record is one; None to find out.

    Returns:
        `Named`.

    Raises:
        DataError: a column is missing, or two can be meant.
    """
    first = [cell.strip() for cell in sample[0]] if sample else []
    if header is None:
        header = not sample or is_header(first, wanted)
    if header:
        return _by_name(first, wanted, file)
    names, told = name_by_content(sample, wanted, file)
    return Named(names, False, told)


def is_header(cells: Sequence[str], wanted: Wanted) -> bool:
    """Whether a first record is a header: it names no picture's file, nor are
    columns asked for by number."""
    asked = (wanted.path_column, wanted.label_column)
    if names_a_column(cells, wanted):
        return True
    if any(name.isdecimal() for name in asked):
        return False
    return not any(ends_as_image(cell) for cell in cells)


def names_a_column(cells: Sequence[str], wanted: Wanted) -> bool:
    """Whether a record has the usual name of a column, or one asked for."""
    usual = {_plain(name) for name in wanted.usual_names}
    return any(_plain(cell) in usual for cell in cells)


def _plain(name: str) -> str:
    """Image Index, image-index -> image_index."""
    return re.sub(r"[\s.-]+", "_", name.strip().casefold())


def _by_name(given: Sequence[str], wanted: Wanted, file: str) -> Named:
    plain = [_plain(name) for name in given]
    names = list(given)
    path = _asked(given, wanted.path_column, "path_column", file)
    if path is None:
        known = (plain.index(n) for n in PATH_NAMES if n in plain)
        path = next(known, None)
    label = _asked(given, wanted.label_column, "label_column", file)
    if label is None:
        label = _usual_label(given, plain, path, wanted, file)
    if "split" in wanted.others and "split" not in plain:
        places = [i for i, name in enumerate(plain) if name in SPLIT_NAMES]
        if len(places) == 1:
            plain[places[0]] = "split"
    for name in ("split", *wanted.others):
        if name not in given and name.lower() in plain:
            names[plain.index(name.lower())] = name
    for place, name in ((path, "path"), (label, "label")):
        if place is not None:
            names[place] = name
    while names and not names[-1]:
        names.pop()
    needed = ["path", *["label"] * wanted.label, *wanted.others]
    missing = [name for name in needed if name not in names]
    if missing:
        raise DataError(_header_fault(file, given, names, missing, wanted))
    named = [name for name in names if name]
    if len(set(named)) < len(named):
        raise DataError(
            f"{file}:1: a column stands twice in {','.join(given)} - rename one"
        )
    told = [
        f"{what} are from the column {given[place]}"
        for place, what, usual in (
            (path, "paths", "path"), (label, "labels", "label"),
        )
        if place is not None and plain[place] != usual
    ]  # fmt: skip
    return Named(tuple(names), True, tuple(told))


def _asked(given: Sequence[str], name: str, flag: str, file: str) -> int | None:
    """The place of a column that a flag names; None without one."""
    if not name:
        return None
    for same in (str, str.casefold, _plain):
        places = [i for i, one in enumerate(given) if same(one) == same(name)]
        if places:
            return places[0]
    raise DataError(
        f"{file}:1: --{flag}={name} is no column of {_shown(given)} - give one "
        "of these"
    )


def _usual_label(
    given: Sequence[str],
    plain: Sequence[str],
    path: int | None,
    wanted: Wanted,
    file: str,
) -> int | None:
    """The column of labels by its usual names, if there is one."""
    if "label" in plain:
        return plain.index("label")
    others = {_plain(name) for name in wanted.others}
    places = [
        i
        for i, name in enumerate(plain)
        if name in LABEL_NAMES and i != path and name not in others
    ]
    if len(places) > 1 and wanted.label:
        flags = " or ".join(f"--label_column={given[i]}" for i in places)
        raise DataError(
            f"{file}:1: {len(places)} columns of {_shown(given)} may be its "
            f"labels - give {flags}"
        )
    return places[0] if len(places) == 1 else None


def _header_fault(
    file: str,
    given: Sequence[str],
    names: Sequence[str],
    missing: Sequence[str],
    wanted: Wanted,
) -> str:
    left = [n for n in names if n not in ("", "path", "label", "split")]
    left = [n for n in left if n not in wanted.others]
    hint = ""
    if "path" in missing and len(left) > len(missing) - 1:
        hint = (
            " - --path_column=NAME says which column has the paths, "
            "--path_column=1 that it is the first and there is no header"
        )
    elif missing == ["label"] and left:
        one = left[0] if len(left) == 1 else "NAME"
        hint = f" - --label_column={one} says which column has the labels"
    return (
        f"{file}:1: expected the header {wanted.header}, received "
        f"{_shown(given)}{hint}"
    )


def _shown(given: Sequence[str]) -> str:
    return ",".join(given)[:SHOWN] or "nothing"
