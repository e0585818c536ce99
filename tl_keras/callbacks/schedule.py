"""The learning rate over a fit: a rise, then half a cosine down."""

import math

import keras


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
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        if self._first is None:
            self._first = epoch
        self._epoch = epoch
        self._set(0)

    def on_train_batch_begin(self, batch, logs=None):
        self._set(batch)

    def _set(self, batch: int) -> None:
        steps = self.params.get("steps")
        done = self._epoch - self._first + (batch / steps if steps else 0)
        epochs = self.params["epochs"] - self._first
        rate = self.value(done, epochs, 1 / steps if steps else 1)
        self.model.optimizer.learning_rate = rate

    def value(self, done: float, epochs: float, step: float) -> float:
        """The learning rate after `done` of `epochs`, steps being `step`.

        The first step of a warm-up has the rate of its end, so that no step
        is wasted on a rate of 0.
        """
        warmup = min(self.warmup_epochs, epochs / 2)
        if done < warmup:
            return self.learning_rate * min(1.0, (done + step) / warmup)
        share = min(1.0, (done - warmup) / (epochs - warmup))
        low = self.final_fraction
        cosine = 0.5 * (1 + math.cos(math.pi * share))
        return self.learning_rate * (low + (1 - low) * cosine)
