"""How much of a listing may be unusable before it is not used at all.

In: a `Listing` with its skips. Out: the lines that say why it cannot be used,
none when it can. A few bad pictures are left out and counted; many of them
mean that something else is wrong, which a person should see first.
"""

import numpy as np

from tl_keras.data.examples import Listing

MOST_LINES = 50  # of pictures named one by one; the rest is counted


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
            f"{len(skipped):,} of {listed + len(skipped):,} pictures cannot "
            f"be used; {allowed} - mend them, or allow more{_hint(listing)}"
        ]
    return faults + _emptied(listing)


def names_of_skips(listing: Listing) -> list[str]:
    """A line for each unusable picture, the first `MOST_LINES` of them."""
    lines = [skip.line() for skip in listing.skipped[:MOST_LINES]]
    if len(listing.skipped) > MOST_LINES:
        more = len(listing.skipped) - MOST_LINES
        lines.append(f"and {more:,} more that cannot be used")
    return lines


def _hint(listing: Listing) -> str:
    """Where half of a .csv's files are missing, its root is wrong."""
    missing = [s for s in listing.skipped if s.reason.startswith("no such")]
    listed = sum(len(examples) for examples in listing.splits.values())
    wrong_root = len(missing) > max(1, listed)
    return "; is --data_dir right?" if wrong_root else ""


def _emptied(listing: Listing) -> list[str]:
    """Classes whose last usable picture of a split was skipped."""
    faults = []
    for split, name in sorted(
        {(s.split, s.class_name) for s in listing.skipped}
    ):
        examples = listing.splits.get(split)
        label = listing.class_names.index(name)
        if examples is None or not np.any(examples.labels == label):
            faults.append(
                f"class {name!r}: none of its pictures in {split} can be used "
                "- mend them or take the class away"
            )
    return faults
