"""Folders of pictures -> examples.

    flowers/rose/1.jpg                     class folders directly, or
    flowers/train/rose/1.jpg               splits with class folders in them
    flowers/test/rose/9.jpg

A root is read as splits when it has a folder `train` and every folder in it is
named as a split (train, val, valid, validation, test, in any case). Sub-folders
of a class folder belong to the class.
"""

import collections
import os
from collections.abc import Iterator

import numpy as np

from tl_keras.data.examples import Examples, Listing
from tl_keras.errors import DataError

# What TensorFlow decodes; anything else in a class folder is ignored, counted.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp",
)  # fmt: skip
SPLIT_NAMES = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
LAYOUT = (
    "expected class folders with pictures in them, or train/ val/ test/ with "
    "class folders"
)


def list_folder(root: str, val_root: str = "", test_root: str = "") -> Listing:
    """Lists a dataset that is folders.

    Args:
        root: class folders, or splits with class folders.
        val_root, test_root: class folders that live elsewhere; they replace
            the split of that name in `root`.

    Returns:
        A listing with "train" and the other splits that there are.

    Raises:
        DataError: no pictures, one class only, an empty class, or splits
            whose classes differ.
    """
    ignored: collections.Counter = collections.Counter()
    roots = {"train": root, **_split_folders(root, ignored)}
    for split, elsewhere in (("val", val_root), ("test", test_root)):
        if elsewhere and split in roots:
            replaced = _class_files(roots[split], ignored).values()
            ignored[f"in {split}/, replaced"] += sum(map(len, replaced))
        if elsewhere:
            roots[split] = elsewhere
    found = {
        split: _class_files(folder, ignored) for split, folder in roots.items()
    }
    class_names = _agreed_classes(roots, found)
    _refuse_shared_files(found)
    splits = {
        split: _examples(roots[split], root, classes, class_names)
        for split, classes in found.items()
    }
    return Listing(splits, class_names, dict(ignored))


def _entries(
    folder: str, ignored: collections.Counter
) -> Iterator[os.DirEntry]:
    """What stands in a folder, by name, without what tools leave behind."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"{folder}: the folder cannot be read ({error.strerror}) - check "
            "the path and the right to read it"
        ) from None
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            ignored["hidden, or left by a tool"] += 1
        else:
            yield entry


def _split_folders(root: str, ignored: collections.Counter) -> dict[str, str]:
    """{"train": path, ...} when the root is laid out as splits, or {}."""
    names = [
        entry.name
        for entry in _entries(root, collections.Counter())
        if entry.is_dir()
    ]
    known = [name for name in names if name.lower() in SPLIT_NAMES]
    if "train" not in [SPLIT_NAMES[name.lower()] for name in known]:
        return {}
    if len(known) < len(names):
        # One such name may be a class: a train beside a bus.
        if len(known) == 1:
            return {}
        raise DataError(
            f"{root}: {', '.join(known)} look like splits, and "
            f"{', '.join(n for n in names if n not in known)} does not - take "
            "it away, or rename the splits if they are classes"
        )
    splits: dict[str, str] = {}
    for name in known:
        split = SPLIT_NAMES[name.lower()]
        if split in splits:
            raise DataError(
                f"{root}: both {os.path.basename(splits[split])} and {name} - "
                f"keep one folder for {split}"
            )
        splits[split] = os.path.join(root, name)
    for entry in _entries(root, ignored):
        if not entry.is_dir():
            ignored["a file beside the split folders"] += 1
    return splits


def _class_files(
    root: str, ignored: collections.Counter
) -> dict[str, list[str]]:
    """Class name -> picture files below its folder, in the order of names."""
    classes = {}
    stray = 0
    for entry in _entries(root, ignored):
        if entry.is_dir():
            classes[entry.name] = list(_pictures(entry.path, ignored))
        else:
            stray += 1
    if not any(classes.values()):
        raise DataError(
            f"{root}: no pictures found; {LAYOUT}, found "
            f"{len(classes)} folders and {stray} files beside them"
        )
    if stray:
        ignored["a file beside the class folders"] += stray
    return classes


def _pictures(folder: str, ignored: collections.Counter) -> Iterator[str]:
    for entry in _entries(folder, ignored):
        if entry.is_dir(follow_symlinks=False):
            yield from _pictures(entry.path, ignored)
        elif entry.is_dir():
            ignored["a link to a folder"] += 1
        elif not entry.name.strip().lower().endswith(EXTENSIONS):
            ignored["not a picture by its extension"] += 1
        elif not entry.is_file():
            ignored["not a regular file"] += 1
        else:
            yield entry.path


def _agreed_classes(
    roots: dict[str, str], found: dict[str, dict[str, list[str]]]
) -> tuple[str, ...]:
    """The class names, the same in every split and none of them empty."""
    names = tuple(sorted(found["train"]))
    for split, classes in found.items():
        extra = sorted(set(classes) - set(names))
        missing = sorted(set(names) - set(classes))
        if extra or missing:
            raise DataError(
                f"{roots[split]}: its class folders differ from those of "
                f"{roots['train']}: only here {extra or 'none'}, missing here "
                f"{missing or 'none'} - give every split the same folders"
            )
        empty = sorted(name for name, files in classes.items() if not files)
        if empty:
            raise DataError(
                f"{os.path.join(roots[split], empty[0])}: a class folder "
                "without pictures - fill it or take it away"
            )
    if len(names) < 2:
        raise DataError(
            f"{roots['train']}: one class only, {names[0]!r}; expected 2 or "
            f"more - {LAYOUT}"
        )
    return names


def _refuse_shared_files(found: dict[str, dict[str, list[str]]]) -> None:
    """A file that two splits hold would make the test worthless."""
    owner: dict[str, str] = {}
    for split, classes in found.items():
        for files in classes.values():
            for file in files:
                other = owner.setdefault(os.path.realpath(file), split)
                if other != split:
                    raise DataError(
                        f"{file}: in {other} and in {split}; expected no file "
                        "in two splits - give them folders of their own"
                    )


def _examples(
    folder: str,
    root: str,
    classes: dict[str, list[str]],
    names: tuple[str, ...],
) -> Examples:
    """Ids are relative to the dataset, or to a split that lives elsewhere."""
    inside = os.path.abspath(folder).startswith(os.path.abspath(root) + os.sep)
    base = root if inside or folder == root else os.path.dirname(folder) or "."
    files = [file for name in names for file in classes[name]]
    labels = [i for i, name in enumerate(names) for _ in classes[name]]
    return Examples(
        tuple(os.path.relpath(file, base) for file in files),
        np.array(labels, np.int32),
        files=tuple(files),
    )
