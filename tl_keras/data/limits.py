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
        One line each: the unusable pictures when they are too many, then
        every class that has none left.
    """
    skipped = listing.skipped
    listed = sum(len(examples) for examples in listing.splits.values())
    if not skipped:
        return []
    share = len(skipped) / (listed + len(skipped))
    faults = []
    if bad_input == "fail" or share > max_bad_fraction:
        faults = [skip.line() for skip in skipped[:MOST_LINES]]
        if len(skipped) > MOST_LINES:
            faults.append(f"and {len(skipped) - MOST_LINES:,} more like these")
        limit = f"--max_bad_fraction={max_bad_fraction:g}"
        if bad_input == "fail":
            limit = "--bad_input=fail"
        faults.append(
            f"{len(skipped):,} of {listed + len(skipped):,} pictures cannot "
            f"be used; {limit} allows "
            f"{'none' if bad_input == 'fail' else 'fewer'} - mend them, or "
            f"allow more{_hint(listing)}"
        )
    return faults + _emptied(listing)


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
