"""A rectangle of pixels becomes a square of the size the network takes.

In: uint8 (height, width, 3). Out: uint8 (image_size, image_size, 3). How it is
made square decides more about accuracy than the optimiser does; see `RESIZES`.
Resampling is bilinear and antialiased, rounded to whole grey levels so that
stored and fresh pixels are equal.
"""

import tensorflow as tf

from tl_keras.errors import ConfigError

# How a rectangle becomes a square:
RESIZES = {
    "crop": "the centre square",
    "squash": "width and height scaled apart, all of the picture kept",
    "pad": "all of the picture at its own aspect, black bars beside it",
}


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
    if resize == "crop":
        picture = _centre_square(picture)
    if resize == "pad":
        picture = tf.image.resize_with_pad(
            picture, image_size, image_size, antialias=True
        )
    else:
        picture = tf.image.resize(
            picture, (image_size, image_size), antialias=True
        )
    picture = tf.saturate_cast(tf.round(picture), tf.uint8)
    picture.set_shape((image_size, image_size, 3))
    return picture


def check_resize(resize: str) -> None:
    """Raises ConfigError where `resize` is not one of `RESIZES`."""
    if resize not in RESIZES:
        raise ConfigError(
            f"resize={resize!r}: expected one of {', '.join(RESIZES)}"
        )


def _centre_square(picture: tf.Tensor) -> tf.Tensor:
    """Cuts the largest centred square out of (height, width, 3)."""
    height, width = tf.shape(picture)[0], tf.shape(picture)[1]
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
