"""A table or a folder of labelled texts -> a `Listing`.

    listing = list_texts("reviews.csv", text_columns=("title", "body"))
    listing.splits["train"].encoded[0]       # UTF-8

In: a path. Out: examples that hold their text, with the splits that the data
brings. Every row is used, skipped with its reason, or a fault.
"""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tl_keras.data.entries import NO_LABEL, no_label
from tl_keras.data.examples import Examples, Listing, Skip
from tl_keras.data.rows import raise_first
from tl_keras.data.split_words import split_named
from tl_keras.data.targets import Targets
from tl_keras.data.texts.encodings import AUTO, GUESS, check_encoding
from tl_keras.data.texts.folders import GUESSES, rows_of_folder
from tl_keras.data.texts.rows import (
    JSON_LINES,
    SEPARATED,
    Table,
    TextRow,
    read_table,
)
from tl_keras.errors import DataError

NO_TEXT = "no text in it"
# Of the rows: with more classes than that the labels are none.
MAX_CLASSES = 0.5


def list_texts(
    dataset: str,
    *,
    val_dataset: str = "",
    test_dataset: str = "",
    text_columns: Sequence[str] = (),
    label_column: str = "",
    encoding: str = AUTO,
    targets: Targets | None = None,
    group_column: str = "",
    skip_unlabelled: bool = False,
    partial: bool = False,
) -> Listing:
    """Lists labelled texts.

    Args:
        dataset: a `.csv`, `.tsv` or `.jsonl` with a text, a label and, if
            wanted, a split in each row; or a folder of class folders of
            `.txt` files, or of train/ val/ test/ with class folders.
        val_dataset, test_dataset: the same again, all of it of that split.
        text_columns: columns that are joined to one text; found by their
            usual names (text, sentence, review, message, query, body, ...)
            when empty.
        label_column: the class; label, category, class, intent, ... when
            empty.
        encoding: of the files; "auto" finds UTF-8 and UTF-16, and takes
            Windows-1252 where nothing else fits, which it tells.
        targets: of each row, by its place, where a row is not of one class;
            see `raw_texts`.
        group_column: of a table, what belongs together and stays on one side
            of every cut.
        skip_unlabelled: leave out rows without a label, and count them.
        partial: nothing is trained: any part of the classes will do.

    Returns:
        A listing with "train" and the other splits that there are; the
        examples hold UTF-8.

    Raises:
        DataError: nothing to read, a column is missing, labels that are no
            classes; rows are named.

    Example:
        listing = list_texts("banking77/train.csv",
                             test_dataset="banking77/test.csv")
    """
    check_encoding(encoding)
    rows: list[tuple[str, TextRow]] = []
    warnings: list[str] = []
    told: list[str] = []
    ignored: collections.Counter = collections.Counter()
    own = {"train": dataset, "val": val_dataset, "test": test_dataset}
    for split, path in own.items():
        if not path:
            continue
        if os.path.isdir(path):
            found, guesses = rows_of_folder(path, encoding, ignored, partial)
        else:
            table = _table(
                path, text_columns, label_column, encoding, targets is None
            )
            found, told_of = table.rows, table.columns.found
            told += [f"{path}: {line}" for line in told_of]
            guesses = [path] if table.encoding in GUESSES else []
        forced = "" if split == "train" else split
        rows += [(forced, row) for row in found]
        warnings += _guessed(guesses)
    how = _How(targets, group_column, skip_unlabelled, partial)
    listing = _listing(dataset, rows, warnings, how, ignored)
    return dataclasses.replace(listing, told=tuple(told))


class _How(NamedTuple):
    """Of `list_texts`: how rows become examples."""

    targets: Targets | None
    group_column: str
    skip_unlabelled: bool
    partial: bool


def _table(
    file: str, text_columns, label_column: str, encoding: str, plain: bool
) -> Table:
    refuse_other_files(file)
    return read_table(
        file,
        text_columns=text_columns,
        label_column=label_column,
        encoding=encoding,
        need_label=plain,
        lists=not plain,
    )


def refuse_other_files(file: str) -> None:
    """Raises DataError for what is no table of texts by its name."""
    suffix = pathlib.PurePath(file).suffix.lower()
    if suffix not in (*SEPARATED, *JSON_LINES):
        raise DataError(
            f"{file}: expected a table ({', '.join(SEPARATED + JSON_LINES)}) "
            "or a folder of class folders with .txt files - check the path"
        )


