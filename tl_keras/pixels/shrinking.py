"""Large JPEGs decoded at a part of their size, then made square.

    halvings = count_halvings(header, image_size=224, resize="crop")
    square = load_shrunk(encoded, header, halvings, 224, "crop")

In: encoded bytes of a JPEG much larger than the square it becomes. Out: the
square, upright. libjpeg leaves out the fine frequencies that the resampling
would take away; a photograph of 12 megapixels takes less than half the time.
The square is cut by the full picture's geometry, to fractions of a pixel:
cutting at whole pixels of the small one would shift it.
"""

import tensorflow as tf

from tl_keras.pixels.exif import upright
from tl_keras.pixels.header import FORMATS, Header

# At least this many times the pixels asked for stay on each side. Measured on
# photographs of 12 megapixels, white noise and sharp edges: with 2.5 the
# squares of photographs and noise are within 2 grey levels on average at each
# of the sizes; with 2, noise is not.
MARGIN = 2.5
JPEG = FORMATS.index("JPEG")


def count_halvings(header: Header, image_size: int, resize: str) -> tf.Tensor:
    """How often the sides of a picture may be halved: int32, 0 to 3."""
    # "pad" fits the longer side into the square, the others the shorter one.
    pick = tf.maximum if resize == "pad" else tf.minimum
    side = tf.cast(pick(header.width, header.height), tf.float32)
    fits = side / (image_size * MARGIN) >= [2.0, 4.0, 8.0]
    halvings = tf.reduce_sum(tf.cast(fits, tf.int32))
    return tf.where(header.format == JPEG, halvings, 0)


def load_shrunk(
    encoded: tf.Tensor,
    header: Header,
    halvings: tf.Tensor,
    image_size: int,
    resize: str,
) -> tf.Tensor:
    """Decodes a JPEG at a half, quarter or eighth and makes it square.

    Args:
        encoded: scalar string tensor, a JPEG.
        header: what `read_header` found in it.
        halvings: 1, 2 or 3.
        image_size: side of the result, in pixels.
        resize: one of `RESIZES`.

    Returns:
        uint8 tensor (image_size, image_size, 3), upright.
    """
    picture = tf.switch_case(
        halvings - 1,
        [lambda r=ratio: decode_jpeg(encoded, r) for ratio in (2, 4, 8)],
    )
    full = tf.cast(tf.stack([header.height, header.width]), tf.float32)
    ratio = tf.cast(2**halvings, tf.float32)
    if resize == "crop":
        side = tf.reduce_min(full)
        square = _sample(
            picture, (full - side) / 2 / ratio, side / ratio, image_size
        )
        return upright(square, header.orientation)
    if resize == "squash":
        square = _sample(picture, tf.zeros(2), full / ratio, image_size)
        return upright(square, header.orientation)
    # As tf.image.resize_with_pad counts it, with the full picture's sides.
    inner = full / tf.reduce_max(full / image_size)
    picture = _sample(picture, tf.zeros(2), full / ratio, inner)
    bars = tf.cast((image_size - inner) / 2, tf.int32)
    bars = tf.where(header.orientation >= 5, bars[::-1], bars)
    picture = upright(picture, header.orientation)
    return tf.image.pad_to_bounding_box(
        picture, bars[0], bars[1], image_size, image_size
    )


def decode_jpeg(encoded: tf.Tensor, ratio: int = 1) -> tf.Tensor:
    """Decodes a JPEG at 1 / `ratio` of its size: uint8 (height, width, 3)."""
    # The accurate transform costs nothing measurable and is Pillow's.
    return tf.io.decode_jpeg(
        encoded, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
    )


def _sample(picture, start, extent, size) -> tf.Tensor:
    """A part of a picture at another size, antialiased: uint8.

    Args:
        picture: uint8 (height, width, 3).
        start: float32 (2,), top and left of the part, in fractions of pixels.
        extent: float32 (2,) or scalar, its height and width.
        size: of the result, rounded down: (2,) or one number for both.
    """
    extent = tf.broadcast_to(extent, (2,))
    size = tf.broadcast_to(tf.cast(size, tf.int32), (2,))
    first = tf.floor(start)
    # Only the part goes in: the filter must not see beyond its edges.
    top, left = tf.unstack(tf.cast(first, tf.int32))
    below, right = tf.unstack(
        tf.cast(tf.math.ceil(start + extent - 1e-3), tf.int32)
    )
    scale = tf.cast(size, tf.float32) / extent
    sampled = tf.raw_ops.ScaleAndTranslate(
        images=picture[None, top:below, left:right],
        size=size,
        scale=scale,
        translation=(first - start) * scale,
        kernel_type="triangle",
        antialias=True,
    )
    return tf.saturate_cast(tf.round(sampled[0]), tf.uint8)
