"""Statistics of a run's page: thresholds, confused pairs.

    rows = thresholds(probabilities, predicted, labels)

In: counts and arrays. Out: plain numbers, ready for metrics.json.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras.tasks.multiclass.evaluation import wilson_interval

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def thresholds(
    probabilities: np.ndarray, predicted: np.ndarray, labels: np.ndarray
) -> list[dict]:
    """What comes of answering only above a probability.

    Args:
        probabilities: of the predicted class, 0 to 1, (n,).
        predicted: int (n,).
        labels: int (n,), the true classes.

    Returns:
        One row a threshold: answered, coverage, and accuracy with its
        interval among those answered (None where there are none).
    """
    rows = []
    for threshold in THRESHOLDS:
        answered = probabilities >= threshold
        count = int(answered.sum())
        right = int((predicted == labels)[answered].sum())
        rows.append(
            {
                "threshold": threshold,
                "answered": count,
                "coverage": count / len(labels),
                "accuracy": right / count if count else None,
                "interval": wilson_interval(right, count) if count else None,
            }
        )
    return rows


def confusion_cells(
    labels: np.ndarray, predicted: np.ndarray
) -> list[list[int]]:
    """The cells of the confusion matrix that are not 0.

    A thousand classes have a million cells, and few of them are filled.

    Returns:
        [true class, predicted class, count], in the order of the classes.
    """
    pairs = np.stack([labels, predicted], axis=1)
    cells, counts = np.unique(pairs, axis=0, return_counts=True)
    return [
        [int(t), int(p), int(c)]
        for (t, p), c in zip(cells, counts, strict=True)
    ]


def confused_pairs(
    cells: Sequence[Sequence[int]], support: Mapping[int, int]
) -> list[dict]:
    """True and predicted class of the mistakes, the most frequent first.

    Args:
        cells: of `confusion_cells`.
        support: pictures of each true class.
    """
    wrong = [cell for cell in cells if cell[0] != cell[1]]
    wrong.sort(key=lambda c: (-c[2], -c[2] / support[c[0]], c[0], c[1]))
    return [
        {"true": t, "predicted": p, "count": n, "of": support[t]}
        for t, p, n in wrong
    ]


def has_curves(history: Sequence[Mapping]) -> bool:
    """Whether there is more than one epoch: a dot is no curve."""
    return len(history) > 1
