"""Where a candidate stands: the best share of the way, and what it costs.

    standing = stand(task, monitor, outputs, targets)
    standing.share, standing.costs.mean()

In: outputs of folds for examples that they did not learn. Out: at which share
of the way from the solved head to the tuned weights they are best.
"""

import math
from typing import NamedTuple

import numpy as np

from tl_keras.tasks.task import Task
from tl_keras.training.interpolation import SHARES, paired_gain


class Standing(NamedTuple):
    """The best point of a candidate's line, by the folds so far.

    Attributes:
        share: of the tuned weights, 0 to 1.
        outputs: (n, outputs) there.
        costs: (n,) there, as of `Task.costs`.
        gain: against share 0, see `paired_gain`.
    """

    share: float
    outputs: np.ndarray
    costs: np.ndarray
    gain: dict[str, float]

    @property
    def cost(self) -> float:
        """The mean; a number, as the head's outputs are."""
        return float(self.costs.mean())


def stand(
    task: Task, monitor: str, outputs: np.ndarray, targets: np.ndarray
) -> Standing:
    """The share of least cost; of equals the nearest to the start.

    Args:
        task: what is predicted.
        monitor: one of its `monitors`.
        outputs: (shares, n, outputs), in the order of `SHARES`.
        targets: (n, ...).

    Returns:
        Its `Standing`.
    """
    costs = [task.costs(monitor, of_share, targets) for of_share in outputs]
    means = [each.mean() for each in costs]
    best = int(np.argmin([m if math.isfinite(m) else np.inf for m in means]))
    return Standing(
        SHARES[best],
        outputs[best],
        costs[best],
        paired_gain(costs[0], costs[best]),
    )
