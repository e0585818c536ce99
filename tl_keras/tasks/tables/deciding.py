"""Which reading of a table's cells is meant, by the cells themselves.

    found = decide(table, "auto", target=(), separator="", leave_out=())
    found.task, found.names, found.why

In: raw cells and what a person has said of them. Out: `Columns`; or ConfigError
with the command for each reading, where there are two.
"""

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from tl_keras.data import RawTable, split_labels
from tl_keras.data.labels import LIST, MINUS, NO, YES
from tl_keras.data.readings import ColumnFacts, column_facts
from tl_keras.errors import ConfigError
from tl_keras.tasks.tables.cells import marks_of, some

LABEL = "label"
# Whole numbers are names of classes, unless there are more of them than
# anybody has classes of, most with an example or two.
MANY_NUMBERS = 20
# What a command line and a flag file cannot hold well, by a word.
WORDS = {"space": " ", "tab": "\t", "comma": ","}


class Columns(NamedTuple):
    """What is read, and how: what `decide` finds.

    Attributes:
        task: as of `Reading`.
        names: of the columns.
        separator: between the labels of a cell; "" where columns hold 0 / 1.
        why: in words.
    """

    task: str
    names: tuple[str, ...]
    separator: str = ""
    why: str = ""


def decide(
    table: RawTable,
    task: str,
    target: tuple[str, ...],
    separator: str,
    leave_out: Sequence[str],
) -> Columns | None:
    """What to read of a table; None where `label` holds classes.

    Args:
        table: its raw cells.
        task, target, separator, leave_out: see `read_targets`.

    Returns:
        Columns, how they are read and why.

    Raises:
        ConfigError: two readings are possible, or none of that task.
    """
    facts = _Facts(table, leave_out)
    names = target or ((LABEL,) if LABEL in facts.names else ())
    if any(name not in facts.names for name in names):
        return Columns("regression", names)  # Which is missing is told.
    if task == "multiclass":
        return _as_classes(facts, names, target)
    if task == "regression":
        return _as_numbers(table, facts, names)
    if task == "multilabel" or separator:
        return _as_labels(table, facts, names, separator)
    if len(names) == 1:
        return _of_one_column(table, facts, names[0], bool(target))
    if names and all(name in facts.marked for name in names):
        why = f"the columns {some(names)} hold 0 and 1 alone"
        return Columns("multilabel", names, "", why)
    if names and all(name in facts.numeric for name in names):
        return Columns(
            "regression", names, "", f"{some(names)} hold numbers alone"
        )
    if names:
        raise ConfigError(
            f"--target={','.join(names)}: expected columns of numbers, or of 0 "
            "and 1 - name others, or one alone"
        )
    return _of_marked_columns(table, facts)


def is_marked(cells: Sequence[str]) -> bool:
    """Whether a column holds 0 and 1 or the like, or -1 and 1, alone."""
    kinds = {cell.strip().casefold() for cell in set(cells)} - {""}
    return bool(kinds) and (kinds <= YES | NO or kinds <= YES | MINUS)


class _Facts:
    """Facts of a table's columns, found out where they are asked for.

    Attributes:
        names: of the columns that may be targets.
    """

    def __init__(self, table: RawTable, leave_out: Sequence[str]):
        self.names = [n for n in table.columns if n not in ("path", *leave_out)]
        self._table, self._known = table, {}

    def __getitem__(self, name: str) -> ColumnFacts:
        if name not in self._known:
            cells = self._table.columns[name]
            # Of a column of classes each text is looked at once: there are
            # few, and the counts of cells are asked of others alone.
            found = column_facts(name, sorted(set(cells)))
            if found.all_numeric or found.separators:
                found = column_facts(name, cells)
            self._known[name] = found
        return self._known[name]

    @property
    def marked(self) -> tuple[str, ...]:
        """The columns of 0 and 1 alone."""
        return tuple(n for n in self.names if is_marked(self._table.columns[n]))

    @property
    def numeric(self) -> tuple[str, ...]:
        """The columns of numbers."""
        return tuple(name for name in self.names if self[name].all_numeric)


def _as_classes(facts, names, target) -> Columns | None:
    if names == (LABEL,):
        return None
    marked = names or facts.marked
    if len(marked) > 1:
        return Columns("multiclass", marked, "", "--task says so")
    if target:
        raise ConfigError(
            f"--target={','.join(target)} --task=multiclass: classes are read "
            "of a column label, or of several columns of 0 and 1 - rename it"
        )
    return None


def _as_numbers(table: RawTable, facts, names) -> Columns:
    if not names:
        raise ConfigError(
            f"--task=regression: {table.file} has no column {LABEL} - name "
            f"columns of numbers, as --target={','.join(facts.numeric[:2])}"
        )
    return Columns("regression", names, "", "--task says so")


