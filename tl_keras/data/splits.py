"""A listing -> train, val and test, cut by seed and stratified.

    splits, left_out = cut_splits(listing, Cut(seed=0))

In: a `Listing`. Out: examples by split. A split that the data brings is left
alone; what is missing is cut from train, class by class, so that no class can
vanish from a split. `write_split` stores the result: a split is never cut
twice.
"""

import csv
import dataclasses
import os
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from tl_keras import atomic
from tl_keras.data.examples import (
    EMPTY,
    Examples,
    Listing,
    label_text,
    total,
)
from tl_keras.data.grouping import (
    cut_groups,
    refuse_groups_in_two_splits,
    shares_of,
)
from tl_keras.errors import DataError

MAX_NAMED = 50  # classes in one message
# Shares that leave nothing to train on would be tried for ever.
MAX_NEEDED = 10_000
NOT_DRAWN = "not drawn (train_examples_per_class)"


@dataclasses.dataclass(frozen=True)
class Cut:
    """How missing splits are cut.

    Attributes:
        val_fraction, test_fraction: share of each class, 0 to 0.9.
        train_per_class: train on this many of each class; where test is cut
            all the rest becomes test.
        val_per_class: this many of each class, instead of `val_fraction`.
        seed: of the draw.
        stratify: (labels, shares, seed) -> the part of each example, where
            classes cannot be drawn one by one; see `Task.stratify`.
    """

    val_fraction: float = 0.15
    test_fraction: float = 0.15
    train_per_class: int | None = None
    val_per_class: int | None = None
    seed: int = 0
    stratify: Callable[..., np.ndarray] | None = None


def cut_splits(
    listing: Listing, cut: Cut
) -> tuple[dict[str, Examples], dict[str, int]]:
    """Gives every run its three splits.

    Returns:
        "train", "val" (may be empty) and "test", and how many examples were
        left out, by reason.

    Raises:
        DataError: classes have too few examples for the splits asked for;
            all of them are named.
    """
    train = listing.splits["train"]
    wanted = [s for s in ("val", "test") if s not in listing.splits]
    if train.groups is not None:
        refuse_groups_in_two_splits(listing)
        parts = cut_groups(train, listing.class_names, cut, wanted)
    elif cut.stratify is not None:
        parts = _cut_parts(train, cut, wanted)
    else:
        parts = _cut_classes(train, listing.class_names, cut, wanted)
    splits = {
        split: train.take(np.sort(indices)) if len(indices) else EMPTY
        for split, indices in parts.items()
    }
    left_out = len(train) - sum(map(len, parts.values()))
    splits |= {s: e for s, e in listing.splits.items() if s != "train"}
    reasons = {NOT_DRAWN: left_out}
    return splits, reasons if left_out else {}


def check_cut(listing: Listing, cut: Cut) -> None:
    """Raises DataError where `cut_splits` would."""
    cut_splits(listing, cut)


def _cut_classes(
    train: Examples, names: Sequence[str], cut: Cut, wanted: Sequence[str]
) -> dict[str, np.ndarray]:
    """Split -> indices, class by class."""
    members = [np.flatnonzero(train.labels == i) for i in range(len(names))]
    sizes = [_sizes(len(some), cut, wanted) for some in members]
    too_small = {
        names[label]: len(members[label])
        for label, size in enumerate(sizes)
        if _is_short(len(members[label]), size, wanted)
    }
    if too_small:
        raise DataError(_too_small(too_small, len(names), cut, wanted))
    parts: dict[str, list] = {"train": [], "val": [], "test": []}
    for label, size in enumerate(sizes):
        draw = np.random.default_rng([cut.seed, label])
        order, start = draw.permutation(members[label]), 0
        for split, count in size.items():
            parts[split].append(order[start : start + count])
            start += count
    return {split: np.concatenate(some) for split, some in parts.items()}


def _cut_parts(
    train: Examples, cut: Cut, wanted: Sequence[str]
) -> dict[str, np.ndarray]:
    """Split -> indices, each split like the whole."""
    shares = shares_of(cut, wanted)
    part = cut.stratify(train.labels, list(shares.values()), cut.seed)
    parts = {split: np.zeros(0, np.int64) for split in ("train", "val", "test")}
    parts |= {s: np.flatnonzero(part == i) for i, s in enumerate(shares)}
    empty = [split for split in shares if not len(parts[split])]
    if empty:
        raise DataError(
            f"{len(train):,} examples to cut: nothing is left for "
            f"{' and '.join(empty)} - add some, or give splits of your own "
            "(--test_dataset, --val_dataset)"
        )
    return parts


