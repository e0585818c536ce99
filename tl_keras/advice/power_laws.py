"""A learning curve -> what more labels would bring, and how sure that is.

    laws = fit_laws(curve)
    laws.gain(now=200, later=400)     # points of accuracy, and how sure
    hindcast(curve)                   # what half of the labels would have said

In: a `Curve`. Out: power laws through it: wrong = floor + scale * labels **
-exponent. A few points fix three numbers badly, so no single law is believed:
each of a grid counts as well as it fits, and how far they part is the error
that is told.

Reference: Hestness and others, "Deep Learning Scaling is Predictable,
Empirically", 2017; Figueroa and others, "Predicting sample size required for
classification performance", 2012.
"""

from typing import NamedTuple

import numpy as np

from tl_keras.advice.learning_curve import FEWEST_SIZES, Curve

# What is known of such curves before one is seen: twice the labels divide the
# mistakes by the square root of two, more or less.
EXPONENTS = np.linspace(0.05, 1.2, 24)
USUAL_EXPONENT, ITS_DEVIATION = 0.5, 0.25
FLOORS = np.linspace(0.0, 1.0, 21)  # of the least share measured
WITHIN = (0.05, 0.95)


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
