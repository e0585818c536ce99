"""What rounding on a device does to answers: measured, told, no fault.

    rounding = rounding_of(split, movement)
    rounding.numbers()                # for metrics.json
    nats = movement_of(graph, folder, pictures, answers)
    near_ties(probabilities, nats)    # classes that rounding could put first

In: answers of an evaluation and of its export, or of an older version. Out: how
far they are from each other or from exact ones, and what that decides.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.exports.comparison import largest, logarithms
from tl_keras.exports.fresh_process import ask_exactly, computes_exactly

MOST_NAMED = 20  # pictures, in metrics.json


@dataclasses.dataclass(frozen=True)
class Rounding:
    """How far answers move on a device, in a precision.

    Attributes:
        difference: the largest one of a probability between the evaluation
            in this process and the export's answers on the same device.
        mean_difference: over pictures, of each one's largest.
        movement: of the model itself: the largest difference, in nats, of a
            probability's logarithm between its answers here and exact ones.
        changed: (id, class in the evaluation, class in the export) of the
            pictures whose predicted class is another.
    """

    difference: float
    mean_difference: float
    movement: float
    changed: tuple[tuple[str, str, str], ...]

    def numbers(self) -> dict:
        """As metrics.json holds them."""
        keys = ("id", "evaluation", "export")
        return {
            "largest_difference": self.difference,
            "mean_difference": self.mean_difference,
            "movement": self.movement,
            "changed": len(self.changed),
            "changed_pictures": [
                dict(zip(keys, row, strict=True))
                for row in self.changed[:MOST_NAMED]
            ],
        }


def rounding_of(split, movement) -> Rounding:
    """What came of a split that passed.

    Args:
        split: with `evaluated`, `found` and `names`.
        movement: the model's own.
    """
    want = split.evaluated.probabilities
    apart = largest(split.found, want)
    said, says = want.argmax(axis=-1), split.found.argmax(axis=-1)
    names, ids = split.names, split.evaluated.ids
    return Rounding(
        float(apart.max()),
        float(apart.mean()),
        movement.nats,
        tuple(
            (ids[row], names[said[row]], names[says[row]])
            for row in np.flatnonzero(said != says)
        ),
    )


def near_ties(probabilities: np.ndarray, nats: float) -> np.ndarray:
    """Which classes rounding could put first.

    Args:
        probabilities: (n, num_classes).
        nats: how far a logarithm of one moves, to either side.

    Returns:
        bool (n, num_classes); the class that is first, and each that is
        behind it by no more than the two together may move. None in a row of
        zeros, which stands for a picture that was not read.
    """
    logs = logarithms(probabilities)
    near = logs >= logs.max(axis=-1, keepdims=True) - 2 * nats
    return near & probabilities.any(axis=-1, keepdims=True)


def movement_of(
    graph: meta_graph_pb2.MetaGraphDef,
    folder: pathlib.Path,
    pictures: Sequence[bytes],
    answers: np.ndarray,
) -> float:
    """How far rounding moves the answers of a published version here.

    Args:
        graph: of the version, as it was checked.
        folder: of the version.
        pictures: encoded, a few.
        answers: its probabilities of them on this device, (n, num_classes).

    Returns:
        The largest difference of a probability's logarithm from the exact
        one, in nats; 0.0 where answers here are exact: float32 on a CPU.

    Raises:
        NotPublishedError: it cannot be loaded and run on the CPU.
    """
    if computes_exactly(graph) or not len(pictures):
        return 0.0
    exact = ask_exactly(graph, folder, list(pictures))
    # Zeros stand for what was not read.
    read = exact.any(axis=-1) & answers.any(axis=-1)
    if not read.any():
        return 0.0
    logs = (logarithms(rows[read]) for rows in (answers, exact))
    return float(largest(*logs).max())
