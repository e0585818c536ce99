"""What is predicted: all that training asks of a kind of answer.

    task = Multiclass(label_smoothing=0.1)
    fit_phases(model, phases, train, val, objective=Objective(task=task))

In: outputs of a network and the targets beside them. Out: losses, numbers of an
epoch, a head that is solved. A task of one's own is a subclass.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import keras
import numpy as np


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


class Task(abc.ABC):
    """What training asks of a kind of answer.

    Attributes:
        monitors: name -> (column of the history, "min" or "max"): what
            weights can be chosen by.

    Example:
        task: Task = Multiclass(label_smoothing=0.1)
        fit_phases(model, phases, train, val, objective=Objective(task=task))
    """

    monitors: Mapping[str, tuple[str, str]]

    @abc.abstractmethod
    def loss(self, outputs: int) -> Callable:
        """What is minimised: (targets, outputs (b, `outputs`)) -> loss."""

    @abc.abstractmethod
    def metrics(self) -> list[keras.metrics.Metric]:
        """Fresh ones, of targets and outputs, for each phase."""

    @abc.abstractmethod
    def epoch_logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """What no mean over batches can give: more columns of an epoch.

        Args:
            outputs: (n, outputs), of all examples to validate on.
            targets: (n, ...), theirs.
        """

    @abc.abstractmethod
    def costs(
        self, monitor: str, outputs: np.ndarray, targets: np.ndarray
    ) -> np.ndarray:
        """What each example adds to what weights are compared by.

        Less is better, also where the column of `monitor` is to be large.

        Args:
            monitor: one of `monitors`.
            outputs: (n, outputs), of all examples to validate on.
            targets: (n, ...), theirs.

        Returns:
            float64 (n,).
        """

    @abc.abstractmethod
    def solve(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        *,
        views: int = 1,
        groups: Sequence[str] | None = None,
    ) -> SolvedHead:
        """The best Dense head on frozen features.

        Args:
            features: float32 (n, width).
            targets: (n, ...).
            views: so many rows in a row are of one example.
            groups: what each example belongs to; not torn apart in folds.

        Returns:
            The head's weights.
        """

    @abc.abstractmethod
    def logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """What Keras would log of an epoch: "loss" and `metrics`."""

    def class_weight(self) -> dict[int, float] | None:
        """What Keras's `fit` weighs the loss by; None for nothing."""
        return None
