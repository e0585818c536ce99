"""A rectangle of pixels becomes a square of the size the network takes.

In: uint8 (height, width, 3). Out: uint8 (image_size, image_size, 3). How it is
made square decides more about accuracy than the optimiser does; see `RESIZES`.
Resampling is bilinear and antialiased, rounded to whole grey levels so that
stored and fresh pixels are equal.

A JPEG much larger than its square is decoded at a half, a quarter or an eighth
of its size: libjpeg leaves out the fine frequencies that the resampling would
take away. The square is still cut by the whole picture's geometry, to
fractions of a pixel: cutting the small one at whole pixels would shift it.
"""

import numpy as np
import tensorflow as tf

from tl_keras.errors import ConfigError
from tl_keras.inputs.image.pixels.exif import mirrors, upright

# How a rectangle becomes a square:
RESIZES = {
    "crop": "the centre square",
    "squash": "width and height scaled apart, all of the picture kept",
    "pad": "all of the picture at its own aspect, black bars beside it",
}
# At least this many times the pixels asked for stay on each side. Measured on
# photographs of 12 megapixels, white noise and sharp edges: with 2.5 the
# squares of photographs and noise are within 2 grey levels on average at each
# of the sizes; with 2, noise is not.
MARGIN = 2.5


def make_square(
    picture: tf.Tensor, image_size: int, resize: str = "crop"
) -> tf.Tensor:
    """Brings a picture to `image_size` x `image_size`.

    Args:
        picture: uint8 tensor (height, width, 3).
        image_size: side of the result, in pixels.
        resize: one of `RESIZES`.

    Returns:
        uint8 tensor (image_size, image_size, 3).

    Raises:
        ConfigError: `resize` is not one of `RESIZES`; also a ValueError.
    """
    check_resize(resize)
    picture = tf.convert_to_tensor(picture)
    full = tf.shape(picture)[:2]
    return fit(picture, full, np.int32(0), np.int32(1), image_size, resize)


def count_halvings(
    width: tf.Tensor, height: tf.Tensor, image_size: int, resize: str
) -> tf.Tensor:
    """How often the sides of a picture may be halved.

    Args:
        width, height: of the picture as it is stored, int32, in pixels.
        image_size: side of the square it becomes.
        resize: "crop", "squash" or "pad".

    Returns:
        int32 (), 0 to 3.
    """
    # "pad" fits the longer side into the square, the others the shorter one.
    pick = tf.maximum if resize == "pad" else tf.minimum
    side = tf.cast(pick(width, height), tf.float32)
    enough = np.float32([2, 4, 8]) * np.float32(MARGIN * image_size)
    return tf.reduce_sum(tf.cast(side >= enough, tf.int32))


def fit(
    picture: tf.Tensor,
    full: tf.Tensor,
    halvings: tf.Tensor,
    turn: tf.Tensor,
    image_size: int,
    resize: str,
) -> tf.Tensor:
    """As `make_square`, of a picture as stored, maybe halved, then upright.

    Args:
        picture: uint8 tensor (height, width, 3).
        full: (2,), height and width before the halvings.
        halvings: how often its sides were halved.
        turn: its EXIF orientation, 1 to 8.
        image_size: side of the result, in pixels.
        resize: one of `RESIZES`.

    Returns:
        uint8 tensor (image_size, image_size, 3), upright.
    """
    sides = tf.cast(full, tf.int64)
    full = tf.cast(full, tf.float32)
    ratio = tf.cast(tf.bitwise.left_shift(1, halvings), tf.float32)
    start, extent = np.zeros(2, np.float32), full
    size = whole = [image_size] * 2
    if resize == "crop":
        start, extent = _middle(full, halvings, turn)
    if resize == "pad":
        # As tf.image.resize_with_pad counts it, but in whole numbers: a graph
        # multiplies by 1 / image_size, which can lose a row.
        longest = tf.reduce_max(sides)
        size = tf.cast(image_size * sides // longest, tf.int32)
    square = _sample(picture, start / ratio, extent / ratio, size)
    square = upright(square, turn)
    if resize == "pad":
        bars = image_size * (longest - sides) // (2 * longest)
        bars = tf.cast(bars, tf.int32)
        top, left = tf.unstack(tf.where(turn >= 5, bars[::-1], bars))
        square = tf.image.pad_to_bounding_box(square, top, left, *whole)
    square.set_shape((image_size, image_size, 3))
    return square


def _middle(full, halvings, turn) -> tuple[tf.Tensor, tf.Tensor]:
    """Start and extent of the largest centred square: float32 (2,) each."""
    side = tf.reduce_min(full)
    start = (full - side) / 2
    # Of a whole picture whole pixels: those that are first when upright.
    late = tf.cast(mirrors(turn), tf.float32) / 2
    start = tf.where(halvings > 0, start, tf.floor(start + late))
    return start, tf.stack([side, side])


def check_resize(resize: str) -> None:
    """Raises ConfigError where `resize` is not one of `RESIZES`."""
    if resize not in RESIZES:
        raise ConfigError(
            f"resize={resize!r}: expected one of {', '.join(RESIZES)}"
        )


def _sample(picture, start, extent, size) -> tf.Tensor:
    """A part of a picture at another size, antialiased: uint8.

    Args:
        picture: uint8 (height, width, 3).
        start: float32 (2,), top and left of the part, in fractions of pixels.
        extent: float32 (2,), its height and width.
        size: int32 (2,), height and width of the result.
    """
    first = tf.floor(start)
    # Only the part goes in: the filter must not see beyond its edges.
    count = tf.math.ceil(start + extent - np.float32(1e-3)) - first
    begin, count = tf.unstack(tf.cast(tf.stack([first, count]), tf.int32))
    part = tf.slice(
        picture, tf.pad(begin, [(0, 1)]), tf.concat([count, [3]], axis=0)
    )
    scale = tf.cast(size, tf.float32) / extent
    sampled = tf.raw_ops.ScaleAndTranslate(
        images=part[None],
        size=size,
        scale=scale,
        translation=(first - start) * scale,
        kernel_type="triangle",
        antialias=True,
    )
    return tf.saturate_cast(tf.round(sampled[0]), tf.uint8)
