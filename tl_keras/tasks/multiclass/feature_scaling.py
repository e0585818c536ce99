"""Features -> features that one penalty is fair to, and the way back.

In: pooled features. Out: centred, scaled, in as few dimensions as there are
pictures; and a solution there as kernel and bias for the features as they were.
"""

from typing import NamedTuple

import numpy as np

# What features are divided by: one number for all, or its own for each.
SCALINGS = ("one", "each")
# A feature that moves by less than this share of the liveliest is dead; of the
# others, this quantile is what a feature usually moves by.
DEAD, LIVELY = 1e-9, 0.9
MIN_OF_USUAL, MIN_OF_MEAN = 0.1, 0.01
# No feature is louder than so many usual ones.
LOUDEST = 3.0


class ScaledFeatures(NamedTuple):
    """Features as they are solved on, and the way back.

    Attributes:
        rows: float64 (n, r), r at most n.
        mean, scale: of the features, (d,).
        rotation: (r, d), or None where r is d.
    """

    rows: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray | None

    @classmethod
    def of(cls, features: np.ndarray, scaling: str) -> "ScaledFeatures":
        """Of float64 features (n, d)."""
        mean, scale = features.mean(axis=0), feature_scales(features, scaling)
        rows, rotation = (features - mean) / scale, None
        # The L2 penalty does not see a rotation, and the solution lies in the
        # span of the pictures: with fewer of them than features, that span is
        # smaller.
        if len(rows) < rows.shape[1]:
            left, singular, rotation = np.linalg.svd(rows, full_matrices=False)
            rows = left * singular
        return cls(rows, mean, scale, rotation)

    def back(
        self, coefficients: np.ndarray, intercept: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(kernel (d, classes), bias) for the features as they were.

        Args:
            coefficients: (classes, r), for `rows`.
            intercept: (classes,).
        """
        if self.rotation is not None:
            coefficients = coefficients @ self.rotation
        kernel = (coefficients / self.scale).T
        return kernel, intercept - self.mean @ kernel


def feature_scales(features: np.ndarray, scaling: str) -> np.ndarray:
    """What each feature is divided by: never too little.

    A feature that is the same in all pictures but one, or that moves by
    rounding alone, says nothing; divided by its own deviation it would be as
    loud as any other, with a kernel that nothing bounds. Such a feature stays
    as quiet as it is beside the others: with a scale for each, the least that
    one is divided by is a tenth of what the livelier ones move by. And it is
    a hundredth of its own mean, which float32 would else subtract with an
    error that shows.

    Args:
        features: float64 (n, d).
        scaling: "one" divides all by what they move by together, and what is
            louder than three usual ones by more; "each" by its own deviation.

    Returns:
        float64 (d,), above 0.
    """
    moves = features.std(axis=0)
    alive = moves[moves > DEAD * moves.max(initial=0.0)]
    if not len(alive):
        return np.ones(features.shape[1])
    # Not the largest: a few huge ones shall not silence the rest.
    usual = np.quantile(alive, LIVELY, method="lower")
    if scaling == "one":
        shared = _shared_scale(np.minimum(alive, LOUDEST * usual))
        least, moves = shared, moves * shared / (LOUDEST * usual)
    else:
        least = MIN_OF_USUAL * usual
    least = np.maximum(least, MIN_OF_MEAN * np.abs(features).mean(axis=0))
    return np.maximum(moves, least)


def _shared_scale(moves: np.ndarray) -> float:
    """What features move by, each weighed by its variance.

    A plain mean would shrink with every feature that hardly moves.
    """
    variances = moves**2
    return float(np.sqrt((variances**2).sum() / variances.sum()))
