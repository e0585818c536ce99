"""Between where a fine-tune began and where it went.

    found = interpolate(variables, start, tuned, judge)
    found.share, found.values
    result = interpolate_result(result, model.variables, before, judge)

In: the weights that a phase began with, those that it made of them, and what
judges a model on validation. Out: the best of a few points on the line between
them. Share 0 is the start: where nothing on the line is better, the frozen
head wins.

Reference: Wortsman and others, "Robust fine-tuning of zero-shot models"
(WiSE-FT), 2022.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import scipy.stats

from tl_keras import log
from tl_keras.training.results import PhaseResult

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# Fewer examples choose nothing: at 5 labels a class of cats_vs_dogs three
# fine-tunes of three looked better than the frozen head on what was left to
# validate, and took the mean test accuracy from 0.910 to 0.883.
FEWEST_TO_JUDGE = 20


@dataclasses.dataclass(frozen=True)
class Interpolation:
    """The best point on the line.

    Attributes:
        share: of the tuned weights, 0 to 1.
        values: arrays, in the order of the variables.
        logs: of validation there.
        gain: of the costs against share 0: `better_by`, the mean over the
            examples, and `p_value` of its paired test; see `paired_gain`.
    """

    share: float
    values: list[np.ndarray]
    logs: dict[str, float]
    gain: dict[str, float]


def interpolate(
    variables: Sequence[keras.Variable],
    start: Sequence[np.ndarray],
    tuned: Sequence[np.ndarray],
    judge: Callable[[], tuple[dict[str, float], np.ndarray]],
) -> Interpolation:
    """Tries each of `SHARES`; of equals, the nearest to the start is best.

    Where fewer than `FEWEST_TO_JUDGE` examples judge, the start is.

    Args:
        variables: those that may have moved; they are assigned, and hold
            the last share tried in the end.
        start, tuned: values of them; what did not train is alike in both.
        judge: gives validation's logs and the costs (n,) of its examples
            with what the variables hold.

    Returns:
        The best share, its weights and logs, and what it gained.
    """
    best, least, at_start = None, math.inf, None
    for share in SHARES:
        values = [
            between(*both, share) for both in zip(start, tuned, strict=True)
        ]
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        logs, costs = judge()
        at_start = costs if at_start is None else at_start
        # Costs that are not finite are never less.
        if best is None or costs.mean() < least:
            least = costs.mean() if math.isfinite(costs.mean()) else math.inf
            gain = paired_gain(at_start, costs)
            best = Interpolation(share, values, logs, gain)
        if len(costs) < FEWEST_TO_JUDGE:
            break
    return best


def interpolate_result(
    result: PhaseResult,
    variables: Sequence[keras.Variable],
    before: Sequence[np.ndarray],
    judge: Callable[[], tuple[dict[str, float], np.ndarray]],
) -> PhaseResult:
    """A phase's result at the best point of its line; says where.

    Args:
        result: of its best epoch.
        variables: of the whole model.
        before: what they held when the phase began.
        judge: of `interpolate`.

    Returns:
        The result with those weights, what validation says of them, `share`
        and `gain`.
    """
    best = list(result.best_variables)
    # What lies before the cut is the same array in both.
    moved = [i for i, value in enumerate(best) if value is not before[i]]
    found = interpolate(
        [variables[i] for i in moved],
        [before[i] for i in moved],
        [best[i] for i in moved],
        judge,
    )
    for place, value in zip(moved, found.values, strict=True):
        best[place] = value
    said = "nothing on the way is better than where it began"
    if found.share:
        said = (
            f"{found.share:.0%} of the way to epoch {result.best_epoch} is "
            f"best, by {found.gain['better_by']:.4f} (p = "
            f"{found.gain['p_value']:.3f})"
        )
    log.info(f"phase {result.phase.name}: on validation {said}")
    return dataclasses.replace(
        result,
        best_variables=best,
        best_logs=result.best_logs | found.logs,
        share=found.share,
        gain=found.gain,
    )


def between(start: np.ndarray, tuned: np.ndarray, share: float) -> np.ndarray:
    """Weights on the line between two.

    Args:
        start, tuned: of one shape and dtype. What is no floating-point number
            (states of seeds) is taken from an end, not mixed.
        share: of the way, from 0 (`start`) to 1 (`tuned`).

    Returns:
        Of the same shape and dtype; mixed in float32.
    """
    if share in (0.0, 1.0) or not keras.backend.is_float_dtype(
        keras.backend.standardize_dtype(start.dtype)
    ):
        return tuned if share > 0 else start
    wide = start.astype(np.float32)
    moved = wide + np.float32(share) * (tuned.astype(np.float32) - wide)
    return moved.astype(start.dtype)


def paired_gain(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """How much less the same examples cost afterwards, and how sure that is.

    Returns:
        `better_by`, the mean difference, and `p_value`, two-sided, of a
        paired t-test; 1 where nothing differs. The examples chose what is
        tested, so that the truth is somewhat less sure.
    """
    differences = before - after
    p_value = 1.0
    if len(differences) > 1 and np.ptp(differences) > 0:
        p_value = float(scipy.stats.ttest_1samp(differences, 0).pvalue)
    return {"better_by": float(differences.mean()), "p_value": p_value}
