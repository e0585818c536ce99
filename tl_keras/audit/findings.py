"""Facts of all pictures together -> what stands in the way, what to look at.

In: a listing, its rows with facts, the pairs that look alike. Out: copies left
out, faults (they fail the check) and warnings (they do not), one line each.
"""

import collections
import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tl_keras.audit import duplicates
from tl_keras.audit.duplicates import Pair, Row
from tl_keras.audit.rules import Rules
from tl_keras.data import Examples, Listing
from tl_keras.data.examples import class_counts, label_name
from tl_keras.inputs.image.header_facts import DAMAGED
from tl_keras.inputs.kinds import NOUNS

COPIES = "the same bytes as another picture of its class"
SAME_TEXT = "the same text as another of its class"
# Pictures of the largest class for one of the smallest. Heads trained on 140
# cats and fewer dogs, or the reverse, lose so many points of mean recall
# against --class_weights=balanced: 1 at 2 to 1, 4 at 3, 8 at 5, 13 at 12.
UNEVEN_TRAINING, UNEVEN_ELSEWHERE = 3, 50
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


def labels_without_both(
    splits: Mapping[str, Examples], names: Sequence[str]
) -> list[str]:
    """A line for each label that a split's examples never, or always, have.

    Args:
        splits: name -> its examples.
        names: of the labels.

    Returns:
        [] where examples are of one class, or have numbers.
    """
    lines = []
    for split, examples in splits.items():
        labels = examples.labels
        if not len(examples) or labels.ndim == 1 or labels.dtype.kind == "f":
            continue
        counts = labels.sum(axis=0)
        lines += [
            f"label {name!r} is {'always' if count else 'never'} there in "
            f"{split} - nothing can be "
            + ("learnt of it" if split == "train" else "said of it there")
            for name, count in zip(names, counts, strict=True)
            if count in (0, len(examples))
        ]
    return lines


def warnings_of(
    listing: Listing, rows, pairs, sums, mended: Collection[str]
) -> list[str]:
    """What a person should know, and which hinders no training.

    Args:
        listing: what is used, without what was skipped.
        rows: its pictures with their facts.
        pairs: those that look alike (`duplicates.near_pairs`).
        sums: id -> SHA-256 of `--data_manifest`; {} without one.
        mended: paths of the originals that are read through a repaired copy.

    Returns:
        One line each.
    """
    warnings = [
        *_unread_by_servers(rows, mended),
        *class_warnings(listing),
    ]
    hurt = [row.id for row in rows if DAMAGED in row.facts.notes]
    if hurt:
        count = "1 JPEG is" if len(hurt) == 1 else f"{len(hurt):,} JPEGs are"
        warnings.append(
            f"{count} damaged inside, with wrong pixels and no error - look at "
            f"{', '.join(hurt[:5])}{', ...' if len(hurt) > 5 else ''}"
        )
    warnings += _looking_alike(pairs) + _across_groups(pairs)
    if sums:
        unlisted = [row.id for row in rows if row.id not in sums]
        absent = set(sums) - {row.id for row in rows}
        absent -= {skip.id for skip in listing.skipped}
        for some, words in (
            (unlisted, "are not in --data_manifest, so nobody vouches for "
             "their bytes"),
            (sorted(absent), "of --data_manifest are not among the pictures"),
        ):  # fmt: skip
            if some:
                warnings.append(f"{len(some):,} files {words}: {some[0]}")
    return warnings


def class_warnings(
    listing: Listing, words: tuple[str, str] = NOUNS["image"]
) -> list[str]:
    """What is odd about how many examples the classes have.

    Args:
        listing: what is used.
        words: what an example is called, and several.

    Returns:
        One line each.
    """
    one, many = words
    warnings = []
    for split, examples in listing.splits.items():
        if examples.labels.dtype.kind == "f":
            continue  # Numbers have no classes to be rare.
        counts = class_counts(examples.labels, len(listing.class_names))
        for label, count in enumerate(counts):
            if count == 1:
                warnings.append(
                    f"class {listing.class_names[label]!r} has one {one} in "
                    f"{split} - its score there says nothing"
                )
        uneven = UNEVEN_TRAINING if split == "train" else UNEVEN_ELSEWHERE
        if min(counts) and max(counts) / min(counts) >= uneven:
            warnings.append(
                f"{split} has {max(counts):,} {many} of "
                f"{listing.class_names[int(np.argmax(counts))]!r} and "
                f"{min(counts):,} of "
                f"{listing.class_names[int(np.argmin(counts))]!r} - look at "
                "macro-F1, not at accuracy; --class_weights=balanced helps"
            )
    return warnings


def _unread_by_servers(
    rows: Sequence[Row], mended: Collection[str]
) -> list[str]:
    """How many pictures are used that the exported graph would refuse."""
    counts = collections.Counter(
        row.facts.format for row in rows if row.file in mended
    )
    if not counts:
        return []
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    return [
        f"{counts.total():,} of {len(rows):,} pictures ({kinds}) are read "
        "through Pillow, which a server cannot do: it answers such a file with "
        "its status alone - send it JPEG or PNG"
    ]


def _across_groups(pairs: Sequence[Pair]) -> list[str]:
    """Pairs that look alike and are said to be of two groups."""
    apart = [p for p in pairs if p.first.group != p.second.group]
    if not apart:
        return []
    one, two = apart[0].first, apart[0].second
    count = "1 pair that looks alike is"
    if len(apart) > 1:
        count = f"{len(apart):,} pairs that look alike are"
    return [
        f"{count} of two groups of --group_column, as {one.id} ({one.group}) "
        f"and {two.id} ({two.group}) - if they are one, give them one name"
    ]


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


def _looking_alike(pairs) -> list[str]:
    """How many pairs look alike, by what that puts at risk."""
    risks = {
        "splits": "in two splits - the test score may be too good",
        "labels": "under two labels - one of the two may be wrong",
        "": "in one class of one split - copies teach little",
    }
    warnings = []
    for risk, words in risks.items():
        some = [pair for pair in pairs if pair.crosses() == risk]
        if some:
            first = some[0]
            example = f"{first.first.id} and {first.second.id}"
            count = "1 pair of pictures looks alike"
            if len(some) > 1:
                count = f"{len(some):,} pairs of pictures look alike"
                example = f"for example {example}"
            warnings.append(f"{count} {words}: {example}")
    return warnings
