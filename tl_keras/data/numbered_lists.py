"""Lists that belong together: labels, splits and names in files of their own.

    rows, told, ignored = labelled_rows("CUB/images.txt", Wanted(), "CUB")
    lists_beside("CUB/images.txt").labels["1"]          # "001.Albatross"

In: files as CUB-200 and the devkit of ILSVRC have them. Out: rows with labels,
as of one table.
"""

import collections
import dataclasses
import os
import re
from collections.abc import Iterable, Mapping

from tl_keras.data.delimited import DelimitedText, ends_as_image
from tl_keras.data.headerless import counts_rows
from tl_keras.data.rows import Row, Rows
from tl_keras.data.split_words import IS_TRAINING
from tl_keras.data.wanted import Wanted
from tl_keras.errors import DataError

IMAGES, LABELS = "images.txt", "image_class_labels.txt"
SPLITS, CLASSES = "train_test_split.txt", "classes.txt"


@dataclasses.dataclass(frozen=True)
class Lists:
    """What lists say of the numbers of pictures.

    Attributes:
        labels: number -> label, a name where there are names.
        splits: number -> split; None where no list says it.
        told: which files were read.
    """

    labels: Mapping[str, str]
    splits: Mapping[str, str] | None
    told: str


def labelled_rows(
    file: str,
    wanted: Wanted,
    folder: str | None = None,
) -> tuple[list[Row], tuple[str, ...], collections.Counter]:
    """A table's rows, with the labels that other files have of them.

    Args:
        file: a table, as `rows.Rows` reads it, or one of such lists.
        wanted: which columns there must be.
        folder: in which the pictures of a list of labels alone are; None to
            have its rows without paths.

    Returns:
        The rows; what was found out about them, in words; and what is passed
        over, counted by reason.

    Raises:
        DataError: no such columns, or lists that do not fit.
        MachineError: Parquet without pyarrow.
    """
    lists = None
    is_list = file.lower().endswith(".txt")
    if is_list:
        if rows := rows_of_labels(file, folder):
            told = "a label a line, for pictures by their number"
            return rows, (told,), collections.Counter()
        lists = lists_beside(file)
    if lists:
        wanted = dataclasses.replace(wanted, label=False)
        reader = Rows(file, wanted)
        rows = [with_lists(row, lists) for row in reader]
        return rows, (lists.told,), reader.ignored
    reader = Rows(file, wanted)
    rows = list(reader)
    if is_list and not (reader.header or wanted.label_column):
        rows, found = with_folders(rows)
        if found:
            return rows, (*reader.told, *found), reader.ignored
    labels = {row.cells.get("label", "").strip() for row in rows}
    names = class_names_beside(file, labels) if is_list else {}
    if not names:
        return rows, reader.told, reader.ignored
    rows = [
        row._replace(
            cells={**row.cells, "label": names[row.cells["label"].strip()]}
        )
        for row in rows
    ]
    told = (*reader.told, f"the names of its labels are in {CLASSES}")
    return rows, told, reader.ignored


def lists_beside(file: str) -> Lists | None:
    """The lists that stand beside images.txt; None where there are none.

    Args:
        file: a list whose lines are a number and a path.

    Raises:
        DataError: one of them cannot be understood.
    """
    folder = os.path.dirname(file)
    labels = os.path.join(folder, LABELS)
    if os.path.basename(file) != IMAGES or not os.path.isfile(labels):
        return None
    read = [LABELS]
    by_number = pairs_in(labels)
    if names := class_names_beside(file, by_number.values()):
        by_number = {number: names[one] for number, one in by_number.items()}
        read.append(CLASSES)
    splits = os.path.join(folder, SPLITS)
    by_split = None
    if os.path.isfile(splits):
        read.append(SPLITS)
        flags = pairs_in(splits)
        odd = sorted(set(flags.values()) - set(IS_TRAINING))
        if odd:
            raise DataError(
                f"{splits}: expected 1 (to train on) or 0 behind each number, "
                f"found {odd[0]!r} - mend it, or take the file away"
            )
        by_split = {number: IS_TRAINING[flag] for number, flag in flags.items()}
    return Lists(by_number, by_split, f"read with {', '.join(read)} beside it")


