"""The head solved exactly: one logistic regression a label, all at once.

    head = solve_labels(features, targets)
    logits = features @ head.kernel + head.bias

In: pooled features of training examples, and targets (n, labels) of 0 and 1.
Out: kernel and bias of the Dense layer. The features are centred and scaled as
for one class of several; the strength of the penalty is one for all labels,
chosen by the loss out of fold after one temperature. All labels are solved
together, since what costs time is to read the features.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.optimize
import scipy.special
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from tl_keras.tasks.multiclass.cross_validation import (
    CLEARLY_WORSE,
    FOLDS,
    LOG_TEMPERATURES,
    STRENGTH_WITHOUT_FOLDS,
    STRENGTHS,
    WORSE_IN_A_ROW,
)
from tl_keras.tasks.multiclass.feature_scaling import ScaledFeatures
from tl_keras.tasks.multilabel.label_sets import cut_by_label_sets

ROUGH = {"maxiter": 60, "ftol": 1e-6}  # the choice of a strength
EXACT = {"maxiter": 2000, "ftol": 1e-12, "gtol": 1e-7}


@dataclasses.dataclass(frozen=True)
class LabelHead:
    """A solved head.

    Attributes:
        kernel: float32 (features, labels).
        bias: float32 (labels,).
        strength: the C that cross-validation chose, in scikit-learn's sense.
        temperature: what the solution's logits were divided by.
        out_of_fold: float32 (examples, labels), how likely each label is by
            a solution that the example had no part in, the mean over its
            views; None where there was nothing to cross-validate on.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    temperature: float = 1.0
    out_of_fold: np.ndarray | None = None

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """float64 (n, labels) of features (n, d)."""
        return features.astype(np.float64) @ self.kernel + self.bias

    def how(self) -> str:
        """In words, how it was solved."""
        return f"C={self.strength:g}, one scale for all features"


def solve_labels(
    features: np.ndarray,
    targets: np.ndarray,
    *,
    positive_weights: Sequence[float] | None = None,
    views: int = 1,
    groups: Sequence[str] | None = None,
) -> LabelHead:
    """Fits the head to pooled features.

    Args:
        features: (n, d), of training examples only.
        targets: (n, labels) of 0 and 1. A label that is never or always there
            gets a bias alone, of its smoothed share.
        positive_weights: what a label that is there counts in the loss.
        views: so many rows in a row show one example; they stay together in
            the cross-validation.
        groups: what each example belongs to; not torn apart there either.

    Returns:
        `LabelHead`; features @ kernel + bias are the logits.

    Example:
        head = solve_labels(features, targets)
        probabilities = 1 / (1 + np.exp(-head.outputs(features)))
    """
    targets = np.asarray(targets, np.float64)
    weights = np.ones(targets.shape[1])
    if positive_weights is not None:
        weights = np.asarray(positive_weights, np.float64)
    # One thread: see `multiclass.linear_probe`.
    with threadpool_limits(limits=1, user_api="blas"):
        scaled = ScaledFeatures.of(features.astype(np.float64), "one")
        folds = cut_folds(targets, views, groups)
        strength, temperature, judged = cross_validate(
            scaled.rows, targets, weights, folds
        )
        solution = solve(scaled.rows, targets, weights, strength, EXACT)
        coefficients, intercept = solution
        kernel, bias = scaled.back(
            coefficients / temperature, intercept / temperature
        )
    return LabelHead(
        kernel.astype(np.float32),
        bias.astype(np.float32),
        strength,
        temperature,
        None if judged is None else _likely(judged, weights, views),
    )


def _likely(logits: np.ndarray, weights: np.ndarray, views: int) -> np.ndarray:
    """Logits of rows -> float32 (examples, labels).

    Weights of what is there multiply its odds, which is taken back: what is
    counted double is not more often there.
    """
    likely = scipy.special.expit(logits - np.log(weights))
    labels = logits.shape[1]
    return likely.reshape(-1, views, labels).mean(axis=1).astype(np.float32)


