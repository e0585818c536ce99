"""A batch of pictures, some of which may be none, in one graph.

In: bytes, and how they become pixels. Out: squares, and why there is none.
"""

from collections.abc import Callable

import tensorflow as tf

from tl_keras.tf_data import paced

# The status of a picture whose header is fine and whose data is not.
DAMAGED = "does not decode"
# Each may hold `max_pixels` in memory, so they are few.
DECODED_AT_ONCE = 2


def load_rows(
    image_bytes: tf.Tensor, examine: Callable, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch in which some may be no pictures, in graph ops.

    Args:
        image_bytes: string (batch,).
        examine: string scalar -> uint8 (size, size, 3), and a string scalar:
            "" or why it was not decoded; fails where it cannot be.
        size: side of the squares.

    Returns:
        float32 (batch, size, size, 3), 0 to 255, black where nothing could be
        read; and string (batch,): "" or why nothing could.
    """
    count = tf.shape(image_bytes, out_type=tf.int64)[0]
    # An op that fails ends a graph's run; in tf.data it ends an element.
    read = (
        tf.data.Dataset.from_tensor_slices(image_bytes)
        .enumerate()
        .map(
            lambda row, encoded: (row, *examine(encoded)),
            num_parallel_calls=DECODED_AT_ONCE,
        )
        .ignore_errors()
    )
    # Stands for all that failed, and keeps the batch from being empty.
    black = tf.zeros((size, size, 3), tf.uint8)
    last = (tf.constant(-1, tf.int64), black, tf.constant(DAMAGED))
    read = read.concatenate(tf.data.Dataset.from_tensors(last))
    read = paced(read.batch(count + 1))
    rows, pictures, reasons = read.get_single_element()
    rows = rows[:-1]
    last = tf.size(rows, out_type=tf.int64)
    place = tf.tensor_scatter_nd_update(
        tf.fill([count], last), rows[:, None], tf.range(last)
    )
    pictures = tf.gather(pictures, place)
    pictures = tf.ensure_shape(pictures, (None, size, size, 3))
    return tf.cast(pictures, tf.float32), tf.gather(reasons, place)
