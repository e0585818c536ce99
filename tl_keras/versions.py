"""What a model's folder holds on the disk: numbered versions, and labels.

    newest_version("saved_models/flowers")     # .../12
    read_labels("saved_models/flowers/12/assets.extra/labels.txt")

In: paths. Out: the version that is meant, and its class names. Everybody who
looks for a version or reads labels does it here, so that no two of them can
mean different ones. No TensorFlow.
"""

import json
import os
import pathlib
from collections.abc import Callable, Sequence

GRAPH = "saved_model."  # how the files of a graph begin, in whatever form
LABELS_FILE = "labels.txt"
TASK_FILE = ("assets.extra", "task.json")
INPUT_FILE = ("assets.extra", "input.json")
MAX_LABELS_BYTES = 16 << 20


def _is_number(name: str) -> bool:
    # Python calls the digits of other scripts decimal too; servers do not.
    return name.isascii() and name.isdecimal()


def numbered(parent: str | os.PathLike) -> list[pathlib.Path]:
    """The folders in a folder that are called by a number, largest first."""
    names = filter(_is_number, os.listdir(parent))
    folders = [
        pathlib.Path(parent, name)
        for name in sorted(names, key=int, reverse=True)
    ]
    return [folder for folder in folders if folder.is_dir()]


def newest_version(
    model: str | os.PathLike,
    skip: Callable[[pathlib.Path], bool] = lambda version: False,
) -> pathlib.Path | None:
    """The version that a path means: itself, or its largest number.

    The largest is meant whatever is in it. A damaged one must be refused by
    whoever opens it: to take an older one instead would answer for another
    model, and nobody would be told.

    Args:
        model: a version, or the folder that its versions lie in.
        skip: says of a numbered folder that it does not count.

    Returns:
        The version's folder; None where there is none.

    Raises:
        OSError: there is no such folder, or it may not be read.
    """
    folder = pathlib.Path(model)
    names = os.listdir(folder)
    if any(name.startswith(GRAPH) for name in names):
        return folder
    return next((v for v in numbered(folder) if not skip(v)), None)


def next_version(parent: str | os.PathLike) -> int:
    """The largest integer-named child of `parent` plus one, or 1.

    Never the clock: a server prefers the largest number, so that a clock set
    back would hide a newer model.
    """
    numbers = [int(name) for name in os.listdir(parent) if _is_number(name)]
    return max(numbers, default=0) + 1


def read_stored_task(version: str | os.PathLike) -> dict:
    """What a version says of its task, as `Task.stored` told it.

    Args:
        version: its folder.

    Returns:
        {} where it says nothing: one class of several.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON object.
    """
    return _read_stored(version, TASK_FILE)


def read_stored_kind(version: str | os.PathLike) -> str:
    """The kind of input that a version takes: "image" where it says nothing.

    Args:
        version: its folder.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON object.
    """
    return str(_read_stored(version, INPUT_FILE).get("kind", "image"))


def read_stored_columns(version: str | os.PathLike) -> tuple[str, ...]:
    """The columns of a table that a version's examples were made of.

    Args:
        version: its folder.

    Returns:
        Names, in the order in which they are joined; () where it says nothing.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON object, or its columns are no names.
    """
    columns = _read_stored(version, INPUT_FILE).get("columns", [])
    if not isinstance(columns, list):
        raise ValueError("columns: expected a list of names")
    return tuple(map(str, columns))


def _read_stored(version: str | os.PathLike, file: tuple[str, ...]) -> dict:
    try:
        text = pathlib.Path(version, *file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    stored = json.loads(text)
    if not isinstance(stored, dict):
        raise ValueError("expected a JSON object")
    return stored


def labels_text(class_names: Sequence[str]) -> str:
    """One class name a line, in the order of the probabilities."""
    return "".join(f"{name}\n" for name in class_names)


def read_labels(file: str | os.PathLike) -> tuple[str, ...]:
    """Reads what `labels_text` wrote.

    At line feeds alone: `splitlines` would also part a name at characters
    that other scripts' texts may hold.

    Raises:
        OSError: there is no such file.
        ValueError: it is no UTF-8, too large, empty, or has a name twice.
    """
    with open(file, "rb") as stream:
        content = stream.read(MAX_LABELS_BYTES + 1)
    if len(content) > MAX_LABELS_BYTES:
        raise ValueError(f"larger than {MAX_LABELS_BYTES:,} bytes")
    labels = content.decode("utf-8").split("\n")
    if labels[-1] == "":
        labels.pop()
    if len(set(labels)) < len(labels) or not labels:
        raise ValueError("empty or has a name twice")
    return tuple(labels)
