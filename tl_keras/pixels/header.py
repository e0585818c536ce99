"""What a picture file says of itself, read in TensorFlow ops before decoding.

    header = read_header(encoded)
    header.width, header.height, header.orientation, header.fault
    status(encoded)              # "" or "too large: 50000 x 50000 pixels"

In: encoded bytes, hostile ones too: every walk is bounded, nothing is read out
of range, nothing is decoded. Out: a `Header`. A picture that a decoder would
get wrong, or that would fill the memory, is told here, by a few bytes.
"""

from typing import NamedTuple

import tensorflow as tf

from tl_keras.pixels import bmp, gif
from tl_keras.pixels.exif import orientation
from tl_keras.pixels.reading import code, length, numbers, words

FORMATS = ("unknown", "JPEG", "PNG", "GIF", "BMP", "WebP")
MAX_PIXELS = 100_000_000
ANIMATED_WEBP = "animated WebP"
JPEG_HEADER = "damaged JPEG header"
STEPS = 4096  # Segments or chunks walked at most.
# What a JPEG marker's second byte means for the walk, and its step.
SEGMENT, FILL, ALONE, FRAME, STOP = range(5)
_MEANING = [SEGMENT] * 256
for _byte in (0x01, *range(0xD0, 0xD8)):
    _MEANING[_byte] = ALONE
for _byte in sorted(set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}):
    _MEANING[_byte] = FRAME
for _byte in (0x00, 0xC8, 0xD8, 0xD9, 0xDA):
    _MEANING[_byte] = STOP
_MEANING[0xFF] = FILL


class Header(NamedTuple):
    """What is known of a picture before it is decoded; scalar tensors.

    Attributes:
        format: int32, index in `FORMATS`.
        width: int64, in pixels, as stored (before EXIF turns it).
        height: int64.
        orientation: int32, 1 to 8 as EXIF counts.
        alpha: bool, some pixels may be transparent.
        depth: int32, bits a channel (PNG) or a pixel (BMP); else 8.
        fault: string, why it is not decoded whatever its size; "" if none.
    """

    format: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor
    orientation: tf.Tensor
    alpha: tf.Tensor
    depth: tf.Tensor
    fault: tf.Tensor


@tf.autograph.experimental.do_not_convert
def read_header(encoded: tf.Tensor) -> Header:
    """Reads the header of one picture, whatever its bytes are.

    Args:
        encoded: scalar string tensor, the bytes of a picture file.

    Returns:
        Header of scalar tensors; never raises.
    """
    encoded = tf.convert_to_tensor(encoded, tf.string)
    format_ = _format(encoded)
    readers = (_unknown, _jpeg, _png, _gif, _bmp, _webp)
    fields = tf.switch_case(
        format_, [lambda read=read: read(encoded) for read in readers]
    )
    return Header(format_, *fields)


@tf.autograph.experimental.do_not_convert
def status(
    encoded: tf.Tensor, max_pixels: int | tf.Tensor = MAX_PIXELS
) -> tf.Tensor:
    """Why a picture will not be decoded, from its header alone.

    Args:
        encoded: scalar string tensor, the bytes of a picture file.
        max_pixels: width x height above which nothing is decoded.

    Returns:
        Scalar string tensor: "" where it may be decoded, else a short reason.
    """
    return verdict(read_header(encoded), max_pixels)


def verdict(header: Header, max_pixels: int | tf.Tensor) -> tf.Tensor:
    """`status` of a header that is already read."""
    width, height = header.width, header.height
    limit = tf.cast(max_pixels, tf.int64)

    # Each is below 2**32: their product could overflow, this cannot.
    large = width > limit // tf.maximum(height, 1)
    empty = (width < 1) | (height < 1)
    size = words(width, " x ", height, " pixels")
    return tf.where(
        large,
        tf.strings.join(["too large: ", size]),
        tf.where(
            header.fault != "",
            header.fault,
            tf.where(empty, tf.strings.join(["no pixels: ", size]), ""),
        ),
    )


def _format(encoded: tf.Tensor) -> tf.Tensor:
    """Index in `FORMATS`, by the first bytes."""
    three, two, png, riff, webp = numbers(
        encoded,
        0,
        (0, 3, "big"),
        (0, 2, "big"),
        (0, 7, "big"),
        (0, 4, "big"),
        (8, 4, "big"),
    )
    found = tf.stack(
        [
            three == 0xFFD8FF,
            png == code(b"\x89PNG\r\n\x1a"),
            three == code(b"GIF"),
            two == code(b"BM"),
            (riff == code(b"RIFF")) & (webp == code(b"WEBP")),
        ]
    )
    return tf.reduce_sum(tf.cast(found, tf.int32) * [1, 2, 3, 4, 5])


def _fields(width, height, turn=1, alpha=False, depth=8, fault=""):
    """The fields after the format, with one type each in every branch."""
    return (
        tf.cast(width, tf.int64),
        tf.cast(height, tf.int64),
        tf.cast(turn, tf.int32),
        tf.cast(alpha, tf.bool),
        tf.cast(depth, tf.int32),
        tf.convert_to_tensor(fault, tf.string),
    )


def _unknown(encoded: tf.Tensor):
    fault = tf.where(length(encoded) == 0, "empty file", "unknown format")
    return _fields(0, 0, fault=fault)