def class_names_beside(file: str, labels: Iterable[str]) -> dict[str, str]:
    """Number -> name, of a classes.txt that names all of some labels.

    Args:
        file: a table, beside which it stands.
        labels: as they are there.

    Returns:
        {} where there is none, or where it does not name them all.
    """
    names = os.path.join(os.path.dirname(file), CLASSES)
    wanted = set(labels)
    numbers = bool(wanted) and all(label.isdecimal() for label in wanted)
    if not numbers or not os.path.isfile(names):
        return {}
    found = pairs_in(names, strict=False)
    return found if wanted <= set(found) else {}


def with_lists(row: Row, lists: Lists) -> Row:
    """A row of images.txt with its label and its split."""
    number = row.cells.get("1", "")
    cells = {**row.cells, "label": lists.labels.get(number, "")}
    if lists.splits is not None:
        cells["split"] = lists.splits.get(number, "")
    for known, name in ((lists.labels, LABELS), (lists.splits, SPLITS)):
        if not row.fault and known is not None and number not in known:
            return Row(cells, row.where, f"{name} says nothing of {number}")
    return Row(cells, row.where, row.fault)


def with_folders(rows: list[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """The folders of pictures in the place of labels that count the rows.

    The devkit of ILSVRC has such a list, train_cls.txt, whose lines are
    `n01440764/n01440764_10026 1`: no two pictures would be of one class.

    Args:
        rows: of a list without a header.

    Returns:
        The rows, and what was found out, in words; as they were, and (), where
        their labels are no such numbers, or folders make no classes.
    """
    labels = [row.cells.get("label", "").strip() for row in rows]
    folders = [
        os.path.basename(os.path.dirname(_slashed(row.cells.get("path", ""))))
        for row in rows
    ]
    kinds = len(set(folders))
    if not (counts_rows(labels) and all(folders) and 1 < kinds < len(rows)):
        return rows, ()
    told = (
        f"its numbers {labels[0]} to {labels[-1]} are those of its rows, so "
        f"that its labels are the {kinds:,} folders of its paths; "
        "--label_column=2 takes the numbers"
    )
    return [
        row._replace(cells={**row.cells, "label": folder})
        for row, folder in zip(rows, folders, strict=True)
    ], (told,)


def _slashed(path: str) -> str:
    return path.strip().replace("\\", "/")


def pairs_in(file: str, strict: bool = True) -> dict[str, str]:
    """A list of `number value` lines.

    Args:
        file: its path.
        strict: whether another line is a fault; else there are no pairs then.

    Raises:
        DataError: naming the line.
    """
    pairs: dict[str, str] = {}
    for cells, line in DelimitedText(file).records():
        cells = [cell for cell in cells if cell.strip()]
        if not cells:
            continue
        if len(cells) < 2 or not cells[0].isdecimal() or cells[0] in pairs:
            if not strict:
                return {}
            raise DataError(
                f"{file}:{line}: expected a number of its own and a value, "
                f"found {' '.join(cells)[:80]} - mend the list"
            )
        pairs[cells[0]] = " ".join(cells[1:])
    return pairs


def rows_of_labels(file: str, folder: str | None) -> list[Row] | None:
    """The rows of a list of labels alone, one a line, as of ILSVRC's devkit.

    Args:
        file: the list.
        folder: with as many pictures, whose names end in their numbers; None
            for rows without paths.

    Returns:
        Rows of a path and a label; None where the file is no such list.

    Raises:
        DataError: the pictures of the folder are not numbered so.
    """
    text = DelimitedText(file)
    alone = [row for row in text.sample if len(row) == 1]
    if not alone or len(alone) < len(text.sample):
        return None
    if not all(row[0].strip().isdecimal() for row in alone):
        return None
    labels = [(cells[0], line) for cells, line in text.records() if any(cells)]
    if folder is None:
        return [Row({"label": one}, f"{file}:{line}") for one, line in labels]
    found = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        number = re.search(r"(\d+)\.\w+$", name)
        if number and ends_as_image(name):
            found.setdefault(int(number[1]), []).append(name)
    if sorted(found) != list(range(1, len(labels) + 1)) or any(
        len(names) > 1 for names in found.values()
    ):
        raise DataError(
            f"{file}: {len(labels):,} labels without paths; expected as many "
            f"pictures in {folder}, their names ending in 1 to "
            f"{len(labels):,} - give their folder by --data_dir, or a list of "
            "path and label"
        )
    return [
        Row({"path": found[i][0], "label": label}, f"{file}:{line}")
        for i, (label, line) in enumerate(labels, 1)
    ]
