"""Encoded bytes to uint8 pixels, in TensorFlow ops: the one decoder.

    picture = pixels.load(tf.io.read_file("cat.jpg"), image_size=224)

In: JPEG, PNG, GIF (first frame), BMP or WebP bytes. Out: a square RGB picture
`(image_size, image_size, 3)`, uint8, 0 to 255. Training, evaluation, prediction
and the exported graph all call `load`, so they see the same pixels.

Making a picture square decides more about accuracy than the optimiser does;
see `RESIZES`. Resampling is bilinear and antialiased, rounded to whole grey
levels so that stored and fresh pixels are equal.
"""

import tensorflow as tf

# Counts up when the same bytes give other pixels than before.
DECODER_VERSION = 1
# How a rectangle becomes a square:
RESIZES = {
    "crop": "the centre square",
    "squash": "width and height scaled apart, all of the picture kept",
    "pad": "all of the picture at its own aspect, black bars beside it",
}


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes one picture.

    Args:
        encoded: scalar string tensor, the bytes of a picture file.

    Returns:
        uint8 tensor of shape (height, width, 3), RGB, 0 to 255.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are no picture TensorFlow
            reads, or end early (raised when the op runs).
    """
    picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    picture.set_shape((None, None, 3))
    return picture


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
        ValueError: `resize` is not one of `RESIZES`.
    """
    if resize not in RESIZES:
        raise ValueError(
            f"resize={resize!r}: expected one of {', '.join(RESIZES)}"
        )
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


def load(
    encoded: tf.Tensor, image_size: int, resize: str = "crop"
) -> tf.Tensor:
    """Decodes one picture and makes it square: `decode`, `make_square`."""
    return make_square(decode(encoded), image_size, resize)


def _centre_square(picture: tf.Tensor) -> tf.Tensor:
    """Cuts the largest centred square out of (height, width, 3)."""
    height, width = tf.shape(picture)[0], tf.shape(picture)[1]
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
