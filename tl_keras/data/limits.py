"""How much of a listing may be unusable before it is not used at all.

In: a `Listing` with its skips. Out: the lines that say why it cannot be used,
none when it can. A few bad pictures are left out and counted; many of them
mean that something else is wrong, which a person should see first.
"""

import numpy as np

from tl_keras.data.examples import Listing, Skip, label_text
from tl_keras.data.looking import NO_SUCH_FILE

MAX_LINES = 50  # of pictures named one by one; the rest is counted
MAX_MISSING = 3  # of files that are not there: they have one cause
MAX_EMPTIED = 20  # classes named one by one


def faults_of_skips(
    listing: Listing, max_bad_fraction: float, bad_input: str = "skip"
) -> list[str]:
    """Why a listing cannot be used, or nothing.

    Args:
        listing: with its unusable pictures in `skipped`.
        max_bad_fraction: the share of pictures that may be unusable.
        bad_input: "skip", or "fail" to let no picture be unusable.

    Returns:
        A line when the unusable pictures are too many, and one for every
        class that has none left.
    """
    skipped = listing.skipped
    listed = sum(len(examples) for examples in listing.splits.values())
    if not skipped:
        return []
    share = len(skipped) / (listed + len(skipped))
    faults = []
    if bad_input == "fail" or share > max_bad_fraction:
        allowed = f"--max_bad_fraction={max_bad_fraction:g} allows fewer"
        if bad_input == "fail":
            allowed = "--bad_input=fail allows none"
        faults = [
            f"{len(skipped):,} of {listed + len(skipped):,} "
            f"{listing.nouns[1]} cannot be used; {allowed} - mend them, or "
            f"allow more{_hint(listing)}",
            *listing.hints,
        ]
    if faults and not listed:
        return faults
    return faults + _emptied(listing)


def names_of_skips(listing: Listing) -> list[str]:
    """A line for each unusable picture, the first `MAX_LINES` of them.

    Files that are not there are named by a few: their cause is one.
    """
    missing = [s for s in listing.skipped if s.reason.startswith(NO_SUCH_FILE)]
    others = [
        s for s in listing.skipped if not s.reason.startswith(NO_SUCH_FILE)
    ]
    lines = [skip.line() for skip in missing[:MAX_MISSING]]
    if len(missing) > MAX_MISSING:
        more = len(missing) - MAX_MISSING
        lines.append(f"and {more:,} more files that are not there")
    lines += [skip.line() for skip in others[:MAX_LINES]]
    if len(others) > MAX_LINES:
        more = len(others) - MAX_LINES
        lines.append(f"and {more:,} more that cannot be used")
    return lines


def without_unreadable(listing: Listing) -> Listing:
    """The listing without what Pillow alone opens, for whom mends nothing."""
    skips = [
        Skip(
            id_,
            f"{listing.kinds[file]} is read through the data check alone - "
            "give --check=fast or full, or convert it to JPEG or PNG",
            split,
            label_text(label, listing.class_names),
            file,
        )
        for split, examples in listing.splits.items()
        for id_, file, label in zip(
            examples.ids, examples.files or (), examples.labels, strict=False
        )
        if file in listing.kinds
    ]
    return listing.without(skips) if skips else listing


def _hint(listing: Listing) -> str:
    """Where half of a .csv's files are missing, its root is wrong."""
    missing = [s for s in listing.skipped if s.reason.startswith(NO_SUCH_FILE)]
    listed = sum(len(examples) for examples in listing.splits.values())
    wrong_root = len(missing) > max(1, listed) and not listing.hints
    return "; is --data_dir right?" if wrong_root else ""


def _emptied(listing: Listing) -> list[str]:
    """Classes whose last usable picture of a split was skipped."""
    faults = []
    numbers = {name: label for label, name in enumerate(listing.class_names)}
    for split, name in sorted(
        {(s.split, s.class_name) for s in listing.skipped}
    ):
        if name not in numbers:
            continue  # A row without a label, or of a class set apart.
        examples = listing.splits.get(split)
        if examples is not None and examples.labels.ndim > 1:
            continue  # Labels that are left without an example are told.
        if examples is None or not np.any(examples.labels == numbers[name]):
            faults.append(
                f"class {name!r}: none of its {listing.nouns[1]} in {split} "
                "can be used - mend them or take the class away"
            )
    if len(faults) > MAX_EMPTIED:
        more = f"and {len(faults) - MAX_EMPTIED:,} more such classes"
        return [*faults[:MAX_EMPTIED], more]
    return faults
