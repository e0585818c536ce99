"""Facts of all pictures together -> what a person should look at.

In: a listing, its rows with facts, the pairs that look alike. Out: warnings,
one line each, of what hinders no training. What is there more than once,
`leakage` looks at.
"""

import collections
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from tl_keras.audit.duplicates import Pair, Row
from tl_keras.data import Examples, Listing
from tl_keras.data.examples import class_counts
from tl_keras.inputs.image.header_facts import DAMAGED
from tl_keras.inputs.kinds import NOUNS

# Pictures of the largest class for one of the smallest. Heads trained on 140
# cats and fewer dogs, or the reverse, lose so many points of mean recall
# against --class_weights=balanced: 1 at 2 to 1, 4 at 3, 8 at 5, 13 at 12.
UNEVEN_TRAINING, UNEVEN_ELSEWHERE = 3, 50


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
