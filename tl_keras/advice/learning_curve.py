"""Features, labels -> how much more of the same labels would bring.

    curve = measure_curve(features, labels, solve_probe(features, labels))
    laws = fit_laws(curve)
    laws.gain(now=200, later=400)     # points of accuracy, and how sure
    hindcast(curve)                   # what half of the labels would have said

In: stored features of labelled examples, none of the test split. Out: the
share of wrong answers by labels, measured on repeated subsamples, and power
laws through it: wrong = floor + scale * labels ** -exponent. A few points fix
three numbers badly, so no single law is believed: each of a grid counts as
well as it fits, and how far they part is the error that is told.

Reference: Hestness and others, "Deep Learning Scaling is Predictable,
Empirically", 2017; Figueroa and others, "Predicting sample size required for
classification performance", 2012.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from tl_keras.tasks.multiclass.cross_validation import ROUGH
from tl_keras.tasks.multiclass.feature_scaling import ScaledFeatures
from tl_keras.tasks.multiclass.linear_probe import (
    FEW_LABELS,
    LinearProbe,
    fit_head,
    solve_probe,
)

# Sizes of subsamples, as shares of the largest: each half of the one two
# places on.
SHARES = tuple(float(2 ** (-step / 2)) for step in range(6, -1, -1))
HELD_OUT = 0.25
FEWEST_A_CLASS, FEWEST_SIZES = 2, 4
REPEATS, FEWEST_REPEATS = 6, 3
# Rows x features x classes of all solutions together, some ten seconds of one
# core. So much work, not time: the same data give the same advice.
MAX_WORK = 2e8
# What is known of such curves before one is seen: twice the labels divide the
# mistakes by the square root of two, more or less.
EXPONENTS = np.linspace(0.05, 1.2, 24)
USUAL_EXPONENT, ITS_DEVIATION = 0.5, 0.25
FLOORS = np.linspace(0.0, 1.0, 21)  # of the least share measured
WITHIN = (0.05, 0.95)


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


class Gain(NamedTuple):
    """What more labels would bring, in shares of right answers.

    Attributes:
        accuracy: with them, 0 to 1.
        gain: how much better that is.
        low, high: what the gain lies between by nine in ten laws that fit,
            and by the error of such a forecast where it is `widened`.
    """

    accuracy: float
    gain: float
    low: float
    high: float

    def widened(self, error: float) -> "Gain":
        """No surer than such a forecast was found to be."""
        return self._replace(low=self.low - error, high=self.high + error)


class Laws(NamedTuple):
    """Power laws, and how well each fits.

    Attributes:
        weights: (g,), adding up to 1.
        floors, scales, exponents: (g,), of each.
    """

    weights: np.ndarray
    floors: np.ndarray
    scales: np.ndarray
    exponents: np.ndarray

    def wrong(self, labels: float) -> np.ndarray:
        """Shares of wrong answers with so many labels, (g,)."""
        return self.floors + self.scales * labels**-self.exponents

    def accuracy(self, labels: float) -> float:
        """Share of right answers with so many labels."""
        return float(1 - self.weights @ self.wrong(labels))

    def gain(self, now: float, later: float) -> Gain:
        """What `later` labels bring against `now`."""
        gains = self.wrong(now) - self.wrong(later)
        order = np.argsort(gains)
        places = np.searchsorted(np.cumsum(self.weights[order]), WITHIN)
        low, high = gains[order][np.minimum(places, len(gains) - 1)]
        gain = self.weights @ gains
        return Gain(self.accuracy(later), float(gain), float(low), float(high))


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
    classes, width = int(labels.max()) + 1, features.shape[1]
    largest = int((1 - HELD_OUT) * len(labels))
    a_repeat = sum(SHARES) * width * classes
    largest = min(largest, int(max_work / (FEWEST_REPEATS * a_repeat)))
    repeats = int(max_work / (a_repeat * max(largest, 1)))
    parts = [
        Parts.cut(labels, groups, largest, np.random.default_rng([seed, turn]))
        for turn in range(min(repeats, REPEATS))
    ]
    # A size counts where each of its parts has something of each class.
    kept = [
        place
        for place in range(len(SHARES))
        if all(part.has_each(place, labels, classes) for part in parts)
    ]
    if len(kept) < FEWEST_SIZES or not parts:
        return None
    smallest = parts[0].fitted[kept[0]]
    of_smallest = solve_probe(
        features[smallest],
        labels[smallest],
        groups=groups and [groups[i] for i in smallest],
    )
    strengths = _Strengths(
        np.array([len(smallest), len(labels)], float),
        np.log([of_smallest.strength, probe.strength]),
        probe,
    )
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


class Parts(NamedTuple):
    """One way to divide examples: ever larger parts, and those held out.

    Attributes:
        fitted: of each of `SHARES`, indices; each holds the one before.
        held_out: indices.
    """

    fitted: list[np.ndarray]
    held_out: np.ndarray

    @classmethod
    def cut(
        cls,
        labels: np.ndarray,
        groups: Sequence[str] | None,
        largest: int,
        random: np.random.Generator,
    ) -> "Parts":
        """Draws them; classes are as frequent in each as in all.

        Args:
            labels: int (n,).
            groups: what each example belongs to; not torn apart.
            largest: examples in the largest part, or one group more.
            random: draws.

        Returns:
            The parts and what is held out.
        """
        order, starts = _interleaved(labels, groups, random)
        held = _whole(starts, int((1 - HELD_OUT) * len(labels)))
        fitted = [
            order[: min(_whole(starts, round(share * largest)), held)]
            for share in SHARES
        ]
        return cls(fitted, order[held:])

    def has_each(self, place: int, labels: np.ndarray, classes: int) -> bool:
        """Whether a part has enough of each class to be solved.

        Args:
            place: of the part.
            labels: int (n,), of all.
            classes: how many there are.

        Returns:
            And something is held out.
        """
        counts = np.bincount(labels[self.fitted[place]], minlength=classes)
        return counts.min() >= FEWEST_A_CLASS and len(self.held_out) > 0


def _interleaved(
    labels: np.ndarray,
    groups: Sequence[str] | None,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """(indices in a drawn order, places where a group begins).

    Any beginning of the order has the classes as all have them.
    """
    given = np.arange(len(labels)) if groups is None else np.asarray(groups)
    _, first, group_of = np.unique(
        given, return_index=True, return_inverse=True
    )
    of_group = labels[first]
    turn = np.empty(len(first))
    for label in np.unique(of_group):
        members = random.permutation(np.flatnonzero(of_group == label))
        shift = random.uniform()
        turn[members] = (np.arange(len(members)) + shift) / len(members)
    rank = np.argsort(np.argsort(turn, kind="stable"), kind="stable")
    order = np.argsort(rank[group_of], kind="stable")
    ranks = rank[group_of][order]
    return order, np.flatnonzero(np.r_[True, ranks[1:] != ranks[:-1]])


def _whole(starts: np.ndarray, count: int) -> int:
    """The least number of examples from `count` on that tears no group."""
    place = np.searchsorted(starts, count)
    return int(starts[min(place, len(starts) - 1)])


def fit_laws(curve: Curve) -> Laws:
    """The laws of a grid, each weighed by how well it fits the curve."""
    sizes, shares = curve.sizes.astype(np.float64), curve.shares()
    # The same examples are asked again and again: they are no more for that.
    count = min(int(curve.asked.sum()), curve.examples)
    smoothed = (shares * count + 1) / (count + 2)
    precision = count / (smoothed * (1 - smoothed))
    exponents, floors = np.meshgrid(EXPONENTS, FLOORS * shares.min())
    exponents, floors = exponents.ravel(), floors.ravel()
    falls = sizes[:, None] ** -exponents
    above = shares[:, None] - floors
    scales = np.einsum("s,sg,sg->g", precision, above, falls)
    scales /= np.einsum("s,sg,sg->g", precision, falls, falls)
    scales = np.maximum(scales, 0.0)
    misses = (above - scales * falls) ** 2
    odds = -(precision @ misses) / 2
    odds -= ((exponents - USUAL_EXPONENT) / ITS_DEVIATION) ** 2 / 2
    weights = np.exp(odds - odds.max())
    return Laws(weights / weights.sum(), floors, scales, exponents)


def hindcast(curve: Curve) -> tuple[float, float] | None:
    """(accuracy that half of the labels foretold for all, that measured).

    None where half of them are too few for a law.
    """
    half = curve.up_to(curve.sizes[-1] / 2 + 1)
    if len(half.sizes) < FEWEST_SIZES - 1:
        return None
    foretold = fit_laws(half).accuracy(float(curve.sizes[-1]))
    return foretold, float(1 - curve.shares()[-1])
