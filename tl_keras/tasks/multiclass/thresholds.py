"""What else validation chooses of a classifier: sets of classes, refusals.

    found = with_sets(found, likely, labels, coverage=0.9)
    found = with_least(found, likely, share=0.05)

In: a `Calibration` whose task is of one class of several, and the
probabilities of what validates. Out: the same with a task that knows more.
"""

import dataclasses

import numpy as np

from tl_keras.tasks import conformal
from tl_keras.tasks.multiclass.rejecting import reject_below
from tl_keras.tasks.values import Calibration


def with_sets(
    found: Calibration, likely: np.ndarray, labels: np.ndarray, coverage: float
) -> Calibration:
    """From where on a class is in the set.

    Args:
        found: so far.
        likely: probabilities (n, num_classes), after temperature.
        labels: int (n,).
        coverage: share of examples whose class the set shall hold; 0 for no
            sets yet, whose floors are kept all the same.

    Returns:
        The same, its task with `floors` and perhaps a `floor`.
    """
    floors = conformal.floors(likely, labels)
    task = dataclasses.replace(found.task, floors=floors)
    if not coverage:
        return found._replace(task=task)
    floor = conformal.set_floor(likely, labels, coverage)
    numbers = {
        "coverage": coverage, "floor": floor, "examples": len(labels),
    }  # fmt: skip
    return found._replace(
        task=dataclasses.replace(task, floor=floor),
        words=f"{found.words}, sets of classes from {floor:.3g} on",
        numbers={**found.numbers, "conformal": numbers},
    )


def with_least(
    found: Calibration, likely: np.ndarray, share: float
) -> Calibration:
    """Below what no class is said.

    Args:
        found: so far.
        likely: probabilities (n, num_classes), after temperature.
        share: of them that may be refused.

    Returns:
        The same, its task with a `least`.
    """
    least = reject_below(likely, share)
    numbers = {"share": share, "least": least, "examples": len(likely)}
    return found._replace(
        task=dataclasses.replace(found.task, least=least),
        words=f"{found.words}, no class below {least:.3g}",
        numbers={**found.numbers, "reject": numbers},
    )
