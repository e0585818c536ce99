"""A .csv of `path,label[,split]` -> examples.

    path,label,split
    photos/1.jpg,cat,train
    photos/2.jpg,dog,test

Paths start from `data_dir`, or from the .csv's own folder, and stay below it.
Every row is used or is a fault that names `file.csv:LINE`.
"""

import csv
import os

import numpy as np

from tl_keras.data.examples import Examples, Listing
from tl_keras.data.folders import SPLIT_NAMES
from tl_keras.errors import DataError

COLUMNS = ("path", "label", "split")


def list_csv(file: str, data_dir: str = "") -> Listing:
    """Lists the pictures that a .csv names.

    Args:
        file: UTF-8, comma separated, with a header: path, label and, if
            wanted, split (train, val or test). Other columns are ignored.
        data_dir: the folder that paths start from; the .csv's own when empty.

    Returns:
        A listing with "train" and the other splits that the rows name.

    Raises:
        DataError: naming the row: a column or value is missing, a path leads
            out of the folder or to no file, a picture has two labels.
    """
    root = os.path.abspath(data_dir or os.path.dirname(file) or ".")
    rows = _rows(file)
    class_names = tuple(sorted({row["label"] for row in rows}))
    if len(class_names) < 2:
        raise DataError(
            f"{file}: {len(class_names)} labels in its rows; expected 2 or "
            "more classes"
        )
    numbers = {name: number for number, name in enumerate(class_names)}
    taken: dict[str, list[tuple[str, str, int]]] = {}
    seen: dict[str, tuple[str, str]] = {}
    repeated = 0
    for row in rows:
        where, name = row["where"], row["path"]
        path = _inside(root, name, where)
        label, split = row["label"], row["split"]
        if path in seen:
            if seen[path] != (label, split):
                raise DataError(
                    f"{where}: {name} stands here as {label} in {split}, and "
                    f"above as {seen[path][0]} in {seen[path][1]} - keep one "
                    "row"
                )
            repeated += 1
            continue
        seen[path] = (label, split)
        item = (os.path.relpath(path, root), path, numbers[label])
        taken.setdefault(split, []).append(item)
    if "train" not in taken:
        raise DataError(f"{file}: no row is of split train - add some")
    ignored = {"the same row again": repeated} if repeated else {}
    splits = {split: _columns(items) for split, items in taken.items()}
    return Listing(splits, class_names, ignored)


def _columns(items: list[tuple[str, str, int]]) -> Examples:
    ids, files, labels = zip(*items, strict=True)
    return Examples(ids, np.array(labels, np.int32), files=files)


def _rows(file: str) -> list[dict[str, str]]:
    """The checked rows, each with `where`, its `file.csv:LINE`."""
    rows = []
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            header = tuple(name.strip() for name in reader.fieldnames or ())
            reader.fieldnames = list(header)
            if not {"path", "label"} <= set(header):
                raise DataError(
                    f"{file}:1: expected the header path,label[,split], "
                    f"received {','.join(header) or 'nothing'}"
                )
            for row in reader:
                rows.append(_checked(row, f"{file}:{reader.line_num}", header))
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}) - check the path"
        ) from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{file}: expected UTF-8 text, found byte {byte:#x} at "
            f"{error.start} - save it as UTF-8"
        ) from None
    except csv.Error as error:
        raise DataError(
            f"{file}:{reader.line_num}: not readable as comma-separated text "
            f"({error}) - check quotes and commas"
        ) from None
    if not rows:
        raise DataError(f"{file}: no rows under the header")
    return rows


def _checked(row: dict, where: str, header: tuple[str, ...]) -> dict[str, str]:
    if None in row or None in row.values():
        raise DataError(
            f"{where}: expected {len(header)} fields ({','.join(header)}), "
            f"received {[value for value in row.values() if value]}"
        )
    path, label = row["path"].strip(), row["label"].strip()
    split = (row.get("split") or "train").strip().lower()
    for column, value in (("path", path), ("label", label)):
        if not value:
            raise DataError(f"{where}: the {column} is empty - fill it")
    if split not in SPLIT_NAMES:
        raise DataError(
            f"{where}: split {split!r}; expected train, val or test"
        )
    return {
        "path": path,
        "label": label,
        "split": SPLIT_NAMES[split],
        "where": where,
    }


def _inside(root: str, name: str, where: str) -> str:
    """The absolute path of a regular file below `root`."""
    if "\0" in name or "://" in name:
        raise DataError(f"{where}: {name!r} is no path of a file on this disk")
    path = os.path.normpath(os.path.join(root, name))
    if not path.startswith(root.rstrip(os.sep) + os.sep):
        raise DataError(
            f"{where}: {name} leads out of {root} - give the right --data_dir"
        )
    if not os.path.isfile(path):
        raise DataError(
            f"{where}: {name} is no file below {root} - is --data_dir right?"
        )
    return path
