"""A listing -> train, val and test, cut by seed and stratified.

A split that the data brings is left alone; what is missing is cut from train,
class by class, so that no class can vanish from a split. The result is a list
that `write_split` stores: a split is never cut twice.
"""

import csv
import dataclasses
import os
from collections.abc import Collection, Iterator

import numpy as np

from tl_keras import atomic
from tl_keras.data.examples import EMPTY, Examples, Listing, total
from tl_keras.errors import DataError


@dataclasses.dataclass(frozen=True)
class Cut:
    """How missing splits are cut.

    Attributes:
        val_fraction, test_fraction: share of each class, 0 to 0.9.
        train_per_class: train on this many of each class; where test is cut
            all the rest becomes test.
        val_per_class: this many of each class, instead of `val_fraction`.
        seed: of the draw.
    """

    val_fraction: float = 0.15
    test_fraction: float = 0.15
    train_per_class: int | None = None
    val_per_class: int | None = None
    seed: int = 0


def cut_splits(
    listing: Listing, cut: Cut
) -> tuple[dict[str, Examples], dict[str, int]]:
    """Gives every run its three splits.

    Returns:
        "train", "val" (may be empty) and "test", and how many examples were
        left out, by reason.

    Raises:
        DataError: a class has too few examples for the splits asked for.
    """
    train = listing.splits["train"]
    parts: dict[str, list[np.ndarray]] = {"train": [], "val": [], "test": []}
    left_out = 0
    wants_val = "val" not in listing.splits
    wants_test = "test" not in listing.splits
    for label, name in enumerate(listing.class_names):
        members = np.flatnonzero(train.labels == label)
        order = np.random.default_rng([cut.seed, label]).permutation(members)
        sizes = _sizes(len(order), name, cut, wants_val, wants_test)
        start = 0
        for split, size in sizes.items():
            parts[split].append(order[start : start + size])
            start += size
        left_out += len(order) - start
    splits = {
        split: train.take(np.sort(np.concatenate(indices)))
        if len(np.concatenate(indices))
        else EMPTY
        for split, indices in parts.items()
    }
    splits |= {s: e for s, e in listing.splits.items() if s != "train"}
    reasons = {"not drawn (train_examples_per_class)": left_out}
    return splits, reasons if left_out else {}


def _sizes(
    count: int, name: str, cut: Cut, wants_val: bool, wants_test: bool
) -> dict[str, int]:
    """How many of a class with `count` examples each split takes."""
    val = test = 0
    if wants_val and cut.val_per_class:
        val = cut.val_per_class
    elif wants_val and cut.val_fraction:
        val = max(1, round(cut.val_fraction * count))
    if wants_test and not cut.train_per_class:
        test = max(1, round(cut.test_fraction * count))
    train = cut.train_per_class or count - val - test
    if wants_test and cut.train_per_class:
        test = count - val - train
    if train < 1 or val + train + test > count or (wants_test and test < 1):
        raise DataError(
            f"class {name!r}: {count} examples to cut; expected at least "
            f"{max(train, 1)} to train, {val} to validate and "
            f"{max(test, int(wants_test))} to test - add pictures or ask for "
            "fewer"
        )
    return {"train": train, "val": val, "test": test}


def write_split(
    path: str | os.PathLike,
    splits: dict[str, Examples],
    class_names: tuple[str, ...],
) -> None:
    """Writes `id,label,split,sha256`, one row an example."""
    with (
        atomic.replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(SPLIT_COLUMNS)
        writer.writerows(_split_rows(splits, class_names))


def split_changes(
    path: str | os.PathLike,
    splits: dict[str, Examples],
    class_names: tuple[str, ...],
    but: Collection[str] = (),
) -> str:
    """What became of the examples since `write_split` wrote them, in words.

    Args:
        path: the file it wrote.
        splits, class_names: as they are now.
        but: ids of training pictures that do not matter.

    Returns:
        "" where they are the same, else "3 added, 1 removed" and so on, with
        an example of each.
    """
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    lost = {(_shown(id_), "train") for id_ in but}
    before, now = (
        {(r[0], r[2]): r for r in some if (r[0], r[2]) not in lost}
        for some in (rows, _split_rows(splits, class_names))
    )
    both = [key for key in now if key in before]
    groups = {
        "added": [key for key in now if key not in before],
        "removed": [key for key in before if key not in now],
        "with another label": [k for k in both if now[k][1] != before[k][1]],
        "with other bytes": [k for k in both if now[k][3] != before[k][3]],
    }
    return ", ".join(
        f"{len(keys):,} {what} ({keys[0][0]})"
        for what, keys in groups.items()
        if keys
    )


SPLIT_COLUMNS = ("id", "label", "split", "sha256")


def _split_rows(splits, class_names) -> Iterator[list[str]]:
    for split, examples in splits.items():
        columns = examples.ids, examples.labels, examples.content_ids()
        for id_, label, content in zip(*columns, strict=True):
            yield [_shown(id_), class_names[label], split, content]


def _shown(id_: str) -> str:
    # Names need not be UTF-8, and a file of text must be.
    return id_.encode("utf-8", "backslashreplace").decode()


def books(
    listing: Listing, splits: dict[str, Examples], left_out: dict[str, int]
) -> dict:
    """The balanced account: found = used + skipped + ignored.

    Raises:
        RuntimeError: they do not balance, a fault of ours.
    """
    used = {split: len(examples) for split, examples in splits.items()}
    ignored = {**listing.ignored, **left_out}
    found, skipped = listing.found(), len(listing.skipped)
    if found != total(used) + skipped + total(ignored):
        raise RuntimeError(
            f"{found} found, {used} used, {skipped} skipped, {ignored} ignored"
        )
    return {
        "found": found,
        "used": used,
        "skipped": skipped,
        "ignored": ignored,
    }
