"""Folders of pictures -> examples.

    flowers/rose/1.jpg                     class folders directly, or
    flowers/train/rose/1.jpg               splits with class folders in them
    flowers/test/rose/9.jpg

A root is read as splits when it has a folder `train` and every folder in it is
named as a split (train, val, valid, validation, test, in any case). Sub-folders
of a class folder belong to the class, unless `label_from` says otherwise.
"""

import collections
import os
from collections.abc import Mapping

import numpy as np

from tl_keras.data.examples import Examples, Listing, Skip
from tl_keras.data.walking import SAME_FILE, Walk, entries_of, is_folder
from tl_keras.errors import DataError

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


def list_folder(
    root: str,
    val_root: str = "",
    test_root: str = "",
    *,
    label_from: str = "first",
    follow_links: bool = False,
    allow_empty_class: bool = False,
    allow_leakage: bool = False,
) -> Listing:
    """Lists a dataset that is folders.

    Args:
        root: class folders, or splits with class folders.
        val_root, test_root: class folders that live elsewhere; they replace
            the split of that name in `root`.
        label_from: one of `walking.LABELS_FROM`.
        follow_links: whether folders that are links are taken.
        allow_empty_class: leave out a class without any picture, and let val
            and test lack classes, instead of refusing.
        allow_leakage: let two splits hold the same file.

    Returns:
        A listing with "train" and the other splits that there are.

    Raises:
        DataError: no pictures, one class only, an empty class, splits whose
            classes differ or that share a file, a link to a folder.
    """
    ignored: collections.Counter = collections.Counter()
    roots = {"train": root, **_split_folders(root, ignored, follow_links)}
    walks = {}

    def walk(folder: str) -> Walk:
        return Walk(folder, follow_links, label_from).run()

    for split, elsewhere in (("val", val_root), ("test", test_root)):
        if elsewhere and split in roots:
            replaced = walk(roots[split])
            count = sum(map(len, replaced.pictures.values()))
            ignored[f"in {split}/, replaced"] += count
        if elsewhere:
            roots[split] = elsewhere
    for split, folder in roots.items():
        walks[split] = walk(folder)
        if walks[split].faults:
            raise DataError(walks[split].faults)
        _refuse_no_pictures(walks[split])
    class_names = _agreed_classes(walks, allow_empty_class)
    _take_each_file_once(walks, allow_leakage)
    return _listing(root, walks, class_names, ignored)


def _listing(
    root: str,
    walks: Mapping[str, Walk],
    class_names: tuple[str, ...],
    ignored: collections.Counter,
) -> Listing:
    splits, skipped, notes = {}, [], collections.Counter()
    for split, walk in walks.items():
        start = len(_prefix(walk.root, root))
        files = [f for name in class_names for f in walk.pictures.get(name, ())]
        labels = [
            label
            for label, name in enumerate(class_names)
            for _ in walk.pictures.get(name, ())
        ]
        splits[split] = Examples(
            tuple(file[start:] for file in files),
            np.array(labels, np.int32),
            files=tuple(files),
        )
        skipped += [
            Skip(path[start:], reason, split, name, path)
            for name in class_names
            for path, reason in walk.unusable.get(name, ())
        ]
        ignored += walk.ignored
        ignored["a file beside the class folders"] += walk.strays
        notes += walk.notes
    ignored = +ignored  # without the zeros
    return Listing(
        splits, class_names, dict(ignored), tuple(skipped), dict(notes)
    )


def _prefix(folder: str, root: str) -> str:
    """What ids leave out: ids are relative to the dataset, or to a split that
    lives elsewhere."""
    inside = os.path.abspath(folder).startswith(os.path.abspath(root) + os.sep)
    if inside or folder == root:
        return os.path.join(root, "")
    parent = os.path.dirname(folder.rstrip(os.sep))
    return os.path.join(parent, "") if parent else ""


