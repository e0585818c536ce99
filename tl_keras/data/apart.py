"""A class that stands for none of the others -> examples to be refused.

    listing = set_apart(listing, "other")
    listing.of_none                      # its examples, which nobody learns

In: a listing. Out: the same without that class, whose examples are apart. What
is of no class cannot be learnt as a class: it is whatever else there is. It can
measure how many such examples a threshold refuses.
"""

import dataclasses

import numpy as np

from tl_keras.data.examples import Listing, joined
from tl_keras.errors import DataError


def set_apart(listing: Listing, class_name: str) -> Listing:
    """Takes a class out of a listing of one class of several.

    Args:
        listing: its labels are int (n,).
        class_name: of the class that stands for none.

    Returns:
        The listing without it, in which its examples count as ignored; they
        are `of_none`, of all splits, labelled 0.

    Raises:
        DataError: there is no such class, or fewer than two others, or the
            listing is no classification.

    Example:
        listing = set_apart(list_texts("intents.csv"), "other")
    """
    names = listing.class_names
    if any(each.labels.ndim > 1 for each in listing.splits.values()):
        raise DataError(
            f"--reject_class={class_name}: expected one class for each "
            "example - leave it out where there are several labels or numbers"
        )
    if class_name not in names:
        shown = ", ".join(names[:8]) + ", ..." * (len(names) > 8)
        raise DataError(
            f"--reject_class={class_name}: expected one of the classes "
            f"{shown} - name one of them, or leave it out"
        )
    if len(names) < 3:
        raise DataError(
            f"--reject_class={class_name}: expected two classes or more "
            f"besides it, found {len(names) - 1} - leave it out"
        )
    number = names.index(class_name)
    splits, apart = {}, []
    for split, examples in listing.splits.items():
        out = examples.labels == number
        kept = examples.take(np.flatnonzero(~out))
        # Those behind it move up by one.
        labels = kept.labels - (kept.labels > number).astype(kept.labels.dtype)
        splits[split] = dataclasses.replace(kept, labels=labels)
        gone = examples.take(np.flatnonzero(out))
        apart.append(
            dataclasses.replace(gone, labels=np.zeros_like(gone.labels))
        )
    of_none = joined(apart)
    reason = f"of the class {class_name}, which stands for none"
    return dataclasses.replace(
        listing,
        splits=splits,
        class_names=tuple(name for name in names if name != class_name),
        ignored={**listing.ignored, reason: len(of_none)},
        of_none=of_none,
    )
