"""pixels: headers read in the graph, bombs refused, hostile bytes survived."""

import resource
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from pictures import (
    COLOR,
    GREY,
    ONE_BIT,
    PALETTE,
    animated_webp,
    bitmap,
    chunk,
    encode,
    exif,
    gif,
    with_alpha,
)

from tl_keras.inputs.image import pixels

# name -> bytes, format, width, height, orientation, alpha, depth
HEADERS = {
    "JPEG": (encode("JPEG"), "JPEG", 90, 60, 1, False, 8),
    "JPEG turned": (encode("JPEG", exif=exif(8)), "JPEG", 90, 60, 8, False, 8),
    "JPEG progressive": (
        encode("JPEG", GREY, progressive=True, exif=exif(2, ">")),
        "JPEG", 90, 60, 2, False, 8,
    ),
    "JPEG after large segments": (
        encode("JPEG", icc_profile=bytes(200_000), exif=exif(3)),
        "JPEG", 90, 60, 3, False, 8,
    ),
    "PNG": (encode("PNG"), "PNG", 90, 60, 1, False, 8),
    "PNG alpha": (encode("PNG", with_alpha(COLOR)), "PNG", 90, 60, 1, True, 8),
    "PNG palette": (
        encode("PNG", PALETTE, transparency=1), "PNG", 90, 60, 1, True, 4,
    ),
    "PNG 1 bit": (encode("PNG", ONE_BIT), "PNG", 90, 60, 1, False, 1),
    "PNG 16 bits": (
        encode("PNG", np.zeros((3, 4), np.uint16), exif=exif(5)[6:]),
        "PNG", 4, 3, 5, False, 16,
    ),
    "GIF": (encode("GIF", PALETTE), "GIF", 90, 60, 1, False, 8),
    "GIF clear": (
        gif((9, 8), (1, 2), (3, 3), clear=1), "GIF", 9, 8, 1, True, 8,
    ),
    "BMP": (encode("BMP"), "BMP", 90, 60, 1, False, 24),
    "BMP 1 bit": (encode("BMP", ONE_BIT), "BMP", 90, 60, 1, False, 1),
    "WebP": (encode("WEBP", quality=50), "WebP", 90, 60, 1, False, 8),
    "WebP lossless": (
        encode("WEBP", lossless=True, exif=exif(7)),
        "WebP", 90, 60, 7, False, 8,
    ),
    "WebP alpha": (
        encode("WEBP", with_alpha(COLOR)), "WebP", 90, 60, 1, True, 8,
    ),
    "text": (b"words", "unknown", 0, 0, 1, False, 8),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_says_what_the_picture_is(name):
    encoded, kind, *expected = HEADERS[name]
    header = pixels.read_header(encoded)
    assert pixels.FORMATS[int(header.format)] == kind
    read = [header.width, header.height, header.orientation, header.alpha]
    assert [value.numpy() for value in (*read, header.depth)] == expected


# name -> bytes, what status says
REFUSED = {
    "empty": (b"", "empty file"),
    "one byte": (b"\xff", "unknown format"),
    "html": (b"<!DOCTYPE html><html>", "unknown format"),
    "TIFF": (encode("TIFF"), "TIFF is not read here"),
    "AVIF": (encode("AVIF"), "AVIF is not read here"),
    "JPEG 2000": (encode("JPEG2000"), "JPEG 2000 is not read here"),
    "JPEG 2000 without a box": (
        b"\xff\x4f\xff\x51" + bytes(40), "JPEG 2000 is not read here",
    ),
    "HEIC": (
        b"\0\0\0\x18ftypheic" + bytes(40), "HEIC is not read here",
    ),
    "AVIF behind mif1": (
        b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1", "AVIF is not read here",
    ),
    "bare JPEG": (b"\xff\xd8\xff", "damaged JPEG header"),
    "JPEG cut in its header": (encode("JPEG")[:100], "damaged JPEG header"),
    "JPEG of fill bytes": (b"\xff\xd8" + b"\xff" * 9999, "damaged JPEG header"),
    "PNG without IHDR": (
        encode("PNG").replace(b"IHDR", b"IHDX"), "damaged PNG header",
    ),
    "WebP of a kind unknown": (
        encode("WEBP").replace(b"VP8 ", b"VP9 "), "damaged WebP header",
    ),
    "GIF without a frame": (encode("GIF", PALETTE)[:61] + b";", "GIF without"),
    "GIF cut": (encode("GIF", PALETTE)[:-40], "GIF ends early"),
    "BMP cut": (encode("BMP")[:-1], "BMP ends early"),
    "BMP 16 bits": (bitmap(16, 0, bytes(16)), "BMP of a kind not read here"),
    "BMP of OS/2": (b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 4, 2, 1, 24)
                    + bytes(40), "BMP of a kind not read here"),
    "animated WebP": (animated_webp(), "animated WebP"),
    "PNG without width": (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 9, 8, 2, 0, 0, 0)),
        "no pixels: 0 x 9 pixels",
    ),
}  # fmt: skip


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def load_in_a_graph(encoded):
    return pixels.Decoding(16).load(encoded)


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def status_in_a_graph(encoded):
    return pixels.status(encoded)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_decoded_is_told_why(name):
    encoded, words = REFUSED[name]
    assert status_in_a_graph(encoded).numpy().decode().startswith(words)
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        load_in_a_graph(encoded)


