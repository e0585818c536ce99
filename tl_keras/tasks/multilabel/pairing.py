"""Two runs asked the same examples: which ranks labels better, and how sure.

    found = compare_rows(rows_of_one, rows_of_other, ["cat", "dog"])
    found["verdict"]                     # better, worse, cannot tell

In: rows of predictions.csv. Out: plain numbers, ready for JSON.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras.tasks.bootstrap import paired, resampled
from tl_keras.tasks.multilabel.evaluation import (
    average_precisions,
    mean_over_labels,
)


def compare_rows(
    first: Sequence[Mapping[str, str]],
    second: Sequence[Mapping[str, str]],
    names: Sequence[str],
) -> dict:
    """Is the second's mAP better, by a bootstrap of the same draws for both?

    Args:
        first, second: rows of the same examples in the same order, with
            `label` and a column `p:<label>` of each of `names`.
        names: of the labels.

    Returns:
        As `bootstrap.paired`, and `test`, what it is called.
    """
    truth = np.array([[n in row["label"].split("|") for n in names]
                      for row in first])  # fmt: skip
    likely = [
        np.array([[float(row[f"p:{name}"]) for name in names] for row in rows])
        for rows in (first, second)
    ]
    once = np.ones((1, len(truth)))
    whole = [_map(some, truth, once)[0] for some in likely]
    draws = np.concatenate(
        [
            _map(likely[1], truth, counts) - _map(likely[0], truth, counts)
            for counts in resampled(len(truth))
        ]
    )
    difference = float(whole[1] - whole[0])
    found = paired(difference, draws, more_is_better=True)
    return {**found, "test": "a paired bootstrap"}


def _map(likely, truth, counts) -> np.ndarray:
    """mAP of each draw."""
    return mean_over_labels(average_precisions(likely, truth, counts))
