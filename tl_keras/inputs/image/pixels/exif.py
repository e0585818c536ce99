"""Which way up a picture is: the orientation that EXIF notes.

In: encoded bytes and where the EXIF block (a small TIFF file) begins in them.
Out: 1 to 8 as EXIF counts; 1, upright, where there is none or it is damaged.
`upright` turns and mirrors pixels accordingly.
"""

import numpy as np
import tensorflow as tf

from tl_keras.inputs.image.pixels.reading import code, numbers, raw_bytes

ORIENTATION, SHORT = 0x0112, 3
ENTRIES = 128  # Of the first directory; it is sorted, this one comes early.
# Row: orientation. Mirror the stored rows' order, the columns' order; then,
# from 5 on, rows become columns.
MIRRORS = np.array(
    [(0, 0), (0, 0), (0, 1), (1, 1), (1, 0), (0, 0), (1, 0), (1, 1), (0, 1)],
    bool,
)


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
    # JPEG, and some writers of WebP, put "Exif\0\0" before the block. The
    # block says its own byte order: "MM" big, "II" little.
    both = []
    for skip in (0, 6):
        both += [(skip, 4, "big"), (skip + 4, 4, "big")]
        both += [(skip + 4, 4, "little")]
    name, *rest = numbers(encoded, position, *both)
    prefixed = name == code(b"Exif")
    mark, big_start, little_start = tf.unstack(
        tf.where(prefixed, rest[2:], [name, *rest[:2]])
    )
    big, little = mark == 0x4D4D002A, mark == 0x49492A00
    start = position + tf.where(prefixed, np.int64(6), np.int64(0))
    start += tf.where(big, big_start, little_start)
    raw = tf.cast(raw_bytes(encoded, start, 2 + 12 * ENTRIES), tf.int32)
    # 16-bit numbers: how many entries; then six an entry: its tag, its type,
    # how many values (two of them), the value (two).
    places = tf.where(big, [256, 1], [1, 256])
    parts = tf.reduce_sum(tf.reshape(raw, (-1, 2)) * places, axis=1)
    entries = tf.reshape(parts[1:], (ENTRIES, 6))
    found = (
        tf.reduce_all(entries[:, :2] == [ORIENTATION, SHORT], axis=1)
        & (np.arange(ENTRIES) < parts[0])
        & (big | little)
    )
    value = tf.reduce_max(tf.where(found, entries[:, 4], 0))
    return tf.where((value >= 1) & (value <= 8), value, 1)


def mirrors(turn: tf.Tensor) -> tf.Tensor:
    """Whether stored rows and columns run backwards: bool (2,)."""
    return tf.gather(MIRRORS, turn)


def upright(picture: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """Turns a picture (height, width, 3) whose EXIF orientation is `turn`."""

    def turned():
        dims = tf.concat([mirrors(turn), [False]], axis=0)
        mirrored = tf.raw_ops.Reverse(tensor=picture, dims=dims)
        axes = tf.where(turn >= 5, [1, 0, 2], [0, 1, 2])
        return tf.transpose(mirrored, axes)

    return tf.cond(turn > 1, turned, lambda: tf.identity(picture))
