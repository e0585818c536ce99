"""Folders that are hardly classes -> the line that says what they are.

    refuse_other_layouts(Tree("flowers", ListOptions()), "dataset")

In: a `Tree`. Out: nothing, or a `DataError` with the flags of each reading:
parts of a data set (images/ masks/), the same folders in each class, classes
that lie a folder higher or lower, a copy of it all among the classes.
"""

import os
import re
from collections.abc import Iterable, Sequence

from tl_keras.data.options import ListOptions
from tl_keras.data.split_words import split_and_rest, split_named, words_of
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
MAX_NAMES = 6
LAYOUT = (
    "expected class folders with pictures in them, or train/ val/ test/ with "
    "class folders"
)


def refuse_other_layouts(tree: Tree, flag: str) -> None:
    """Raises DataError where the folders of a root are hardly its classes."""
    if not tree.folders:
        _refuse_one_too_low(tree, flag)
        return
    _refuse_a_copy_of_itself(tree)
    if _starts_with_images(tree):
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
                f"{listed(sorted(again))} once more - without it: "
                f"--exclude={name}; if it is a class: --label_from=first"
            )


def _starts_with_images(tree: Tree) -> bool:
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
    if not tree.below(first) or is_unlabelled(tree, first):
        alone = (
            f"{a_table(tree)}, or --label_regex='(.+)[._-]' with "
            f"{alone}, where the files' names say the class"
        )
    raise DataError(
        f"{tree.root}: {listed(words)} look like parts of a data set, not "
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
            f"{tree.root}: each of {listed(holders)} holds "
            f"{listed(sorted(shared))} - without the masks: "
            f"--exclude={','.join(masks)}; all of them as pictures: "
            "--label_from=first"
        )
    if all(split_named(name) for name in shared):
        raise DataError(
            f"{tree.root}: each of {listed(holders)} holds "
            f"{listed(sorted(shared))} - to keep these splits, put them "
            "first (train/CLASS/) or write a .csv path,label,split; to cut "
            "them anew: --label_from=first; one of them alone: "
            f"--{flag}={tree.path(holders[0])}"
        )
    raise DataError(
        f"{tree.root}: each of {listed(holders)} holds the same folders "
        f"({listed(sorted(every))}) - if those are the classes: "
        f"--label_from=leaf, or of one part alone --{flag}="
        f"{tree.path(holders[0])}; if {listed(holders)} are the classes: "
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
                f"{a_table(tree)}, or where the files' names say the class "
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
        f"{listed(lower)} - give that one: --{flag}={folder}; if "
        f"{name!r} is the class: --label_from=first"
    )


def _refuse_one_too_low(tree: Tree, flag: str) -> None:
    """Pictures lie in the root itself."""
    if not tree.images:
        return
    parent = os.path.dirname(os.path.abspath(tree.root))
    beside = Tree(parent, ListOptions())
    named = os.path.basename(os.path.abspath(tree.root))
    siblings = [n for n in beside.folders if n != named]
    meant = ""
    if any(beside.is_flat(n) for n in siblings[:MAX_NAMES]):
        meant = (
            f"; it may be a class itself, beside {listed(siblings)}: "
            f"--{flag}={parent}"
        )
    raise DataError(
        f"{tree.root}: no pictures found; {LAYOUT}, found 0 folders and "
        f"{tree.images} files beside them - if their names say the class: "
        f"--label_regex='(.+)[._-]', or give {a_table(tree)}{meant}"
    )


def a_table(tree: Tree) -> str:
    """The .csv that lies there, or one that could be written."""
    if tree.table:
        return f"--dataset={tree.table}"
    return "a .csv path,label"


def listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - MAX_NAMES} more" * (len(names) > MAX_NAMES)
    return ", ".join(names[:MAX_NAMES]) + more


def is_unlabelled(tree: Tree, name: str) -> bool:
    """Whether a split holds pictures without class folders: in itself, or in
    one folder that is a part, as test/images/."""
    inner = tree.below(name)
    if tree.is_flat(name):
        return not inner
    if len(inner) != 1 or not _part(inner[0]):
        return False
    return Tree(tree.path(name), tree.options).is_flat(inner[0])
