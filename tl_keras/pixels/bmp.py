"""BMP in TensorFlow ops: palettes of 1, 4 and 8 bits, 24 and 32 bits.

In: encoded bytes. Out: `read_bitmap`, the header; `decode_bitmap`, uint8
RGBA pixels (height, width, 4). TensorFlow's own op takes the numbers of a
palette for grey levels and stops at 1 and 4 bits, so it is not used. What is
left out (compressed, 16 bits, OS/2) is told as a fault.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tl_keras.pixels.reading import length, numbers, raw_bytes, words

KIND = "BMP of a kind not read here"
CUT = "BMP ends early"
BITS = (1, 4, 8, 24, 32)


class Bitmap(NamedTuple):
    """A BMP's header: int64 scalars, but for two bools and `fault`.

    Attributes:
        width: in pixels.
        height: in pixels.
        upward: bool, the bottom row comes first.
        bits: a pixel.
        colors: in the palette.
        palette: where the palette begins.
        start: where the rows begin.
        stride: bytes a row.
        alpha: bool, the fourth byte of a pixel is its alpha.
        fault: string, why it is not decoded; "" if none.
    """

    width: tf.Tensor
    height: tf.Tensor
    upward: tf.Tensor
    bits: tf.Tensor
    colors: tf.Tensor
    palette: tf.Tensor
    start: tf.Tensor
    stride: tf.Tensor
    alpha: tf.Tensor
    fault: tf.Tensor


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
    usual = (masks[0] == 0xFF0000) & (masks[1] == 0xFF00) & (masks[2] == 0xFF)
    alpha = (packing == 3) & (size >= 56) & (masks[3] == 0xFF000000)
    plain = (packing == 0) & tf.reduce_any(bits == BITS)
    known = plain | ((packing == 3) & (bits == 32) & usual)
    known &= size >= 40
    stride = (width * bits + 31) // 32 * 4
    most = 2 ** tf.minimum(bits, 8)
    colors = tf.where((used > 0) & (used < most), used, most)
    fault = tf.where(
        known,
        tf.where(start + stride * height <= length(encoded), "", CUT),
        words(KIND, " (", bits, " bits, compression ", packing, ")"),
    )
    # The older header of 12 bytes has its numbers elsewhere.
    side = tf.cast(size >= 40, tf.int64)
    return Bitmap(
        side * width, side * height, upward, bits, colors, 14 + size, start,
        stride, alpha, fault,
    )  # fmt: skip


def decode_bitmap(encoded: tf.Tensor) -> tf.Tensor:
    """Decodes a BMP that `read_bitmap` finds no fault in.

    Returns:
        uint8 tensor (height, width, 4), RGB and alpha.
    """
    bitmap = read_bitmap(encoded)
    width = bitmap.width
    rows = tf.strings.substr(
        encoded, bitmap.start, bitmap.stride * bitmap.height
    )
    rows = tf.reshape(
        tf.io.decode_raw(rows, tf.uint8), (bitmap.height, bitmap.stride)
    )
    rows = tf.cond(bitmap.upward, lambda: tf.reverse(rows, [0]), lambda: rows)

    def small(bits):
        shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
        parts = tf.bitwise.right_shift(rows[:, :, None], shifts)
        parts = tf.bitwise.bitwise_and(
            parts, tf.constant(2**bits - 1, tf.uint8)
        )
        parts = tf.reshape(parts, (bitmap.height, -1))[:, :width]
        return tf.gather(_palette(encoded, bitmap), tf.cast(parts, tf.int32))

    def wide(count):
        shape = (bitmap.height, width, count)
        pixels = tf.reshape(rows[:, : width * count], shape)
        rest = pixels[..., 3:]
        if count == 3:
            rest = tf.fill(
                tf.shape(pixels[..., :1]), tf.constant(255, tf.uint8)
            )
        return tf.concat([pixels[..., 2::-1], rest], axis=-1)

    place = tf.cast(bitmap.bits == BITS, tf.int32) * tf.range(len(BITS))
    return tf.switch_case(
        tf.reduce_sum(place),
        [
            *(lambda bits=bits: small(bits) for bits in (1, 4, 8)),
            *(lambda count=count: wide(count) for count in (3, 4)),
        ],
    )


def _palette(encoded: tf.Tensor, bitmap: Bitmap) -> tf.Tensor:
    """The colours: uint8 (256, 4), black where the palette is shorter."""
    entries = tf.reshape(raw_bytes(encoded, bitmap.palette, 1024), (256, 4))
    inside = tf.range(256, dtype=tf.int64) < bitmap.colors
    colors = tf.where(inside[:, None], entries, np.uint8(0))
    full = tf.fill((256, 1), np.uint8(255))
    return tf.concat([colors[:, 2::-1], full], axis=1)
