"""A Parquet file -> the records of a table. Needs the extra `parquet`.

    names = names_in("pets.parquet")
    for cells, row in records("pets.parquet", names): ...

In: a file that pyarrow reads. Out: cells as texts, as of JSON Lines; columns
that hold bytes, such as pictures, are none of a table of paths.
"""

from collections.abc import Iterator, Sequence

from tl_keras.data.delimited import Record
from tl_keras.data.json_lines import as_cell
from tl_keras.errors import DataError, MachineError

ROWS_AT_ONCE = 4096


def names_in(file: str) -> list[str]:
    """The columns that are no bytes.

    Raises:
        DataError: it is no Parquet file, or its pictures are in it.
        MachineError: pyarrow is not installed.
    """
    with _opened(file) as stream:
        schema = stream.schema_arrow
    names, inside = [], []
    for field in schema:
        (inside if _holds_bytes(field.type) else names).append(field.name)
    if inside and not set(names) - {"label", "labels"}:
        raise DataError(
            f"{file}: its pictures are in the column {inside[0]}, as bytes; "
            "expected a column of paths - write them to files"
        )
    return names


def records(file: str, names: Sequence[str]) -> Iterator[Record]:
    """Each row's cells, in the order of the names, and its number from 1 on.

    Args:
        file: its path.
        names: of columns, as `names_in` gives them.

    Raises:
        DataError: it is no Parquet file, or a damaged one.
        MachineError: pyarrow is not installed.
    """
    row = 0
    with _opened(file) as stream:
        batches = stream.iter_batches(ROWS_AT_ONCE, columns=list(names))
        while (columns := _next_columns(batches, file)) is not None:
            for values in zip(*(columns[name] for name in names), strict=True):
                row += 1
                yield [as_cell(value) for value in values], row


def _next_columns(batches, file: str) -> dict[str, list] | None:
    import pyarrow

    try:
        batch = next(batches, None)
        return None if batch is None else batch.to_pydict()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(_fault(file, error)) from None


def _opened(file: str):
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MachineError(
            f"{file}: Parquet is read by pyarrow, which is not installed - "
            "pip install 'tl-keras[parquet]', or save the table as .csv"
        ) from None
    try:
        return parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(_fault(file, error)) from None


def _fault(file: str, error: Exception) -> str:
    reason = (str(error).splitlines() or [""])[0][:160]
    return f"{file}: cannot be read as Parquet ({reason}) - check the file"


def _holds_bytes(kind) -> bool:
    """Whether a column's values are bytes, or hold some."""
    from pyarrow import types

    if types.is_struct(kind):
        return any(_holds_bytes(kind.field(i).type) for i in range(len(kind)))
    return (
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
    )
