"""Which class wants more labels, and whether they help it.

    for need in needy_classes(labels, probabilities, curve):
        need.label, need.wrong, need.taken_for

In: out-of-fold probabilities of labelled examples, and the learning curve. Out:
the classes that are missed more often than the others, where that is no
chance; the most missed first.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats

from tl_keras.advice.learning_curve import Curve

# That a class is worse than the others, over all classes together.
SURE = 0.05
MAX_NAMED = 3


class Need(NamedTuple):
    """A class that is missed more often than the others.

    Attributes:
        label: its number.
        examples: labelled ones of it.
        wrong: how many of them are taken for another class.
        others: share of wrong answers to the other classes, 0 to 1.
        taken_for: the class that they are most often taken for.
        before, after: shares of its examples that were missed with half of
            the labels and with all, on the learning curve; None where it has
            no such sizes.
    """

    label: int
    examples: int
    wrong: int
    others: float
    taken_for: int
    before: float | None = None
    after: float | None = None


def needy_classes(
    labels: np.ndarray, probabilities: np.ndarray, curve: Curve | None = None
) -> list[Need]:
    """The classes that are missed more often than the others are.

    Args:
        labels: int (n,).
        probabilities: (n, num_classes), out of fold.
        curve: of the same examples, if there is one.

    Returns:
        Up to `MAX_NAMED`, the largest share of misses first; none where
        Fisher's exact test, with Bonferroni's correction, calls it chance.
    """
    said = probabilities.argmax(axis=-1)
    missed = said != labels
    counts = np.bincount(labels)
    wrong = np.bincount(labels[missed], minlength=len(counts))
    found = []
    for label, (some, of) in enumerate(zip(wrong, counts, strict=True)):
        rest_wrong, rest = wrong.sum() - some, counts.sum() - of
        if not some or not rest:
            continue
        table = [[some, of - some], [rest_wrong, rest - rest_wrong]]
        test = scipy.stats.fisher_exact(table, alternative="greater")
        if test.pvalue < SURE / len(counts):
            taken = np.bincount(said[missed & (labels == label)])
            need = Need(
                label, int(of), int(some), float(rest_wrong / rest),
                int(taken.argmax()), *_fall(curve, label),
            )  # fmt: skip
            found.append(need)
    found.sort(key=lambda need: (-need.wrong / need.examples, need.label))
    return found[:MAX_NAMED]


def _fall(curve: Curve | None, label: int) -> tuple[float | None, float | None]:
    """(missed with half of the labels, with all), of a class."""
    if curve is None or not curve.asked[label]:
        return None, None
    half = curve.up_to(curve.sizes[-1] / 2 + 1)
    if not len(half.sizes):
        return None, None
    before, after = half.wrong[-1, label], curve.wrong[-1, label]
    asked = curve.asked[label]
    return float(before / asked), float(after / asked)
