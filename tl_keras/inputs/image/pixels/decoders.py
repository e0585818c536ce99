"""One decoder a format: encoded bytes -> uint8 pixels (height, width, 3).

In: bytes whose header was found good (`header.status`). Out: RGB, with what is
transparent laid on a background, not yet turned upright. Pixels are those that
Pillow gives, to the last level but for lossy WebP's rounding.
"""

import numpy as np
import tensorflow as tf

from tl_keras.inputs.image.pixels import bmp, gif
from tl_keras.inputs.image.pixels.header import PNG, Header

# How values of 16-bit PNG become 8 bits:
BIT_DEPTH_SCALES = {
    "auto": "by the bits the greatest value needs: 8, 10, 12, 14 or 16",
    "none": "the high byte",
}
# Where the ways of decoding a format begin, in `decode_known`.
FIRST_WAY = [0, 0, 4, 7, 8, 9]


def decode_known(
    encoded: tf.Tensor,
    header: Header,
    background: tuple[int, int, int],
    bit_depth_scale: str,
    halvings: tf.Tensor | int = 0,
) -> tf.Tensor:
    """Decodes a picture by its header.

    Args:
        encoded: scalar string tensor.
        header: what `read_header` found; `fault` is "".
        background: RGB, 0 to 255.
        bit_depth_scale: one of `BIT_DEPTH_SCALES`.
        halvings: how often a JPEG's sides are halved; 0 for other formats.

    Returns:
        uint8 tensor (height, width, 3).
    """
    ground = tf.constant(background, tf.uint8)
    ways = _ways(encoded, header, ground, bit_depth_scale)
    png = tf.where(header.depth == 16, 2, tf.cast(header.alpha, tf.int32))
    more = tf.where(header.format == PNG, png, halvings)
    picture = tf.switch_case(tf.gather(FIRST_WAY, header.format) + more, ways)
    picture = tf.cond(
        tf.shape(picture)[2] == 4,
        lambda: flatten(picture, ground),
        lambda: tf.identity(picture),
    )
    return tf.ensure_shape(picture, (None, None, 3))


def _ways(encoded, header, ground, bit_depth_scale):
    """All ways of decoding: functions that give uint8 (h, w, 3 or 4).

    They stand in one list, for each switch more makes a graph heavier.
    """

    def jpeg(ratio):
        # The accurate transform costs nothing measurable and is Pillow's.
        return tf.io.decode_jpeg(
            encoded, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    def first_frame():
        frame = gif.Frame(*tf.unstack(header.layout))
        return gif.decode_frame(encoded, frame, ground)

    def bitmap():
        layout = bmp.Bitmap(*tf.unstack(header.layout[: bmp.LAYOUT]))
        return bmp.decode_bitmap(encoded, layout)

    def webp():
        # Only without asking for channels does it take both kinds, with alpha
        # and without; on animated ones, refused before, it spoils the heap.
        return tf.io.decode_image(encoded, channels=0, expand_animations=False)

    return [
        *(lambda ratio=ratio: jpeg(ratio) for ratio in (1, 2, 4, 8)),
        lambda: tf.io.decode_png(encoded, channels=3),
        lambda: tf.io.decode_png(encoded, channels=4),
        lambda: _deep_png(encoded, bit_depth_scale),
        first_frame,
        bitmap,
        webp,
    ]


def flatten(picture: tf.Tensor, ground: tf.Tensor) -> tf.Tensor:
    """Lays RGBA (height, width, 4) on a colour, rounded as Pillow rounds."""
    values = tf.cast(picture, tf.int32)
    color, alpha = values[..., :3], values[..., 3:]
    mixed = color * alpha + tf.cast(ground, tf.int32) * (255 - alpha)
    mixed = (mixed + 128) * 128
    return tf.cast((mixed // 256 + mixed) // 256 // 128, tf.uint8)


def _deep_png(encoded: tf.Tensor, scale: str) -> tf.Tensor:
    """16-bit PNG -> uint8 RGBA; alpha always by its high byte."""
    picture = tf.io.decode_png(encoded, channels=4, dtype=tf.uint16)
    values = tf.cast(picture, tf.int32)
    color, alpha = values[..., :3], values[..., 3:]
    shift = np.int32(8)
    if scale == "auto":
        needed = tf.reduce_max(color) >= [2**8, 2**10, 2**12, 2**14]
        shift = 2 * tf.reduce_sum(tf.cast(needed, tf.int32))
    color = tf.bitwise.right_shift(color, shift)
    return tf.cast(tf.concat([color, alpha // 256], axis=-1), tf.uint8)
