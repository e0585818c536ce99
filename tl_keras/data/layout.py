"""A root of folders -> whether they are classes, splits, or neither.

    splits_of("flowers", ListOptions())   # {"train": "flowers/Training", ...}

In: a root. Out: the folders of its splits, {} where its folders are classes.
Where both could be meant, or the classes lie a folder higher or lower, a
`DataError` says each reading with its flags. No picture is opened.

The usual words for splits are known in any case, with digits and signs around
them, and where all folders share another word (`seg_train`, `seg_test`).
"""

import collections
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from tl_keras.data.options import ListOptions
from tl_keras.data.split_words import (
    split_and_rest,
    split_named,
    splits_among,
    words_of,
)
from tl_keras.data.tree import Tree
from tl_keras.errors import DataError

# What a picture is accompanied by, or how it was processed: no class.
PARTS = {
    "images", "image", "imgs", "img", "pictures", "photos", "jpegimages",
    "annotations", "annotation", "labels", "label", "masks", "mask", "gt",
    "groundtruth", "trimaps", "segmentation", "segmentations", "segmented",
    "segmentationclass", "segmentationobject", "imagesets", "contours",
    "bboxes", "boxes", "color", "colour", "grayscale", "greyscale", "gray",
    "grey", "rgb", "depth", "original", "originals", "augmented", "raw",
    "processed", "preprocessed", "cropped", "resized", "thumbnails", "thumbs",
    "meta", "metadata", "attributes", "heatmaps", "overlays", "lungmasks",
    "jpg", "jpeg", "jpegs", "png", "pngs", "pics",
}  # fmt: skip
NUMBERED = {"fold", "batch", "part", "shard", "chunk", "split", "set"}
MASKS = ("mask", "masks", "annotations", "labels", "gt", "groundtruth",
         "segmentation", "trimaps", "lungmasks")  # fmt: skip
MOST_NAMES = 6
LAYOUT = (
    "expected class folders with pictures in them, or train/ val/ test/ with "
    "class folders"
)


def splits_of(
    root: str, options: ListOptions, flag: str = "dataset"
) -> dict[str, str]:
    """Split -> its folder where a root is laid out as splits; else {}.

    Args:
        root: the folder.
        options: how it is listed.
        flag: the flag that names the root, for the remedies.

    Returns:
        "train" and those of "val" and "test" that are there.

    Raises:
        DataError: its folders can be read in two ways, or the classes lie
            elsewhere.
    """
    tree = Tree(root, options)
    named = splits_among(list(tree.folders))
    if named and len(named) == len(tree.folders) and "train" in named.values():
        splits = _own_splits(tree, named, flag)
        if splits:
            return splits
    if options.label_from != "auto" or options.label_regex:
        return {}
    _refuse_splits_among_others(tree, named, flag)
    _refuse_splits_of_classes(tree, flag)
    refuse_other_layouts(tree, flag)
    return {}


def _own_splits(
    tree: Tree, named: Mapping[str, str], flag: str
) -> dict[str, str]:
    """The splits; {} where they hold no classes and may be classes."""
    splits: dict[str, str] = {}
    for name, split in named.items():
        if split in splits:
            raise DataError(
                f"{tree.root}: both {os.path.basename(splits[split])} and "
                f"{name} - keep one folder for {split}"
            )
        if tree.folders[name].is_symlink() and not tree.options.follow_links:
            raise DataError(
                f"{tree.path(name)}: a link to a folder - give --follow_links "
                "to take it, or put the folder here"
            )
        splits[split] = tree.path(name)
    if tree.options.label_regex:
        return splits
    flat = [name for name in named if _is_unlabelled(tree, name)]
    if not flat:
        if tree.options.label_from == "auto":
            _refuse_odd_splits(tree, splits, flag)
        return splits
    if len(named) == 1 or tree.options.label_from != "auto":
        return {}
    if len(flat) == len(named):
        raise DataError(
            f"{tree.root}: {_listed(named)} look like splits and hold "
            "pictures without class folders - as splits, their labels must "
            "come from the files' names (--label_regex='(.+)[._-]') or from "
            f"{_a_table(tree)}; as classes: --label_from=first"
        )
    more = ",".join(flat)
    raise DataError(
        f"{tree.root}: {_listed(flat)} among its splits holds pictures "
        "without class folders, so they have no labels - leave it out: "
        f"--exclude={more}"
    )


def _is_unlabelled(tree: Tree, name: str) -> bool:
    """Whether a split holds pictures without class folders: in itself, or in
    one folder that is a part, as test/images/."""
    inner = tree.below(name)
    if tree.is_flat(name):
        return not inner
    if len(inner) != 1 or not _part(inner[0]):
        return False
    return Tree(tree.path(name), tree.options).is_flat(inner[0])


