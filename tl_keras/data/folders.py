"""Folders of pictures -> examples.

    flowers/rose/1.jpg                     class folders directly, or
    flowers/train/rose/1.jpg               splits with class folders in them
    flowers/test/rose/9.jpg

In: a root. Out: a `Listing`. Which of the two it is, `layout` says. Sub-folders
of a class folder belong to the class, unless `label_from` says otherwise; with
`label_regex` the class is in the files' names, wherever they lie.
"""

import collections
import os
from collections.abc import Mapping

import numpy as np

from tl_keras.data.examples import Examples, Listing, Skip
from tl_keras.data.layout import splits_of
from tl_keras.data.masks import mask_warnings
from tl_keras.data.options import AS_IT_IS, ListOptions
from tl_keras.data.other_layouts import LAYOUT
from tl_keras.data.walking import (
    HIDDEN,
    NESTED,
    SAME_FILE,
    Walk,
    entries_of,
    is_folder,
)
from tl_keras.errors import DataError

MAX_FAULTS = 20


def list_folder(
    root: str,
    val_root: str = "",
    test_root: str = "",
    options: ListOptions = AS_IT_IS,
) -> Listing:
    """Lists a dataset that is folders.

    Args:
        root: class folders, or splits with class folders.
        val_root, test_root: class folders that live elsewhere; they replace
            the split of that name in `root`.
        options: what is taken.

    Returns:
        A listing with "train" and the other splits that there are.

    Raises:
        DataError: no pictures, one class only, an empty class, a split with
            classes of its own, splits that share a file, a link to a folder;
            folders that can be read in two ways.
    """
    own = splits_of(root, options)
    ignored = _files_beside(root) if own else collections.Counter()
    roots = {"train": root, **own}
    walks = {}

    def walk(folder: str) -> Walk:
        start = ""
        if folder.startswith(os.path.join(root, "")):
            start = os.path.join(os.path.relpath(folder, root), "")
        return Walk(folder, options, start).run()

    for split, elsewhere in (("val", val_root), ("test", test_root)):
        if elsewhere and split in roots:
            replaced = walk(roots[split])
            count = sum(map(len, replaced.images.values()))
            ignored[f"in {split}/, replaced"] += count
        if elsewhere:
            splits_of(elsewhere, options, f"{split}_dataset")
            roots[split] = elsewhere
    for split, folder in roots.items():
        walks[split] = walk(folder)
        if walks[split].faults:
            raise DataError(walks[split].faults)
        _refuse_no_images(walks[split])
    class_names, warnings = _agreed_classes(walks, options)
    _take_each_file_once(walks, options.allow_leakage)
    return _listing(root, walks, class_names, ignored, warnings)


