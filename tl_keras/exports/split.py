"""A whole split: what an evaluation found, and what the export answers.

    split = Split(evaluated, found, class_names)
    split.furthest(limit)        # the rows to ask again, exactly
    split.refuse(movement)

In: probabilities of both. Out: where they are furthest apart, or
NotPublishedError where that is far beyond what rounding does to the model.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tl_keras.exports.comparison import differences, refusal
from tl_keras.exports.fresh_process import SESSION
from tl_keras.exports.movement import Movement

ASKED_AGAIN = 3  # pictures of the split, those that differ most


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """A split that was evaluated, and is asked again of the export.

    Attributes:
        ids: one a picture.
        read: number of a picture -> its encoded bytes.
        probabilities: what the evaluation found, (n, num_classes).
    """

    ids: Sequence[str]
    read: Callable[[int], bytes]
    probabilities: np.ndarray


class Split:
    """An evaluated split and what the export answers to it here.

    Args:
        evaluated: what the evaluation found.
        found: the export's probabilities, float32 (n, num_classes).
        names: of the classes.

    Attributes:
        differences: of each row, as `comparison.TOLERANCE` measures them.
        worst: the largest of them; infinite where an answer is no number.

    Raises:
        NotPublishedError: the shapes are not alike.
    """

    def __init__(
        self,
        evaluated: Evaluated,
        found: np.ndarray,
        names: Sequence[str],
    ):
        want = evaluated.probabilities
        if found.shape != want.shape:
            raise refusal(
                f"{SESSION} gives probabilities of shape {found.shape} for "
                f"the evaluated split, the evaluation {want.shape}"
            )
        self.evaluated = evaluated
        self.found = found
        self.names = names
        self.differences = differences(found, want)
        self.worst = float(self.differences.max())

    def furthest(self, limit: float) -> list[int]:
        """The rows that differ most, of those beyond a limit."""
        rows = np.argsort(-self.differences, kind="stable")[:ASKED_AGAIN]
        return [int(row) for row in rows if self.differences[row] > limit]

    def refuse(self, movement: Movement) -> None:
        """Raises if the worst is far beyond what rounding does."""
        row = int(self.differences.argmax())
        if self.worst > movement.far:
            want = self.evaluated.probabilities[row]
            raise refusal(
                f"serving_default differs from the evaluation by "
                f"{self.worst:.2g} "
                f"for {self.evaluated.ids[row]} "
                f"({self.names[want.argmax()]} in the evaluation, "
                f"{self.names[self.found[row].argmax()]} in the export), far "
                f"beyond the {movement.here:.2g} by which rounding moves the "
                f"model here; allowed is {movement.far:.2g}"
            )
