"""Features, labels -> how many answers are wrong with ever more labels.

    curve = measure_curve(features, labels, solve_probe(features, labels))
    curve.sizes, curve.shares()

In: stored features of labelled examples, none of the test split. Out: the
share of wrong answers by labels, measured on repeated subsamples; what more
labels would bring, `power_laws` make of it.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from threadpoolctl import threadpool_limits

from tl_keras.advice.subsamples import HELD_OUT, SHARES, Parts
from tl_keras.tasks.multiclass.cross_validation import ROUGH
from tl_keras.tasks.multiclass.feature_scaling import ScaledFeatures
from tl_keras.tasks.multiclass.linear_probe import (
    FEW_LABELS,
    LinearProbe,
    fit_head,
    solve_probe,
)

FEWEST_SIZES = 4
REPEATS, FEWEST_REPEATS = 6, 3
# Rows x features x classes of all solutions together, some ten seconds of one
# core. So much work, not time: the same data give the same advice.
MAX_WORK = 2e8


class Curve(NamedTuple):
    """What was measured.

    Attributes:
        sizes: labels that a probe was solved on, ascending, int (s,).
        wrong: wrong answers of each class, over all repeats, int (s, classes).
        asked: answers of each class, over all repeats, int (classes,).
        examples: labelled ones, of which those held out were drawn.
    """

    sizes: np.ndarray
    wrong: np.ndarray
    asked: np.ndarray
    examples: int

    def shares(self) -> np.ndarray:
        """Wrong answers as shares of all, (s,)."""
        return self.wrong.sum(axis=1) / self.asked.sum()

    def up_to(self, labels: float) -> "Curve":
        """The curve as fewer labels would have shown it."""
        known = self.sizes <= labels
        return self._replace(sizes=self.sizes[known], wrong=self.wrong[known])


def measure_curve(
    features: np.ndarray,
    labels: np.ndarray,
    probe: LinearProbe,
    *,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    max_work: float = MAX_WORK,
) -> Curve | None:
    """Solves probes on ever larger parts, and asks them about the rest.

    Args:
        features: (n, d), of labelled examples.
        labels: int (n,), 0 to num_classes - 1.
        probe: solved on all of them.
        groups: what each example belongs to; a group stays on one side.
        seed: of the subsamples.
        max_work: rows x features x classes of all solutions; where all
            examples would be more, the largest part is smaller.

    Returns:
        The curve; None where there are too few labels for one, or so many
        classes that a part within the work has too few of each.
    """
    classes = int(labels.max()) + 1
    work = max_work / (features.shape[1] * classes)
    parts = _drawn(labels, groups, work, seed)
    # A size counts where each of its parts has something of each class.
    kept = [
        place
        for place in range(len(SHARES))
        if all(part.has_each(place, labels, classes) for part in parts)
    ]
    if len(kept) < FEWEST_SIZES or not parts:
        return None
    smallest = parts[0].fitted[kept[0]]
    strengths = _Strengths.between(smallest, features, labels, groups, probe)
    wrong = np.zeros((len(kept), classes), int)
    asked = np.zeros(classes, int)
    for part in parts:
        held, truth = features[part.held_out], labels[part.held_out]
        asked += np.bincount(truth, minlength=classes)
        for row, place in enumerate(kept):
            some = part.fitted[place]
            kernel, bias = strengths.solve(features[some], labels[some])
            said = (held @ kernel + bias).argmax(axis=-1)
            wrong[row] += np.bincount(truth[said != truth], minlength=classes)
    sizes = [np.mean([len(part.fitted[p]) for part in parts]) for p in kept]
    return Curve(np.rint(sizes).astype(int), wrong, asked, len(labels))


def _drawn(
    labels: np.ndarray, groups: Sequence[str] | None, work: float, seed: int
) -> list[Parts]:
    """As many parts, and as large ones, as can be solved.

    Args:
        labels: int (n,).
        groups: what each example belongs to.
        work: rows of all solutions.
        seed: of the draws.

    Returns:
        [] where the work is too little for one.
    """
    largest = int((1 - HELD_OUT) * len(labels))
    largest = min(largest, int(work / (FEWEST_REPEATS * sum(SHARES))))
    repeats = int(work / (sum(SHARES) * max(largest, 1)))
    return [
        Parts.cut(labels, groups, largest, np.random.default_rng([seed, turn]))
        for turn in range(min(repeats, REPEATS))
    ]


class _Strengths(NamedTuple):
    """How strong a penalty suits so many labels.

    To ask cross-validation of each part would be most of the time. It is asked
    of the smallest part and of all; between them its logarithm is on a line.

    Attributes:
        sizes: of the two, float (2,).
        logs: of their strengths, (2,).
        probe: of all.
    """

    sizes: np.ndarray
    logs: np.ndarray
    probe: LinearProbe

    @classmethod
    def between(
        cls,
        smallest: np.ndarray,
        features: np.ndarray,
        labels: np.ndarray,
        groups: Sequence[str] | None,
        probe: LinearProbe,
    ) -> Self:
        """Those of a part, of all, and what lies between.

        Args:
            smallest: indices of the part.
            features: (n, d), of all.
            labels: int (n,), of all.
            groups: what each example belongs to.
            probe: solved on all.

        Returns:
            The strengths.
        """
        of_smallest = solve_probe(
            features[smallest],
            labels[smallest],
            groups=groups and [groups[i] for i in smallest],
        )
        return cls(
            np.array([len(smallest), len(labels)], float),
            np.log([of_smallest.strength, probe.strength]),
            probe,
        )

    def solve(
        self, features: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(kernel, bias) of a part."""
        count, classes = len(labels), self.probe.kernel.shape[-1]
        log = np.interp(np.log(count), np.log(self.sizes), self.logs)
        few = count <= FEW_LABELS * classes
        scaling = "one" if few else self.probe.scaling
        with threadpool_limits(limits=1, user_api="blas"):
            scaled = ScaledFeatures.of(features.astype(np.float64), scaling)
            return fit_head(scaled, labels, float(np.exp(log)), **ROUGH)
