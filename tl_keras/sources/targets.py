"""Targets of examples beside them, and how long an epoch is.

    batches = labelled_places(indices, labels, batch_size)
    batches = with_length(batches, count, batch_size)

In: labels or numbers of all examples. Out: tensors and datasets of them.
"""

import math

import numpy as np
import tensorflow as tf

from tl_keras.tf_data import AHEAD, paced


def with_length(
    batches: tf.data.Dataset, count: int, batch_size: int
) -> tf.data.Dataset:
    """Tells Keras how many batches an epoch of `count` examples has.

    It is the last step: where some batches are left out, whoever takes the
    others knows not to ask for more.

    Args:
        batches: one epoch's.
        count: examples in an epoch.
        batch_size: examples a batch; the last may have fewer.

    Returns:
        The same batches.
    """
    length = math.ceil(count / batch_size)
    return batches.apply(tf.data.experimental.assert_cardinality(length))


def target_tensor(labels: np.ndarray) -> tf.Tensor:
    """Labels (n, ...) in the host's memory: numbers float32, else int32."""
    kind = tf.float32 if labels.dtype.kind == "f" else tf.int32
    with tf.device("CPU:0"):
        return tf.constant(labels, kind)


def labelled_places(
    indices: tf.data.Dataset, labels: np.ndarray, batch_size: int
) -> tf.data.Dataset:
    """(indices (b,), their labels (b,)) of a dataset of indices, in order.

    Args:
        indices: int64 scalars.
        labels: (n,), of all examples.
        batch_size: examples a batch; the last may have fewer.

    Returns:
        (int64 (b,), int32 (b,)).
    """
    labels = target_tensor(labels)
    batches = indices.batch(batch_size)
    batches = batches.map(lambda index: (index, tf.gather(labels, index)))
    return paced(batches.prefetch(AHEAD))
