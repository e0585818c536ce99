"""Statistics of a run: paired comparison, thresholds, confused pairs.

    compared = paired_comparison(counts)        # better, worse, cannot tell
    rows = thresholds(probabilities, predicted, labels)

In: counts and arrays. Out: plain numbers and words, ready for metrics.json.
Everything drawn at random has a fixed seed, so the same run gives the same
numbers.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats

from tl_keras.tasks.multiclass.evaluation import CONFIDENCE, wilson_interval

DRAWS = 10_000  # of the bootstrap
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def paired_counts(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray
) -> dict[str, int]:
    """How two classifiers did on the same pictures, as four counts.

    The test and the bootstrap need no more than these, so they are what a run
    keeps, in the place of a row a picture.

    Args:
        labels, first, second: true and predicted labels, int (n,).

    Returns:
        `both_right`, `first_only`, `second_only` and `both_wrong`; their sum is
        n.
    """
    one, two = first == labels, second == labels
    return {
        "both_right": int((one & two).sum()),
        "first_only": int((one & ~two).sum()),
        "second_only": int((~one & two).sum()),
        "both_wrong": int((~one & ~two).sum()),
    }


def paired_comparison(counts: Mapping[str, int]) -> dict:
    """Is the second better than the first on the same pictures?

    McNemar's test, exact: a fair coin on the pictures that one alone has
    right. The interval of the difference in accuracy is a bootstrap over
    pictures, which is a multinomial draw of the four counts.

    Args:
        counts: of `paired_counts`.

    Returns:
        difference (second - first), interval, p_value, and verdict: "better",
        "worse" or "cannot tell".

    Reference: McNemar, "Note on the sampling error of the difference between
    correlated proportions or percentages", 1947.
    """
    cells = np.array(
        [
            counts[name]
            for name in (
                "both_right",
                "first_only",
                "second_only",
                "both_wrong",
            )
        ]
    )
    total = cells.sum()
    lost, won = int(cells[1]), int(cells[2])
    p_value = 1.0
    if lost + won:
        p_value = float(scipy.stats.binomtest(won, lost + won).pvalue)
    random = np.random.default_rng(0)
    draws = random.multinomial(total, cells / total, DRAWS)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(
        (draws[:, 2] - draws[:, 1]) / total, [tail, 1 - tail]
    )
    sure = p_value < 1 - CONFIDENCE and (low > 0 or high < 0)
    return {
        "difference": (won - lost) / int(total),
        "interval": [float(low), float(high)],
        "p_value": p_value,
        "verdict": ("better" if won > lost else "worse")
        if sure
        else "cannot tell",
    }


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
