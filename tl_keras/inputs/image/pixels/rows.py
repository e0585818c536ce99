"""A batch of pictures, some of which may be none, in one graph.

In: bytes, and how they become pixels. Out: squares, and why there is none.
"""

import tensorflow as tf

from tl_keras.inputs.image.pixels.header import status
from tl_keras.tf_data import paced

# The status of a picture whose header is fine and whose data is not.
DAMAGED = "does not decode"
# Each may hold `max_pixels` in memory, so they are few.
DECODED_AT_ONCE = 2


def load_rows(
    image_bytes: tf.Tensor, load, size: int, max_pixels: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch in which some may be no pictures, in graph ops.

    Args:
        image_bytes: string (batch,).
        load: string scalar -> uint8 (size, size, 3).
        size: side of the squares.
        max_pixels: as `load` refuses them.

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
            lambda row, encoded: (row, load(encoded)),
            num_parallel_calls=DECODED_AT_ONCE,
        )
        .ignore_errors()
    )
    # Stands for all that failed, and keeps the batch from being empty.
    black = (tf.constant(-1, tf.int64), tf.zeros((size, size, 3), tf.uint8))
    read = read.concatenate(tf.data.Dataset.from_tensors(black))
    read = paced(read.batch(count + 1))
    rows, pictures = read.get_single_element()
    rows = rows[:-1]
    last = tf.size(rows, out_type=tf.int64)
    place = tf.tensor_scatter_nd_update(
        tf.fill([count], last), rows[:, None], tf.range(last)
    )
    pictures = tf.gather(pictures, place)
    pictures = tf.ensure_shape(pictures, (None, size, size, 3))
    return tf.cast(pictures, tf.float32), _reasons(
        image_bytes, place == last, max_pixels
    )


def _reasons(
    image_bytes: tf.Tensor, failed: tf.Tensor, max_pixels: int
) -> tf.Tensor:
    """ "" for rows that were read; else what the header says, or DAMAGED."""
    reasons = tf.map_fn(
        lambda encoded: status(encoded, max_pixels),
        tf.boolean_mask(image_bytes, failed),
    )
    reasons = tf.where(reasons == "", DAMAGED, reasons)
    return tf.tensor_scatter_nd_update(
        tf.fill(tf.shape(image_bytes), ""), tf.where(failed), reasons
    )
