"""A model's raw outputs, with the targets beside them; and its last layer.

    outputs, targets = raw_outputs(model, images.val.batches(32))
    fold_divisor(model.get_layer("head_logits"), 1.3)

In: a model and batches. Out: arrays, a row an example; a layer, divided.
"""

import keras
import numpy as np
import tensorflow as tf

from tl_keras import io_watchdog, progress
from tl_keras.networks import inference


def raw_outputs(
    model: keras.Model, data: tf.data.Dataset
) -> tuple[np.ndarray, np.ndarray]:
    """Asks a model all batches, the partial last one too.

    Args:
        model: of one output.
        data: batches of (inputs, targets), the same order every time.

    Returns:
        (outputs (n, outputs), targets (n, ...)).

    Raises:
        ValueError: no examples.
    """
    # Traced once: Keras's own predict would trace the last batch anew.
    run = inference(model)
    outputs, targets = [], []
    for batch, batch_targets in progress.counted(
        data, "evaluating", counted_batches(data), "batches"
    ):
        outputs.append(run(batch))
        io_watchdog.answered()
        targets.append(batch_targets.numpy())
    if not targets:
        raise ValueError("data: expected at least one batch, received none")
    return np.concatenate(outputs), np.concatenate(targets)


def counted_batches(data: tf.data.Dataset) -> int | None:
    """How many batches a set has; None where it does not say."""
    cardinality = getattr(data, "cardinality", None)
    count = -1 if cardinality is None else int(cardinality())
    return count if count >= 0 else None


def fold_divisor(
    layer: keras.layers.Layer, divisor: float | np.ndarray
) -> None:
    """Divides a Dense layer's kernel and bias, and so its outputs.

    Args:
        layer: Dense; changed in place.
        divisor: one number for all outputs, or one for each.
    """
    for variable in (layer.kernel, layer.bias):
        variable.assign(variable / divisor)
