"""The order of an epoch, and batches that are as long as they must be.

    for index, epoch in epoch_indices(len(examples), seed=0, epoch=3): ...

In: how many examples there are, and perhaps how long each is. Out: a
permutation drawn from (seed, epoch) alone. Where examples differ in length, as
texts do, a batch costs what its longest costs: those of about one length come
into one batch, which is cut to the longest of them.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

# Batches that are drawn together where examples differ in length: within them
# those of about one length come into one batch.
DRAWN_TOGETHER = 8


def epoch_indices(
    count: int,
    seed: int,
    epoch,
    skip=0,
    *,
    lengths: np.ndarray | None = None,
    batch_size: int = 1,
) -> tf.data.Dataset:
    """The order of one epoch, drawn from (seed, epoch) alone.

    Args:
        count: how many examples.
        seed: whole number, 0 or more.
        epoch: int, tf.Variable (read when a pass begins), or a function that
            gives either.
        skip: so many examples are left out at its beginning; as `epoch`.
        lengths: int (count,), where a batch costs what its longest example
            costs: those of about one length come together.
        batch_size: examples a batch; read with `lengths` alone.

    Returns:
        Dataset of (index, epoch's number), int64 scalars.
    """

    def order(_):
        number = tf.cast(epoch() if callable(epoch) else epoch, tf.int64)
        key = tf.stack([tf.constant(seed, tf.int64), number])
        # Sorting random numbers gives a permutation in TensorFlow alone.
        draw = tf.random.stateless_uniform([count], key, dtype=tf.float64)
        left_out = tf.cast(skip() if callable(skip) else skip, tf.int64)
        indices = tf.argsort(draw, stable=True)
        if lengths is not None:
            indices = _by_length(indices, lengths, key, batch_size)
        indices = indices[left_out:]
        return tf.data.Dataset.from_tensor_slices(
            (tf.cast(indices, tf.int64), tf.fill(tf.shape(indices), number))
        )

    return tf.data.Dataset.range(1).flat_map(order)


def _by_length(
    indices: tf.Tensor, lengths: np.ndarray, key: tf.Tensor, batch_size: int
) -> tf.Tensor:
    """A drawn order, changed so that a batch's examples are about as long.

    Args:
        indices: int32 (n,), drawn.
        lengths: int (n,), of the examples.
        key: int64 (2,), of the epoch.
        batch_size: examples a batch.

    Returns:
        int32 (n,): `DRAWN_TOGETHER` batches at once are sorted by length, and
        all batches are shuffled; one of fewer examples stays the last.
    """
    count = len(lengths)
    drawn = np.arange(count) // (DRAWN_TOGETHER * batch_size)
    above = tf.constant(drawn * (int(lengths.max(initial=0)) + 1), tf.int64)
    sizes = tf.gather(tf.constant(lengths, tf.int64), indices)
    indices = tf.gather(indices, tf.argsort(above + sizes, stable=True))
    full = count // batch_size
    (other,) = tf.unstack(tf.random.experimental.stateless_split(key, 1), num=1)
    draw = tf.random.stateless_uniform([full], other, dtype=tf.float64)
    whole = tf.reshape(indices[: full * batch_size], (full, batch_size))
    whole = tf.gather(whole, tf.argsort(draw, stable=True))
    return tf.concat([tf.reshape(whole, [-1]), indices[full * batch_size :]], 0)


def cutter(
    lengths: np.ndarray | None,
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function that cuts a batch to its longest row.

    Args:
        lengths: int (n,), of all rows; None leaves batches as they are.

    Returns:
        (rows (b, most, ...), their indices int64 (b,)) -> rows (b, longest,
        ...).
    """
    if lengths is None:
        return lambda rows, _: rows
    with tf.device("CPU:0"):
        held = tf.constant(lengths)
    return lambda rows, index: rows[:, : tf.reduce_max(tf.gather(held, index))]