def _guessed(files: list[str]) -> list[str]:
    if not files:
        return []
    more = f" and {len(files) - 1:,} more" if len(files) > 1 else ""
    return [
        f"{files[0]}{more}: not UTF-8, read as {GUESS}, which is a guess - "
        "look at letters with accents, or say the encoding"
    ]


def _listing(
    dataset: str,
    rows: list[tuple[str, TextRow]],
    warnings: list[str],
    how: _How,
    passed: collections.Counter,
) -> Listing:
    start = dataset if os.path.isdir(dataset) else os.path.dirname(dataset)
    faults, skipped = [], []
    ignored = +passed
    items: dict[str, list[TextRow]] = collections.defaultdict(list)
    for forced, row in rows:
        split = forced or (split_named(row.split) if row.split else "train")
        if how.targets is not None:
            row = row._replace(label=how.targets.text(row.where))
        # The path leads from the dataset on, wherever that lies.
        id_ = os.path.relpath(row.where, start or ".")
        fault = _fault_of(row, how) if split else (
            f"the split {row.split!r:.40}; expected train, val or test"
        )  # fmt: skip
        if split and row.fault:
            skipped.append(Skip(id_, row.fault, split, row.label))
        elif split and not row.text.strip("\x1e \t\r\n"):
            skipped.append(Skip(id_, NO_TEXT, split, row.label))
        elif fault:
            faults.append(f"{id_}: {fault}")
        elif not row.label or (how.targets is None and no_label(row.label)):
            ignored[NO_LABEL] += 1
        else:
            items[split].append(row)
    raise_first(faults)
    if not (items if how.partial else items["train"]):
        raise DataError(
            f"{dataset}: no row to {'ask' if how.partial else 'train on'}"
            + (f" ({skipped[0].line()})" if skipped else "")
            + " - add some"
        )
    names = _names(dataset, items, how)
    splits = {
        split: _examples(some, names, how, start or ".")
        for split, some in items.items()
        if some
    }
    return Listing(
        splits, names, dict(ignored), tuple(skipped),
        warnings=tuple(warnings), kind="text",
    )  # fmt: skip


def _fault_of(row: TextRow, how: _How) -> str:
    """Why a row with a text cannot be taken, or ""."""
    if how.targets is None and not how.skip_unlabelled:
        if fault := no_label(row.label):
            return (
                f"the label is {fault} - fill it, or give --skip_unlabelled to "
                "leave such rows out"
            )
    group = how.group_column
    if group and not row.cells.get(group, "").strip():
        return f"the {group} is empty - fill it"
    return ""


def _examples(
    rows: list[TextRow], names: tuple[str, ...], how: _How, start: str
) -> Examples:
    if how.targets is None:
        numbers = {name: number for number, name in enumerate(names)}
        labels = np.array([numbers[row.label] for row in rows], np.int32)
    else:
        labels = np.stack([how.targets.rows[row.where] for row in rows])
    groups = None
    if how.group_column:
        groups = tuple(row.cells[how.group_column].strip() for row in rows)
    return Examples(
        tuple(os.path.relpath(row.where, start) for row in rows),
        labels,
        encoded=tuple(row.text.encode() for row in rows),
        groups=groups,
    )


def _names(dataset: str, items, how: _How) -> tuple[str, ...]:
    if how.targets is not None:
        return how.targets.names
    if how.partial:
        return tuple(sorted({r.label for some in items.values() for r in some}))
    return _class_names(dataset, items)


def _class_names(
    dataset: str, items: dict[str, list[TextRow]]
) -> tuple[str, ...]:
    """The classes of the training rows, which are all that there may be."""
    trained = collections.Counter(row.label for row in items["train"])
    if len(trained) < 2:
        raise DataError(
            f"{dataset}: {len(trained)} class to train on "
            f"({next(iter(trained), '')!r:.40}); expected 2 or more"
        )
    if len(trained) > max(MAX_CLASSES * len(items["train"]), 20):
        raise DataError(
            f"{dataset}: {len(trained):,} labels in {len(items['train']):,} "
            "rows; expected classes of several rows each - name the column of "
            "the class by label_column"
        )
    faults = [
        f"{row.where}: the label {row.label!r:.60} is of no training row - "
        "mend it, or add training rows"
        for split, some in items.items()
        if split != "train"
        for row in some
        if row.label not in trained
    ]
    raise_first(faults)
    return tuple(sorted(trained))
