"""A table's rows -> entries: a path, its label, its split, its group.

    entries, told, ignored = read_entries("pets.csv", "train", ListOptions())

In: the rows of `rows`. Out: those that say all they must; what is wrong with
the others, all of it at once.
"""

import collections
import dataclasses
import os
from collections.abc import Mapping

from tl_keras.data.numbered_lists import labelled_rows
from tl_keras.data.options import ListOptions
from tl_keras.data.rows import Row, Rows, blank, raise_first
from tl_keras.data.split_file import read_split_file
from tl_keras.data.split_words import (
    coded_splits,
    split_named,
    splits_among,
)
from tl_keras.data.wanted import Wanted
from tl_keras.errors import DataError

NO_LABEL = "a row without a label"
# What spreadsheets and pandas write where there is nothing, or a fault; as a
# name it would be learnt for a class. People's words, as none, may be one.
SAYS_NOTHING = frozenset(
    {
        "NaN", "nan", "NaT", "<NA>", "#N/A", "#NA", "#VALUE!", "#REF!",
        "#NAME?", "#DIV/0!", "#NUM!", "#NULL!",
    }
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Entry:
    """A row that says all it must.

    Attributes:
        path, label, split, group: its cells.
        where: `file.csv:LINE`.
    """

    path: str
    label: str
    split: str
    group: str
    where: str


def read_entries(
    file: str,
    split: str,
    options: ListOptions,
    folder: str = ".",
) -> tuple[list[Entry], tuple[str, ...], collections.Counter]:
    """The checked rows of a table that holds a split, or all of them.

    Args:
        file: a table, as `rows.Rows` reads it.
        split: "train" for a table whose column may name other splits; "val" or
            "test" for one that is all of that split.
        options: what is taken, and where labels and splits come from.
        folder: in which the pictures of a list of labels alone are.

    Returns:
        At least one, in the order of the table; what was found out about its
        columns, in words; and the rows that are left out, counted by reason.

    Raises:
        DataError: rows that cannot be understood, or none to take.
        MachineError: Parquet without pyarrow.
    """
    wanted = Wanted(
        options.path_column,
        options.label_column,
        label=not (options.label_regex or options.targets),
        others=(options.group_column,) if options.group_column else (),
    )
    if wanted.label:
        rows, told, passed = labelled_rows(file, wanted, folder)
    else:
        reader = Rows(file, wanted)
        rows, told, passed = list(reader), reader.told, reader.ignored
    if split == "train" and options.split_file:
        rows = _with_splits(rows, options.split_file)
        told = (*told, f"the split is from {options.split_file}")
    words = _split_words(rows)
    ignored = collections.Counter(passed)
    entries, faults = [], []
    for row in rows:
        entry, fault = _entry(row, split, words, options)
        if entry is not None:
            entries.append(entry)
        elif fault:
            faults.append(f"{row.where}: {fault}")
        else:
            ignored[NO_LABEL] += 1
    raise_first(faults)
    if not entries:
        labelled = " with a label" if rows else ""
        raise DataError(f"{file}: no rows{labelled} under the header")
    return entries, told, ignored


def no_label(cell: str) -> str:
    """What is in the place of a class's name, in words; "" for a name.

    Args:
        cell: of a column of labels, without blanks around it.
    """
    if not cell:
        return "empty"
    return f"{cell}, which is no name" if cell in SAYS_NOTHING else ""


def _with_splits(rows: list[Row], file: str) -> list[Row]:
    """The rows with the splits that a file of its own gives them."""
    splits = read_split_file(file)
    if rows and "split" in rows[0].cells:
        raise DataError(
            f"--split_file={file}: the table has a column split of its own - "
            "leave one of the two out"
        )
    with_splits, faults = [], []
    for row in rows:
        split = splits.of(row.cells.get("path", ""))
        if split is None and not row.fault:
            path = row.cells.get("path", "")
            faults.append(f"{row.where}: {file} says no split of {path}")
        with_splits.append(
            row._replace(cells={**row.cells, "split": split or ""})
        )
    raise_first(faults)
    return with_splits


def _split_words(rows: list[Row]) -> dict[str, str]:
    """The words of a split column -> train, val or test."""
    words = {row.cells["split"].strip() for row in rows if "split" in row.cells}
    if coded := coded_splits(words, "split"):
        return coded
    known = sorted(word for word in words if split_named(word))
    return splits_among(known)


def _entry(
    row: Row, split: str, words: Mapping[str, str], options: ListOptions
) -> tuple[Entry | None, str]:
    """A row's entry; or what is wrong with it, "" where it is left out."""
    cells = row.cells
    if row.fault:
        return None, row.fault
    if blank(cells, "path"):
        return None, "the path is empty - fill it"
    label = cells.get("label", "").strip()
    if options.targets:
        label = options.targets.text(row.where)
        if not label:
            return None, ""
    elif options.label_regex:
        name = os.path.basename(cells["path"].replace("\\", "/"))
        label = options.label_in(name) or ""
        if not label:
            return None, f"--label_regex finds no class in {name} - mend it"
    elif fault := no_label(label):
        if options.skip_unlabelled:
            return None, ""
        return None, (
            f"the label is {fault} - fill it, or give --skip_unlabelled to "
            "leave such rows out"
        )
    group = options.group_column
    if group and blank(cells, group):
        return None, f"the {group} is empty - fill it"
    word = cells.get("split", "").strip()
    if split == "train" and word:
        if word not in words:
            return None, f"split {word!r}; expected train, val or test"
        split = words[word]
    return Entry(
        cells["path"],
        label,
        split,
        cells[group].strip() if group else "",
        row.where,
    ), ""
