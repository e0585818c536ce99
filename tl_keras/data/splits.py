"""A listing -> train, val and test, cut by seed and stratified.

    splits, left_out = cut_splits(listing, Cut(seed=0))

In: a `Listing`. Out: examples by split. A split that the data brings is left
alone; what is missing is cut from train, class by class, so that no class can
vanish from a split. `split_record` stores the result: a split is never cut
twice.
"""

from collections.abc import Sequence

import numpy as np

from tl_keras.data.cut import Cut
from tl_keras.data.examples import EMPTY, Examples, Listing
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
