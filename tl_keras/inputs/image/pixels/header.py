"""What a picture file says of itself, read in TensorFlow ops before decoding.

    header = read_header(encoded)
    header.width, header.height, header.orientation, header.fault
    status(encoded)              # "" or "too large: 50000 x 50000 pixels"

In: encoded bytes, hostile ones too: every walk is bounded, nothing is read out
of range, nothing is decoded. Out: a `Header`. A picture that a decoder would
get wrong, or that would fill the memory, is told here, by a few bytes.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tl_keras.inputs.image.formats import BITMAP_HEADERS
from tl_keras.inputs.image.pixels import bmp, faults, gif
from tl_keras.inputs.image.pixels.exif import orientation
from tl_keras.inputs.image.pixels.reading import code, length, numbers
from tl_keras.inputs.image.pixels.segments import FRAME, walk

FORMATS = ("unknown", "JPEG", "PNG", "GIF", "BMP", "WebP")
UNKNOWN, JPEG, PNG, GIF, BMP, WEBP = range(6)
MAX_PIXELS = 100_000_000


class Header(NamedTuple):
    """What is known of a picture before it is decoded; tensors.

    Attributes:
        format: int32, index in `FORMATS`.
        width: int64, in pixels, as stored (before EXIF turns it).
        height: int64.
        orientation: int32, 1 to 8 as EXIF counts.
        alpha: bool, some pixels may be transparent.
        depth: int64, bits a channel (PNG) or a pixel (BMP); else 8.
        fault: string, why it is not decoded whatever its size; "" if none.
        layout: int64 (n,), where the parts of a GIF or BMP lie.
    """

    format: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor
    orientation: tf.Tensor
    alpha: tf.Tensor
    depth: tf.Tensor
    fault: tf.Tensor
    layout: tf.Tensor


@tf.autograph.experimental.do_not_convert
def read_header(encoded: tf.Tensor) -> Header:
    """Reads the header of one picture, whatever its bytes are.

    Args:
        encoded: scalar string tensor, the bytes of a picture file.

    Returns:
        Header of tensors; never raises.
    """
    encoded = tf.convert_to_tensor(encoded, tf.string)
    first = _first_bytes(encoded)
    format_ = _format(first)
    webp = _webp(first)
    place, exif, clear, kind = walk(
        encoded, format_ == JPEG, format_ == PNG, webp.has_exif
    )
    layout = _layout(encoded, format_)
    sides = numbers(encoded, place, (7, 2, "big"), (5, 2, "big"))
    empty = tf.where(length(encoded) == 0, faults.EMPTY, _foreign(first))
    jpeg = tf.where(kind == FRAME, faults.NONE, faults.JPEG_HEADER)
    drawn = tf.unstack(layout[:5])
    # A row for each format: width, height, alpha, fault, depth. One is taken.
    rows = [
        [0, 0, 0, empty, 8],
        [*sides, 0, jpeg, 8],
        _png(first, clear),
        [*drawn[:4], 8],
        drawn,
        [*webp.fields, 8],
    ]
    rows = tf.stack([[tf.cast(x, tf.int64) for x in row] for row in rows])
    *size, alpha, fault, depth = tf.unstack(tf.gather(rows, format_))
    # Sides read out of a damaged header are none.
    fine = tf.cast((fault == 0) | (format_ >= GIF), tf.int64)
    width, height = size[0] * fine, size[1] * fine
    turn = orientation(encoded, exif)
    words = tf.gather(faults.FAULTS, fault)
    return Header(format_, width, height, turn, alpha > 0, depth, words, layout)


def traced(function: Callable, *signature: tf.TensorSpec) -> Callable:
    """A function as a graph that whoever calls it shares.

    Traced outside of the caller's own graph. Its small operations stay on the
    CPU, where the bytes are: each would else be a copy to a GPU and back.
    """

    def on_cpu(*arguments):
        with tf.device("CPU:0"):
            return function(*arguments)

    with tf.init_scope():
        return tf.function(
            on_cpu, input_signature=signature, autograph=False
        ).get_concrete_function()


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
    return _traced_status()(
        tf.convert_to_tensor(encoded, tf.string),
        tf.convert_to_tensor(max_pixels, tf.int64),
    )


@functools.cache
def _traced_status() -> Callable:
    return traced(
        lambda encoded, most: verdict(read_header(encoded), most),
        tf.TensorSpec((), tf.string),
        tf.TensorSpec((), tf.int64),
    )


def verdict(header: Header, max_pixels: int | tf.Tensor) -> tf.Tensor:
    """`status` of a header that is already read."""
    width, height = header.width, header.height
    # Each is below 2**32: their product could overflow, this cannot.
    large = width > tf.cast(max_pixels, tf.int64) // tf.maximum(height, 1)
    empty = (width < 1) | (height < 1)

    def words():
        what = tf.where(large, "too large: ", header.fault)
        what = tf.where(what == "", "no pixels: ", what)
        sides = tf.strings.as_string(tf.stack([width, height]))
        sides = tf.strings.reduce_join(sides, separator=" x ")
        size = tf.strings.join([sides, " pixels"])
        told = large | (header.fault == "")
        return tf.strings.join([what, tf.where(told, size, "")])

    bad = large | empty | (header.fault != "")
    return tf.cond(bad, words, lambda: tf.constant(""))


def _first_bytes(encoded: tf.Tensor) -> dict[str, tf.Tensor]:
    """All numbers that lie at fixed places, in any format, at one go."""
    fields = {
        "two": (0, 2, "big"),
        "three": (0, 3, "big"),
        "four": (0, 4, "big"),
        "six": (0, 6, "big"),
        "five": (4, 4, "big"),
        "webp": (8, 4, "big"),
        "name": (12, 4, "big"),
        "bitmap header": (14, 4, "little"),
        "second brand": (16, 4, "big"),
        "png width": (16, 4, "big"),
        "png height": (20, 4, "big"),
        "png depth": (24, 1, "big"),
        "png color": (25, 1, "big"),
        "webp flags": (20, 1, "big"),
        "lossless bits": (21, 4, "little"),
        "lossy width": (26, 2, "little"),
        "lossy height": (28, 2, "little"),
        "extended width": (24, 3, "little"),
        "extended height": (27, 3, "little"),
    }
    values = numbers(encoded, 0, *fields.values())
    return dict(zip(fields, values, strict=True))


def _format(first: dict[str, tf.Tensor]) -> tf.Tensor:
    """Index in `FORMATS`, by the first bytes: int32.

    The same as `formats.kind_of` says of what the graph decodes.
    """
    gifs = [code(b"GIF87a"), code(b"GIF89a")]
    png = first["four"] == code(b"\x89PNG")
    bitmaps = tf.constant(BITMAP_HEADERS, tf.int64)
    # Two letters begin a text as well.
    bitmap = tf.reduce_any(first["bitmap header"] == bitmaps)
    found = [
        first["three"] == 0xFFD8FF,
        png & (first["five"] == code(b"\r\n\x1a\n")),
        tf.reduce_any(first["six"] == tf.constant(gifs, tf.int64)),
        (first["two"] == code(b"BM")) & bitmap,
        (first["four"] == code(b"RIFF")) & (first["webp"] == code(b"WEBP")),
    ]
    return tf.reduce_sum(tf.where(found, [1, 2, 3, 4, 5], 0))


def _foreign(first: dict[str, tf.Tensor]) -> tf.Tensor:
    """The fault of what is in no format of ours: its name, where known.

    An ISO media file says its brand, and `mif1` that others follow; AVIF and
    HEIC are told apart by the one that follows first.
    """
    four, media = first["four"], first["five"] == code(b"ftyp")
    brand = first["webp"]
    brand = tf.where(
        (brand == code(b"mif1")) & (first["second brand"] != 0),
        first["second brand"],
        brand,
    )
    avif = [code(b"avif"), code(b"avis")]
    heic = [code(n) for n in (b"heic", b"heix", b"hevc", b"hevx", b"heim",
                              b"heis", b"mif1", b"msf1")]  # fmt: skip
    tiff = [code(n) for n in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")]
    stream = four == code(b"\xff\x4f\xff\x51")
    found = [
        tf.reduce_any(four == tf.constant(tiff, tf.int64)),
        media & tf.reduce_any(brand == tf.constant(avif, tf.int64)),
        stream | (first["five"] == code(b"jP  ")),
        media & tf.reduce_any(brand == tf.constant(heic, tf.int64)),
    ]
    codes = [faults.TIFF, faults.AVIF, faults.JPEG_2000, faults.HEIC]
    said = tf.reduce_sum(tf.where(found, codes, 0))
    return tf.where(said > 0, said, faults.UNKNOWN)


def _layout(encoded: tf.Tensor, format_: tf.Tensor) -> tf.Tensor:
    """Where the parts of a GIF or BMP lie, zeros for other formats: int64."""
    return tf.switch_case(
        tf.gather([0, 0, 0, 1, 2, 0], format_),
        [
            lambda: tf.zeros(gif.LAYOUT, tf.int64),
            lambda: tf.stack(gif.read_frame(encoded)),
            lambda: tf.pad(
                tf.stack(bmp.read_bitmap(encoded)),
                [(0, gif.LAYOUT - bmp.LAYOUT)],
            ),
        ],
    )


def _png(first: dict[str, tf.Tensor], clear: tf.Tensor) -> list[tf.Tensor]:
    """Width, height, alpha, fault and depth; `clear` is tRNS's place."""
    sure = first["name"] == code(b"IHDR")
    fault = tf.where(sure, faults.NONE, faults.PNG_HEADER)
    alpha = (first["png color"] >= 4) | (clear >= 0)
    size = [first["png width"], first["png height"]]
    return [*size, alpha, fault, first["png depth"]]