def _refuse_odd_splits(
    tree: Tree, splits: Mapping[str, str], flag: str
) -> None:
    """Splits whose classes lie one folder deeper, or that hold parts."""
    wrapped = {}
    for split, folder in splits.items():
        inner = Tree(folder, tree.options)
        holders = inner.holders()
        if len(holders) == 1 and not inner.is_flat(holders[0]):
            if len(inner.below(holders[0])) > 1:
                wrapped[split] = inner.path(holders[0])
                continue
        refuse_other_layouts(
            inner, flag if split == "train" else f"{split}_dataset"
        )
    if "train" in wrapped:
        paths = {**splits, **wrapped}
        flags = {"train": flag, "val": "val_dataset", "test": "test_dataset"}
        command = " ".join(
            f"--{flags[split]}={path}" for split, path in paths.items()
        )
        raise DataError(
            f"{tree.root}: its splits hold one folder more, in which the "
            f"classes are - name these: {command}"
        )


def _refuse_splits_among_others(
    tree: Tree, named: Mapping[str, str], flag: str
) -> None:
    """Some folders are named as splits, and others are not."""
    held = [name for name in named if tree.is_flat(name) or tree.below(name)]
    if not held:
        return
    others = [name for name in tree.folders if name not in named]
    if len(named) == 1 and not others:
        return  # One folder alone, of which another rule speaks.
    if len(named) == 1 and _is_unlabelled(tree, held[0]):
        raise DataError(
            f"{tree.root}: {held[0]} looks like a split without labels beside "
            f"{_listed(others)} - without it: --exclude={held[0]}; if it is a "
            "class: --label_from=first"
        )
    as_classes = "as classes: --label_from=first"
    if "train" not in named.values():
        commands = " or ".join(f"--{flag}={tree.path(n)}" for n in held)
        raise DataError(
            f"{tree.root}: {_listed(held)} look like splits, without one to "
            f"train on - as splits, one at a time: {commands}; {as_classes}"
        )
    command = f"--exclude={','.join(others)}"
    if len(named) == 1:
        command = f"--{flag}={tree.path(held[0])}"
    raise DataError(
        f"{tree.root}: {_listed(named)} look{'s' * (len(named) == 1)} like "
        f"splits, and {_listed(others)} does not - as splits: {command}; "
        f"{as_classes}"
    )


def _refuse_splits_of_classes(tree: Tree, flag: str) -> None:
    """train_cat, train_dog, test_cat, ...: split and class in one name."""
    found = {n: s for n in tree.folders if (s := split_and_rest(n))}
    splits = sorted({split for split, _ in found.values()}, reverse=True)
    rests = collections.Counter(rest for _, rest in found.values())
    twice = sorted(rest for rest, count in rests.items() if rest and count > 1)
    if len(found) == len(tree.folders) and len(splits) > 1 and twice:
        as_split = os.path.join(splits[0], "_".join(twice[0]), "")
        raise DataError(
            f"{tree.root}: {_listed(found)} say a split and a class each - as "
            f"splits, move them, as into {as_split}; as classes: "
            "--label_from=first"
        )


def refuse_other_layouts(tree: Tree, flag: str) -> None:
    """Raises DataError where the folders of a root are hardly its classes."""
    if not tree.folders:
        _refuse_one_too_low(tree, flag)
        return
    _refuse_a_copy_of_itself(tree)
    if _starts_with_pictures(tree):
        _refuse_parts(tree, flag)
        return
    holders = tree.holders()
    if len(holders) == 1:
        _refuse_one_too_high(tree, holders[0], flag)
    elif holders:
        _refuse_parts(tree, flag)
        _refuse_same_folders(tree, holders, flag)


def _refuse_a_copy_of_itself(tree: Tree) -> None:
    """Among the classes lies a folder that holds them all once more."""
    for name in tree.folders:
        if tree.is_flat(name):
            continue
        others = set(tree.folders) - {name}
        again = others.intersection(tree.below(name))
        if len(others) > 1 and 2 * len(again) > len(others):
            raise DataError(
                f"{tree.root}: its folder {name} holds "
                f"{_listed(sorted(again))} once more - without it: "
                f"--exclude={name}; if it is a class: --label_from=first"
            )


def _starts_with_pictures(tree: Tree) -> bool:
    """Whether its first folder is an ordinary class folder."""
    for name in tree.folders:
        if tree.is_flat(name):
            return len(tree.folders) > 1
        if tree.below(name):
            return False
    return False


def _refuse_parts(tree: Tree, flag: str) -> None:
    """Folders of pictures and of what belongs to them: images/ masks/."""
    words = {name: _part(name) for name in tree.folders}
    if len(words) < 2 or not (all(words.values()) or _are_numbered(words)):
        return
    holders = tree.holders()
    if not holders:
        return
    first = next((n for n in holders if n not in MASKS), holders[0])
    alone = f"--{flag}={tree.path(first)}"
    if not tree.below(first) or _is_unlabelled(tree, first):
        alone = (
            f"{_a_table(tree)}, or --label_regex='(.+)[._-]' with "
            f"{alone}, where the files' names say the class"
        )
    raise DataError(
        f"{tree.root}: {_listed(words)} look like parts of a data set, not "
        f"like classes - one part alone: {alone}; as classes: "
        "--label_from=first"
    )


