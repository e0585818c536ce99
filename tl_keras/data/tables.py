"""A .csv of `path,label[,split]` -> examples.

    path,label,split
    photos/1.jpg,cat,train
    photos/2.jpg,dog,test

Paths start from `data_dir`, or from the .csv's own folder, and stay below it.
Every row is used, skipped (its file cannot be read) or a fault that names
`file.csv:LINE`; all faults are told at once.
"""

import csv
import difflib
import os
from collections.abc import Iterator, Sequence

import numpy as np

from tl_keras.data.examples import EMPTY, Examples, Listing, Skip
from tl_keras.data.folders import SPLIT_NAMES
from tl_keras.data.walking import file_fault
from tl_keras.errors import DataError

HEADER = "path,label[,split]"
MOST_FAULTS = 5  # rows named one by one
ENCODING_MARKS = {
    b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"PK\x03\x04": "Excel",
    b"\xd0\xcf\x11\xe0": "Excel",
}  # fmt: skip


def list_csv(
    file: str, data_dir: str = "", *, follow_links: bool = False
) -> Listing:
    """Lists the pictures that a .csv names.

    Args:
        file: UTF-8, comma separated, with a header: path, label and, if
            wanted, split (train, val or test). Other columns are ignored.
        data_dir: the folder that paths start from; the .csv's own when empty.
        follow_links: whether a path may lead through a link out of it.

    Returns:
        A listing with "train" and the other splits that the rows name.

    Raises:
        DataError: naming the rows: a column or value is missing, a path leads
            out of the folder, a picture has two labels, labels are numbers.
    """
    root = os.path.abspath(data_dir or os.path.dirname(file) or ".")
    rows = _rows(file)
    class_names = _class_names(rows, file)
    numbers = {name: number for number, name in enumerate(class_names)}
    places = Places(root, follow_links)
    taken: dict[str, list[tuple[str, str, int]]] = {}
    skipped: list[Skip] = []
    seen: dict[str, dict[str, str]] = {}
    repeated, faults = 0, []
    for row in rows:
        path, fault = places.inside(row["path"])
        if not fault and path in seen:
            repeated += 1
            fault = _conflict(row, seen[path])
        elif not fault:
            seen[path] = row
            id_, split = os.path.relpath(path, root), row["split"]
            reason, _ = file_fault(path)
            if reason:
                skipped.append(
                    Skip(id_, reason, split, row["label"], path, row["where"])
                )
            else:
                item = (id_, path, numbers[row["label"]])
                taken.setdefault(split, []).append(item)
        if fault:
            faults.append(f"{row['where']}: {fault}")
    raise_first(faults)
    lost = {skip.split for skip in skipped} - set(taken)
    splits = {split: _columns(items) for split, items in taken.items()}
    splits |= {split: EMPTY for split in lost}
    if "train" not in splits:
        raise DataError(f"{file}: no row is of split train - add some")
    ignored = {"the same row again": repeated} if repeated else {}
    return Listing(splits, class_names, ignored, tuple(skipped))


def _conflict(row: dict[str, str], above: dict[str, str]) -> str:
    """What is wrong with a path that stands in a row above, or ""."""
    if all(row[c] == above[c] for c in ("label", "split")):
        return ""
    return (
        f"{row['path']} stands here as {row['label']} in {row['split']}, and "
        f"in row {above['where']} as {above['label']} in {above['split']} - "
        "keep one row"
    )


def raise_first(faults: Sequence[str]) -> None:
    """The first faults, and how many more there are."""
    if len(faults) > MOST_FAULTS:
        more = f"and {len(faults) - MOST_FAULTS:,} more rows like these"
        raise DataError([*faults[:MOST_FAULTS], more])
    if faults:
        raise DataError(faults)