def jpeg_of(width: int, height: int) -> bytes:
    small = encode("JPEG", GREY)
    at = small.index(b"\xff\xc0") + 5
    return small[:at] + struct.pack(">HH", height, width) + small[at + 4 :]


def png_of(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compressobj(9)
    line = bytes(width + 1)
    data = b"".join(rows.compress(line) for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", data + rows.flush())
        + chunk(b"IEND", b"")
    )


def bombs() -> dict[str, bytes]:
    """As RELIABILITY.md B22 a, b, c; and their kin in the other formats."""
    huge = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    wide = struct.pack("<HH", 60_000, 60_000)
    frame = gif((8, 6), (0, 0), (8, 6))
    webp = encode("WEBP", with_alpha(COLOR), lossless=True, exif=exif(1))
    at = webp.index(b"VP8X") + 12
    return {
        "a": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", huge) + chunk(b"IDAT", b""),
        "b": png_of(13_000, 13_000),
        "c": jpeg_of(12_000, 12_000),
        "GIF canvas": frame[:6] + wide + frame[10:],
        "GIF frame": frame.replace(
            b",\0\0\0\0" + frame[6:10], b",\0\0\0\0" + wide
        ),
        "BMP": bitmap(1, 0, b"", size=(40_000, 40_000)),
        "WebP": webp[:at] + b"\xff\x3f\0\xff\x3f\0" + webp[at + 6 :],
    }


def test_b22_bombs_are_refused_before_they_are_decoded():
    files = bombs()
    load_in_a_graph(encode("PNG"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, encoded in files.items():
        for load in (load_in_a_graph, pixels.decode):
            with pytest.raises(
                tf.errors.InvalidArgumentError, match="too large: "
            ):
                load(encoded)
        assert pixels.status(encoded).numpy().startswith(b"too large"), name
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 50 * 1024  # KiB: 50 MiB for all of them.


def test_the_frames_of_a_gif_that_are_not_used_are_not_unpacked():
    encoded = gif((2000, 2000), (0, 0), (2000, 2000), frames=60)
    pixels.load(gif((2000, 2000), (0, 0), (2000, 2000)), 16)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pixels.load(encoded, 16)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 50 * 1024


def test_the_limit_is_the_largest_that_passes():
    encoded = encode("PNG")
    assert pixels.status(encoded, 90 * 60).numpy() == b""
    assert pixels.status(encoded, 90 * 60 - 1).numpy() == (
        b"too large: 90 x 60 pixels"
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="90 x 60"):
        pixels.Decoding(8, max_pixels=90 * 60 - 1).load(encoded)


def test_a_status_a_row_in_a_graph():
    files = [encode("PNG"), b"", bombs()["a"], animated_webp(), encode("JPEG")]
    run = tf.function(
        lambda rows: tf.map_fn(
            pixels.status, rows, fn_output_signature=tf.string
        )
    )
    reasons = [reason.decode() for reason in run(tf.constant(files)).numpy()]
    assert reasons == [
        "", "empty file", "too large: 50000 x 50000 pixels",
        "animated WebP", "",
    ]  # fmt: skip


def mutated(files: list[bytes], count: int, seed: int):
    """Files with bytes changed, cut out, doubled or cut off."""
    random = np.random.default_rng(seed)
    for number in range(count):
        raw = bytearray(files[number % len(files)])
        for _ in range(random.integers(1, 5)):
            # Half of the changes fall into the header.
            reach = 64 if random.random() < 0.5 else len(raw)
            at = int(random.integers(0, max(min(reach, len(raw)), 1)))
            size = int(random.integers(1, 9))
            change = random.integers(0, 4)
            if change == 0:
                raw[at : at + size] = random.bytes(size)
            elif change == 1:
                del raw[at : at + size]
            elif change == 2:
                raw[at:at] = raw[at : at + size]
            else:
                raw[at : at + 1] = random.choice([b"\0", b"\xff", b"\x7f"])
        if random.random() < 0.1:
            del raw[int(random.integers(0, len(raw) + 1)) :]
        yield bytes(raw)


def test_mutated_files_give_a_picture_or_one_kind_of_error():
    files = [row[0] for row in HEADERS.values()]
    files += [animated_webp(), encode("JPEG", COLOR.convert("CMYK"))]
    decoding = pixels.Decoding(12, max_pixels=2_000_000)
    run = tf.function(
        lambda encoded: (decoding.load(encoded), pixels.read_header(encoded)),
        input_signature=[tf.TensorSpec((), tf.string)],
    )
    fine = 0
    for encoded in mutated(files, 600, seed=1):
        status = pixels.status(encoded, 2_000_000).numpy()
        try:
            picture, header = run(encoded)
        except tf.errors.InvalidArgumentError:
            continue
        fine += 1
        assert status == b""
        assert picture.shape == (12, 12, 3)
        if pixels.FORMATS[int(header.format)] == "JPEG":
            height, width, _ = tf.io.extract_jpeg_shape(encoded).numpy()
            assert (header.height, header.width) == (height, width)
    assert 50 < fine < 550