def _part(name: str) -> str:
    """The word by which a folder is a part of a data set, or ""."""
    words = words_of(name)
    joined = "".join(words)
    split = split_and_rest(name)
    if joined in PARTS or (words and all(word in PARTS for word in words)):
        return joined
    if split and not split[1]:
        return split[0]
    return ""


def _are_numbered(names: Iterable[str]) -> bool:
    """fold_1, fold_2; images_part_1, images_part_2: one thing in pieces."""
    alike = {re.sub(r"\d+", "", name.lower()) for name in names}
    words = set(words_of(next(iter(names)))) & (NUMBERED | PARTS)
    return len(alike) == 1 and bool(words)


def _refuse_same_folders(tree: Tree, holders: Sequence[str], flag: str) -> None:
    """Every class holds the same folders: one of the two levels is no class."""
    if any(tree.is_flat(name) for name in holders):
        return
    inner = _first_that_differ(tree, holders)
    shared = set.intersection(*inner.values())
    every = set.union(*inner.values())
    if len(shared) < 2 or 2 * len(shared) < len(every):
        return
    masks = sorted(n for n in shared if "".join(words_of(n)) in MASKS)
    if masks:
        raise DataError(
            f"{tree.root}: each of {_listed(holders)} holds "
            f"{_listed(sorted(shared))} - without the masks: "
            f"--exclude={','.join(masks)}; all of them as pictures: "
            "--label_from=first"
        )
    if all(split_named(name) for name in shared):
        raise DataError(
            f"{tree.root}: each of {_listed(holders)} holds "
            f"{_listed(sorted(shared))} - to keep these splits, put them "
            "first (train/CLASS/) or write a .csv path,label,split; to cut "
            "them anew: --label_from=first; one of them alone: "
            f"--{flag}={tree.path(holders[0])}"
        )
    raise DataError(
        f"{tree.root}: each of {_listed(holders)} holds the same folders "
        f"({_listed(sorted(every))}) - if those are the classes: "
        f"--label_from=leaf, or of one part alone --{flag}="
        f"{tree.path(holders[0])}; if {_listed(holders)} are the classes: "
        "--label_from=first"
    )


def _first_that_differ(
    tree: Tree, holders: Sequence[str]
) -> dict[str, set[str]]:
    """The folders in each of some; where that is one and the same, as in
    amazon/images/ and webcam/images/, those in it."""
    inner = {name: set(tree.below(name)) for name in holders}
    one = set.union(*inner.values())
    if len(one) != 1:
        return inner
    (name,) = one
    deeper = {}
    for holder in holders:
        lower = Tree(tree.path(holder), tree.options)
        if lower.is_flat(name):
            return inner
        deeper[holder] = set(lower.below(name))
    return deeper


def _refuse_one_too_high(tree: Tree, name: str, flag: str) -> None:
    """All pictures lie below one folder of the root."""
    folder, lower = tree.path(name), tree.below(name)
    if tree.is_flat(name) or not lower:
        if _part(name) and not tree.options.partial:
            raise DataError(
                f"{folder}: pictures without class folders - give "
                f"{_a_table(tree)}, or where the files' names say the class "
                f"--{flag}={folder} --label_regex='(.+)[._-]'"
            )
        return
    while len(lower) == 1:
        inner = Tree(folder, tree.options)
        if inner.is_flat(lower[0]):
            return
        folder = inner.path(lower[0])
        lower = inner.below(lower[0])
    raise DataError(
        f"{tree.root}: all pictures lie in {folder}, in the folders "
        f"{_listed(lower)} - give that one: --{flag}={folder}; if "
        f"{name!r} is the class: --label_from=first"
    )


def _refuse_one_too_low(tree: Tree, flag: str) -> None:
    """Pictures lie in the root itself."""
    if not tree.pictures:
        return
    parent = os.path.dirname(os.path.abspath(tree.root))
    beside = Tree(parent, ListOptions())
    named = os.path.basename(os.path.abspath(tree.root))
    siblings = [n for n in beside.folders if n != named]
    meant = ""
    if any(beside.is_flat(n) for n in siblings[:MOST_NAMES]):
        meant = (
            f"; it may be a class itself, beside {_listed(siblings)}: "
            f"--{flag}={parent}"
        )
    raise DataError(
        f"{tree.root}: no pictures found; {LAYOUT}, found 0 folders and "
        f"{tree.pictures} files beside them - if their names say the class: "
        f"--label_regex='(.+)[._-]', or give {_a_table(tree)}{meant}"
    )


def _a_table(tree: Tree) -> str:
    """The .csv that lies there, or one that could be written."""
    if tree.table:
        return f"--dataset={tree.table}"
    return "a .csv path,label"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - MOST_NAMES} more" * (len(names) > MOST_NAMES)
    return ", ".join(names[:MOST_NAMES]) + more