def _jpeg(encoded: tf.Tensor):
    """Walks the segments to the frame header, as libjpeg does.

    Stricter than libjpeg, which skips garbage between segments: so the size
    that is judged here is the size that it decodes.
    """
    meaning = tf.constant(_MEANING, tf.int64)
    none = tf.constant(-1, tf.int64)

    def step(steps, position, exif, _):
        first, second, size, name = numbers(
            encoded,
            position,
            (0, 1, "big"),
            (1, 1, "big"),
            (2, 2, "big"),
            (4, 4, "big"),
        )
        kind = tf.gather(meaning, second)
        broken = (first != 0xFF) | ((kind == SEGMENT) & (size < 2))
        kind = tf.where(broken, tf.constant(STOP, tf.int64), kind)
        here = (second == 0xE1) & (name == code(b"Exif")) & (exif < 0)
        exif = tf.where(here, position + 10, exif)
        jump = tf.gather(tf.stack([size + 2, 1, 2, 0, 0]), kind)
        return steps + 1, position + jump, exif, kind

    start = (0, tf.constant(2, tf.int64), none, tf.constant(0, tf.int64))
    _, position, exif, kind = tf.while_loop(
        lambda steps, position, exif, kind: (kind < FRAME) & (steps < STEPS),
        step,
        start,
        parallel_iterations=1,
    )
    height, width = numbers(encoded, position, (5, 2, "big"), (7, 2, "big"))
    fault = tf.where(kind == FRAME, "", JPEG_HEADER)
    side = tf.cast(kind == FRAME, tf.int64)
    width, height = side * width, side * height
    return _fields(width, height, orientation(encoded, exif), fault=fault)


def _png(encoded: tf.Tensor):
    name, width, height, depth, color = numbers(
        encoded,
        8,
        (4, 4, "big"),
        (8, 4, "big"),
        (12, 4, "big"),
        (16, 1, "big"),
        (17, 1, "big"),
    )
    fault = tf.where(name == code(b"IHDR"), "", "damaged PNG header")
    side = tf.cast(name == code(b"IHDR"), tf.int64)
    width, height = side * width, side * height
    exif, transparent = _chunks(
        encoded, 33, "big", (b"eXIf", b"tRNS"), last=b"IEND"
    )
    alpha = (color >= 4) | (transparent >= 0)
    turn = orientation(encoded, exif)
    return _fields(width, height, turn, alpha, depth, fault)


def _chunks(
    encoded: tf.Tensor,
    start: int,
    order: str,
    names: tuple[bytes, bytes],
    last: bytes = b"",
) -> list[tf.Tensor]:
    """Where the data of two kinds of chunks begin: int64, -1 where absent.

    PNG has length, name, data, checksum; WebP name, length, data, even.
    """
    is_png = order == "big"
    wanted = tf.constant([code(name) for name in names], tf.int64)
    fields = (
        ((4, 4, "big"), (0, 4, "big"))
        if is_png
        else ((0, 4, "big"), (4, 4, "little"))
    )
    end = length(encoded)

    def step(steps, position, found):
        name, size = numbers(encoded, position, *fields)
        new = (wanted == name) & (found < 0)
        found = tf.where(new, position + 8, found)
        jump = size + 12 if is_png else size + 8 + size % 2
        position = tf.where(name == code(last), end, position + jump)
        return steps + 1, position, found

    _, _, found = tf.while_loop(
        lambda steps, position, found: (position < end) & (steps < STEPS),
        step,
        (0, tf.constant(start, tf.int64), tf.constant([-1, -1], tf.int64)),
        parallel_iterations=1,
    )
    return tf.unstack(found)


def _gif(encoded: tf.Tensor):
    frame = gif.read_frame(encoded)
    return _fields(
        frame.width, frame.height, alpha=frame.clear >= 0, fault=frame.fault
    )


def _bmp(encoded: tf.Tensor):
    bitmap = bmp.read_bitmap(encoded)
    return _fields(
        bitmap.width,
        bitmap.height,
        alpha=bitmap.alpha,
        depth=bitmap.bits,
        fault=bitmap.fault,
    )


def _webp(encoded: tf.Tensor):
    """Lossy, lossless or extended: three headers behind one another."""
    kind, flags, wide, high, bits, w24, h24 = numbers(
        encoded,
        12,
        (0, 4, "big"),
        (8, 1, "big"),
        (14, 2, "little"),
        (16, 2, "little"),
        (9, 4, "little"),
        (12, 3, "little"),
        (15, 3, "little"),
    )
    lossy = kind == code(b"VP8 ")
    lossless = kind == code(b"VP8L")
    extended = kind == code(b"VP8X")
    sizes = tf.stack(
        [
            tf.stack([wide % 16384, high % 16384]),
            tf.stack([bits % 16384, bits // 16384 % 16384]) + 1,
            tf.stack([w24, h24]) + 1,
        ]
    )
    picked = tf.cast(tf.stack([lossy, lossless, extended]), tf.int64)
    width, height = tf.unstack(tf.reduce_sum(sizes * picked[:, None], axis=0))
    alpha = (extended & (flags // 16 % 2 == 1)) | (
        lossless & (bits // 2**28 % 2 == 1)
    )
    turn = tf.cond(
        extended & (flags // 8 % 2 == 1),
        lambda: _webp_orientation(encoded),
        lambda: tf.constant(1, tf.int32),
    )
    fault = tf.where(
        extended & (flags // 2 % 2 == 1),
        ANIMATED_WEBP,
        tf.where(lossy | lossless | extended, "", "damaged WebP header"),
    )
    return _fields(width, height, turn, alpha, fault=fault)


def _webp_orientation(encoded: tf.Tensor) -> tf.Tensor:
    position, _ = _chunks(encoded, 30, "little", (b"EXIF", b"EXIF"))
    # Some writers put JPEG's "Exif\0\0" before the block, some do not.
    (name,) = numbers(encoded, position, (0, 4, "big"))
    prefixed = (position >= 0) & (name == code(b"Exif"))
    return orientation(encoded, tf.where(prefixed, position + 6, position))
