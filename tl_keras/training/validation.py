"""What a pass over validation is worth, by whatever chooses the weights.

    steps = ValidationSteps(model, task)
    model.test_function = steps
    model.fit(..., callbacks=[LogOfAll(steps), ...])
    task.costs("val_loss_calibrated", *steps.answers())    # one an example

In: a model to fit. Out: its outputs and the targets of the last validation,
which `fit` computes anyway, and columns of the history that Keras's metrics,
sums over batches, cannot give: what a task makes of all of them at once.
"""

import keras
import numpy as np
import tensorflow as tf

from tl_keras.tasks.task import Task
from tl_keras.training.filling import outputs_of
from tl_keras.training.steps import DeviceRows, Steps


class ValidationSteps(Steps):
    """Steps of validation that keep what the model answered.

    Args:
        model: compiled; from inputs or activations to outputs.
        task: what they are judged by.
        rows, looks: of `Steps`.
        full: of `outputs_of`.
    """

    def __init__(
        self,
        model: keras.Model,
        task: Task,
        rows: DeviceRows | None = None,
        looks: int = 1,
        full: int | None = None,
    ):
        super().__init__(self._step, rows=rows, looks=looks)
        self.model, self.task, self.filled_up_to = model, task, full
        self._answers: list[tuple] = []

    def _step(self, batch):
        """As Keras's `test_step`, with targets and outputs besides the logs."""
        x, targets, weights = keras.utils.unpack_x_y_sample_weight(batch)
        outputs = outputs_of(
            self.model, x, training=False, full=self.filled_up_to
        )
        loss = self.model.compute_loss(
            x=x,
            y=targets,
            y_pred=outputs,
            sample_weight=weights,
            training=False,
        )
        tracked = next(m for m in self.model.metrics if m.name == "loss")
        tracked.update_state(loss, sample_weight=tf.shape(outputs)[0])
        logs = self.model.compute_metrics(
            x, targets, outputs, sample_weight=weights
        )
        return logs, targets, outputs

    def _logs_of(self, found) -> dict:
        logs, targets, outputs = found
        # Fetched in the end: a device is not waited for after each step.
        self._answers.append((outputs, targets))
        return logs

    def forget(self) -> None:
        """To be called before each pass."""
        self._answers = []

    def answers(self) -> tuple[np.ndarray, np.ndarray]:
        """(outputs (n, outputs), targets (n, ...)) of the last pass."""
        outputs, targets = zip(*self._answers, strict=True)
        return (
            np.concatenate([np.asarray(part) for part in outputs]),
            np.concatenate([np.asarray(part) for part in targets]),
        )

    def evaluate(self, data: tf.data.Dataset) -> dict[str, float]:
        """A pass outside of `fit`; the logs that an epoch would have of it."""
        self.forget()
        logs = self.model.evaluate(data, verbose=0, return_dict=True)
        named = {f"val_{name}": float(value) for name, value in logs.items()}
        return named | self.task.epoch_logs(*self.answers())

    def judge(
        self, data: tf.data.Dataset, monitor: str
    ) -> tuple[dict[str, float], np.ndarray]:
        """What validation says of the weights as they are.

        Args:
            data: what is validated on.
            monitor: what weights are compared by, one of the task's.

        Returns:
            (logs as of `evaluate`, what each example costs (n,)).
        """
        logs = self.evaluate(data)
        return logs, self.task.costs(monitor, *self.answers())


class LogOfAll(keras.callbacks.Callback):
    """Adds what the task makes of all of validation to the logs of an epoch.

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
        logs.update(self.steps.task.epoch_logs(*self.steps.answers()))
