"""Two runs asked the same examples: which errs less, and how sure.

    found = compare_rows(rows_of_one, rows_of_other, ["age"])
    found["verdict"]                     # better, worse, cannot tell

In: rows of predictions.csv. Out: plain numbers, ready for JSON.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats

from tl_keras.tasks.bootstrap import CONFIDENCE, paired, resampled


def compare_rows(
    first: Sequence[Mapping[str, str]],
    second: Sequence[Mapping[str, str]],
    names: Sequence[str],
) -> dict:
    """Are the second's absolute errors smaller on the same examples?

    Wilcoxon's signed-rank test says whether, a paired bootstrap how much; of
    several columns an example's error is the mean.

    Args:
        first, second: rows of the same examples in the same order, with
            columns `true:<name>` and `predicted:<name>` of each of `names`.
        names: of the columns.

    Returns:
        As `bootstrap.paired` of the mean absolute error, with Wilcoxon's
        `p_value`, which a verdict needs too; and `test`, what it is called.

    Reference: Wilcoxon, "Individual comparisons by ranking methods", 1945.
    """
    change = _errors(second, names) - _errors(first, names)
    draws = np.concatenate(
        [counts @ change / len(change) for counts in resampled(len(change))]
    )
    found = paired(float(change.mean()), draws, more_is_better=False)
    # Of numbers that are all the same it has nothing to rank.
    p_value = 1.0
    if change.any():
        p_value = float(scipy.stats.wilcoxon(change).pvalue)
    sure = p_value < 1 - CONFIDENCE
    return {
        **found,
        "p_value": p_value,
        "verdict": found["verdict"] if sure else "cannot tell",
        "test": "Wilcoxon's signed-rank test",
    }


def _errors(rows: Sequence[Mapping[str, str]], names) -> np.ndarray:
    """Absolute error of each example, a mean over columns."""
    return np.array(
        [
            [abs(float(row[f"predicted:{n}"]) - float(row[f"true:{n}"]))
             for n in names]
            for row in rows
        ]
    ).mean(axis=1)  # fmt: skip
