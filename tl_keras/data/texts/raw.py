"""A table of texts -> its other cells by column, to see what they say.

    table = raw_texts("reviews.csv")
    table.columns["label"], table.columns["stars"]

In: a file as `rows` reads it. Out: a `RawTable` without the texts, whose "path"
is the row's place: what reads targets of a table of paths reads this one too.
"""

from collections.abc import Sequence

from tl_keras.data.raw_tables import RawTable
from tl_keras.data.texts.encodings import AUTO, check_encoding
from tl_keras.data.texts.listing import refuse_other_files
from tl_keras.data.texts.rows import read_table
from tl_keras.errors import DataError


def raw_texts(
    file: str,
    *,
    text_columns: Sequence[str] = (),
    label_column: str = "",
    encoding: str = AUTO,
    target: Sequence[str] = (),
) -> RawTable:
    """Reads all cells of a table but its texts.

    Args:
        file, text_columns, label_column, encoding: of `list_texts`.
        target: columns that are asked for by their own names.

    Returns:
        `RawTable`, of the rows that are rows; the column of labels is called
        "label" unless `target` names it.

    Raises:
        DataError: it cannot be read, or has no column of texts.
    """
    check_encoding(encoding)
    refuse_other_files(file)
    table = read_table(
        file,
        text_columns=text_columns,
        label_column=label_column,
        encoding=encoding,
        need_label=False,
        lists=True,
    )
    rows = [row for row in table.rows if not row.fault]
    if not rows:
        why = f" ({table.rows[0].fault})" if table.rows else ""
        raise DataError(f"{file}: no rows under the header{why}")
    label = table.columns.label
    names = {
        name: "label" if name == label and name not in target else name
        for row in rows
        for name in row.cells
        if name and name not in table.columns.texts
    }
    columns = {
        called: tuple(row.cells.get(name, "") for row in rows)
        for name, called in names.items()
    }
    where = tuple(row.where for row in rows)
    return RawTable(file, {"path": where, **columns}, where, {})
