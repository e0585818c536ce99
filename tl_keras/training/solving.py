"""A head solved on what a phase has: batches in, a `LinearProbe` out."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tl_keras.tasks.multiclass.calibration import calibrated_losses
from tl_keras.tasks.multiclass.linear_probe import (
    LinearProbe,
    cross_entropy_and_accuracy,
    pooled_features,
    solve_probe,
)
from tl_keras.training.validation import CALIBRATED


def solve_on(
    left: keras.Model,
    train: tf.data.Dataset,
    val: tf.data.Dataset | None,
    *,
    class_weights: Sequence[float] | None,
    views: int,
    groups: Sequence[str] | None,
) -> tuple[LinearProbe, dict[str, float]]:
    """The solved head, and what Keras would log of an epoch that made it.

    Args:
        left: what is left to fit; its last layer is the head.
        train: every training example once.
        val: batches to validate on, if any.
        class_weights, views, groups: of `solve_probe`.
    """
    features, labels = pooled_features(left, train)
    probe = solve_probe(
        features,
        labels,
        class_weights=class_weights,
        views=views,
        groups=groups,
    )
    logs = cross_entropy_and_accuracy(probe.logits(features), labels)
    if val is not None:
        features, labels = pooled_features(left, val)
        logits = probe.logits(features)
        of_val = cross_entropy_and_accuracy(logits, labels)
        logs |= {f"val_{name}": value for name, value in of_val.items()}
        logs[CALIBRATED] = float(calibrated_losses(logits, labels).mean())
    return probe, logs