class _WebP(NamedTuple):
    """Width, height, alpha and fault; and whether an EXIF chunk is said."""

    fields: list[tf.Tensor]
    has_exif: tf.Tensor


def _webp(first: dict[str, tf.Tensor]) -> _WebP:
    """Lossy, lossless or extended: three headers behind one another."""
    names = np.int64([code(n) for n in (b"VP8 ", b"VP8L", b"VP8X")])
    kinds = first["name"] == names
    bits, flags = first["lossless bits"], first["webp flags"]
    # Width, height, alpha of each kind.
    sides = [
        [first["lossy width"] % 2**14, first["lossy height"] % 2**14, 0],
        [bits % 2**14 + 1, bits // 2**14 % 2**14 + 1, bits // 2**28 % 2],
        [
            first["extended width"] + 1,
            first["extended height"] + 1,
            flags // 16 % 2,
        ],
    ]
    picked = tf.cast(kinds, tf.int64)[:, None]
    size = tf.unstack(tf.reduce_sum(tf.stack(sides) * picked, axis=0))
    extended = kinds[2] & (first["webp"] == code(b"WEBP"))
    fault = tf.where(
        extended & (flags // 2 % 2 == 1),
        faults.ANIMATED_WEBP,
        tf.where(tf.reduce_any(kinds), faults.NONE, faults.WEBP_HEADER),
    )
    return _WebP([*size, fault], extended & (flags // 8 % 2 == 1))
