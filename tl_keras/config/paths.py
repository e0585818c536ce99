"""What a path names, and what is there instead. No TensorFlow.

    output_folder("saved_models/flowers/run")    # "saved_models/flowers"
    no_such("dataset", "pets.zip", "a folder")   # a Fault that says unpack it

In: paths as they were given. Out: the folders of a run, by either of the two
that people name; and the fault of a path that is something else.
"""

import difflib
import os
import pathlib

from tl_keras import versions
from tl_keras.config.settings import Fault
from tl_keras.runs import RunFolder

ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
# What a table's name ends in; data.rows has the same list.
TABLES = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".parquet",
          ".pq")  # fmt: skip
OTHER_TABLES = (".xlsx", ".xls", ".ods", ".json", ".xml")
PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")


def output_folder(path: str) -> str:
    """A run's output folder, where its `run/` may have been named instead."""
    if RunFolder(pathlib.Path(path)).is_trainings:
        return os.path.dirname(os.path.abspath(path.rstrip("/")))
    return path


def kind_of_model(model: str) -> str:
    """The kind of input that an export takes, as it says itself.

    Args:
        model: a run's folder or a version; whatever is wrong with it is told
            when it is inspected.
    """
    try:
        version = versions.newest_version(output_folder(model))
        return versions.read_stored_kind(version) if version else "image"
    except (OSError, ValueError):
        return "image"


def columns_of_model(model: str) -> tuple[str, ...]:
    """The columns of texts that an export was trained on, as it says itself.

    Args:
        model: as of `kind_of_model`.
    """
    try:
        version = versions.newest_version(output_folder(model))
        return versions.read_stored_columns(version) if version else ()
    except (OSError, ValueError):
        return ()


def is_table(name: str) -> bool:
    """Whether a dataset's name is a table's, in any case."""
    return name.lower().endswith(TABLES)


def saved_model_file(path: str) -> str:
    """A run's model.keras, where one of its folders may have been named."""
    if not os.path.isdir(path):
        return path
    return str(RunFolder.named(path).model)


def no_such(name: str, path: str, expected: str) -> Fault:
    """That a path is not what it should be, and what would be.

    Args:
        name: of the setting, without dashes.
        path: what it was given.
        expected: what should be there, in words: "a folder".

    Returns:
        A `Fault` that also says what is near, or how to make it so.
    """
    found = "nothing"
    if os.path.isdir(path):
        found = "a folder"
    elif os.path.exists(path):
        found = "a file"
    hint = _as_it_is(path) if found == "a file" else _near(path)
    return Fault(
        (name,), f"--{name}={path}: expected {expected}, found {found} - {hint}"
    )


def _as_it_is(path: str) -> str:
    """What to do with a file that is there and is not what is wanted."""
    lower = path.lower()
    if lower.endswith(ARCHIVES):
        return "unpack it, and give the folder"
    if lower.endswith(OTHER_TABLES):
        return "write it as a .csv with the header path,label"
    if lower.endswith(PICTURES):
        return "give the folder in which the class folders are"
    return "check the path"


def _near(path: str) -> str:
    """Names that are there and look like one that is not."""
    name = os.path.basename(path.rstrip("/"))
    beside = [other for other in _siblings(path) if other != name]
    near = difflib.get_close_matches(name, beside, n=2)
    # The same name in another case is the likeliest of all.
    near = [n for n in beside if n.lower() == name.lower()] or near
    return f"did you mean {' or '.join(near)}?" if near else "check the path"


def _siblings(path: str) -> list[str]:
    try:
        return os.listdir(os.path.dirname(path.rstrip("/")) or ".")
    except OSError:
        return []