def _listing(
    root: str,
    walks: Mapping[str, Walk],
    class_names: tuple[str, ...],
    ignored: collections.Counter,
    warnings: list[str],
) -> Listing:
    splits, skipped, nested, kinds = {}, [], set(), {}
    for split, walk in walks.items():
        start = len(_prefix(walk.root, root))
        files = [f for name in class_names for f in walk.images.get(name, ())]
        labels = [
            label
            for label, name in enumerate(class_names)
            for _ in walk.images.get(name, ())
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
        nested |= {file[start:] for file in files if file in walk.nested}
        kinds |= walk.kinds
        warnings += mask_warnings(files)
    ignored = +ignored  # without the zeros
    return Listing(
        splits,
        class_names,
        dict(ignored),
        tuple(skipped),
        marked={NESTED: frozenset(nested)} if nested else {},
        kinds=kinds,
        warnings=tuple(warnings),
    )


def _prefix(folder: str, root: str) -> str:
    """What ids leave out: ids are relative to the dataset, or to a split that
    lives elsewhere."""
    inside = os.path.abspath(folder).startswith(os.path.abspath(root) + os.sep)
    if inside or folder == root:
        return os.path.join(root, "")
    parent = os.path.dirname(folder.rstrip(os.sep))
    return os.path.join(parent, "") if parent else ""


def _files_beside(root: str) -> collections.Counter:
    entries, hidden = entries_of(root)
    beside = sum(not is_folder(entry) for entry in entries)
    return collections.Counter(
        {HIDDEN: hidden, "a file beside the split folders": beside}
    )


def _refuse_no_images(walk: Walk) -> None:
    if any(walk.images.values()):
        return
    unusable = [row for rows in walk.unusable.values() for row in rows]
    found = (
        f"found {len(walk.images)} folders and {walk.strays} files beside them"
    )
    if walk.ignored:
        what, count = walk.ignored.most_common(1)[0]
        found += f", {count:,} ignored ({what})"
    if unusable:
        path, reason = unusable[0]
        found += (
            f", and {len(unusable)} pictures that cannot be used, such as "
            f"{path}: {reason}"
        )
    raise DataError(f"{walk.root}: no pictures found; {LAYOUT}, {found}")


def _agreed_classes(
    walks: Mapping[str, Walk], options: ListOptions
) -> tuple[tuple[str, ...], list[str]]:
    """The class names, those of training, none of them empty; and warnings.

    Another split may lack a class, which is told, but not have one more.
    """
    held = {
        split: {
            name
            for name in {*walk.images, *walk.unusable}
            if walk.images.get(name)
            or walk.unusable.get(name)
            or not (options.allow_empty_class or options.partial)
        }
        for split, walk in walks.items()
    }
    names, faults, lacking = sorted(held["train"]), [], []
    filled = {
        split: {
            name
            for name in held[split]
            if walk.images.get(name) or walk.unusable.get(name)
        }
        for split, walk in walks.items()
    }
    differing = any(held[split] - set(names) for split in walks)
    for split, walk in walks.items():
        extra = sorted(held[split] - set(names))
        missing = sorted(set(names) - filled[split])
        if split == "train":
            missing = []
        named = os.path.basename(walk.root.rstrip("/"))
        if extra or (missing and differing):
            faults.append(
                f"{walk.root}: its class folders differ from those of "
                f"{walks['train'].root}: only here {extra or 'none'}, missing "
                f"here {missing or 'none'} - give every split the same folders"
                + f", or leave it out: --exclude={named}"
                * (split != "train")
            )
        elif missing:
            lacking.append(lacks(split, missing))
    for name in sorted(held["train"] - filled["train"]):
        faults.append(
            f"{os.path.join(walks['train'].root, name)}: a class folder "
            "without pictures - fill it, take it away, or give "
            "--allow_empty_class to leave it out"
        )
    if len(names) < 2 and not faults and not options.partial:
        faults = [
            f"{walks['train'].root}: one class only, {names[0]!r}; expected 2 "
            f"or more - {LAYOUT}"
        ]
    if faults:
        raise DataError(faults)
    return tuple(names), lacking


def lacks(split: str, missing: list[str]) -> str:
    """The warning that a split has no picture of some classes."""
    some = ", ".join(map(repr, missing[:MAX_FAULTS]))
    more = ", ..." * (len(missing) > MAX_FAULTS)
    return (
        f"{split} has no picture of {some}{more} - its score says nothing "
        f"about {'it' if len(missing) == 1 else 'them'}"
    )


def _take_each_file_once(
    walks: Mapping[str, Walk], allow_leakage: bool
) -> None:
    """Drops links to a file that its class has; refuses one in two splits.

    The same file under two classes stays: the data check names such pairs.
    """
    owner: dict[tuple[int, int], str] = {}
    faults = []
    for split, walk in walks.items():
        for name, files in walk.images.items():
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
            walk.images[name] = list(taken.values())
    if faults:
        more = [f"and {len(faults) - MAX_FAULTS:,} more like these"] * (
            len(faults) > MAX_FAULTS
        )
        raise DataError(faults[:MAX_FAULTS] + more)
