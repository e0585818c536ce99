"""Which way up a picture is: the orientation that EXIF notes.

In: encoded bytes and where the EXIF block (a small TIFF file) begins in them.
Out: 1 to 8 as EXIF counts; 1, upright, where there is none or it is damaged.
`upright` turns and mirrors pixels accordingly.
"""

import tensorflow as tf

from tl_keras.pixels.reading import numbers, raw_bytes

ORIENTATION, SHORT = 0x0112, 3
ENTRIES = 128  # Of the first directory; it is sorted, this one comes early.


def orientation(encoded: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """The orientation in the EXIF block at `position`; below 0: none.

    Returns:
        int32 scalar, 1 to 8.
    """
    return tf.cond(
        position >= 0,
        lambda: _read(encoded, position),
        lambda: tf.constant(1, tf.int32),
    )


def _read(encoded: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    # The block says its own byte order: "MM" big, "II" little.
    mark, _, big_start, little_start = numbers(
        encoded,
        position,
        (0, 4, "big"),
        (0, 1, "big"),
        (4, 4, "big"),
        (4, 4, "little"),
    )
    big, little = mark == 0x4D4D002A, mark == 0x49492A00
    start = position + tf.where(big, big_start, little_start)
    raw = tf.cast(raw_bytes(encoded, start, 2 + 12 * ENTRIES), tf.int32)
    places = tf.where(big, [256, 1], [1, 256])
    count = tf.reduce_sum(raw[:2] * places)
    entries = tf.reshape(raw[2:], (ENTRIES, 6, 2))
    # Six 16-bit numbers an entry: tag, type, count (2), value (2).
    entries = tf.reduce_sum(entries * places, axis=2)
    found = (
        (entries[:, 0] == ORIENTATION)
        & (entries[:, 1] == SHORT)
        & (tf.range(ENTRIES) < count)
        & (big | little)
    )
    value = tf.reduce_max(tf.where(found, entries[:, 4], 0))
    return tf.where((value >= 1) & (value <= 8), value, 1)


def upright(picture: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """Turns a picture (height, width, 3) whose EXIF orientation is `turn`."""

    def turned():
        swapped = tf.cond(
            turn >= 5,
            lambda: tf.transpose(picture, (1, 0, 2)),
            lambda: picture,
        )
        mirrored = tf.cond(
            tf.reduce_any(turn == [2, 3, 6, 7]),
            lambda: tf.reverse(swapped, [1]),
            lambda: swapped,
        )
        return tf.cond(
            tf.reduce_any(turn == [3, 4, 7, 8]),
            lambda: tf.reverse(mirrored, [0]),
            lambda: mirrored,
        )

    return tf.cond(turn > 1, turned, lambda: picture)
