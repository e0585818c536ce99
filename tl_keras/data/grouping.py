"""Examples of groups (patients, speakers, cameras) -> splits that part none.

    parts = cut_groups(train, class_names, Cut(seed=0), ["val", "test"])

In: examples with `groups`. Out: indices by split. Pictures of one patient are
alike, so a test on a patient who was trained on says nothing of the next one.
Classes keep their shares as far as whole groups allow it.
"""

import collections
from collections.abc import Sequence

import numpy as np

from tl_keras.data.cut import Cut
from tl_keras.data.examples import Examples, Listing
from tl_keras.errors import DataError

MAX_NAMED = 5


def refuse_groups_in_two_splits(listing: Listing) -> None:
    """Raises DataError where a group is in two of the data's own splits."""
    owners: dict[str, str] = {}
    shared: dict[str, tuple[str, str]] = {}
    for split, examples in listing.splits.items():
        for group in set(examples.groups or ()):
            other = owners.setdefault(group, split)
            if other != split:
                shared[group] = (other, split)
    if shared:
        group, (one, two) = min(shared.items())
        raise DataError(
            f"{len(shared):,} of {len(owners):,} groups of --group_column are "
            f"in two splits, such as {group!r} in {one} and {two} - give each "
            "group to one split, or leave the column split out to have it cut"
        )


def cut_groups(
    train: Examples, names: Sequence[str], cut: Cut, wanted: Sequence[str]
) -> dict[str, np.ndarray]:
    """Split -> indices; no group is on two sides.

    The largest groups are placed first, each where its pictures are missing
    most; groups of one size in an order that the seed draws.

    Args:
        train: with `groups`.
        names: of the classes.
        cut: the shares and the seed; counts a class are not kept.
        wanted: the splits that are cut, of "val" and "test".

    Returns:
        int64 arrays, under "train", "val" and "test"; empty for one that is not
        cut.

    Raises:
        DataError: a class has too few groups for the splits asked for.
    """
    shares = shares_of(cut, wanted)
    order = list(dict.fromkeys(train.groups))
    number = {group: i for i, group in enumerate(order)}
    of = np.array([number[group] for group in train.groups])
    several = train.labels.ndim > 1
    counts = np.zeros((len(order), len(names)), np.int64)
    if several:
        # Of numbers there are no classes: how many there are is all.
        numbers = train.labels.dtype.kind == "f"
        np.add.at(counts, of, 1 if numbers else train.labels)
    else:
        np.add.at(counts, (of, train.labels), 1)
        _refuse_few_groups(counts, names, len(shares))
    draw = np.random.default_rng([cut.seed, len(order)]).permutation(len(order))
    sizes = counts.sum(axis=1)[draw]
    largest = draw[np.argsort(-sizes, kind="stable")]
    placed = _placed(counts, largest, shares)
    if not several and _missing(counts, placed, names, list(shares)):
        smallest = draw[np.argsort(sizes, kind="stable")]
        placed = _placed(counts, smallest, shares, classes_first=True)
    if not several:
        _refuse_missing_classes(_missing(counts, placed, names, list(shares)))
    splits = {
        split: np.zeros(0, np.int64) for split in ("train", "val", "test")
    }
    for place, split in enumerate(shares):
        splits[split] = np.flatnonzero(placed[of] == place)
    return splits


def shares_of(cut: Cut, wanted: Sequence[str]) -> dict[str, float]:
    """Split -> its share, "train" first; of those that are cut alone.

    Args:
        cut: the shares.
        wanted: the splits that are cut, of "val" and "test".
    """
    shares = {"val": cut.val_fraction, "test": cut.test_fraction}
    shares = {s: shares[s] for s in wanted if shares[s]}
    return {"train": 1 - sum(shares.values()), **shares}


def _placed(
    counts: np.ndarray,
    order: np.ndarray,
    shares: dict[str, float],
    classes_first: bool = False,
) -> np.ndarray:
    """The split of each group, int (groups,): where it is missed most.

    With `classes_first`, where the most of its classes are not there at all.
    """
    goal = np.array(list(shares.values()))[:, None] * counts.sum(axis=0)
    have = np.zeros_like(goal)
    weight = 1 / np.maximum(counts.sum(axis=0), 1)
    placed = np.zeros(len(counts), np.int64)
    for group in order:
        one = counts[group]
        lacking = ((have == 0) & (one > 0)).sum(axis=1)
        after = (np.abs(have + one - goal) - np.abs(have - goal)) * weight
        keys = (after.sum(axis=1), -lacking * classes_first)
        placed[group] = np.lexsort(keys)[0]
        have[placed[group]] += one
    return placed


def _refuse_few_groups(
    counts: np.ndarray, names: Sequence[str], splits: int
) -> None:
    """A class of one patient cannot be trained on and tested."""
    groups = (counts > 0).sum(axis=0)
    few = [(names[i], int(n)) for i, n in enumerate(groups) if n < splits]
    if few:
        named = ", ".join(f"{n!r} {c}" for n, c in few[:MAX_NAMED])
        more = ", ..." * (len(few) > MAX_NAMED)
        raise DataError(
            f"{len(few)} of {len(names)} classes have too few groups to cut: "
            f"{named}{more}; expected {splits} or more of each, one for each "
            "split - add some, or set --val_fraction=0"
        )


def _missing(
    counts: np.ndarray,
    placed: np.ndarray,
    names: Sequence[str],
    splits: Sequence[str],
) -> dict[str, list[str]]:
    """Split -> the classes of which it has nothing."""
    lost = collections.defaultdict(list)
    for place, split in enumerate(splits):
        for label in np.flatnonzero(counts[placed == place].sum(axis=0) == 0):
            lost[split].append(names[label])
    return lost


def _refuse_missing_classes(lost: dict[str, list[str]]) -> None:
    """Groups of several classes may leave a split without one of them."""
    if lost:
        told = "; ".join(f"{s} lacks {', '.join(n)}" for s, n in lost.items())
        raise DataError(
            f"whole groups cannot be cut so that each split has each class "
            f"({told}) - give another --seed, larger --test_fraction and "
            "--val_fraction, or a column split"
        )
