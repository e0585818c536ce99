"""Folders of texts -> the files to read, or rows of classes; the rest counted.

    ignored = collections.Counter()
    for path in text_files("reviews/good", ignored): ...

In: a folder. Out: paths of its `.txt` files in order, those in its sub-folders
too; or a row of each in class folders. As of pictures, what is hidden or left
by a tool is passed over, and a folder that cannot be read is a fault.
"""

import collections
import os
from collections.abc import Iterator

from tl_keras import io_watchdog
from tl_keras.data.rows import raise_first
from tl_keras.data.split_words import splits_among
from tl_keras.data.texts.encodings import GUESS, text_of
from tl_keras.data.texts.rows import TextRow
from tl_keras.data.unlabelled import FOLDER_LINK
from tl_keras.data.walking import HIDDEN, entries_of, is_folder
from tl_keras.errors import DataError

TEXT_FILES = (".txt", ".text")
OTHER_FILE = "not a .txt"
GUESSES = (GUESS, "latin-1")


def text_files(folder: str, ignored: collections.Counter) -> Iterator[str]:
    """The files of texts in a folder and its sub-folders.

    Args:
        folder: where they are.
        ignored: what is passed over is counted here, by reason.

    Yields:
        Paths that begin with the folder.

    Raises:
        DataError: a folder cannot be read.
    """
    entries, hidden = entries_of(folder)
    ignored[HIDDEN] += hidden
    for entry in entries:
        if is_folder(entry):
            # It may lead anywhere, back to where it is among it.
            if entry.is_symlink():
                ignored[FOLDER_LINK.partition(" (")[0]] += 1
            else:
                yield from text_files(entry.path, ignored)
        elif entry.name.lower().endswith(TEXT_FILES):
            yield entry.path
        else:
            ignored[OTHER_FILE] += 1


def class_folders(root: str, ignored: collections.Counter) -> list[str]:
    """The names of the folders in a folder; a link may be one.

    Args:
        root: the folder.
        ignored: files beside them are counted here.

    Raises:
        DataError: it cannot be read.
    """
    entries, hidden = entries_of(root)
    folders = [entry.name for entry in entries if is_folder(entry)]
    ignored[HIDDEN] += hidden
    ignored["a file beside the class folders"] += len(entries) - len(folders)
    return folders


def rows_of_folder(
    root: str, encoding: str, ignored: collections.Counter, partial: bool
) -> tuple[list[TextRow], list[str]]:
    """The rows of class folders, or of splits with class folders.

    Args:
        root: the folder.
        encoding: of `text_of`.
        ignored: as of `text_files`.
        partial: any part of the classes will do.

    Returns:
        A row for each file, and those whose encoding is a guess.

    Raises:
        DataError: a folder cannot be read, or has no texts.
    """
    folders = class_folders(root, ignored)
    splits = splits_among(folders)
    tops = {root: ("", folders)}
    if splits and set(splits) == set(folders):
        paths = {os.path.join(root, name): splits[name] for name in folders}
        tops = {
            p: (split, class_folders(p, ignored)) for p, split in paths.items()
        }
    rows: list[TextRow] = []
    guessed, empty = [], {}
    for top, (split, names) in tops.items():
        for name in names:
            folder, before = os.path.join(top, name), len(rows)
            for path in text_files(folder, ignored):
                row, how = _row_of(path, name, split, encoding)
                guessed += [path] if how in GUESSES else []
                rows.append(row)
            if len(rows) == before:
                empty[name] = folder
    if not rows:
        raise DataError(
            f"{root}: expected class folders with .txt files in them, found "
            f"{len(folders)} folders and no .txt - check the path"
        )
    if not partial:
        _refuse_empty(empty, {row.label for row in rows})
    return rows, guessed


def _refuse_empty(empty: dict[str, str], labels: set[str]) -> None:
    """Raises DataError for classes that have no text in any split."""
    raise_first(
        [
            f"{folder}: a class folder without texts - fill it, or take it away"
            for name, folder in empty.items()
            if name not in labels
        ]
    )


def _row_of(
    path: str, label: str, split: str, encoding: str
) -> tuple[TextRow, str]:
    """A file's row, and the encoding that it was read in."""
    try:
        text, how = text_of(io_watchdog.read(path), encoding, path)
    except DataError as error:
        return TextRow(path, "", label, split, str(error)), ""
    except OSError as error:
        told = f"cannot be read ({error.strerror})"
        return TextRow(path, "", label, split, told), ""
    return TextRow(path, text.strip(), label, split), how