def cut_folds(
    targets: np.ndarray, views: int, groups: Sequence[str] | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(rows to fit, rows to judge) pairs; no example or group is in both.

    Args:
        targets: (n * views, labels), of rows.
        views: so many rows in a row are of one example.
        groups: n, what each example belongs to; None where nothing is known.

    Returns:
        Up to `FOLDS` pairs; [] where there are too few to judge by.
    """
    of_example = targets[::views]
    if groups is not None:
        parts = min(FOLDS, len(set(groups)))
        if parts < 2:
            return []
        pairs = GroupKFold(parts).split(of_example, groups=groups)
        part = np.zeros(len(of_example), int)
        for number, (_, judged) in enumerate(pairs):
            part[judged] = number
    else:
        parts = min(FOLDS, len(of_example))
        if parts < 2:
            return []
        part = cut_by_label_sets(of_example, [1 / parts] * parts)
    part = np.repeat(part, views)
    return [
        (np.flatnonzero(part != number), np.flatnonzero(part == number))
        for number in range(parts)
        if (part == number).any() and (part != number).any()
    ]


def cross_validate(
    rows: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[float, float, np.ndarray | None]:
    """The strength of least loss out of fold, after one temperature.

    From the strongest penalty on, each solution starts from the one before.

    Args:
        rows: scaled features (n, r).
        targets: float64 (n, labels).
        weights: of the labels that are there, (labels,).
        folds: of `cut_folds`; without any a middling strength is taken.

    Returns:
        (the strength, its temperature, logits of each row after it by the
        fold that does not hold the row; None without folds).
    """
    best: tuple = (STRENGTH_WITHOUT_FOLDS, 1.0, None)
    least, worse = np.inf, 0
    starts: list = [None] * len(folds)
    for strength in STRENGTHS if folds else ():
        logits = np.zeros(targets.shape)
        for number, (fitted, judged) in enumerate(folds):
            found = solve(
                rows[fitted], targets[fitted], weights, strength, ROUGH,
                starts[number],
            )  # fmt: skip
            starts[number] = found
            logits[judged] = rows[judged] @ found[0].T + found[1]
        loss, temperature = _tempered(logits, targets, weights)
        worse = worse + 1 if loss > CLEARLY_WORSE * least else 0
        if loss < least:
            least, best = loss, (strength, temperature, logits / temperature)
        if worse == WORSE_IN_A_ROW:
            break
    return best


def _tempered(
    logits: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """(least loss over all temperatures, the temperature).

    Each target is believed but for one in n + 2, as for one class of several.
    """
    doubt = 1 / (len(targets) + 2)
    truth = targets * (1 - 2 * doubt) + doubt

    def cost(log_temperature: float) -> float:
        z = logits / np.exp(log_temperature)
        return float(_losses(z, truth, weights).mean())

    found = scipy.optimize.minimize_scalar(
        cost, bounds=LOG_TEMPERATURES, method="bounded"
    )
    return float(found.fun), float(np.exp(found.x))


def _losses(z, targets, weights) -> np.ndarray:
    """Weighted cross-entropy of each cell, in nats."""
    there = weights * targets * np.logaddexp(0, -z)
    return there + (1 - targets) * np.logaddexp(0, z)


def solve(
    rows: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    strength: float,
    options: dict,
    start: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """All labels' logistic regressions at one strength, by L-BFGS.

    Args:
        rows: float64 (n, r), centred and scaled.
        targets: float64 (n, labels).
        weights: of the labels that are there.
        strength: inverse of the L2 penalty's, as scikit-learn's C.
        options: of SciPy's L-BFGS-B.
        start: a solution to start from.

    Returns:
        (coefficients (labels, r), intercept (labels,)).
    """
    share = (targets.sum(axis=0) + 0.5) / (len(targets) + 1)
    prior = scipy.special.logit(share)
    # Without both answers the bias would run away.
    told = (targets.min(axis=0) != targets.max(axis=0)).astype(np.float64)
    width, labels = rows.shape[1], targets.shape[1]
    first = np.zeros((width + 1, labels))
    first[-1] = prior
    if start is not None:
        first = np.concatenate([start[0].T, start[1][None]])
        first[:, told == 0] = 0
        first[-1] = np.where(told, first[-1], prior)

    def cost(flat: np.ndarray) -> tuple[float, np.ndarray]:
        solution = flat.reshape(first.shape)
        z = rows @ solution[:-1] + solution[-1]
        chance = scipy.special.expit(z)
        slope = (1 - targets) * chance - weights * targets * (1 - chance)
        slope *= strength * told
        gradient = np.concatenate([rows.T @ slope, slope.sum(axis=0)[None]])
        gradient[:-1] += solution[:-1]
        loss = strength * (told * _losses(z, targets, weights)).sum()
        return loss + (solution[:-1] ** 2).sum() / 2, gradient.ravel()

    found = scipy.optimize.minimize(
        cost, first.ravel(), jac=True, method="L-BFGS-B", options=options
    )
    solution = found.x.reshape(first.shape)
    return solution[:-1].T, solution[-1]
