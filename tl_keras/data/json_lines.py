"""JSON Lines, as Hugging Face's metadata.jsonl -> the records of a table.

    names = names_in("metadata.jsonl")       # ["file_name", "label"]
    for cells, line in records("metadata.jsonl", names): ...

In: a text whose lines are objects: {"file_name": "1.jpg", "label": "cat"}.
Out: cells as texts, "" for null and for a key that a line lacks; lists and
objects as JSON again, see `labels.LIST`.
"""

import json
from collections.abc import Iterator, Sequence

from tl_keras.data.delimited import Record
from tl_keras.errors import DataError


def names_in(file: str) -> list[str]:
    """The keys of all lines, in the order in which they come.

    Raises:
        DataError: a line is no object, or the file cannot be read.
    """
    names: dict[str, None] = {}
    for _, row in _objects(file):
        names.update(dict.fromkeys(row))
    return list(names)


def records(file: str, names: Sequence[str]) -> Iterator[Record]:
    """Each line's cells, in the order of the names, and its number.

    Args:
        file: its path.
        names: keys, as `names_in` gives them.

    Raises:
        DataError: as `names_in`.
    """
    for line, row in _objects(file):
        yield [as_cell(row.get(name)) for name in names], line


def as_cell(value) -> str:
    """A value as the text that a table would have.

    Args:
        value: of JSON or Parquet: a text, a number, a list and so on.

    Example:
        as_cell(["cat", "dog"]), as_cell(None)      # ('["cat", "dog"]', "")
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _objects(file: str) -> Iterator[tuple[int, dict]]:
    line = 0
    try:
        with open(file, encoding="utf-8-sig") as stream:
            for line, text in enumerate(stream, 1):
                if text.strip():
                    yield line, _object(text, f"{file}:{line}")
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}) - check the path"
        ) from None
    except UnicodeDecodeError:
        raise DataError(
            f"{file}:{line + 1}: expected UTF-8 text - save it as UTF-8"
        ) from None


def _object(text: str, where: str) -> dict:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        what = getattr(error, "msg", "nested too deeply")
        raise DataError(
            f"{where}: no JSON ({what}) - write one object a line, such as "
            '{"file_name": "1.jpg", "label": "cat"}'
        ) from None
    if not isinstance(found, dict):
        raise DataError(
            f"{where}: expected an object, found {text.strip()[:60]} - write "
            'one a line, such as {"file_name": "1.jpg", "label": "cat"}'
        )
    return found
