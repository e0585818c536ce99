"""The learning rate over a fit: a rise, then half a cosine down.

    model.fit(data, epochs=10, callbacks=[WarmupCosine(1e-3)])

In: the highest rate, and what Keras tells of epochs and batches. Out: the
optimizer's rate, set before each batch.
"""

import keras
import numpy as np


class WarmupCosine(keras.callbacks.Callback):
    """Raises the learning rate from 0, then lowers it along half a cosine.

    It is set before every batch. It needs no step count: Keras tells how many
    batches an epoch has and how many epochs there are.

    Args:
        learning_rate: the highest value.
        warmup_epochs: rise over so many epochs, at most half of all.
        final_fraction: the last value, as a share of the highest; 1.0 holds
            the rate constant after the rise.
        first_epoch: where this schedule's epoch 0 lies in Keras's count; the
            epoch the fit begins with when None.

    Example:
        model.fit(data, epochs=10, callbacks=[WarmupCosine(1e-3)])

    Reference: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with
    Warm Restarts", 2017 (without restarts).
    """

    def __init__(
        self,
        learning_rate: float,
        warmup_epochs: float = 1.0,
        final_fraction: float = 0.0,
        first_epoch: int | None = None,
    ):
        super().__init__()
        self.learning_rate = learning_rate
        self.warmup_epochs = warmup_epochs
        self.final_fraction = final_fraction
        self.first_epoch = first_epoch

    def on_train_begin(self, logs=None):
        self._first = self.first_epoch
        self._rates = [self.learning_rate]

    def on_epoch_begin(self, epoch, logs=None):
        if self._first is None:
            self._first = epoch
        self._rates = self.rates(
            epoch - self._first,
            self.params["epochs"] - self._first,
            self.params.get("steps") or 1,
        ).tolist()
        self._set(0)

    def on_train_batch_begin(self, batch, logs=None):
        self._set(batch)

    def _set(self, batch: int) -> None:
        # Where the number of steps is not known there is one rate an epoch.
        batch = min(batch, len(self._rates) - 1)
        self.model.optimizer.learning_rate = self._rates[batch]

    def rates(self, epoch: int, epochs: int, steps: int) -> np.ndarray:
        """The learning rates of an epoch, one a step.

        The first step of a warm-up has the rate of its end, so that no step
        is wasted on a rate of 0.

        Args:
            epoch: its number, from 0.
            epochs: how many there are.
            steps: of each epoch.

        Returns:
            float64 (steps,).
        """
        done = epoch + np.arange(steps) / steps
        warmup = min(self.warmup_epochs, epochs / 2)
        # In float64, or the last digit of the rate would be another.
        down = keras.optimizers.schedules.CosineDecay(
            np.float64(self.learning_rate),
            np.float64(epochs - warmup),
            alpha=self.final_fraction,
        )
        rates = keras.ops.convert_to_numpy(down(np.maximum(done - warmup, 0)))
        if not warmup:
            return rates
        up = np.minimum(1.0, (done + 1 / steps) / warmup)
        return np.where(done < warmup, self.learning_rate * up, rates)
