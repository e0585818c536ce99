"""Predicted and true numbers -> what they are good for, and what to do next.

    verdict(truth, values, metrics["test"], ["age"], baseline)
    to_do(truth, values, ["age"], "pictures")

In: numbers of the test split. Out: sentences for a page, each of which rests on
a number of the run.
"""

from collections.abc import Mapping, Sequence

import numpy as np

MOST = 0.9  # of the answers
SURE = 1.96  # standard errors, of a mean that is surely not 0
FEWEST = 20  # examples of a quarter, for a mean that says something


def verdict(
    truth: np.ndarray,
    values: np.ndarray,
    test: Mapping,
    names: Sequence[str],
    baseline: np.ndarray,
) -> list[str]:
    """What the answers are good for, column by column.

    Args:
        truth, values: (n, columns), in the columns' units.
        test: numbers of the test split, as in metrics.json.
        names: of the columns.
        baseline: (columns,), mean absolute error of always the median of
            training; NaN where nobody knows it.

    Returns:
        Sentences.
    """
    return [
        line
        for place, name in enumerate(names)
        for line in _of_column(
            np.abs(values - truth)[:, place],
            test["per_target"][name],
            f" of {name}" * (len(names) > 1),
            float(baseline[place]),
        )
    ]


def _of_column(
    errors: np.ndarray, test: Mapping, of: str, baseline: float
) -> list[str]:
    if test["mae_interval"][1] >= baseline:
        its = f"its answers{of} are" if of else "it is"
        return [
            f"Of no use yet: {its} not clearly better than always answering "
            "the median of training."
        ]
    half, most = np.quantile(errors, [0.5, MOST])
    lines = [
        f"Half of its answers{of} are off by less than {half:.3g}, nine in ten "
        f"by less than {most:.3g}: good enough where that does not matter."
    ]
    if np.isfinite(baseline):
        share = 100 * test["mae"] / baseline
        lines.append(
            f"Their mean error is {share:.0f} % of that of always answering "
            "the median."
        )
    return lines


def to_do(
    truth: np.ndarray, values: np.ndarray, names: Sequence[str], many: str
) -> list[str]:
    """Where the answers are surely too high or too low, and what helps.

    Args:
        truth, values: (n, columns), in the columns' units.
        names: of the columns.
        many: what examples are called.

    Returns:
        Sentences.
    """
    lines = []
    for place, name in enumerate(names):
        error = values[:, place] - truth[:, place]
        low, high = np.quantile(truth[:, place], [0.25, 0.75])
        ends = error[truth[:, place] <= low], error[truth[:, place] >= high]
        if _surely(ends[0]) > 0 > _surely(ends[1]):
            lines.append(
                f"It answers too near the middle of {name}: the lowest quarter "
                f"comes out {ends[0].mean():.3g} too high, the highest "
                f"{-ends[1].mean():.3g} too low. More {many} of both ends, or "
                "more layers that train (--unfreeze_from), help."
            )
        elif bias := _surely(error):
            lines.append(
                f"Its answers for {name} are {abs(bias):.3g} too "
                f"{'high' if bias > 0 else 'low'} on average: look whether "
                f"the test {many} are of the same kind as those it learnt from."
            )
    return lines


def _surely(errors: np.ndarray) -> float:
    """The mean of errors; 0 where it may be 0."""
    if len(errors) < FEWEST:
        return 0.0
    mean = errors.mean()
    spread = errors.std(ddof=1) / np.sqrt(len(errors))
    return float(mean) if abs(mean) > SURE * spread else 0.0
