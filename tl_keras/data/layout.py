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
from collections.abc import Mapping

from tl_keras.data.options import ListOptions
from tl_keras.data.other_layouts import (
    a_table,
    is_unlabelled,
    listed,
    refuse_other_layouts,
)
from tl_keras.data.split_words import (
    split_and_rest,
    splits_among,
)
from tl_keras.data.tree import Tree
from tl_keras.errors import DataError


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
    flat = [name for name in named if is_unlabelled(tree, name)]
    if not flat:
        if tree.options.label_from == "auto":
            _refuse_odd_splits(tree, splits, flag)
        return splits
    if len(named) == 1 or tree.options.label_from != "auto":
        return {}
    if len(flat) == len(named):
        raise DataError(
            f"{tree.root}: {listed(named)} look like splits and hold "
            "pictures without class folders - as splits, their labels must "
            "come from the files' names (--label_regex='(.+)[._-]') or from "
            f"{a_table(tree)}; as classes: --label_from=first"
        )
    more = ",".join(flat)
    raise DataError(
        f"{tree.root}: {listed(flat)} among its splits holds pictures "
        "without class folders, so they have no labels - leave it out: "
        f"--exclude={more}"
    )


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
    if len(named) == 1 and is_unlabelled(tree, held[0]):
        raise DataError(
            f"{tree.root}: {held[0]} looks like a split without labels beside "
            f"{listed(others)} - without it: --exclude={held[0]}; if it is a "
            "class: --label_from=first"
        )
    as_classes = "as classes: --label_from=first"
    if "train" not in named.values():
        commands = " or ".join(f"--{flag}={tree.path(n)}" for n in held)
        raise DataError(
            f"{tree.root}: {listed(held)} look like splits, without one to "
            f"train on - as splits, one at a time: {commands}; {as_classes}"
        )
    command = f"--exclude={','.join(others)}"
    if len(named) == 1:
        command = f"--{flag}={tree.path(held[0])}"
    raise DataError(
        f"{tree.root}: {listed(named)} look{'s' * (len(named) == 1)} like "
        f"splits, and {listed(others)} does not - as splits: {command}; "
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
            f"{tree.root}: {listed(found)} say a split and a class each - as "
            f"splits, move them, as into {as_split}; as classes: "
            "--label_from=first"
        )
