"""A model as a function of batches, in inference mode.

Keras's `predict` traces anew for each model and batch size, and TensorFlow
warns of it; many short-lived models each run a few batches here.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf


def inference(model: keras.Model) -> Callable[[tf.Tensor], np.ndarray]:
    """Batch (b, ...) -> the model's output (b, ...), traced once for any b."""
    given = model.inputs[0]
    spec = tf.TensorSpec(given.shape, given.dtype)
    run = tf.function(lambda x: model(x, training=False))
    run = run.get_concrete_function(spec)
    return lambda batch: run(tf.cast(batch, spec.dtype)).numpy()