def _sizes(count: int, cut: Cut, wanted: Sequence[str]) -> dict[str, int]:
    """How many of a class with `count` examples each split takes."""
    val = test = 0
    if "val" in wanted and cut.val_per_class:
        val = cut.val_per_class
    elif "val" in wanted and cut.val_fraction:
        val = max(1, round(cut.val_fraction * count))
    if "test" in wanted and not cut.train_per_class:
        test = max(1, round(cut.test_fraction * count))
    train = cut.train_per_class or count - val - test
    if "test" in wanted and cut.train_per_class:
        test = count - val - train
    return {"train": train, "val": val, "test": test}


def _is_short(count: int, sizes: dict[str, int], wanted: Sequence[str]) -> bool:
    """Whether a class cannot be cut so."""
    no_test = "test" in wanted and sizes["test"] < 1
    return sizes["train"] < 1 or sum(sizes.values()) > count or no_test


def _too_small(
    counts: dict[str, int], classes: int, cut: Cut, wanted: Sequence[str]
) -> list[str]:
    """All classes that cannot be cut, and the number that would do."""
    if len(counts) == 1:
        ((name, count),) = counts.items()
        start = f"class {name!r}: {count} examples to cut"
    else:
        some = sorted(counts.items(), key=lambda item: item[1])
        named = ", ".join(f"{n!r} {c}" for n, c in some[:MAX_NAMED])
        more = f" and {len(some) - MAX_NAMED} more" * (len(some) > MAX_NAMED)
        start = (
            f"{len(counts)} of {classes} classes have too few examples to cut: "
            f"{named}{more}"
        )
    need = _enough(cut, wanted)
    if need is None:
        return [
            f"{start}; no number is enough: a share of {cut.val_fraction:g} to "
            f"validate and of {cut.test_fraction:g} to test leave nothing to "
            "train on - lower --val_fraction or --test_fraction"
        ]
    sizes = _sizes(need, cut, wanted)
    split = (
        f"{sizes['train']} to train, {sizes['val']} to validate and "
        f"{sizes['test']} to test"
    )
    remedy = f"add some up to {need} in each, take these classes away"
    least = min(counts.values())
    enough = least - _sizes(least, cut, wanted)["val"] - ("test" in wanted)
    if cut.train_per_class and enough > 0:
        remedy += f", or give --train_examples_per_class={enough}"
    elif "test" in wanted or "val" in wanted:
        remedy += ", or give splits of your own (--test_dataset, --val_dataset)"
    return [f"{start}; expected at least {need}: {split} - {remedy}"]


def _enough(cut: Cut, wanted: Sequence[str]) -> int | None:
    """The least number of examples that can be cut; None for none."""
    for count in range(1, MAX_NEEDED + 1):
        if not _is_short(count, _sizes(count, cut, wanted), wanted):
            return count
    return None


def write_split(
    path: str | os.PathLike,
    splits: dict[str, Examples],
    class_names: tuple[str, ...],
) -> None:
    """Writes `id,label,split,sha256`, one row an example.

    Args:
        path: the .csv, replaced whole.
        splits: name -> its examples; their order is the rows'.
        class_names: by label.

    Raises:
        OSError: the disk does not take it.
    """
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


def names_changed(path: str | os.PathLike, listing: Listing) -> str:
    """Which examples of a written split are listed no more, in words.

    Args:
        path: the file that `write_split` wrote.
        listing: as it is now; of its examples the names alone count.

    Returns:
        "" where all are there with their labels, else "2 removed (cats/1.jpg)"
        and the like.
    """
    with open(path, newline="", encoding="utf-8") as stream:
        before = {row[0]: row[1] for row in list(csv.reader(stream))[1:]}
    now = {
        _shown(id_): label_text(label, listing.class_names)
        for examples in listing.splits.values()
        for id_, label in zip(examples.ids, examples.labels, strict=True)
    }
    groups = {
        "removed": [id_ for id_ in before if id_ not in now],
        "with another label": [
            id_ for id_ in before if now.get(id_, before[id_]) != before[id_]
        ],
    }
    return ", ".join(
        f"{len(ids):,} {what} ({ids[0]})" for what, ids in groups.items() if ids
    )


SPLIT_COLUMNS = ("id", "label", "split", "sha256")


def _split_rows(splits, class_names) -> Iterator[list[str]]:
    for split, examples in splits.items():
        columns = examples.ids, examples.labels, examples.content_ids()
        for id_, label, content in zip(*columns, strict=True):
            yield [_shown(id_), label_text(label, class_names), split, content]


def _shown(id_: str) -> str:
    # Names need not be UTF-8, and a file of text must be.
    return id_.encode("utf-8", "backslashreplace").decode()


def counts_of(
    listing: Listing, splits: dict[str, Examples], left_out: dict[str, int]
) -> dict:
    """The balanced account: found = used + skipped + ignored.

    Args:
        listing: the dataset before it was cut.
        splits: name -> the examples that are used.
        left_out: reason -> how many a cut left aside.

    Returns:
        `found` and `skipped`, counts; `used`, by split; `ignored`, by reason.

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
