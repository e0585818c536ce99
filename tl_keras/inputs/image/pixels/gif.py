"""The first frame of a GIF, in TensorFlow ops.

In: encoded bytes. Out: `read_frame`, where the first frame's parts lie;
`decode_frame`, uint8 pixels (height, width, 3) of the whole canvas.

TensorFlow's decoder unpacks every frame to give the first one (a megabyte of
them fills a gigabyte), shows transparent pixels as black and forgets where on
the canvas a frame lies. So it is given a GIF made of the first frame alone,
whose transparent colour is the background's; the rest is put round it here.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tl_keras.inputs.image.pixels import faults
from tl_keras.inputs.image.pixels.reading import length, numbers, raw_bytes

WINDOW = 1 << 16  # Bytes looked at, at once, for a row of equal blocks.
STEPS = 4096  # Blocks, or rows of equal blocks, walked at most.
EXTENSION, FRAME = 0x21, 0x2C
BYTES = [bytes([value]) for value in range(256)]
LAYOUT = 15  # Numbers in a `Frame`.


class Frame(NamedTuple):
    """The first frame and its canvas: int64 scalars.

    Attributes:
        width: of the canvas, in pixels.
        height: of the canvas.
        alpha: 1 where some pixels are transparent.
        fault: index in `faults.FAULTS`.
        at: where the frame's own header begins.
        left, top, wide, high: the frame's rectangle on the canvas.
        packed: the frame's flags.
        palette: where the palette in force begins.
        colors: in that palette; 0 without one.
        clear: number of the transparent colour; -1 if none.
        data: where the compressed pixels begin.
        end: where they end.
    """

    width: tf.Tensor
    height: tf.Tensor
    alpha: tf.Tensor
    fault: tf.Tensor
    at: tf.Tensor
    left: tf.Tensor
    top: tf.Tensor
    wide: tf.Tensor
    high: tf.Tensor
    packed: tf.Tensor
    palette: tf.Tensor
    colors: tf.Tensor
    clear: tf.Tensor
    data: tf.Tensor
    end: tf.Tensor


def read_frame(encoded: tf.Tensor) -> Frame:
    """Walks to the first frame and to its end; never raises."""
    width, height, flags = numbers(
        encoded, 6, (0, 2, "little"), (2, 2, "little"), (4, 1, "big")
    )
    colors = _colors(flags)
    at, end, clear = _find_frame(encoded, 13 + 3 * colors)
    mark, left, top, wide, high, packed = numbers(
        encoded,
        at,
        (0, 1, "big"),
        *((offset, 2, "little") for offset in (1, 3, 5, 7)),
        (9, 1, "big"),
    )
    own = _colors(packed)
    fault = tf.where(
        mark == FRAME,
        tf.where(end > length(encoded), np.int64(faults.GIF_CUT), faults.NONE),
        faults.GIF_NO_FRAME,
    )
    here, alpha = tf.unstack(
        tf.cast(tf.stack([mark == FRAME, clear >= 0]), tf.int64)
    )
    return Frame(
        here * tf.maximum(width, left + wide),
        here * tf.maximum(height, top + high),
        alpha, fault, at, left, top, wide, high, packed,
        tf.where(own > 0, at + 10, np.int64(13)),
        tf.where(own > 0, own, colors),
        clear, at + 10 + 3 * own, end,
    )  # fmt: skip


def decode_frame(
    encoded: tf.Tensor, frame: Frame, background: tf.Tensor
) -> tf.Tensor:
    """Decodes the first frame of a GIF that `read_frame` finds no fault in.

    Args:
        encoded: scalar string tensor.
        frame: where its parts lie.
        background: uint8 (3,), the colour that shows where it is transparent.

    Returns:
        uint8 tensor (height, width, 3).
    """
    picture = tf.io.decode_image(
        _alone(encoded, frame, background), channels=3, expand_animations=False
    )
    picture = tf.ensure_shape(picture, (None, None, 3))
    whole = (frame.wide == frame.width) & (frame.high == frame.height)
    return tf.cond(
        whole,
        lambda: picture,
        lambda: _on_canvas(encoded, frame, picture, background),
    )


def _colors(flags: tf.Tensor) -> tf.Tensor:
    """How many colours a palette has whose flags these are."""
    return tf.where(flags >= 128, 2 ** (flags % 8 + 1), np.int64(0))


def _find_frame(encoded: tf.Tensor, start: tf.Tensor) -> list[tf.Tensor]:
    """Position of the first frame, its end, its transparent colour or -1."""

    def step(steps, _, after, clear, __):
        mark, label, size, flags, number, packed = numbers(
            encoded, after, *((at, 1, "big") for at in (0, 1, 2, 3, 6, 9))
        )
        extends = mark == EXTENSION
        control = extends & (label == 0xF9) & (size == 4)
        see_through = tf.where(flags % 2 == 1, number, np.int64(-1))
        clear = tf.where(control, see_through, clear)
        chain = tf.where(extends, np.int64(2), 11 + 3 * _colors(packed))
        end = _after_blocks(encoded, after + chain)
        return steps + 1, after, end, clear, extends

    return tf.while_loop(
        lambda steps, at, after, clear, extends: extends & (steps < STEPS),
        step,
        (0, start, start, np.int64(-1), True),
        parallel_iterations=1,
    )[1:4]


def _after_blocks(encoded: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """The position after a chain of blocks; past the end where it is cut.

    Each block begins with its size. Writers make all but the last equal, so a
    whole row of equal ones is passed at a time.
    """

    def step(steps, position, _):
        raw = raw_bytes(encoded, position, WINDOW)
        size = tf.cast(raw[0], tf.int32)
        same = tf.cast(raw[:: size + 1] == raw[0], tf.int64)
        count = tf.reduce_sum(tf.math.cumprod(same))
        count = tf.where(size == 0, np.int64(1), count)
        position += count * tf.cast(size + 1, tf.int64)
        return steps + 1, position, size > 0

    _, position, more = tf.while_loop(
        lambda steps, position, more: more & (steps < STEPS),
        step,
        (0, position, True),
        parallel_iterations=1,
    )
    return tf.where(more, length(encoded) + 1, position)


def _alone(encoded: tf.Tensor, frame: Frame, background) -> tf.Tensor:
    """A GIF of the first frame only, its transparent colour replaced."""
    at = np.arange(256)[:, None]
    palette = tf.where(at == frame.clear, background, _palette(encoded, frame))
    letters = tf.gather(BYTES, tf.cast(tf.reshape(palette, [-1]), tf.int32))
    size = tf.strings.substr(encoded, frame.at + 5, 4)
    pixels = tf.strings.substr(encoded, frame.data, frame.end - frame.data)
    interlaced = tf.gather([b"\x00", b"\x40"], frame.packed // 64 % 2)
    return tf.strings.join(
        [
            b"GIF89a", size, b"\xf7\x00\x00", tf.strings.reduce_join(letters),
            b",\x00\x00\x00\x00", size, interlaced, pixels, b";",
        ]
    )  # fmt: skip


def _palette(encoded: tf.Tensor, frame: Frame) -> tf.Tensor:
    """The colours: uint8 (256, 3); grey levels where the file has none."""
    at = np.arange(256)[:, None]
    colors = tf.reshape(raw_bytes(encoded, frame.palette, 768), (256, 3))
    colors = tf.where(at < frame.colors, colors, np.uint8(0))
    return tf.where(frame.colors > 0, colors, tf.cast(at, tf.uint8))


def _on_canvas(encoded: tf.Tensor, frame: Frame, picture, background):
    """Puts a frame where it lies; round it is what Pillow shows there."""
    color = tf.where(frame.clear >= 0, background, _palette(encoded, frame)[0])
    right = frame.width - frame.left - frame.wide
    below = frame.height - frame.top - frame.high
    edges = tf.reshape(
        tf.stack([frame.top, below, frame.left, right, 0, 0]), (3, 2)
    )
    inside = tf.pad(tf.ones_like(picture[..., :1], tf.bool), edges)
    return tf.where(inside, tf.pad(picture, edges), color)
