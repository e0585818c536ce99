"""A table's cells -> what is predicted, and each row's target.

    reading = read_targets({"train": "pets.csv"}, task="auto")
    reading.task, reading.targets.names, reading.told

In: tables and what a person has said of them. Out: a `Reading`, decided by the
table and told with the reason; or ConfigError with the command for each
reading, where there are two. Of a table with one class in each row, as before,
the listing reads the column itself.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tl_keras.data import RawTable, read_table
from tl_keras.data.examples import stamp_of
from tl_keras.data.targets import Targets
from tl_keras.errors import ConfigError, DataError
from tl_keras.tasks.tables import cells
from tl_keras.tasks.tables.cells import Asked
from tl_keras.tasks.tables.deciding import LABEL, WORDS, decide

AUTO = "auto"


class Reading(NamedTuple):
    """How tables are understood.

    Attributes:
        task: "multiclass", "multilabel" or "regression".
        targets: of each row; None where the column of labels holds classes.
        told: the reason, in lines; () where there is no other reading.
    """

    task: str
    targets: Targets | None = None
    told: tuple[str, ...] = ()


CLASSES = Reading("multiclass")


def read_targets(
    tables: Mapping[str, str],
    *,
    task: str = AUTO,
    target: Sequence[str] = (),
    separator: str = "",
    leave_out: Sequence[str] = (),
    skip_unlabelled: bool = False,
    names: Sequence[str] = (),
    path_column: str = "",
    label_column: str = "",
) -> Reading:
    """Decides what tables say, and reads it.

    Args:
        tables: split -> .csv; that of "train" decides.
        task: "auto", or one of `tasks.TASKS`.
        target: columns; () for `label`, or for all columns of 0 and 1.
        separator: between the labels of a cell; "" where it is to be found.
        leave_out: columns that are no targets.
        skip_unlabelled: leave out rows that say nothing.
        names: labels that are known already, of a model that is asked.
        path_column, label_column: of `data.read_table`.

    Returns:
        `Reading`.

    Raises:
        ConfigError: two readings are possible, or none of that task.
        DataError: cells that cannot be read so, by row.

    Example:
        read_targets({"train": "xrays.csv"}).told
    """
    # A run lists its data several times, and a table may be large.
    files = tuple((s, file, stamp_of(file)) for s, file in tables.items())
    return _read(
        files,
        task,
        tuple(target),
        WORDS.get(separator, separator),
        tuple(leave_out),
        skip_unlabelled,
        tuple(names),
        (path_column, label_column),
    )


@functools.lru_cache(maxsize=2)
def _read(
    files: tuple[tuple[str, str, object], ...],
    task: str,
    target: tuple[str, ...],
    separator: str,
    leave_out: tuple[str, ...],
    skip: bool,
    names: tuple[str, ...],
    columns: tuple[str, str],
) -> Reading:
    """See `read_targets`; files are known by their stamps too."""
    raw = {split: _table(file, target, *columns) for split, file, _ in files}
    return targets_of(
        raw, task=task, target=target, separator=separator,
        leave_out=leave_out, skip_unlabelled=skip, names=names,
    )  # fmt: skip


def targets_of(
    raw: Mapping[str, RawTable],
    *,
    task: str = AUTO,
    target: Sequence[str] = (),
    separator: str = "",
    leave_out: Sequence[str] = (),
    skip_unlabelled: bool = False,
    names: Sequence[str] = (),
) -> Reading:
    """As `read_targets`, of tables that are read already.

    Args:
        raw: split -> its cells.
        task, target, separator, leave_out, skip_unlabelled, names: as there.
    """
    target, names = tuple(target), tuple(names)
    separator = WORDS.get(separator, separator)
    main = raw["train"]
    if task == "regression" and set(names) <= set(main.columns):
        target = target or names
    found = decide(main, task, target, separator, ("split", *leave_out))
    if found is None:
        return CLASSES
    missing = [n for n in found.names if n not in main.columns]
    if missing:
        raise ConfigError(
            f"--target={','.join(found.names)}: {main.file} has no column "
            f"{', '.join(missing)}; it has {', '.join(main.columns)}"
        )
    in_cells = bool(found.separator)
    read = {
        "regression": cells.read_columns_of_numbers,
        "multilabel": cells.read_cells_of_labels
        if in_cells
        else cells.read_columns_of_marks,
        "multiclass": cells.read_single_marks,
    }[found.task]
    asked = Asked(found.names, found.separator, skip_unlabelled, names)
    targets, more = read(raw.values(), asked)
    told = (f"task: {found.task}, since {found.why}", *more)
    return Reading(found.task, targets, told)


def _table(
    file: str, target: tuple[str, ...], path_column: str, label_column: str
) -> RawTable:
    """A table's cells; a column that is named keeps its name."""
    table = read_table(file, path_column, label_column)
    renamed = [n for n in target if n not in table.columns]
    if len(renamed) != 1 or label_column:
        return table
    try:
        table = read_table(file, path_column, renamed[0])
    except DataError:
        return table  # There is no such column, as is told.
    columns = {
        renamed[0] if name == LABEL else name: column
        for name, column in table.columns.items()
    }
    return dataclasses.replace(table, columns=columns)
