"""TIFF, AVIF, JPEG 2000: read through Pillow, kept as PNG; never EPS or PDF."""

import io
import json

import numpy as np
import pillow_heif
import pytest
import tensorflow as tf
from PIL import EpsImagePlugin, Image
from spoiling import check, encode, good_folder, jpeg, picture

from tl_keras.data import Unlabelled
from tl_keras.errors import DataError
from tl_keras.inputs.image import pixels
from tl_keras.sources import load_images

pillow_heif.register_heif_opener()
COLOR = picture(3)
DEEP = Image.fromarray(np.arange(3072, dtype=np.uint16).reshape(48, 64) * 20)


def as_array(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))


@pytest.fixture
def pets(tmp_path):
    return good_folder(tmp_path / "pets", 6)


READ = {
    "TIFF": encode(COLOR, "TIFF"),
    "TIFF, packed": encode(COLOR, "TIFF", compression="tiff_lzw"),
    "TIFF of a palette": encode(COLOR.quantize(16), "TIFF"),
    "TIFF, two pages": encode(
        COLOR, "TIFF", save_all=True, append_images=[picture(4)]
    ),
    "JPEG 2000": encode(COLOR, "JPEG2000"),
    "HEIC": encode(COLOR, "HEIF", quality=-1),
    "HEIC, see-through": encode(
        Image.merge("RGBA", (*COLOR.split(), Image.new("L", COLOR.size, 90))),
        "HEIF", quality=-1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_what_pillow_opens_becomes_the_same_pixels(case):
    mended = pixels.repair(READ[case])
    np.testing.assert_array_equal(as_array(mended), as_array(READ[case]))
    assert pixels.decode(tf.constant(mended)).shape == (48, 64, 3)
    assert pixels.peek(READ[case])[:2] == (64, 48)


def test_avif_becomes_nearly_the_same_pixels():
    encoded = encode(COLOR, "AVIF", quality=95)
    mended = as_array(pixels.repair(encoded)).astype(int)
    assert abs(mended - np.asarray(COLOR).astype(int)).mean() < 6


def test_sixteen_bits_are_scaled_as_those_of_a_png():
    """Pillow's own conversion would make nearly all of it white."""
    mended = pixels.repair(encode(DEEP, "TIFF"))
    through = pixels.decode(tf.constant(mended)).numpy()
    of_png = pixels.decode(tf.constant(encode(DEEP, "PNG"))).numpy()
    np.testing.assert_array_equal(through, of_png)
    assert 100 < through.mean() < 150


def test_a_tiff_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    mended = pixels.repair(encode(COLOR, "TIFF", exif=exif))
    assert as_array(mended).shape == (64, 48, 3)
    turned = encode(COLOR, "HEIF", quality=-1, exif=exif.tobytes())
    mended = as_array(pixels.repair(turned))
    # Its colours are kept at half the resolution.
    upright = np.rot90(np.asarray(COLOR), -1).astype(int)
    assert abs(mended.astype(int) - upright).mean() < 6
    assert pixels.peek(turned)[:2] == (48, 64)


def test_a_heic_that_ends_early_is_not_mended():
    assert pixels.repair(READ["HEIC"][:-200]) is None


def floating() -> bytes:
    values = np.linspace(0, 1, 3072, dtype=np.float32).reshape(48, 64)
    return encode(Image.fromarray(values), "TIFF")


def raw_preview() -> bytes:
    tags = {50706: bytes([1, 4, 0, 0])}
    buffer = io.BytesIO()
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    info = ImageFileDirectory_v2()
    info.tagtype[50706] = 1
    info[50706] = tags[50706]
    COLOR.save(buffer, "TIFF", tiffinfo=info)
    return buffer.getvalue()


REFUSED = {
    "floating point": floating(),
    "a raw photograph's preview": raw_preview(),
    "cut": encode(COLOR, "TIFF")[:200],
    "EPS": encode(COLOR, "EPS"),
    "PDF": encode(COLOR, "PDF"),
    "ICO": encode(COLOR, "ICO"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_stays_unread(case, monkeypatch):
    def starts(*_, **__):
        raise AssertionError("a program would be started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", starts)
    assert pixels.repair(REFUSED[case]) is None


def test_pixels_are_counted_before_they_are_decoded():
    assert pixels.repair(READ["TIFF"], max_pixels=1000) is None


def test_a_check_takes_them_by_what_they_are(pets, tmp_path, capsys):
    """Under any name; the rest is named and counts as bad."""
    (pets / "cat" / "a.tif").write_bytes(READ["TIFF"])
    (pets / "cat" / "b.jpg").write_bytes(READ["JPEG 2000"])
    (pets / "cat" / "c").write_bytes(encode(picture(5), "AVIF"))
    (pets / "dog" / "d.jpg_large").write_bytes(jpeg(77))
    (pets / "dog" / "e.eps").write_bytes(REFUSED["EPS"])
    (pets / "dog" / "f.tif").write_bytes(REFUSED["floating point"])
    assert check(capsys, pets).code == 3
    out = tmp_path / "out"
    ran = check(capsys, pets, "--max_bad_fraction=0.2", f"--output_dir={out}")
    assert (ran.code, ran.counts) == (0, (18, 16, 2, 0))
    assert ran.skips[0].startswith("dog/e.eps: PostScript is not supported")
    assert ran.skips[1].startswith("dog/f.tif: TIFF of a sort that is not read")
    assert "of the used 3: read by Pillow, since TensorFlow cannot" in ran.out
    (told,) = [w for w in ran.warnings if "through Pillow" in w]
    assert told.startswith(
        "3 of 16 pictures (1 TIFF, 1 JPEG 2000, 1 AVIF) are read through"
    )
    formats = json.loads((out / "data_report.json").read_text())["formats"]
    assert formats == {"JPEG": 13, "TIFF": 1, "JPEG 2000": 1, "AVIF": 1}
    again = check(capsys, pets, "--max_bad_fraction=0.2")
    assert again.counts == ran.counts


def test_the_same_picture_as_tiff_and_as_jpeg_looks_alike(pets, capsys):
    (pets / "dog" / "x.tif").write_bytes(encode(picture(1), "TIFF"))
    ran = check(capsys, pets)
    assert any("under two labels" in line for line in ran.warnings)


def test_small_ones_stay_too_small(pets, capsys):
    (pets / "cat" / "x.tif").write_bytes(encode(picture(1, (4, 4)), "TIFF"))
    ran = check(capsys, pets, "--max_bad_fraction=0.1")
    assert ran.skips == [
        "cat/x.tif: too small: 4 x 4 pixels, expected 8 on each side - take it "
        "away or lower --min_side"
    ]


def test_who_reads_without_a_check_is_told(pets):
    """`load_images` mends nothing, so what it cannot decode it skips."""
    (pets / "cat" / "x.tif").write_bytes(READ["TIFF"])
    with pytest.raises(
        DataError, match=r"x.tif: TIFF is read through the data"
    ):
        load_images(str(pets), image_size=8)
    images = load_images(str(pets), image_size=8, max_bad_fraction=0.1)
    assert images.counts["skipped"] == 1


def test_predict_lists_them_too(pets):
    (pets / "cat" / "x").write_bytes(READ["TIFF"])
    (pets / "cat" / "y.eps").write_bytes(REFUSED["EPS"])
    found = {f.id: f.reason for f in Unlabelled(str(pets))}
    assert found["cat/x"] == ""
    assert found["cat/y.eps"].startswith("PostScript is not supported")
