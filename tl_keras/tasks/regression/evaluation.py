"""A whole split of numbers -> metrics, with intervals by bootstrap.

    found = count(values, targets, ["age"])
    found.metrics["mae"], found.metrics["per_target"]["age"]["r2"]

In: values and targets (n, columns), in the columns' units. Out: a
`ValueEvaluation`. Of several columns the numbers told first are means over
them, as scikit-learn takes them; each column has its own beside them.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tl_keras.summaries import Summarized, with_interval
from tl_keras.tasks.bootstrap import interval, resampled

# Told of each column and as means over them.
NUMBERS = ("mae", "rmse", "r2", "median_error")


@dataclasses.dataclass(frozen=True, repr=False)
class ValueEvaluation(Summarized):
    """What a model did on a split; row i is example i.

    Attributes:
        answers: predicted values, float64 (n, columns).
        targets: true ones, float64 (n, columns).
        draws: MAE of each draw of the bootstrap, a mean over columns.
        metrics: examples, loss (mean square error); mae, rmse, r2 and
            median_error, each with `_interval`; and per_target: the same by
            the column's name, with `bias`, the mean of predicted - true.
    """

    answers: np.ndarray
    targets: np.ndarray
    draws: np.ndarray
    metrics: dict

    def summary(self) -> str:
        """Mean absolute error, and R2, with their intervals."""
        numbers = [
            f"{n} {with_interval(self.metrics, n)}" for n in ("mae", "r2")
        ]
        return f"{self.metrics['examples']:,} examples, {', '.join(numbers)}"


def count(
    values: np.ndarray, targets: np.ndarray, names: Sequence[str]
) -> ValueEvaluation:
    """Metrics of predicted values against true ones.

    Args:
        values: (n, columns), n of 1 or more.
        targets: (n, columns), finite.
        names: of the columns.

    Returns:
        `ValueEvaluation`. `r2` is 0 where all targets are alike.

    Raises:
        ValueError: shapes that do not match, or NaN.
    """
    found = np.asarray(values, np.float64)
    truth = np.asarray(targets, np.float64)
    expected = (len(truth), len(names))
    if found.shape != expected or truth.shape != expected:
        raise ValueError(
            f"expected answers and targets of shape {expected}, received "
            f"{found.shape} and {truth.shape}"
        )
    if np.isnan(found).any():
        raise ValueError("the model's outputs hold NaN")
    once = _numbers(found, truth, np.ones((1, len(truth))))
    parts = [_numbers(found, truth, c) for c in resampled(len(truth))]
    drawn = {n: np.concatenate([p[n] for p in parts]) for n in NUMBERS}
    metrics = {
        "examples": len(truth),
        "loss": float(((found - truth) ** 2).mean()),
    }
    for name in NUMBERS:
        metrics[name] = float(once[name].mean())
        metrics[f"{name}_interval"] = interval(drawn[name].mean(axis=1))
    metrics["per_target"] = {
        column: {
            key: value
            for name in NUMBERS
            for key, value in (
                (name, float(once[name][0, i])),
                (f"{name}_interval", interval(drawn[name][:, i])),
            )
        }
        | {"bias": float((found - truth)[:, i].mean())}
        for i, column in enumerate(names)
    }
    return ValueEvaluation(found, truth, drawn["mae"].mean(axis=1), metrics)


def _numbers(found, truth, counts) -> dict[str, np.ndarray]:
    """Each of `NUMBERS`, (draws, columns), in each of several draws.

    Args:
        found, truth: (n, columns).
        counts: (draws, n), how often each example is drawn.
    """
    total = counts.sum(axis=1, keepdims=True)
    errors = np.abs(found - truth)
    squares = counts @ errors**2
    mean = counts @ truth / total
    # Of numbers far from 0 the usual formula has no digits left.
    about = truth.mean(axis=0)
    shifted = truth - about
    spread = counts @ shifted**2 - total * (mean - about) ** 2
    told = spread > 1e-12 * np.maximum(1e-300, counts @ shifted**2)
    r2 = np.where(told, 1 - squares / np.where(told, spread, 1), 0.0)
    return {
        "mae": counts @ errors / total,
        "rmse": np.sqrt(squares / total),
        "r2": r2,
        "median_error": _medians(errors, counts),
    }


def _medians(errors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The median of each column in each draw, (draws, columns)."""
    found = np.empty((len(counts), errors.shape[1]))
    for column in range(errors.shape[1]):
        order = np.argsort(errors[:, column], kind="stable")
        so_far = np.cumsum(counts[:, order], axis=1)
        half = so_far[:, -1:] / 2
        # Both in the middle where there is an even number.
        low = (so_far < half).sum(axis=1)
        high = (so_far <= half).sum(axis=1)
        ranked = errors[order, column]
        found[:, column] = (ranked[low] + ranked[high]) / 2
    return found