def _class_names(rows: list[dict[str, str]], file: str) -> tuple[str, ...]:
    """The labels of the training rows; no other row may have one of its own."""
    names = {row["label"] for row in rows if row["split"] == "train"}
    if not names:
        raise DataError(f"{file}: no row is of split train - add some")
    _refuse_measurements(rows, file)
    faults = []
    for row in rows:
        if row["label"] not in names:
            near = difflib.get_close_matches(row["label"], names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            faults.append(
                f"{row['where']}: the label {row['label']!r} is of no training "
                f"row{hint} - mend it, or add training rows"
            )
    raise_first(faults)
    if len(names) < 2:
        raise DataError(
            f"{file}: {len(names)} label in its rows; expected 2 or more "
            "classes"
        )
    return tuple(sorted(names))


def _refuse_measurements(rows: list[dict[str, str]], file: str) -> None:
    """Numbers such as 0.73, nan and inf are no names of classes."""
    try:
        numbers = [float(row["label"]) for row in rows]
    except ValueError:
        return
    broken = [
        row["where"]
        for row, number in zip(rows, numbers, strict=True)
        if not number.is_integer()
    ]
    if broken:
        shown = ", ".join(broken[:MOST_FAULTS])
        raise DataError(
            f"{file}: its labels are numbers and {len(broken):,} of them are "
            f"not whole ({shown}{', ...' if len(broken) > MOST_FAULTS else ''})"
            "; expected names of classes - regression is not supported"
        )


def _columns(items: list[tuple[str, str, int]]) -> Examples:
    ids, files, labels = zip(*items, strict=True)
    return Examples(ids, np.array(labels, np.int32), files=files)


def _rows(file: str) -> list[dict[str, str]]:
    """The checked rows, each with `where`, its `file.csv:LINE`."""
    rows, faults = [], []
    for row, where in read_rows(file, ("path", "label"), HEADER):
        fault = _row_fault(row)
        if fault:
            faults.append(f"{where}: {fault}")
        else:
            rows.append(_cleaned(row, where))
    raise_first(faults)
    if not rows:
        raise DataError(f"{file}: no rows under the header")
    return rows


def read_rows(
    file: str, columns: Sequence[str], expected: str
) -> Iterator[tuple[dict[str, str], str]]:
    """Rows one by one, each with its `file.csv:LINE`.

    A row of too few or too many fields has None among its keys or values.

    Args:
        file: UTF-8, comma separated, with a header.
        columns: that the header must have.
        expected: the header in words, for the message.

    Raises:
        DataError: no such header, not UTF-8, or quotes that do not close.
    """
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            header = tuple(name.strip() for name in reader.fieldnames or ())
            if "path" not in header:  # A run's split.csv says `id`.
                header = tuple("path" if n == "id" else n for n in header)
            reader.fieldnames = list(header)
            _check_header(header, file, columns, expected)
            for row in reader:
                yield row, f"{file}:{reader.line_num}"
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}) - check the path"
        ) from None
    except UnicodeDecodeError:
        raise DataError(_encoding_fault(file)) from None
    except csv.Error as error:
        raise DataError(
            f"{file}:{reader.line_num}: not readable as comma-separated text "
            f"({error}) - check quotes and commas"
        ) from None


def _check_header(
    header: tuple[str, ...], file: str, columns: Sequence[str], expected: str
) -> None:
    if set(columns) <= set(header):
        if len(set(header)) < len(header):
            raise DataError(
                f"{file}:1: a column stands twice in {','.join(header)} - "
                "rename one"
            )
        return
    joined = ",".join(header)
    marks = [m for m in (";", "\t", "|") if m in joined]
    hint = f" - write commas, not {marks[0]!r}" if marks else ""
    raise DataError(
        f"{file}:1: expected the header {expected}, received "
        f"{joined[:200] or 'nothing'}{hint}"
    )


def _encoding_fault(file: str) -> str:
    """Names the byte that is no UTF-8, and what the file may be instead."""
    with open(file, "rb") as stream:
        content = stream.read()
    for mark, name in ENCODING_MARKS.items():
        if content.startswith(mark):
            return (
                f"{file}: expected UTF-8 text, found {name} - save it as "
                "UTF-8 text with commas"
            )
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return (
            f"{file}:{line}: expected UTF-8 text, found byte "
            f"{content[error.start]:#x}, perhaps Latin-1 - save it as UTF-8"
        )
    return f"{file}: it changes while it is read - try again"


def field_fault(row: dict) -> str:
    """What is wrong with the number of a row's fields, or ""."""
    if None not in row and None not in row.values():
        return ""
    names = [name for name in row if name is not None]
    return (
        f"expected {len(names)} fields ({','.join(names)}), received "
        f"{[value for value in row.values() if value]}"
    )


def _row_fault(row: dict) -> str:
    """What is wrong with a row on its own, or ""."""
    fault = field_fault(row)
    if fault:
        return fault
    for column in ("path", "label"):
        if not row[column].strip():
            return f"the {column} is empty - fill it"
    split = (row.get("split") or "train").strip().lower()
    if split not in SPLIT_NAMES:
        return f"split {split!r}; expected train, val or test"
    return ""


def _cleaned(row: dict, where: str) -> dict[str, str]:
    split = (row.get("split") or "train").strip().lower()
    return {
        "path": row["path"],
        "label": row["label"].strip(),
        "split": SPLIT_NAMES[split],
        "where": where,
    }


class Places:
    """Paths of rows -> absolute paths that stay below one folder."""

    def __init__(self, root: str, follow_links: bool):
        self.root = root
        self.real_root = os.path.realpath(root)
        self.follow_links = follow_links
        self.real_folders: dict[str, str] = {}

    def inside(self, name: str) -> tuple[str, str]:
        """The path, and what is wrong with it, or ""."""
        if "\0" in name or "://" in name:
            return "", f"{name!r} is no path of a file on this disk"
        path = os.path.normpath(os.path.join(self.root, name))
        # Blanks around a path are a slip, unless a file is so named.
        if name != name.strip() and not os.path.lexists(path):
            path = os.path.normpath(os.path.join(self.root, name.strip()))
        if not _below(path, self.root):
            return "", (
                f"{name} leads out of {self.root} - give the right --data_dir"
            )
        if not self.follow_links and not _below(
            self._real(path), self.real_root
        ):
            return "", (
                f"{name} leads through a link out of {self.root} - give "
                "--follow_links if that is meant"
            )
        return path, ""

    def _real(self, path: str) -> str:
        """realpath, with the folder's kept: most rows share theirs."""
        folder, name = os.path.split(path)
        if folder not in self.real_folders:
            self.real_folders[folder] = os.path.realpath(folder)
        real = os.path.join(self.real_folders[folder], name)
        return os.path.realpath(real) if os.path.islink(real) else real


def _below(path: str, root: str) -> bool:
    return path.startswith(os.path.join(root, ""))
