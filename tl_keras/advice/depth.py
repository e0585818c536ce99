"""From where to unfreeze, as probes at each cut have it.

    depths = probe_depths(features, labels)     # by layer; "none" for the last
    layer = where_to_unfreeze(depths)

In: pooled activations before each stage of a network, and those that its head
is given. Out: what a probe makes of each, out of fold. Where what lies before a
stage tells the classes apart as well as what comes after it, the stage is of
no use to them as it was trained, and has most to learn.

Reference: Yosinski and others, "How transferable are features in deep neural
networks?", 2014; Alain and Bengio, "Understanding intermediate layers using
linear classifier probes", 2017.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tl_keras.tasks.multiclass.linear_probe import solve_probe

TINY = np.finfo(np.float32).tiny
LAST = "none"  # what `unfreeze_from` calls a network that stays frozen


class Depth(NamedTuple):
    """A probe on what lies before a layer.

    Attributes:
        unfreeze_from: that layer; `LAST` for the features of the head.
        loss, accuracy: out of fold.
    """

    unfreeze_from: str
    loss: float
    accuracy: float


def probe_depths(
    features: Mapping[str, np.ndarray],
    labels: np.ndarray,
    groups: Sequence[str] | None = None,
) -> list[Depth]:
    """Probes of each depth, in the order given.

    Args:
        features: layer -> float32 (n, d) of what lies before it; one is
            called `LAST`.
        labels: int (n,).
        groups: what each example belongs to; not torn apart.

    Returns:
        One a layer; none where there are too few labels for folds.
    """
    found = []
    for layer, rows in features.items():
        likely = solve_probe(rows, labels, groups=groups).out_of_fold
        if likely is None:
            return []
        own = likely[np.arange(len(labels)), labels]
        found.append(
            Depth(
                layer,
                float(-np.log(np.maximum(own, TINY)).mean()),
                float((likely.argmax(axis=-1) == labels).mean()),
            )
        )
    return found


def where_to_unfreeze(depths: Sequence[Depth]) -> Depth | None:
    """The first layer before which all is known that the head is given.

    Args:
        depths: of `probe_depths`, from the input on; the last is `LAST`.

    Returns:
        None where each stage adds something.
    """
    last = depths[-1].loss
    return next((one for one in depths[:-1] if one.loss <= last), None)
