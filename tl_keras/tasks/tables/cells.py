"""Cells of tables -> targets of their rows, once it is known what they say.

    targets, told = read_columns_of_numbers(tables, Asked(("age",)))

In: raw tables and which columns are asked. Out: `Targets`, and what a person
should know of how they were read; or DataError with the rows that cannot be.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tl_keras.data import (
    RawTable,
    labels_by_path,
    read_marks,
    read_numbers,
    split_labels,
)
from tl_keras.data.examples import NO_LABEL
from tl_keras.data.rows import raise_first
from tl_keras.data.targets import Targets
from tl_keras.errors import DataError


class Asked(NamedTuple):
    """What is read of tables.

    Attributes:
        columns: their names.
        separator: between the labels of a cell.
        skip: leave out rows that say nothing.
        names: labels that are known already, in their order.
    """

    columns: tuple[str, ...]
    separator: str = ""
    skip: bool = False
    names: tuple[str, ...] = ()


def some(names: Sequence[str], most: int = 5) -> str:
    """The first few names, for a line."""
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)


def read_columns_of_numbers(
    tables: Iterable[RawTable], asked: Asked
) -> tuple[Targets, tuple[str, ...]]:
    """Columns of numbers; all tables are read alike."""
    tables, told, read = list(tables), [], []
    where = [place for table in tables for place in table.where]
    unread: dict[int, str] = {}
    faults = []
    for name in asked.columns:
        cells = [c for table in tables for c in table.columns[name]]
        numbers = read_numbers(cells)
        told += [f"{name}: {line}" for line in numbers.told]
        faults += [
            f"{where[place]}: {name} {cells[place]!r} {why}"
            for place, why in numbers.refused.items()
        ]
        unread |= {p: f"{name} {why}" for p, why in numbers.missing.items()}
        read.append(numbers.values)
    if not asked.skip:
        faults += [
            f"{where[place]}: {why} - fill it, or give --skip_unlabelled to "
            "leave such rows out"
            for place, why in unread.items()
        ]
    raise_first(faults)
    values = np.stack(read, axis=1).astype(np.float32)
    rows = {
        place: row
        for place, row in zip(where, values, strict=True)
        if np.isfinite(row).all()
    }
    if not rows:
        raise DataError(f"{tables[0].file}: no row has a number")
    return Targets(asked.columns, rows), tuple(told)


def marks_of(table: RawTable, names: Sequence[str]) -> np.ndarray:
    """int32 (rows, columns) of 0 and 1; refused cells are faults."""
    columns, faults = [], []
    for name in names:
        cells = table.columns.get(name)
        if cells is None:
            raise DataError(f"{table.file}: expected a column {name}")
        marks = read_marks(
            cells, minus_is_no=any(c.strip().startswith("-1") for c in cells)
        )
        faults += [
            f"{table.where[place]}: {name} {cells[place]!r} {why}"
            for place, why in marks.refused.items()
        ]
        faults += [
            f"{table.where[place]}: {name} is empty - write 0 or 1"
            for place in marks.missing
        ]
        columns.append(marks.values)
    raise_first(faults)
    return np.stack(columns, axis=1).astype(np.int32)


def read_columns_of_marks(
    tables: Iterable[RawTable], asked: Asked
) -> tuple[Targets, tuple[str, ...]]:
    """Columns of 0 and 1, one a label."""
    kept = asked.names or asked.columns
    rows = {
        place: row
        for table in tables
        for place, row in zip(table.where, marks_of(table, kept), strict=True)
    }
    if asked.skip:
        rows = {place: row for place, row in rows.items() if row.any()}
    return Targets(kept, rows), ()


def read_single_marks(
    tables: Iterable[RawTable], asked: Asked
) -> tuple[Targets, tuple[str, ...]]:
    """Columns of 0 and 1, of which each row has one: classes."""
    kept, rows, faults = asked.names or asked.columns, {}, []
    for table in tables:
        marks = marks_of(table, kept)
        for place, row in zip(table.where, marks, strict=True):
            if row.sum() == 1:
                rows[place] = np.array(row.nonzero()[0][0], np.int32)
            elif not (asked.skip and not row.any()):
                faults.append(
                    f"{place}: expected a single 1 in {some(kept)}, received "
                    f"{row.sum()} - mend it, or --task=multilabel"
                )
    raise_first(faults)
    return Targets(kept, rows), ()


def _labels_by_place(
    table: RawTable, column: str, separator: str
) -> dict[str, tuple[str, ...]]:
    """Place of a row -> all labels that rows of its path have."""
    cells = table.columns.get(column)
    if cells is None:
        raise DataError(f"{table.file}: expected a column {column}")
    parts = [
        () if cell.strip() == NO_LABEL else split_labels(cell, separator)
        for cell in cells
    ]
    paths = table.columns["path"]
    together = labels_by_path(paths, parts)
    return {
        place: together[path]
        for place, path in zip(table.where, paths, strict=True)
    }


def read_cells_of_labels(
    tables: Iterable[RawTable], asked: Asked
) -> tuple[Targets, tuple[str, ...]]:
    """Several labels in a cell, or in the rows of a path."""
    tables, (column,) = list(tables), asked.columns
    by_place: dict[str, tuple[str, ...]] = {}
    for table in tables:
        by_place |= _labels_by_place(table, column, asked.separator)
    known = asked.names or tuple(
        sorted({n for place in tables[0].where for n in by_place[place]})
    )
    number = {name: i for i, name in enumerate(known)}
    rows, faults, bare = {}, [], 0
    for place, labels in by_place.items():
        strange = [name for name in labels if name not in number]
        if strange:
            faults.append(
                f"{place}: the label {strange[0]!r} is of no training row - "
                "mend it, or add training rows"
            )
            continue
        bare += not labels
        if labels or not asked.skip:
            row = np.zeros(len(known), np.int32)
            row[[number[name] for name in labels]] = 1
            rows[place] = row
    raise_first(faults)
    if len(known) < 2:
        raise DataError(
            f"{tables[0].file}: {len(known)} label in its rows; expected 2 or "
            "more"
        )
    told = f"{bare:,} rows name no label: of these pictures none is true"
    if asked.skip:
        told = f"{bare:,} rows name no label and are left out"
    return Targets(known, rows), (told,) if bare else ()