def _split_folders(
    root: str, ignored: collections.Counter, follow_links: bool
) -> dict[str, str]:
    """{"train": path, ...} when the root is laid out as splits, or {}."""
    folders = [
        entry
        for entry in entries_of(root, collections.Counter())
        if is_folder(entry)
    ]
    names = [entry.name for entry in folders]
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
    for entry in folders:
        split = SPLIT_NAMES[entry.name.lower()]
        if entry.is_symlink() and not follow_links:
            raise DataError(
                f"{entry.path}: a link to a folder - give --follow_links to "
                "take it, or put the folder here"
            )
        if split in splits:
            raise DataError(
                f"{root}: both {os.path.basename(splits[split])} and "
                f"{entry.name} - keep one folder for {split}"
            )
        splits[split] = entry.path
    for entry in entries_of(root, ignored):
        if not is_folder(entry):
            ignored["a file beside the split folders"] += 1
    return splits


def _refuse_no_pictures(walk: Walk) -> None:
    if any(walk.pictures.values()):
        return
    unusable = [row for rows in walk.unusable.values() for row in rows]
    found = (
        f"found {len(walk.pictures)} folders and {walk.strays} files beside "
        "them"
    )
    if unusable:
        path, reason = unusable[0]
        found += (
            f", and {len(unusable)} pictures that cannot be used, such as "
            f"{path}: {reason}"
        )
    raise DataError(f"{walk.root}: no pictures found; {LAYOUT}, {found}")


def _agreed_classes(
    walks: Mapping[str, Walk], allow_empty_class: bool
) -> tuple[str, ...]:
    """The class names, the same in every split and none of them empty."""
    held = {
        split: {
            name
            for name in {*walk.pictures, *walk.unusable}
            if not allow_empty_class
            or walk.pictures.get(name)
            or walk.unusable.get(name)
        }
        for split, walk in walks.items()
    }
    names, faults = sorted(held["train"]), []
    for split, walk in walks.items():
        extra = sorted(held[split] - set(names))
        missing = sorted(set(names) - held[split])
        if extra or (missing and not allow_empty_class):
            faults.append(
                f"{walk.root}: its class folders differ from those of "
                f"{walks['train'].root}: only here {extra or 'none'}, missing "
                f"here {missing or 'none'} - give every split the same folders"
            )
        for name in sorted(held[split]):
            if not walk.pictures.get(name) and not walk.unusable.get(name):
                faults.append(
                    f"{os.path.join(walk.root, name)}: a class folder without "
                    "pictures - fill it, take it away, or give "
                    "--allow_empty_class to leave it out"
                )
    if len(names) < 2 and not faults:
        faults = [
            f"{walks['train'].root}: one class only, {names[0]!r}; expected 2 "
            f"or more - {LAYOUT}"
        ]
    if faults:
        raise DataError(faults)
    return tuple(names)


def _take_each_file_once(
    walks: Mapping[str, Walk], allow_leakage: bool
) -> None:
    """Drops links to a file that its class has; refuses one in two splits.

    The same file under two classes stays: the data check names such pairs.
    """
    owner: dict[tuple[int, int], str] = {}
    faults = []
    for split, walk in walks.items():
        for name, files in walk.pictures.items():
            taken: dict[tuple[int, int], str] = {}
            for file in files:
                place = walk.inodes[file]
                taken.setdefault(place, file)
                other = owner.setdefault(place, split)
                if other != split and not allow_leakage:
                    faults.append(
                        f"{file}: in {other} and in {split}; expected no file "
                        "in two splits - give them folders of their own, or "
                        "give --allow_leakage"
                    )
            again = len(files) - len(taken)
            walk.ignored[SAME_FILE] += again
            walk.pictures[name] = list(taken.values())
    if faults:
        more = [f"and {len(faults) - 20:,} more like these"] * (
            len(faults) > 20
        )
        raise DataError(faults[:20] + more)
