"""A table file -> its raw cells by column.

    table = read_table("pets.csv")
    table.columns["path"], table.columns["age"], table.where[0]

In: a file as `rows` reads it. Out: texts as they stand, all of one length. The
columns of paths and labels are called "path" and "label", whatever they are
called in the file; there need be no column of labels, and a list of labels
alone has no paths.
"""

import dataclasses
from collections.abc import Mapping

from tl_keras.data.numbered_lists import labelled_rows
from tl_keras.data.rows import raise_first
from tl_keras.data.wanted import Wanted


@dataclasses.dataclass(frozen=True)
class RawTable:
    """A table's cells.

    Attributes:
        file: its path.
        columns: name -> its cells, in the order of the rows.
        where: `file.csv:LINE` of each row.
        ignored: rows that are left out, by reason.
        told: what was found out about the columns, in words.
    """

    file: str
    columns: Mapping[str, tuple[str, ...]]
    where: tuple[str, ...]
    ignored: Mapping[str, int]
    told: tuple[str, ...] = ()


def read_table(
    file: str, path_column: str = "", label_column: str = ""
) -> RawTable:
    """Reads all cells of a table; opens no picture.

    Args:
        file: .csv and the like, JSON Lines or Parquet, see `rows.Rows`.
        path_column, label_column: the names of these columns in the file;
            found by their usual names when empty.

    Returns:
        `RawTable`.

    Raises:
        DataError: it cannot be read, or rows do not fit its header.
        MachineError: Parquet without pyarrow.

    Example:
        target_facts(read_table("pets.csv").columns).marked
    """
    wanted = Wanted(path_column, label_column, expected="path,label")
    rows, told, ignored = labelled_rows(file, wanted)
    raise_first([f"{row.where}: {row.fault}" for row in rows if row.fault])
    return RawTable(
        file,
        {
            name: tuple(row.cells[name] for row in rows)
            for name in (rows[0].cells if rows else ())
        },
        tuple(row.where for row in rows),
        dict(ignored),
        told,
    )
