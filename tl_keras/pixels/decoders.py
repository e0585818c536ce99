"""One decoder a format: encoded bytes -> uint8 pixels (height, width, 3).

In: bytes whose header was found good (`header.status`). Out: RGB, with what is
transparent laid on a background, not yet turned upright. Pixels are those that
Pillow gives, to the last level but for lossy WebP's rounding.
"""

import tensorflow as tf

from tl_keras.pixels import bmp, gif
from tl_keras.pixels.header import Header
from tl_keras.pixels.shrinking import decode_jpeg

# How values of 16-bit PNG become 8 bits:
BIT_DEPTH_SCALES = {
    "auto": "by the bits the greatest value needs: 8, 10, 12, 14 or 16",
    "none": "the high byte",
}


def decode_known(
    encoded: tf.Tensor,
    header: Header,
    background: tuple[int, int, int],
    bit_depth_scale: str,
) -> tf.Tensor:
    """Decodes a picture by its header.

    Args:
        encoded: scalar string tensor.
        header: what `read_header` found; `fault` is "".
        background: RGB, 0 to 255.
        bit_depth_scale: one of `BIT_DEPTH_SCALES`.

    Returns:
        uint8 tensor (height, width, 3).
    """
    ground = tf.constant(background, tf.uint8)
    picture = tf.switch_case(
        header.format - 1,
        [
            lambda: decode_jpeg(encoded),
            lambda: _png(encoded, header, ground, bit_depth_scale),
            lambda: gif.decode_frame(encoded, ground),
            lambda: _bmp(encoded, header, ground),
            lambda: _webp(encoded, ground),
        ],
    )
    return tf.ensure_shape(picture, (None, None, 3))


def flatten(picture: tf.Tensor, ground: tf.Tensor) -> tf.Tensor:
    """Lays RGBA (height, width, 4) on a colour, rounded as Pillow rounds."""
    color = tf.cast(picture[..., :3], tf.int32)
    alpha = tf.cast(picture[..., 3:], tf.int32)
    mixed = color * alpha + tf.cast(ground, tf.int32) * (255 - alpha)
    mixed = (mixed + 128) * 128
    return tf.cast((mixed // 256 + mixed) // 256 // 128, tf.uint8)


def _png(
    encoded: tf.Tensor, header: Header, ground: tf.Tensor, scale: str
) -> tf.Tensor:
    def opaque():
        return tf.io.decode_png(encoded, channels=3)

    def clear():
        picture = tf.io.decode_png(encoded, channels=4)
        return flatten(picture, ground)

    def deep():
        picture = tf.io.decode_png(encoded, channels=4, dtype=tf.uint16)
        return flatten(_eight_bits(picture, scale), ground)

    kind = tf.where(header.depth == 16, 2, tf.cast(header.alpha, tf.int32))
    return tf.switch_case(kind, [opaque, clear, deep])


def _eight_bits(picture: tf.Tensor, scale: str) -> tf.Tensor:
    """uint16 RGBA -> uint8 RGBA; alpha always by its high byte."""
    values = tf.cast(picture, tf.int32)
    color, alpha = values[..., :3], values[..., 3:]
    if scale == "auto":
        needed = tf.reduce_max(color) >= tf.constant(
            [2**8, 2**10, 2**12, 2**14]
        )
        shift = 2 * tf.reduce_sum(tf.cast(needed, tf.int32))
    else:
        shift = tf.constant(8)
    color = tf.bitwise.right_shift(color, shift)
    return tf.cast(tf.concat([color, alpha // 256], axis=-1), tf.uint8)


def _bmp(encoded: tf.Tensor, header: Header, ground: tf.Tensor) -> tf.Tensor:
    picture = bmp.decode_bitmap(encoded)
    return tf.cond(
        header.alpha,
        lambda: flatten(picture, ground),
        lambda: picture[..., :3],
    )


def _webp(encoded: tf.Tensor, ground: tf.Tensor) -> tf.Tensor:
    # Only without asking for channels does it take both kinds, with alpha and
    # without; on animated ones, refused before, that would spoil the heap.
    picture = tf.io.decode_image(encoded, channels=0, expand_animations=False)
    return tf.cond(
        tf.shape(picture)[2] == 4,
        lambda: flatten(picture, ground),
        lambda: tf.identity(picture),
    )
