"""The head solved exactly: ridge regression, its strength cross-validated.

    head = solve_ridge(features, targets)
    values = features @ head.kernel + head.bias

In: pooled features of training examples, targets (n, columns). Out: kernel and
bias of the Dense layer. The solution has a closed form: one decomposition of a
fold's features gives the answers of all strengths at once.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from tl_keras.tasks.multiclass.feature_scaling import ScaledFeatures
from tl_keras.tasks.regression.quantiles import cut_by_quantiles

# Of the L2 penalty, as shares of the mean square of the features' rows.
STRENGTHS = tuple(float(s) for s in np.logspace(-6, 3, 28))
STRENGTH_WITHOUT_FOLDS = 1.0
FOLDS = 5
# Singular values below this share of the largest are rounding.
DEAD = 1e-10


@dataclasses.dataclass(frozen=True)
class RidgeHead:
    """A solved head.

    Attributes:
        kernel: float32 (features, columns).
        bias: float32 (columns,).
        strength: of the penalty, that cross-validation chose.
        out_of_fold: None: no label is doubted.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    out_of_fold: np.ndarray | None = None

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """float64 (n, columns) of features (n, d)."""
        return features.astype(np.float64) @ self.kernel + self.bias

    def how(self) -> str:
        """In words, how it was solved."""
        return f"ridge, penalty {self.strength:.3g}"


def solve_ridge(
    features: np.ndarray,
    targets: np.ndarray,
    *,
    views: int = 1,
    groups: Sequence[str] | None = None,
) -> RidgeHead:
    """Fits the head to pooled features.

    Args:
        features: (n, d), of training examples only.
        targets: float (n, columns), of one size, as standardised ones are.
        views: so many rows in a row show one example; they stay together in
            the cross-validation.
        groups: what each example belongs to; not torn apart there either.

    Returns:
        `RidgeHead`; features @ kernel + bias are the values.

    Example:
        head = solve_ridge(features, (ages - ages.mean()) / ages.std())
    """
    targets = np.asarray(targets, np.float64)
    # One thread: see `multiclass.linear_probe`.
    with threadpool_limits(limits=1, user_api="blas"):
        scaled = ScaledFeatures.of(features.astype(np.float64), "one")
        strength = cross_validate(
            scaled.rows, targets, cut_folds(targets, views, groups)
        )
        coefficients, intercept = ridge(scaled.rows, targets, [strength])
        kernel, bias = scaled.back(coefficients[0].T, intercept)
    return RidgeHead(
        kernel.astype(np.float32), bias.astype(np.float32), strength
    )


def cut_folds(
    targets: np.ndarray, views: int, groups: Sequence[str] | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows to fit, rows to judge) pairs; no example or group is in both.

    Args:
        targets: (n * views, columns), of rows.
        views: so many rows in a row are of one example.
        groups: n, what each example belongs to; None where nothing is known.

    Returns:
        Up to `FOLDS` pairs; [] where there are too few to judge by.
    """
    of_example = targets[::views]
    known = len(of_example) if groups is None else len(set(groups))
    parts = min(FOLDS, known)
    if parts < 2:
        return []
    if groups is None:
        part = cut_by_quantiles(of_example, [1 / parts] * parts)
    else:
        part = np.zeros(len(of_example), int)
        pairs = GroupKFold(parts).split(of_example, groups=groups)
        for number, (_, judged) in enumerate(pairs):
            part[judged] = number
    part = np.repeat(part, views)
    return [
        (np.flatnonzero(part != number), np.flatnonzero(part == number))
        for number in range(parts)
        if (part == number).any() and (part != number).any()
    ]


def cross_validate(
    rows: np.ndarray,
    targets: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
) -> float:
    """The strength of least square error out of fold.

    Args:
        rows: scaled features (n, r).
        targets: float64 (n, columns).
        folds: of `cut_folds`; without any a middling strength is taken.

    Returns:
        One of `STRENGTHS`.
    """
    if not folds:
        return STRENGTH_WITHOUT_FOLDS
    errors = np.zeros(len(STRENGTHS))
    for fitted, judged in folds:
        coefficients, intercept = ridge(
            rows[fitted], targets[fitted], STRENGTHS
        )
        # The intercept is of features whose mean is not quite 0 here.
        found = rows[judged] @ coefficients + intercept[:, None]
        errors += ((found - targets[judged]) ** 2).sum(axis=(1, 2))
    # Of equals the strongest penalty.
    best = np.flatnonzero(errors <= errors.min() * (1 + 1e-9)).max()
    return STRENGTHS[best]


def ridge(
    rows: np.ndarray, targets: np.ndarray, strengths: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Solutions of all strengths by one decomposition.

    Args:
        rows: float64 (n, r).
        targets: float64 (n, columns).
        strengths: shares of the mean square of a row.

    Returns:
        (coefficients (strengths, r, columns), intercepts (strengths,
        columns); of a single strength its intercept alone, (columns,)).
    """
    middle, mean = rows.mean(axis=0), targets.mean(axis=0)
    left, singular, right = np.linalg.svd(rows - middle, full_matrices=False)
    alive = singular > DEAD * singular.max(initial=0.0)
    left, singular, right = left[:, alive], singular[alive], right[alive]
    turned = left.T @ (targets - mean)
    penalty = np.asarray(strengths)[:, None] * max(
        (singular**2).sum() / max(1, len(singular)), np.finfo(float).tiny
    )
    shrunk = singular / (singular**2 + penalty)
    coefficients = np.einsum("rd,sr,rc->sdc", right, shrunk, turned)
    intercept = mean - middle @ coefficients
    return coefficients, intercept if len(strengths) > 1 else intercept[0]
