"""What looks on while a phase is fitted, and what it has seen.

    watch.diverged()                      # "" or why no epoch can be kept

In: callbacks of one fit. Out: rows, the best weights, and whether any are good.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tl_keras.callbacks import HistoryLogger, KeepBestWeights, StopOnNonFinite
from tl_keras.training.steps import Waiting


class EpochNumber(keras.callbacks.Callback):
    """Tells the data which epoch begins."""

    def __init__(self, number: tf.Variable):
        super().__init__()
        self.number = number

    def on_epoch_begin(self, epoch, logs=None):
        self.number.assign(epoch)


class Watch(NamedTuple):
    """What is asked again when a fit is over.

    Attributes:
        waiting: for data.
        guard: stops where a number is not finite.
        history: a row an epoch.
        keeper: of the best weights.
    """

    waiting: Waiting
    guard: StopOnNonFinite
    history: HistoryLogger
    keeper: KeepBestWeights

    def diverged(self) -> str:
        """Why no epoch can be kept; "" where one can."""
        if self.guard.found:
            return self.guard.found
        if self.keeper.best_epoch:
            return ""
        return f"{self.keeper.monitor} is never finite"

    def best_of(
        self,
        variables: Sequence[keras.Variable],
        before: Sequence[np.ndarray],
    ) -> list[np.ndarray]:
        """All weights of a model at the best epoch.

        Args:
            variables: the model's; those that the keeper has are among them.
            before: what they held when the fit began.

        Returns:
            Arrays, in the order of the variables. What lies before the cut
            has not moved, and was not copied: it is the array of `before`.
        """
        moved = dict(
            zip(
                map(id, self.keeper.variables),
                self.keeper.best_variables,
                strict=True,
            )
        )
        return [
            moved.get(id(variable), value)
            for variable, value in zip(variables, before, strict=True)
        ]
