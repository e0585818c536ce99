"""Answers of several labels an example beside those that are expected.

    differs = LabelDiffers(names, thresholds)
    difference = differs(
        {"probabilities": expected}, {"probabilities": received}
    )

In: probabilities, or the best few with their names. Out: a `Difference`.

Probabilities are compared as they are and by their logarithms: where a label
is unlikely, a fault in its logit hardly moves its probability. (Where it is
all but sure, float32 has no digits left to see one by.)
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tl_keras.tasks.difference import Answers, Difference, largest
from tl_keras.tasks.multiclass.differs import (
    answers_beside,
    differences,
    logarithms,
    moved,
    refuse_others,
)

NONE = "nothing"


@dataclasses.dataclass(frozen=True)
class LabelDiffers:
    """The `Differs` of a task of several labels an example.

    Attributes:
        names: of the labels.
        thresholds: (labels,), from where on each is given.
    """

    names: Sequence[str]
    thresholds: np.ndarray

    answer = "probabilities"
    unit = "a probability"

    def __call__(
        self,
        expected: Answers,
        received: Answers,
        labels: np.ndarray | None = None,
    ) -> Difference:
        """Compares.

        Args:
            expected: "probabilities", (n, labels).
            received: the same, and "labels", bytes (n, labels), that are
                given; or "classes" and "scores", best first; or all of them.
            labels: 0 and 1, (n, labels).

        Raises:
            ValueError: answers of another shape, or another label.
        """
        want = expected["probabilities"]
        pairs = answers_beside(want, received, self.names)
        found = received.get("probabilities", want)
        said, says = want >= self.thresholds, found >= self.thresholds
        if "labels" in received:
            refuse_others("labels", received["labels"], says, self.names)
        other = said != says

        def ties(movement: float) -> np.ndarray:
            away = np.abs(logarithms(want) - logarithms(self.thresholds))
            near = away <= 2 * movement
            return other.any(axis=1) & (near | ~other).all(axis=1)

        return Difference(
            np.max([differences(*pair) for pair in pairs], axis=0),
            np.max([largest(*pair) for pair in pairs], axis=0),
            np.max([moved(*pair) for pair in pairs], axis=0),
            other.any(axis=1),
            lambda row: (self._words(said[row]), self._words(says[row])),
            ties,
            None
            if labels is None
            else tuple((x == labels.astype(bool)).all(1) for x in (said, says)),
        )

    def _words(self, given: np.ndarray) -> str:
        names = [n for n, one in zip(self.names, given, strict=True) if one]
        return "|".join(names) or NONE
