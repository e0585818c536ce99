"""pixels: every kind of file, against Pillow; geometry; one way everywhere."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from pictures import (
    COLOR,
    GREY,
    ONE_BIT,
    PALETTE,
    PICTURE,
    animated_webp,
    bitmap,
    chunk,
    encode,
    exif,
    gif,
    interlaced,
    pillow,
    png,
    with_alpha,
)
from PIL import Image

from tl_keras.inputs.image import pixels

CMYK = COLOR.convert("CMYK")
FIRST = tuple(int(level) for level in PICTURE[0, 0])
TOP_DOWN = bitmap(24, 0, bytes(range(24)), size=(4, -2))
EXACT = {
    "PNG": encode("PNG"),
    "PNG grey": encode("PNG", GREY),
    "PNG alpha": encode("PNG", with_alpha(COLOR)),
    "PNG grey alpha": encode("PNG", with_alpha(GREY)),
    "PNG palette": encode("PNG", PALETTE),
    "PNG palette 2 bits": encode("PNG", COLOR.quantize(4), bits=2),
    "PNG palette, one colour clear": encode("PNG", PALETTE, transparency=3),
    "PNG palette, alpha each": encode(
        "PNG", PALETTE, transparency=bytes(range(0, 240, 15))
    ),
    "PNG grey, one level clear": encode("PNG", GREY, transparency=FIRST[0]),
    "PNG one colour clear": encode("PNG", COLOR, transparency=FIRST),
    "PNG 1 bit": encode("PNG", ONE_BIT),
    "PNG 2 bits grey": png(8, 2, 2, 0, [b"\x1b\xe4", b"\x00\xff"]),
    "PNG 4 bits grey": png(4, 2, 4, 0, [b"\x01\x9f", b"\x7e\x3c"]),
    "PNG interlaced": interlaced(PICTURE),
    "PNG animated": encode("PNG", COLOR, save_all=True, append_images=[COLOR]),
    "GIF": encode("GIF", PALETTE),
    "GIF grey": encode("GIF", GREY),
    "GIF 1 bit": encode("GIF", ONE_BIT),
    "GIF interlaced": encode("GIF", PALETTE, interlace=True),
    "GIF animated": encode(
        "GIF", PALETTE, save_all=True, append_images=[PALETTE.rotate(180)]
    ),
    "GIF one colour clear": encode("GIF", PALETTE, transparency=3),
    "GIF frame on a canvas": gif((20, 16), (4, 3), (8, 6), background=3),
    "GIF frame, clear elsewhere": gif((20, 16), (4, 3), (8, 6), clear=2),
    "GIF frame all clear": gif((20, 16), (4, 3), (8, 6), clear=1),
    "GIF frame beyond canvas": gif((6, 6), (4, 3), (8, 6)),
    "GIF with garbage behind": encode("GIF", PALETTE) + b"garbage",
    "BMP": encode("BMP"),
    "BMP 32 bits": encode("BMP", with_alpha(COLOR)),
    "BMP grey": encode("BMP", GREY),
    "BMP palette": encode("BMP", PALETTE),
    "BMP 1 bit": encode("BMP", ONE_BIT),
    "BMP from the top": TOP_DOWN,
    "BMP 4 bits": bitmap(
        4, 0, bytes(range(64)) + b"\x01\x23\0\0\xfe\xdc\0\0"
    ).replace((54).to_bytes(4, "little"), (118).to_bytes(4, "little"), 1),
    "WebP lossless": encode("WEBP", lossless=True),
    "WebP lossless alpha": encode("WEBP", with_alpha(COLOR), lossless=True),
}
LOSSY = {
    "JPEG": encode("JPEG"),
    "JPEG grey": encode("JPEG", GREY),
    "JPEG progressive": encode("JPEG", progressive=True),
    "JPEG 4:4:4": encode("JPEG", subsampling=0),
    "JPEG CMYK": encode("JPEG", CMYK),
    "JPEG with garbage behind": encode("JPEG") + b"garbage",
    "WebP": encode("WEBP", quality=90),
    "WebP alpha": encode("WEBP", with_alpha(COLOR), quality=90),
}


def off(decoded, expected) -> np.ndarray:
    """Absolute differences in grey levels, of equal shapes."""
    decoded = np.asarray(decoded)
    assert decoded.dtype == np.uint8
    assert decoded.shape == expected.shape
    return np.abs(decoded.astype(int) - expected)


@pytest.mark.parametrize("name", EXACT)
def test_lossless_kinds_are_pillows_to_the_last_level(name):
    encoded = EXACT[name]
    assert off(pixels.decode(encoded), pillow(encoded)).max() == 0


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_kinds_are_pillows(name):
    encoded = LOSSY[name]
    assert off(pixels.decode(encoded), pillow(encoded)).mean() <= 2


def test_every_alpha_of_every_level_is_laid_down_as_pillow_does():
    level, alpha = np.meshgrid(np.arange(256), np.arange(256))
    rgba = np.stack([level, 255 - level, level, alpha], -1).astype(np.uint8)
    encoded = encode("PNG", rgba)
    color = (200, 30, 0)
    decoded = pixels.decode(encoded, background=color)
    assert off(decoded, pillow(encoded, color)).max() == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_b20_exif_orientation_is_applied(kind, order, turn):
    options = {} if kind == "JPEG" else {"lossless": True}
    encoded = encode(kind, exif=exif(turn, order), **options)
    expected = pillow(encoded)
    assert expected.shape[:2] == ((60, 90) if turn < 5 else (90, 60))
    assert off(pixels.decode(encoded), expected).max() <= 1
    square = pixels.load(encoded, 30).numpy()
    upright = pixels.make_square(tf.constant(expected.astype(np.uint8)), 30)
    assert off(square, upright.numpy().astype(int)).mean() <= 0.2


def test_exif_after_the_pixels_of_a_png_is_found():
    block = exif(6)[6:]
    whole = encode("PNG", exif=block)
    plain = encode("PNG")
    moved = plain[:-12] + whole[33 : 33 + 12 + len(block)] + plain[-12:]
    assert b"eXIf" in moved
    assert off(pixels.decode(moved), pillow(moved)).max() == 0


@pytest.mark.parametrize("turn", [0, 9, 700])
def test_an_orientation_that_is_none_leaves_the_picture(turn):
    encoded = encode("JPEG", exif=exif(turn))
    assert pixels.decode(encoded).shape == (60, 90, 3)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_b16_sixteen_bit_png_is_spread_by_its_greatest_value(bits, channels):
    values = np.linspace(0, 2**bits - 1, 40).astype(np.uint16).reshape(5, 8)
    color = {1: 0, 3: 2, 4: 6}[channels]
    deep = np.repeat(values[..., None], channels, 2)
    if channels == 4:
        deep[..., 3] = 65535
    rows = [row.astype(">u2").tobytes() for row in deep]
    encoded = png(8, 5, 16, color, rows)
    expected = np.repeat(values[..., None], 3, 2).astype(int)
    spread = pixels.decode(encoded)
    assert off(spread, expected >> (bits - 8)).max() == 0
    plain = pixels.decode(encoded, bit_depth_scale="none")
    assert off(plain, expected >> 8).max() == 0


def test_the_clear_level_of_a_small_grey_png_is_one_of_its_own_levels():
    clear = chunk(b"tRNS", b"\0\x01")
    encoded = png(4, 1, 2, 0, [b"\x1b"], clear)
    decoded = pixels.decode(encoded).numpy()[0, :, 0]
    np.testing.assert_array_equal(decoded, [0, 255, 170, 255])


def squared(resize: str, size: int) -> np.ndarray:
    """The same geometry by Pillow, whose bilinear filter is antialiased."""
    image = Image.fromarray(PICTURE)
    if resize == "crop":
        image = image.crop((15, 0, 75, 60))
    if resize == "pad":
        inner = image.resize((size, size * 60 // 90), Image.BILINEAR)
        image = Image.new("RGB", (size, size))
        image.paste(inner, (0, (size - inner.height) // 2))
        return np.asarray(image)
    return np.asarray(image.resize((size, size), Image.BILINEAR))


@pytest.mark.parametrize("resize", list(pixels.RESIZES))
@pytest.mark.parametrize("size", [30, 120])
def test_geometry_is_pillows(resize, size):
    made = pixels.load(encode("PNG"), size, resize).numpy()
    assert off(made, squared(resize, size)).max() <= 2


def test_a_square_of_the_right_size_is_untouched():
    square = PICTURE[:60, :60]
    made = pixels.load(encode("PNG", square), 60).numpy()
    np.testing.assert_array_equal(made, square)


def large_jpegs() -> dict[str, bytes]:
    """Much larger than their squares: soft, noisy, sharp-edged, odd-sided."""
    random = np.random.default_rng(2)
    noise = random.integers(0, 256, (601, 803, 3), dtype=np.uint8)
    small = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    soft = Image.fromarray(small).resize((803, 601), Image.BICUBIC)
    edges = np.kron(small, np.ones((52, 51, 1), np.uint8))
    return {
        "soft": encode("JPEG", soft, quality=90),
        "noise": encode("JPEG", noise, quality=90),
        "edges": encode("JPEG", edges, quality=90),
        "turned": encode("JPEG", edges, quality=90, exif=exif(6)),
        "mirrored": encode("JPEG", edges, quality=90, exif=exif(3)),
    }


@pytest.mark.parametrize("resize", list(pixels.RESIZES))
@pytest.mark.parametrize("size", [100, 60, 30])  # By halves, quarters, eighths.
def test_a_shrunk_jpeg_is_near_the_full_one(resize, size):
    for name, encoded in large_jpegs().items():
        full = pixels.make_square(pixels.decode(encoded), size, resize)
        made = pixels.load(encoded, size, resize)
        difference = off(made, full.numpy().astype(int))
        assert difference.max() > 0, f"{name} was not shrunk"
        assert difference.mean() <= 2, name


@pytest.mark.parametrize("resize", list(pixels.RESIZES))
def test_the_same_eagerly_in_a_map_and_in_an_export(tmp_path, resize):
    """Every kind, and large JPEGs, by one decoder in three places."""
    files = [*EXACT.values(), *LOSSY.values(), *large_jpegs().values()]
    # Of 60 x 90 pixels 16 x 24, which a graph in fractions makes 15 x 24.
    decoding = pixels.Decoding(24, resize, background=(9, 200, 9))
    eager = np.stack([decoding.load(encoded) for encoded in files])

    mapped = tf.data.Dataset.from_tensor_slices(files)
    mapped = mapped.map(decoding.load, num_parallel_calls=2).batch(len(files))
    np.testing.assert_array_equal(next(iter(mapped)), eager)

    archive = keras.export.ExportArchive()
    archive.add_endpoint(
        "load",
        lambda encoded: tf.map_fn(
            decoding.load,
            encoded,
            fn_output_signature=tf.TensorSpec((24, 24, 3), tf.uint8),
        ),
        [tf.TensorSpec((None,), tf.string, name="image_bytes")],
    )
    archive.write_out(str(tmp_path / "export"), verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "export"))
    np.testing.assert_array_equal(loaded.load(tf.constant(files)), eager)


def test_nothing_is_traced_anew_for_another_picture():
    run = tf.function(pixels.Decoding(16).load, autograph=False)
    for encoded in [*EXACT.values(), *LOSSY.values()]:
        run(tf.constant(encoded))
    assert run.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resize": "stretch"}, "crop, squash, pad"),
        ({"background": (0, 0, 256)}, "three numbers, 0 to 255"),
        ({"background": (0, 0)}, "three numbers, 0 to 255"),
        ({"bit_depth_scale": "most"}, "auto, none"),
        ({"max_pixels": 0}, "1 or more"),
        ({"image_size": 0}, "1 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        pixels.Decoding(**{"image_size": 8, **options})


def test_the_description_changes_with_whatever_changes_pixels():
    first = pixels.Decoding(8)
    others = [
        pixels.Decoding(9),
        pixels.Decoding(8, resize="pad"),
        pixels.Decoding(8, background=(0, 0, 0)),
        pixels.Decoding(8, bit_depth_scale="none"),
    ]
    assert len({d.describe() for d in [first, *others]}) == 5
    assert f"decoder {pixels.DECODER_VERSION}" in first.describe()


RLE = bitmap(8, 1, bytes(1024) + b"\x04\x07\0\0\x04\x01\0\1", (4, 2))
RLE = RLE[:10] + (54 + 1024).to_bytes(4, "little") + RLE[14:]
REPAIRED = {
    "animated WebP": animated_webp(),
    "animated WebP, alpha": animated_webp(with_alpha(COLOR)),
    "BMP 16 bits": bitmap(16, 0, bytes(range(16))),
    "BMP compressed": RLE,
    "JPEG with garbage in its header": encode("JPEG")[:20]
    + b"garbage"
    + encode("JPEG")[20:],
}


@pytest.mark.parametrize("name", REPAIRED)
def test_what_the_graph_refuses_is_repaired_to_pillows_pixels(name):
    encoded = REPAIRED[name]
    reason = pixels.status(encoded).numpy()
    assert reason != b""
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=reason.decode()[:9]
    ):
        pixels.decode(encoded)
    repaired = pixels.repair(encoded)
    assert pixels.status(repaired).numpy() == b""
    assert off(pixels.decode(repaired), pillow(encoded)).max() == 0


def test_a_repair_applies_the_orientation_and_drops_it():
    encoded = encode(
        "WEBP",
        COLOR,
        save_all=True,
        append_images=[GREY.convert("RGB")],
        lossless=True,
        exif=exif(6)[6:],
    )
    repaired = pixels.repair(encoded)
    assert Image.open(io.BytesIO(repaired)).getexif() == {}
    assert off(pixels.decode(repaired), pillow(encoded)).max() == 0


@pytest.mark.parametrize(
    "encoded",
    [
        encode("JPEG"),
        encode("JPEG")[:400],
        encode("PNG")[:100],
        encode("BMP")[:900],
        REPAIRED["animated WebP"][:200],
        b"",
        b"<html>",
    ],
)
def test_what_is_whole_or_cut_or_no_picture_is_not_repaired(encoded):
    assert pixels.repair(encoded) is None


def test_a_repair_keeps_to_the_limit():
    assert pixels.repair(REPAIRED["animated WebP"], 60 * 90) is not None
    assert pixels.repair(REPAIRED["animated WebP"], 60 * 90 - 1) is None
