"""What a pass over validation is worth, by whatever chooses the weights.

    steps = ValidationSteps(model)
    model.test_function = steps
    model.fit(..., callbacks=[LogCalibratedLoss(steps), ...])
    costs("val_loss_calibrated", *steps.answers())    # one an example

In: a model to fit. Out: its logits and labels of the last validation, which
`fit` computes anyway, and a column of the history that Keras's metrics, sums
over batches, cannot give: the loss after the temperature that suits all.
"""

import keras
import numpy as np
import tensorflow as tf

from tl_keras.tasks.multiclass.calibration import (
    calibrated_losses,
    example_losses,
)
from tl_keras.training.steps import DeviceRows, Steps

CALIBRATED = "val_cross_entropy_calibrated"


def costs(monitor: str, logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What each example adds to what `monitor` compares; less is better.

    Args:
        monitor: one of `training.MONITORS`.
        logits: (n, num_classes).
        labels: int (n,).

    Returns:
        float64 (n,); of val_accuracy 0 for a right answer and 1 for a wrong.
    """
    if monitor == "val_accuracy":
        return (logits.argmax(axis=-1) != labels).astype(np.float64)
    if monitor == "val_loss":
        return example_losses(logits.astype(np.float64), labels)
    return calibrated_losses(logits, labels)


class ValidationSteps(Steps):
    """Steps of validation that keep what the model answered.

    Args:
        model: compiled; from pixels or activations to logits.
        rows, looks: of `Steps`.
    """

    def __init__(
        self,
        model: keras.Model,
        rows: DeviceRows | None = None,
        looks: int = 1,
    ):
        super().__init__(self._step, rows=rows, looks=looks)
        self.model = model
        self._answers: list[tuple] = []

    def _step(self, batch):
        """As Keras's `test_step`, with labels and logits besides the logs."""
        x, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
        logits = self.model(x, training=False)
        loss = self.model.compute_loss(
            x=x, y=labels, y_pred=logits, sample_weight=weights, training=False
        )
        tracked = next(m for m in self.model.metrics if m.name == "loss")
        tracked.update_state(loss, sample_weight=tf.shape(logits)[0])
        logs = self.model.compute_metrics(
            x, labels, logits, sample_weight=weights
        )
        return logs, labels, logits

    def _logs_of(self, found) -> dict:
        logs, labels, logits = found
        # Fetched in the end: a device is not waited for after each step.
        self._answers.append((logits, labels))
        return logs

    def forget(self) -> None:
        """To be called before each pass."""
        self._answers = []

    def answers(self) -> tuple[np.ndarray, np.ndarray]:
        """(logits (n, num_classes), labels (n,)) of the last pass."""
        logits, labels = zip(*self._answers, strict=True)
        return (
            np.concatenate([np.asarray(part) for part in logits]),
            np.concatenate([np.asarray(part).reshape(-1) for part in labels]),
        )

    def evaluate(self, data: tf.data.Dataset) -> dict[str, float]:
        """A pass outside of `fit`; the logs that an epoch would have of it."""
        self.forget()
        logs = self.model.evaluate(data, verbose=0, return_dict=True)
        return {f"val_{name}": float(value) for name, value in logs.items()} | {
            CALIBRATED: float(calibrated_losses(*self.answers()).mean())
        }


class LogCalibratedLoss(keras.callbacks.Callback):
    """Adds validation's loss after temperature to the logs of an epoch.

    It stands first among the callbacks, so that the others see it.

    Args:
        steps: those of validation.
    """

    def __init__(self, steps: ValidationSteps):
        super().__init__()
        self.steps = steps

    def on_test_begin(self, logs=None):
        self.steps.forget()

    def on_epoch_end(self, epoch, logs=None):
        losses = calibrated_losses(*self.steps.answers())
        logs[CALIBRATED] = float(losses.mean())
