"""Two sets of answers to the same examples: how far apart, and what follows.

    difference = differs(expected, received)
    difference.rows.max(), difference.changed.sum()

In: nothing; here is what every task's `differs` gives, for whoever compares
answers without knowing what they say: the gate of exports, and what measures
how far a device rounds.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

# Output -> its array, the batch first.
Answers = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Difference:
    """How two sets of answers differ; row i is example i.

    Attributes:
        rows: float (n,), as shares of what float32 holds, so that the same
            function computed in another order is within 1e-5 whatever its
            answers' size; infinite where an answer is no number.
        plain: float (n,), in the unit in which people read the answers.
        moved: float (n,), in the unit of `ties`.
        changed: bool (n,), whether a person would read another answer.
        words: row -> what is expected and what was received, in words.
        ties: how far rounding moves an answer, to either side -> bool (n,),
            the changed ones that it could have changed.
        right: bool (n,) of the expected and of the received answers; None
            where no labels were given, or no answer is right or wrong.
    """

    rows: np.ndarray
    plain: np.ndarray
    moved: np.ndarray
    changed: np.ndarray
    words: Callable[[int], tuple[str, str]]
    ties: Callable[[float], np.ndarray]
    right: tuple[np.ndarray, np.ndarray] | None = None


class Differs(Protocol):
    """How a task compares answers.

    Attributes:
        answer: the output that is compared, `Task.answer`.
        unit: what `Difference.plain` is of, in words: "a probability".
    """

    answer: str
    unit: str

    def __call__(
        self,
        expected: Answers,
        received: Answers,
        labels: np.ndarray | None = None,
    ) -> Difference:
        """Compares.

        Args:
            expected: `answer` -> (n, outputs).
            received: the same, and whatever else the export gives.
            labels: what is true, where it is known.

        Raises:
            ValueError: answers of another shape or kind; its text goes on
                after the name of what answered.
        """


def largest(received: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The largest difference of each row; infinite where one is NaN."""
    difference = np.abs(received - expected)
    difference = difference.reshape(len(expected), -1).max(axis=-1)
    # A NaN would compare as "not larger" and pass.
    return np.nan_to_num(difference, nan=np.inf, posinf=np.inf)
