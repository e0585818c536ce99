"""Numbers out of encoded bytes, in TensorFlow ops that never read out of range.

    width, height = numbers(encoded, 16, (0, 4, "big"), (4, 4, "big"))

In: a scalar string tensor and positions in it, which may come from the file
itself and so be any, but not negative. Out: int64 scalars; what lies beyond
the end reads as zeros. Headers are walked with these, so that hostile bytes
cost nothing. Few ops each: a pass over a dataset sets up every op anew.
"""

import numpy as np
import tensorflow as tf

# (offset, size in bytes, "big" or "little")
Field = tuple[int, int, str]


def length(encoded: tf.Tensor) -> tf.Tensor:
    """How many bytes there are: int64 scalar."""
    return tf.cast(tf.strings.length(encoded), tf.int64)


def raw_bytes(
    encoded: tf.Tensor, position: tf.Tensor | int, count: int
) -> tf.Tensor:
    """`count` bytes from `position` on.

    Args:
        encoded: a string tensor (), a file's bytes.
        position: of the first byte, 0 or more; past the end all are zeros.
        count: how many, known before the graph runs.

    Returns:
        uint8 (count,), zeros past the end.
    """
    start = np.int64(0)
    if not isinstance(position, int) or position != 0:
        start = tf.minimum(tf.cast(position, tf.int64), length(encoded))
    piece = tf.strings.substr(encoded, start, np.int64(count))
    raw = tf.io.decode_raw(piece, tf.uint8, fixed_length=count)
    raw.set_shape((count,))
    return raw


def numbers(
    encoded: tf.Tensor, position: tf.Tensor | int, *fields: Field
) -> list[tf.Tensor]:
    """Unsigned numbers that lie near each other.

    Args:
        encoded: scalar string tensor.
        position: where the offsets of the fields count from; 0 or more.
        fields: (offset, size, byte order) of each number.

    Returns:
        One int64 scalar a field.
    """
    count = max(offset + size for offset, size, _ in fields)
    raw = tf.cast(raw_bytes(encoded, position, count), tf.int64)
    # All fields at once, as a product with place values: few ops a header.
    places = np.zeros((len(fields), count), np.int64)
    for row, (offset, size, order) in enumerate(fields):
        powers = 256 ** np.arange(size, dtype=np.int64)
        places[row, offset : offset + size] = (
            powers[::-1] if order == "big" else powers
        )
    return tf.unstack(tf.reduce_sum(raw * places, axis=1))


def code(text: bytes) -> int:
    """A chunk's name as the number that a big-endian field reads for it."""
    return int.from_bytes(text, "big")
