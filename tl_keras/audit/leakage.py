"""What is there more than once: in two splits, under two labels, or copied.

In: a listing, its rows with facts, the pairs that look alike. Out: the listing
without copies that a cut could part, a line for each fault, and what is in two
splits once they are cut.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from tl_keras.audit import duplicates
from tl_keras.audit.duplicates import Pair, Row
from tl_keras.audit.rules import Rules
from tl_keras.data import Examples, Listing
from tl_keras.data.examples import label_name

COPIES = "the same bytes as another picture of its class"
SAME_TEXT = "the same text as another of its class"
MAX_NAMED = 20  # pairs named one by one


def without_copies(listing: Listing, rows: list[Row], why: str = COPIES):
    """Drops copies that a cut could put on both sides of it.

    Where the data brings its splits, copies within one of them do no harm. To
    allow leakage is to allow what these splits hold, not what a cut would add.

    Args:
        listing: what can be used.
        rows: its examples with their facts.
        why: what is counted under.

    Returns:
        The listing and the rows without copies, and the groups of copies.
    """
    groups = duplicates.same_bytes(rows)
    if "val" in listing.splits and "test" in listing.splits:
        return listing, rows, groups
    copies = set()
    for group in groups:
        kept = set()
        for row in group:
            # Under another label it stays: that is a fault, and which of the
            # two is right only a person can say.
            if row.split == "train" and row.label in kept:
                copies.add(row.id)
            kept |= {row.label} if row.split == "train" else set()
    if not copies:
        return listing, rows, groups
    train = listing.splits["train"]
    stay = [i for i, id_ in enumerate(train.ids) if id_ not in copies]
    listing = dataclasses.replace(
        listing,
        splits={**listing.splits, "train": train.take(stay)},
        ignored={**listing.ignored, why: len(copies)},
    )
    rows = [r for r in rows if r.split != "train" or r.id not in copies]
    return listing, rows, groups


def bytes_in_two_places(
    groups, names, rules: Rules, what: str = "bytes"
) -> list[str]:
    """Faults: the same bytes under two labels, or in two splits.

    Args:
        groups: lists of rows with equal bytes (`duplicates.same_bytes`).
        names: of the classes, by label.
        rules: whether leakage is allowed.
        what: is the same.

    Returns:
        A line a pair, up to `MAX_NAMED`, then one that counts the rest.
    """
    faults = []
    for group in groups:
        first = group[0]
        for other in group[1:]:
            if other.label != first.label:
                faults.append(
                    f"{first.id} and {other.id}: the same {what} under "
                    f"{label_name(first.label, names)!r} and "
                    f"{label_name(other.label, names)!r} - keep the right one"
                )
            elif other.split != first.split and not rules.allow_leakage:
                faults.append(
                    f"{first.id} and {other.id}: the same {what} in "
                    f"{first.split} and {other.split} - take one away, or give "
                    "--allow_leakage"
                )
    if len(faults) > MAX_NAMED:
        more = f"and {len(faults) - MAX_NAMED:,} more pairs of equal {what}"
        faults = [*faults[:MAX_NAMED], more]
    return faults


def seen_in_training(
    rows: Sequence[Row], splits: Mapping[str, Examples]
) -> dict[str, list[int]]:
    """Which pictures of a split have the bytes of a training picture.

    Args:
        rows: the facts of the usable pictures.
        splits: what became of them, "train", "val" and "test".

    Returns:
        "val" and "test" -> indices of their examples; only where there are
        some.
    """
    hashes = {(row.split, row.id): row.facts.sha256 for row in rows}

    def known(split: str) -> list[str]:
        # What was cut is listed in train.
        return [
            hashes.get((split, id_)) or hashes.get(("train", id_), "")
            for id_ in splits[split].ids
        ]

    trained = {digest for digest in known("train") if digest}
    found = {
        split: [i for i, digest in enumerate(known(split)) if digest in trained]
        for split in ("val", "test")
    }
    return {split: places for split, places in found.items() if places}


def after_the_cut(
    pairs: Sequence[Pair], splits: Mapping[str, Examples]
) -> list[Pair]:
    """The same pairs, with the splits that their pictures came to."""
    place = {id_: split for split, e in splits.items() for id_ in e.ids}

    def moved(row: Row) -> Row:
        if row.split != "train":
            return row
        return dataclasses.replace(row, split=place.get(row.id, row.split))

    return [
        dataclasses.replace(p, first=moved(p.first), second=moved(p.second))
        for p in pairs
    ]


def cut_apart(
    pairs: Sequence[Pair], splits: Mapping[str, Examples]
) -> list[str]:
    """A warning of pairs that look alike and were cut into two splits.

    Args:
        pairs: those of the listing that look alike.
        splits: what became of it, "train", "val" and "test".
    """
    place = {id_: split for split, e in splits.items() for id_ in e.ids}
    apart = [
        (pair.first.id, pair.second.id)
        for pair in pairs
        if pair.first.split == pair.second.split == "train"
        and len({place.get(r.id) for r in (pair.first, pair.second)} - {None})
        > 1
    ]
    if not apart:
        return []
    return [
        f"{len(apart):,} of the pairs that look alike were cut apart, as "
        f"{apart[0][0]} ({place[apart[0][0]]}) and {apart[0][1]} "
        f"({place[apart[0][1]]}) - the test score may be too good; take one of "
        "each away"
    ]
