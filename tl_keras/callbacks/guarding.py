"""Callbacks that watch a fit: stop it when it is lost, keep its best weights.

In: losses, metrics and weights as they come. Out: `found`, `best_variables`.
"""

import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tl_keras.callbacks.logs import is_finite, plain_logs


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

    Example:
        guard = StopOnNonFinite(weights_every=100)
        model.fit(data, epochs=10, callbacks=[guard])
        print(guard.found or "all finite")
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
        for name, value in plain_logs(logs).items():
            if not is_finite(value):
                self._stop(f"{name} became {value} at {when}")

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
    """Path of the first variable with a NaN or infinity, or None.

    Example:
        assert first_non_finite(model) is None
    """
    return next(
        (
            variable.path
            for variable, fine in zip(
                model.variables, _finite(model.variables), strict=True
            )
            if not fine
        ),
        None,
    )


def _finite(variables) -> list[bool]:
    """Of each variable, whether all of its numbers are finite.

    Where a device holds them they are looked at there: to fetch all of VGG16
    takes longer than twenty of its steps.
    """
    values = [variable.value for variable in variables]
    if not any(map(_on_gpu, values)):
        return [
            bool(np.isfinite(array).all()) if array.dtype.kind == "f" else True
            for array in map(keras.ops.convert_to_numpy, variables)
        ]
    return finite_on_device(values)


def _on_gpu(value: tf.Variable) -> bool:
    return "GPU" in str(value.device)


def finite_on_device(values) -> list[bool]:
    """As `_finite`, computed where the tensors are, and fetched at once."""
    return list(
        tf.stack(
            [
                tf.reduce_all(tf.math.is_finite(value))
                if value.dtype.is_floating
                else tf.constant(True)
                for value in values
            ]
        ).numpy()
    )


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
        room: gives the bytes of a GPU's memory that copies of what lies there
            may take; what is larger is fetched. All of it may when None.

    Attributes:
        best_epoch: its number from 1, in Keras's count; None before one ends.
        best_value: the monitored value there.
        best_logs: all logs of that epoch; of a metric that gives several
            values, a list.
        best_variables: arrays, in the order of the variables. What a GPU
            holds is copied there and fetched when it is asked for: to fetch
            all of VGG16 takes as long as thirty of its steps.

    Example:
        best = KeepBestWeights("val_loss")
        model.fit(data, validation_data=val, epochs=10, callbacks=[best])
        for variable, value in zip(model.variables, best.best_variables):
            variable.assign(value)
    """

    def __init__(
        self,
        monitor: str | None,
        mode: str = "min",
        variables=None,
        room: Callable[[], float] | None = None,
    ):
        super().__init__()
        if mode not in ("min", "max"):
            raise ValueError(f"mode={mode!r}: expected 'min' or 'max'")
        self.monitor = monitor
        self.mode = mode
        self.variables = variables
        self.room = room
        self._forget()

    def _forget(self) -> None:
        self.best_epoch: int | None = None
        self.best_value: float | None = None
        self.best_logs: dict = {}
        self._copies: list[np.ndarray | tf.Tensor] = []

    @property
    def best_variables(self) -> list[np.ndarray]:
        self._copies = [np.asarray(copy) for copy in self._copies]
        return self._copies

    def on_train_begin(self, logs=None):
        self._forget()

    def on_epoch_end(self, epoch, logs=None):
        logs = plain_logs(logs)
        value = None
        if self.monitor is not None:
            if self.monitor not in logs:
                raise ValueError(
                    f"monitor={self.monitor!r}: expected one of {sorted(logs)}"
                )
            value = logs[self.monitor]
            if not isinstance(value, float):
                raise ValueError(
                    f"monitor={self.monitor!r}: expected one number, found "
                    f"{value} - average it, as in F1Score(average='macro')"
                )
            if not math.isfinite(value) or not is_better(
                value, self.best_value, self.mode
            ):
                return
        variables = self.variables
        variables = self.model.variables if variables is None else variables
        # A ReLU can hide a NaN weight behind a finite value.
        if not all(_finite(variables)):
            return
        held = _bytes_on_gpu(self._copies)
        # Never both at once: a step may need what the older one takes.
        self._copies = []
        self._copies = _copies(variables, self._fits(variables, held))
        self.best_epoch, self.best_value = epoch + 1, value
        self.best_logs = logs

    def _fits(self, variables, held: int) -> bool:
        """Whether copies fit, that of before being gone.

        It is asked before a copy is made, between epochs, when all that a step
        takes is free: what fits then may be what the next step lacks.
        """
        if self.room is None:
            return True
        need = _bytes_on_gpu([variable.value for variable in variables])
        return need <= self.room() + held


def _bytes_on_gpu(values) -> int:
    """Of tensors and arrays, what a GPU holds."""
    return sum(
        int(np.prod(value.shape)) * value.dtype.size
        for value in values
        if not isinstance(value, np.ndarray) and _on_gpu(value)
    )


def _copies(variables, on_gpu: bool) -> list[np.ndarray | tf.Tensor]:
    """Each variable's value, on the GPU where it is there and may be."""
    try:
        return [
            tf.raw_ops.DeepCopy(x=v.value)
            if on_gpu and _on_gpu(v.value) and v.value.dtype.is_floating
            else np.array(keras.ops.convert_to_numpy(v))
            for v in variables
        ]
    except tf.errors.ResourceExhaustedError:
        return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def is_better(value: float, than: float | None, mode: str) -> bool:
    """Whether `value` is strictly better; anything is better than None.

    Args:
        value: of now.
        than: the best so far; None before there is one.
        mode: "min" or "max".

    Returns:
        False for an equal one, and for NaN beside a number.

    Example:
        is_better(0.4, than=0.5, mode="min")  # True
    """
    if than is None:
        return True
    return value < than if mode == "min" else value > than
