"""Gradients that TensorFlow computes slowly on a GPU, computed otherwise.

    with quick_gradients():
        loss = model(batch, training=True)     # as it is traced

In: an operation that is traced. Out: the same operation with another formula
for its gradient. On one H200 (TensorFlow 2.21, bfloat16, 2026-11-27) gradients
of biases took 18 of the 33 ms that a step of ResNet50 kept the card busy, and 6
of VGG16's 20: 16-bit sums meet at the same addresses, one after the other.
"""

import contextlib
import math
import threading
from collections.abc import Iterator

import tensorflow as tf

SIXTEEN_BITS = (tf.bfloat16, tf.float16)
# Above so many places of an example, products with ones are quicker than a
# sum (0.37 for 0.85 ms at 224 x 224 x 64, batch 32); below, they are as quick.
MANY_PLACES = 2**15
PLACES_AT_ONCE = 512
# Keras takes it from `tf.nn`, by name; there is one for all threads.
_bias_add = tf.nn.bias_add
_swapping = threading.RLock()


def column_sums(values: tf.Tensor) -> tf.Tensor:
    """Sums over all axes but the last, added up in float32.

    Args:
        values: (batch, ..., n) of 16 bits.

    Returns:
        float32 (n,). Where there are many, sums of so many at once are rounded
        to 16 bits before they are added up.
    """
    places = values.shape[1:-1]
    count = math.prod(places) if None not in places else 0
    if count < MANY_PLACES or count % PLACES_AT_ONCE:
        axes = list(range(len(values.shape) - 1))
        return tf.reduce_sum(tf.cast(values, tf.float32), axes)
    parts = tf.reshape(values, (-1, PLACES_AT_ONCE, values.shape[-1]))
    ones = tf.ones((1, 1, PLACES_AT_ONCE), values.dtype)
    return tf.reduce_sum(tf.cast(tf.matmul(ones, parts), tf.float32), (0, 1))


@tf.custom_gradient
def add_bias(values: tf.Tensor, bias: tf.Tensor):
    """`tf.nn.bias_add`, with `column_sums` for the bias's gradient.

    Args:
        values: (batch, ..., n) of 16 bits.
        bias: (n,), of the same type.
    """

    def gradients(upstream):
        return upstream, tf.cast(column_sums(upstream), bias.dtype)

    return _bias_add(values, bias), gradients


@contextlib.contextmanager
def quick_gradients(wanted: bool = True) -> Iterator[None]:
    """Inside, biases of 16 bits that Keras adds are added by `add_bias`.

    Args:
        wanted: False changes nothing.
    """
    if not wanted:
        yield
        return

    def chosen(value, bias, data_format=None, name=None):
        if value.dtype in SIXTEEN_BITS and data_format in (None, "NHWC"):
            return add_bias(value, bias)
        return _bias_add(value, bias, data_format=data_format, name=name)

    with _swapping:
        tf.nn.bias_add = chosen
        try:
            yield
        finally:
            tf.nn.bias_add = _bias_add
