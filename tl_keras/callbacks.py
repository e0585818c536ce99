"""Keras callbacks that stand alone in anyone's `fit`.

    from tl_keras import callbacks
    model.fit(data, epochs=10, callbacks=[
        callbacks.WarmupCosine(1e-3),
        callbacks.StopOnNonFinite(),
        callbacks.HistoryLogger("history.csv"),
    ])

In: what Keras gives a callback. Out: what each class says. They know nothing
of settings or runs, and each starts anew at train begin, so that one object
serves several fits in a row.
"""

import csv
import math
import os

import keras
import numpy as np

from tl_keras import atomic


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops training when a loss, metric or weight is NaN or infinite.

    Use it in place of `keras.callbacks.TerminateOnNaN`, which sees the loss
    alone: on a CPU the fused convolution + ReLU gives 0 for NaN weights, so a
    network of NaN can show a finite, falling loss.

    Args:
        weights_every: look at the weights after so many batches too, besides
            at the end of each epoch; 0 for the end of epochs alone.

    Attributes:
        found: None, or one line that says what was found, and when.
    """

    def __init__(self, weights_every: int = 0):
        super().__init__()
        self.weights_every = weights_every
        self.found: str | None = None

    def on_train_begin(self, logs=None):
        self.found = None
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._look_at_logs(logs, f"epoch {self._epoch + 1}, batch {batch + 1}")
        if self.weights_every and (batch + 1) % self.weights_every == 0:
            self._look_at_weights(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self._look_at_logs(logs, f"end of epoch {epoch + 1}")
        self._look_at_weights(None)

    def _look_at_logs(self, logs, when: str) -> None:
        for name, value in (logs or {}).items():
            if not math.isfinite(float(value)):
                self._stop(f"{name} became {float(value)} at {when}")

    def _look_at_weights(self, batch: int | None) -> None:
        when = f"epoch {self._epoch + 1}"
        when = f"{when}, batch {batch}" if batch else f"the end of {when}"
        name = first_non_finite(self.model)
        if name:
            self._stop(f"weight {name} is not finite at {when}")

    def _stop(self, message: str) -> None:
        if self.found is None:
            self.found = message
            self.model.stop_training = True


def first_non_finite(model: keras.Model) -> str | None:
    """Path of the first variable with a NaN or infinity, or None."""
    for variable in model.variables:
        values = keras.ops.convert_to_numpy(variable)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            return variable.path
    return None


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


class HistoryLogger(keras.callbacks.Callback):
    """Appends a row for each epoch to a .csv, across fits and processes.

    `keras.callbacks.CSVLogger` empties its file at each fit unless told not
    to, and then writes a second header. Here a fit with other metrics widens
    the table instead.

    Args:
        path: the .csv; appended to when it is there. None writes no file.
        **columns: fixed values for every row, such as phase="head".

    Attributes:
        rows: the rows of the last fit, as dictionaries.
    """

    def __init__(self, path: str | os.PathLike | None, **columns):
        super().__init__()
        self.path = path
        self.columns = columns
        self.rows: list[dict] = []

    def on_train_begin(self, logs=None):
        self.rows = []

    def on_epoch_end(self, epoch, logs=None):
        logs = {name: float(value) for name, value in (logs or {}).items()}
        rate = getattr(self.model.optimizer, "learning_rate", None)
        if rate is not None and "learning_rate" not in logs:
            logs["learning_rate"] = float(keras.ops.convert_to_numpy(rate))
        row = {**self.columns, "epoch": epoch + 1, **logs}
        self.rows.append(row)
        if self.path is not None:
            append_row(self.path, row)


def append_row(path: str | os.PathLike, row: dict) -> None:
    """Adds a row to a .csv, complete or not at all; new columns widen it."""
    rows: list[dict] = []
    if os.path.exists(path):
        with open(path, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    rows.append(row)
    names = list(dict.fromkeys(name for r in rows for name in r))
    with (
        atomic.replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, names, restval="")
        writer.writeheader()
        writer.writerows(rows)


class KeepBestWeights(keras.callbacks.Callback):
    """Keeps a copy of the variables at the best epoch of this fit.

    Unlike `ModelCheckpoint`, it forgets its best when the next fit begins,
    and an equal epoch never replaces an earlier one. Values that are not
    finite, and weights that are not, are never best.

    Args:
        monitor: name in the logs, such as "val_loss"; None keeps the last
            epoch.
        mode: "min" or "max".
        variables: what to copy; `model.variables` when None.

    Attributes:
        best_epoch: its number from 1, in Keras's count; None before one ends.
        best_value: the monitored value there.
        best_logs: all logs of that epoch.
        best_variables: arrays, in the order of the variables.
    """

    def __init__(self, monitor: str | None, mode: str = "min", variables=None):
        super().__init__()
        if mode not in ("min", "max"):
            raise ValueError(f"mode={mode!r}: expected 'min' or 'max'")
        self.monitor = monitor
        self.mode = mode
        self.variables = variables
        self._forget()

    def _forget(self) -> None:
        self.best_epoch: int | None = None
        self.best_value: float | None = None
        self.best_logs: dict = {}
        self.best_variables: list[np.ndarray] = []

    def on_train_begin(self, logs=None):
        self._forget()

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        value = None
        if self.monitor is not None:
            if self.monitor not in logs:
                raise ValueError(
                    f"monitor={self.monitor!r}: expected one of {sorted(logs)}"
                )
            value = float(logs[self.monitor])
            if not math.isfinite(value) or not is_better(
                value, self.best_value, self.mode
            ):
                return
        variables = self.variables
        variables = self.model.variables if variables is None else variables
        copies = [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
        # A ReLU can hide a NaN weight behind a finite value.
        if not all(np.isfinite(c).all() for c in copies if c.dtype.kind == "f"):
            return
        self.best_epoch, self.best_value = epoch + 1, value
        self.best_logs = {k: float(v) for k, v in logs.items()}
        self.best_variables = copies


def is_better(value: float, than: float | None, mode: str) -> bool:
    """Whether `value` is strictly better; anything is better than None."""
    if than is None:
        return True
    return value < than if mode == "min" else value > than
