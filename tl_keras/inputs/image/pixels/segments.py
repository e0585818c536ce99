"""The lists of pieces that JPEG, PNG and WebP files are, walked in the graph.

    place, exif, clear, kind = walk(encoded, is_jpeg, is_png, is_webp)

In: encoded bytes, hostile ones too. Out: where things of interest lie. Every
walk is bounded, and beyond the end there are zeros.

A JPEG is a list of (marker, length, data), PNG of (length, name, data,
checksum), WebP of (name, length, data, even).
"""

import numpy as np
import tensorflow as tf

from tl_keras.inputs.image.pixels.reading import (
    code,
    length,
    numbers,
    raw_bytes,
)

WINDOW = 1024  # First bytes of a JPEG that are looked at at once.
EXIF_NAMES = np.int64([code(n) for n in (b"Exif", b"eXIf", b"EXIF")])
# How far behind a piece's begin its data begins; JPEG's Exif with its name.
TO_DATA = np.int64([4, 8, 8])
STEPS = 4096  # Segments or chunks walked at most.
# What a JPEG marker's second byte means for the walk.
SEGMENT, FILL, ALONE, FRAME, STOP = range(5)
_MEANING = np.full(256, SEGMENT, np.int64)
_MEANING[[0x01, *range(0xD0, 0xD8)]] = ALONE
_MEANING[0xC0:0xD0] = FRAME
_MEANING[[0xC4, 0xCC]] = SEGMENT
_MEANING[[0x00, 0xC8, 0xD8, 0xD9, 0xDA]] = STOP
_MEANING[0xFF] = FILL


def walk(
    encoded: tf.Tensor,
    is_jpeg: tf.Tensor,
    is_png: tf.Tensor,
    is_webp: tf.Tensor,
) -> list[tf.Tensor]:
    """Walks a JPEG's segments to its frame; all chunks of a PNG or WebP.

    JPEG's walk is stricter than libjpeg's, which skips garbage between
    segments: so the size that is judged is the size that is decoded.

    Args:
        encoded: scalar string tensor.
        is_jpeg, is_png, is_webp: bool scalars, one of them true or none.

    Returns:
        int64: where it stopped; where EXIF begins; where tRNS begins; what
        kind of segment it stopped at. -1 for what was not found.
    """
    end = length(encoded)
    row = tf.where(is_jpeg, 0, tf.where(is_png, 1, 2))
    start = tf.gather(tf.stack([_skipped(encoded), 33, 30]), row)
    names, to_data = tf.gather(EXIF_NAMES, row), tf.gather(TO_DATA, row)

    def step(steps, place, exif, clear, _):
        name, kind, jump = _piece(encoded, place, row)
        at = place + to_data
        exif = tf.where((name == names) & (exif < 0), at, exif)
        clear = tf.where(name == code(b"tRNS"), at, clear)
        return steps + 1, place + jump, exif, clear, kind

    none = np.int64(-1)
    walks = is_jpeg | is_png | is_webp
    kind = tf.where(walks, np.int64(SEGMENT), np.int64(STOP))
    return tf.while_loop(
        lambda *at: (at[4] < FRAME) & (at[0] < STEPS) & (at[1] < end),
        step,
        (0, start, none, none, kind),
        parallel_iterations=1,
    )[1:]


def _piece(encoded: tf.Tensor, place: tf.Tensor, row: tf.Tensor):
    """Name, kind and whole length of the piece at a place: int64.

    `row` says of what file: 0 JPEG, 1 PNG, 2 WebP.
    """
    one, two, size, name, four, little = numbers(
        encoded,
        place,
        (0, 1, "big"),
        (1, 1, "big"),
        (2, 2, "big"),
        (4, 4, "big"),
        (0, 4, "big"),
        (4, 4, "little"),
    )
    kind = tf.gather(_MEANING, two)
    broken = (one != 0xFF) | ((kind == SEGMENT) & (size < 2))
    ends = tf.where(row == 0, broken, name == code(b"IEND"))
    kind = tf.where(row == 0, kind, np.int64(SEGMENT))
    kind = tf.where(ends, np.int64(STOP), kind)
    app1 = tf.where(two == 0xE1, name, 0)
    segment = tf.gather([size + 2, 1, 2, 0, 0], kind)
    jump = tf.gather([segment, four + 12, little + 8 + little % 2], row)
    return tf.gather([app1, name, four], row), kind, jump


def _skipped(encoded: tf.Tensor) -> tf.Tensor:
    """Where a JPEG's walk may begin: after segments that say nothing here.

    A walk by steps costs more than all else in a small picture's header. So
    every place of the first bytes is asked at once where a segment that began
    there would end, and these jumps are joined, two, four, eight, sixteen.
    """
    raw = tf.cast(raw_bytes(encoded, 0, WINDOW), tf.int64)
    size = raw[2:-1] * 256 + raw[3:]
    # EXIF lies in APP1, and for the rest the walk knows better.
    two = tf.gather(_MEANING == SEGMENT, raw[1:-2]) & (raw[1:-2] != 0xE1)
    plain = (raw[:-3] == 0xFF) & two & (size >= 2)
    place = np.arange(WINDOW - 3)
    after = place + size + 2
    after = tf.where(plain & (after < WINDOW - 3), after, place)
    for _ in range(4):
        after = tf.gather(after, after)
    return after[2]
