"""BMP in TensorFlow ops: palettes of 1, 4 and 8 bits, 24 and 32 bits.

In: encoded bytes. Out: `read_bitmap`, the header; `decode_bitmap`, uint8
pixels (height, width, 3), or 4 with alpha. TensorFlow's own op takes the
numbers of a palette for grey levels and stops at 1 and 4 bits, so it is not
used. What is left out (compressed, 16 bits, OS/2) is told as a fault.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tl_keras.inputs.image.pixels import faults
from tl_keras.inputs.image.pixels.reading import length, numbers, raw_bytes

BITS = (1, 4, 8, 24, 32)
LAYOUT = 10  # Numbers in a `Bitmap`.


class Bitmap(NamedTuple):
    """A BMP's header: int64 scalars.

    Attributes:
        width: in pixels.
        height: in pixels.
        alpha: 1 where the fourth byte of a pixel is its alpha.
        fault: index in `faults.FAULTS`.
        bits: a pixel.
        upward: 1 where the bottom row comes first.
        colors: in the palette.
        palette: where the palette begins.
        start: where the rows begin.
        stride: bytes a row.
    """

    width: tf.Tensor
    height: tf.Tensor
    alpha: tf.Tensor
    fault: tf.Tensor
    bits: tf.Tensor
    upward: tf.Tensor
    colors: tf.Tensor
    palette: tf.Tensor
    start: tf.Tensor
    stride: tf.Tensor


def read_bitmap(encoded: tf.Tensor) -> Bitmap:
    """Reads the header; never raises."""
    start, size, width, height, bits, packing, used, *masks = numbers(
        encoded,
        0,
        *((at, 4, "little") for at in (10, 14, 18, 22)),
        (28, 2, "little"),
        *((at, 4, "little") for at in (30, 46, 54, 58, 62, 66)),
    )
    upward = height < 2**31
    height = tf.where(upward, height, 2**32 - height)
    # Masks that say "blue, green, red, perhaps alpha": the usual order.
    usual = tf.reduce_all(tf.stack(masks[:3]) == [0xFF0000, 0xFF00, 0xFF])
    alpha = (packing == 3) & (size >= 56) & (masks[3] == 0xFF000000)
    plain = (packing == 0) & tf.reduce_any(bits == BITS)
    known = plain | ((packing == 3) & (bits == 32) & usual)
    stride = (width * bits + 31) // 32 * 4
    most = 2 ** tf.minimum(bits, 8)
    colors = tf.where((used > 0) & (used < most), used, most)
    fault = tf.where(
        known & (size >= 40),
        tf.where(
            start + stride * height <= length(encoded),
            np.int64(faults.NONE),
            faults.BMP_CUT,
        ),
        faults.BMP_KIND,
    )
    flags = tf.cast(tf.stack([size >= 40, alpha, upward]), tf.int64)
    # The older header of 12 bytes has its numbers elsewhere.
    side, alpha, upward = tf.unstack(flags)
    return Bitmap(
        side * width, side * height, alpha, fault, bits, upward, colors,
        14 + size, start, stride,
    )  # fmt: skip


def decode_bitmap(encoded: tf.Tensor, bitmap: Bitmap) -> tf.Tensor:
    """Decodes a BMP that `read_bitmap` finds no fault in.

    Args:
        encoded: scalar string tensor.
        bitmap: its header.

    Returns:
        uint8 tensor (height, width, 3), or 4 where alpha counts.
    """
    height, width, bits = bitmap.height, bitmap.width, bitmap.bits
    rows = tf.strings.substr(encoded, bitmap.start, bitmap.stride * height)
    rows = tf.reshape(tf.io.decode_raw(rows, tf.uint8), (height, -1))
    upside = tf.stack([bitmap.upward > 0, False])
    rows = tf.raw_ops.Reverse(tensor=rows, dims=upside)

    def numbered():
        # The first pixel lies in the highest bits of a byte.
        shifts = tf.cast(tf.range(8 - bits, -1, -bits), tf.uint8)
        parts = tf.bitwise.right_shift(rows[:, :, None], shifts)
        parts = parts % tf.cast(2 ** tf.minimum(bits, 7), tf.uint8)
        parts = tf.where(bits == 8, rows[:, :, None], parts)
        parts = tf.reshape(parts, (height, -1))[:, :width]
        return tf.gather(_palette(encoded, bitmap), tf.cast(parts, tf.int32))

    def colored():
        channels = bits // 8
        pixels = tf.reshape(
            rows[:, : width * channels], (height, width, channels)
        )
        rgba = tf.constant([2, 1, 0, 3])[: 3 + bitmap.alpha]
        return tf.gather(pixels, rgba, axis=2)

    return tf.cond(bits <= 8, numbered, colored)


def _palette(encoded: tf.Tensor, bitmap: Bitmap) -> tf.Tensor:
    """The colours: uint8 (256, 3), black where the palette is shorter."""
    entries = tf.reshape(raw_bytes(encoded, bitmap.palette, 1024), (256, 4))
    inside = np.arange(256)[:, None] < bitmap.colors
    return tf.where(inside, entries[:, 2::-1], np.uint8(0))
