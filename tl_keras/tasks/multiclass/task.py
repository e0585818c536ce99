"""One class of several for each example, as training asks for it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from tl_keras.tasks.multiclass.calibration import (
    calibrated_losses,
    example_losses,
)
from tl_keras.tasks.multiclass.linear_probe import (
    LinearProbe,
    cross_entropy_and_accuracy,
    solve_probe,
)
from tl_keras.tasks.task import Task

CALIBRATED = "val_cross_entropy_calibrated"
# Plain cross-entropy, so that it means the same with and without label
# smoothing; the loss is what is minimised.
MONITORS = {
    "val_loss_calibrated": (CALIBRATED, "min"),
    "val_loss": ("val_cross_entropy", "min"),
    "val_accuracy": ("val_accuracy", "max"),
}


@dataclasses.dataclass(frozen=True)
class Multiclass(Task):
    """Logits (b, num_classes) against labels (b,).

    Attributes:
        label_smoothing: share of the target spread over all classes.
        class_weights: weight of each class in the training loss, in their
            order or as Keras writes them ({label: weight}); or None.
    """

    label_smoothing: float = 0.0
    class_weights: Sequence[float] | None = None

    monitors = MONITORS

    def __post_init__(self):
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"label_smoothing={self.label_smoothing}: expected 0 to 1"
            )
        if isinstance(self.class_weights, Mapping):
            weights = [
                self.class_weights[i] for i in range(len(self.class_weights))
            ]
            object.__setattr__(self, "class_weights", weights)

    def loss(self, outputs: int) -> Callable:
        """Softmax cross-entropy of logits (b, n) against labels (b,)."""
        if not self.label_smoothing:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        smoothed = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=self.label_smoothing
        )

        def loss(labels, logits):
            labels = keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32")
            return smoothed(keras.ops.one_hot(labels, outputs), logits)

        return loss

    def metrics(self) -> list[keras.metrics.Metric]:
        """Accuracy and plain cross-entropy."""
        return [
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            keras.metrics.SparseCategoricalCrossentropy(
                from_logits=True, name="cross_entropy"
            ),
        ]

    def epoch_logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """Cross-entropy after the temperature that suits all of them."""
        losses = calibrated_losses(outputs, targets.reshape(-1))
        return {CALIBRATED: float(losses.mean())}

    def costs(
        self, monitor: str, outputs: np.ndarray, targets: np.ndarray
    ) -> np.ndarray:
        """As of `Task`.

        Of val_accuracy 0 for a right answer and 1 for a wrong; else nats.
        """
        labels = targets.reshape(-1)
        if monitor == "val_accuracy":
            return (outputs.argmax(axis=-1) != labels).astype(np.float64)
        if monitor == "val_loss":
            return example_losses(outputs.astype(np.float64), labels)
        return calibrated_losses(outputs, labels)

    def solve(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        *,
        views: int = 1,
        groups: Sequence[str] | None = None,
    ) -> LinearProbe:
        """As of `Task`: logistic regression; see `solve_probe`."""
        return solve_probe(
            features,
            targets.reshape(-1),
            class_weights=self.class_weights,
            views=views,
            groups=groups,
        )

    def logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """Loss, accuracy and cross-entropy."""
        return cross_entropy_and_accuracy(outputs, targets.reshape(-1))

    def class_weight(self) -> dict[int, float] | None:
        """The weights, as Keras takes them."""
        weights = self.class_weights
        return None if weights is None else dict(enumerate(weights))
