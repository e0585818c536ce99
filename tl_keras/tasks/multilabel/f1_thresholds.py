"""Probabilities and targets of validation -> from where on a label is given.

    thresholds = best_thresholds(val_probabilities, val_targets)

In: probabilities (n, labels). Out: for each label the threshold of the highest
F1. 0.5 is best only where right and wrong cost alike and a label is not rare.
"""

import numpy as np

USUAL = 0.5


def best_thresholds(
    probabilities: np.ndarray, targets: np.ndarray
) -> np.ndarray:
    """The threshold of the highest F1, one a label.

    Args:
        probabilities: (n, labels), of examples that nothing was trained on.
        targets: (n, labels) of 0 and 1.

    Returns:
        float32 (labels,), between two probabilities that occur, so that
        rounding moves none of them across; of equals the one nearest to 0.5,
        which is also that of a label that is never or always there.

    Example:
        given = probabilities >= best_thresholds(val_probabilities, val_targets)
    """
    columns = zip(probabilities.T, targets.T, strict=True)
    return np.array([_best(*column) for column in columns], np.float32)


def _best(likely: np.ndarray, truth: np.ndarray) -> float:
    positives = truth.sum()
    if not 0 < positives < len(truth):
        return USUAL
    order = np.argsort(-likely, kind="stable")
    ranked, hits = likely[order].astype(np.float64), np.cumsum(truth[order])
    given = np.arange(1, len(truth) + 1)
    f1 = 2 * hits / (given + positives)
    # A cut between two alike is none.
    cuts = np.flatnonzero(np.diff(ranked, append=-1.0) < 0)
    below = np.append(ranked[1:], 0.0)
    middle = (ranked[cuts] + below[cuts]) / 2
    best = f1[cuts] > f1[cuts].max() - 1e-12
    at_usual = (
        2 * truth[likely >= USUAL].sum() / ((likely >= USUAL).sum() + positives)
    )
    if at_usual > f1[cuts].max() - 1e-12:
        return USUAL
    middle = middle[best]
    return float(middle[np.abs(middle - USUAL).argmin()])
