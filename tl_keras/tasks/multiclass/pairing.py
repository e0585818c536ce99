"""Two classifiers asked the same examples: which is better, and how sure.

    counts = paired_counts(labels, first, second)
    paired_comparison(counts)["verdict"]        # better, worse, cannot tell

In: predicted classes. Out: plain numbers and words, ready for metrics.json.
Everything drawn at random has a fixed seed, so the same run gives the same
numbers.
"""

from collections.abc import Mapping

import numpy as np
import scipy.stats

from tl_keras.tasks.multiclass.evaluation import CONFIDENCE

DRAWS = 10_000  # of the bootstrap


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
    pictures, which is a multinomial draw of the four counts; where the test's
    own (Clopper and Pearson, of the coin) reaches further, as it does for a
    handful of pictures, it reaches as far, so that interval and test agree.

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
    random = np.random.default_rng(0)
    draws = random.multinomial(total, cells / total, DRAWS)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(
        (draws[:, 2] - draws[:, 1]) / total, [tail, 1 - tail]
    )
    p_value = 1.0
    if lost + won:
        coin = scipy.stats.binomtest(won, lost + won)
        p_value = float(coin.pvalue)
        ends = coin.proportion_ci(CONFIDENCE)
        low, high = (
            pick(end, (2 * share - 1) * (lost + won) / total)
            for pick, end, share in zip(
                (min, max), (low, high), ends, strict=True
            )
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
