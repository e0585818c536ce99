"""Split conformal prediction: answers that hold the truth so often.

    margin = interval_margin(np.abs(truth - predicted), coverage=0.9)
    floor = set_floor(probabilities, labels, coverage=0.9)
    in_set = probabilities >= floor
    level_for(floors(probabilities, labels), 0.95)  # of a share asked later

In: what a model said of examples that nothing was trained on. Out: one number,
kept in the export. Of new examples like these, the interval or the set holds
the truth in the share asked for, whatever the model and however it errs; on
few examples it is wider, as it must be.

Reference: Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World",
2005; Sadinle, Lei and Wasserman, "Least Ambiguous Set-Valued Classifiers with
Bounded Error Levels", 2019, for sets.
"""

import bisect
from collections.abc import Sequence

import numpy as np

# The shares of which an export keeps what they take, so that another than
# that of training can be asked for later.
SHARES = (*(n / 100 for n in range(50, 100)), 0.995, 0.999)
ROUNDING = 1e-9


def quantile_of(scores: np.ndarray, coverage: float) -> float:
    """The score that so large a share of new examples stays within.

    Args:
        scores: (n,), how badly the truth fits the answer; n of 1 or more.
        coverage: above 0 and below 1.

    Returns:
        One of the scores; infinite where n is too small to promise it.

    Raises:
        ValueError: no scores, one is no number, or no such coverage.
    """
    scores = np.asarray(scores, np.float64)
    if not 0 < coverage < 1:
        raise ValueError(f"coverage={coverage}: expected above 0 and below 1")
    if scores.ndim != 1 or not len(scores) or np.isnan(scores).any():
        raise ValueError("scores: expected numbers (n,), n of 1 or more")
    # The new example is one of n + 1, each as likely to be the worst.
    place = int(np.ceil((len(scores) + 1) * coverage))
    if place > len(scores):
        return float("inf")
    return float(np.sort(scores)[place - 1])


def interval_margin(errors: np.ndarray, coverage: float = 0.9) -> float:
    """What to add and take away for an interval.

    Args:
        errors: absolute ones, (n,), of examples that nothing was trained on.
        coverage: share of new examples whose truth the interval holds.

    Returns:
        0 or more, in the unit of the errors; infinite on too few examples.

    Example:
        margin = interval_margin(np.abs(val_values - predicted))
        low, high = answer - margin, answer + margin
    """
    return quantile_of(errors, coverage)


def set_floor(
    probabilities: np.ndarray, labels: np.ndarray, coverage: float = 0.9
) -> float:
    """The probability from which on a class is in the set.

    Args:
        probabilities: (n, num_classes), of examples that nothing was trained
            on.
        labels: int (n,), theirs.
        coverage: share of new examples whose class the set holds.

    Returns:
        0 to 1; 0 takes all classes, on too few examples.

    Example:
        in_set = probabilities >= set_floor(val_probabilities, val_labels)
    """
    own = probabilities[np.arange(len(labels)), labels]
    worst = quantile_of(1 - np.asarray(own, np.float64), coverage)
    return max(0.0, 1 - worst)


def margins(errors: np.ndarray) -> list[float | None]:
    """`interval_margin` for each of `SHARES`; None where it is infinite."""
    found = (interval_margin(errors, share) for share in SHARES)
    return [margin if np.isfinite(margin) else None for margin in found]


def floors(probabilities: np.ndarray, labels: np.ndarray) -> list[float]:
    """`set_floor` for each of `SHARES`."""
    return [set_floor(probabilities, labels, share) for share in SHARES]


def level_for(levels: Sequence, coverage: float):
    """What a share takes, of what was kept for `SHARES`.

    Args:
        levels: of `margins` or `floors`.
        coverage: 0.5 to 0.999.

    Returns:
        The level of the next of `SHARES` that is as large, so that at least
        so many truths are held.

    Raises:
        ValueError: a larger share than any of them.
    """
    place = bisect.bisect_left(SHARES, coverage - ROUNDING)
    if place == len(SHARES):
        raise ValueError(f"coverage={coverage}: expected {SHARES[-1]} or less")
    return levels[place]


def refuse_other_levels(levels: Sequence, what: str) -> None:
    """Raises ValueError where they are not one number a share, or None."""
    if len(levels) != len(SHARES):
        raise ValueError(
            f"{what}: {len(levels)} numbers, expected {len(SHARES)}"
        )
    for level in levels:
        if level is not None and not float(level) >= 0:
            raise ValueError(f"{what}: {level}, expected 0 or more")