def _as_labels(table: RawTable, facts, names, separator: str) -> Columns:
    why = "--task says so" if not separator else "--label_separator is given"
    if len(names) == 1 and not facts[names[0]].marks:
        found = facts[names[0]].separators
        if not separator and len(found) > 1 and found[0].in_names:
            given = ", ".join(map(_word, [one.mark for one in found]))
            raise ConfigError(
                f"--task=multilabel: in {table.file} {given} may stand between "
                "labels - say which by --label_separator"
            )
        # Where a cell holds one label and rows repeat, any mark will do.
        mark = separator or (found[0].mark if found else "|")
        return Columns("multilabel", names, mark, why)
    marked = names or facts.marked
    if not marked:
        raise ConfigError(
            f"--task=multilabel: {table.file} has neither a column {LABEL} nor "
            "columns of 0 and 1 - name them by --target"
        )
    return Columns("multilabel", marked, "", why)


def _of_one_column(
    table: RawTable, facts, name: str, given: bool
) -> Columns | None:
    """The reading of `label`, or of the one column that is named."""
    column = facts[name]
    if numbers := _numbers_in(table, column, given):
        return numbers
    known = column.filled - column.unknown
    for one in column.separators:
        mark = _word(one.mark)
        between = f"{one.cells:,} of {known:,} cells of {name} hold {mark}"
        # Brackets around labels leave no other reading.
        if one.mark == LIST or (not one.in_names and one.combines):
            why = f"{between} between {one.labels:,} labels"
            return Columns("multilabel", (name,), one.mark, why)
        if not one.in_names or _stand_alone(table.columns[name], one):
            raise _two(
                table,
                f"{between}, between labels or in names of classes",
                (f"--task=multilabel --label_separator={mark}", "as "
                 "labels"),
                ("--task=multiclass", "as names of classes"),
            )  # fmt: skip
    if given and name != LABEL:
        raise ConfigError(
            f"--target={name}: expected numbers, several labels in a cell, or "
            "several columns of 0 and 1 - a column of classes is called label"
        )
    return None


def _numbers_in(
    table: RawTable, column: ColumnFacts, given: bool
) -> Columns | None:
    """The reading of one column as numbers; None where it is no such."""
    name = column.name
    known = column.filled - column.unknown
    if column.all_numeric and (column.whole < known or column.unit):
        odd = f"{known - column.whole:,} of them not whole"
        why = f"all {known:,} cells of {name} are numbers, {odd}"
        if column.unit:
            why = f"all {known:,} cells of {name} are numbers of {column.unit}"
        return Columns("regression", (name,), "", why)
    mixed = not column.all_numeric and 2 * column.numeric > known
    if mixed and (given or column.whole < column.numeric):
        # The cells that are no numbers are told by their rows.
        why = f"{column.numeric:,} of {known:,} cells of {name} are numbers"
        return Columns("regression", (name,), "", why)
    many = column.distinct > MANY_NUMBERS and 2 * column.distinct > known
    if column.all_numeric and (many or given):
        raise _two(
            table,
            f"{name} holds {column.distinct:,} different whole numbers",
            ("--task=regression", "as numbers"),
            ("--task=multiclass", "as names of classes"),
        )
    return None


def _word(mark: str) -> str:
    """How a mark is written after --label_separator, in a shell."""
    words = {value: word for word, value in WORDS.items()}
    return words.get(mark) or shlex.quote(mark)


def _stand_alone(cells: Sequence[str], one) -> bool:
    """Whether parts of cells that hold a mark are cells themselves.

    Of "golden retriever" and "red fox" none is; of "cat, dog" both are. Names
    share words more often than they hold commas: most parts between blanks
    must be, and any between commas.
    """
    whole = {cell.strip() for cell in cells}
    parts = {p for c in whole for p in split_labels(c, one.mark) if p != c}
    alone = len(parts & whole)
    return 2 * alone > len(parts) if one.mark == " " else alone > 0


def _of_marked_columns(table: RawTable, facts) -> Columns | None:
    """The reading of a table without a column of labels."""
    marked = facts.marked
    if len(marked) < 2:
        return None
    rows = marks_of(table, marked)
    why = f"the columns {some(marked)} hold 0 and 1 alone"
    if (rows.sum(axis=1) == 1).all():
        raise _two(
            table,
            f"{why}, and each row has a single 1",
            ("--task=multilabel", "as labels that may be together"),
            ("--task=multiclass", "as classes, one a picture"),
        )
    return Columns("multilabel", marked, "", why)


def _two(table: RawTable, what: str, *ways: tuple[str, str]) -> ConfigError:
    """That there are two readings, with the command for each."""
    (one, first), (other, second) = ways
    return ConfigError(
        f"{table.file}: {what} - {one} reads them {first}, {other} {second}"
    )
