"""What goes between a task and the other rooms: plain values.

In: arrays, names, numbers. Out: the same under names. What is done with them a
`tasks.task.Task` says.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from tl_keras.tasks.task import Task


class SolvedHead(Protocol):
    """A Dense layer's weights, found without gradient steps.

    Attributes:
        kernel: float32 (features, outputs).
        bias: float32 (outputs,).
        out_of_fold: what each example is taken for by a solution that it had
            no part in; None where there is no such.
    """

    kernel: np.ndarray
    bias: np.ndarray
    out_of_fold: np.ndarray | None

    def outputs(self, features: np.ndarray) -> np.ndarray:
        """(n, width) -> (n, outputs), in float64."""

    def how(self) -> str:
        """In words, how it was solved."""


class Evaluation(Protocol):
    """What a model did on a split; row i is example i.

    Attributes:
        answers: (n, outputs), as the exported model gives them.
        targets: (n, ...), what is true.
        metrics: name -> number, `examples` among them, and with `Task.main`
            its interval.
    """

    answers: np.ndarray
    targets: np.ndarray
    metrics: dict


class Calibration(NamedTuple):
    """What validation says of how far answers can be trusted.

    Attributes:
        task: the task as it answers from here on.
        divisor: what all outputs are divided by, a number or (outputs,).
        words: what was found, in a line.
        numbers: the same for metrics.json, by its own name.
    """

    task: "Task"
    divisor: float | np.ndarray
    words: str
    numbers: dict


class Answer(NamedTuple):
    """What is said of one example.

    Attributes:
        labels: the names that it is given, the likeliest first; none if it
            was not read.
        scores: a number for each.
        status: "" or why it was not read.
        more: the cells of its row, by column, where they are not the best
            names and their scores.
        in_set: the names that hold the truth in a share of examples, the
            likeliest first; none where no such sets are asked for.
    """

    labels: tuple[str, ...]
    scores: tuple[float, ...]
    status: str = ""
    more: Mapping[str, Any] = {}
    in_set: tuple[str, ...] = ()


class Said(NamedTuple):
    """What a version says of some examples.

    Attributes:
        names: of its outputs.
        answers: (n, outputs); zeros for what it could not read.
        movement: how far rounding moves them, as `Difference.moved` has it.
        task: the version's own; None for that which asks.
    """

    names: Sequence[str]
    answers: np.ndarray
    movement: float
    task: "Task | None" = None


class Verdict(NamedTuple):
    """A new version beside an earlier one, asked the same examples.

    Attributes:
        worse: whether it is, by more than rounding decides.
        found: the numbers, for metrics.json.
        words: the same in a line.
        columns: of `rows`.
        rows: one an example that is answered otherwise.
    """

    worse: bool
    found: dict
    words: str
    columns: Sequence[str]
    rows: list[dict]


def shortest(value: np.float32) -> float:
    """The shortest number that is the same float32."""
    return float(str(np.float32(value)))
