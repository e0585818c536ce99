"""Bad picture files, B01 to B24, in a folder and in a .csv."""

import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from spoiling import (
    as_csv,
    check,
    encode,
    good_folder,
    jpeg,
    picture,
    png,
    png_claiming,
)

from tl_keras.inputs.image import pixels


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def with_size(content: bytes, width: int, height: int) -> bytes:
    """A JPEG whose header claims another size."""
    place = content.index(b"\xff\xc0") + 5
    size = struct.pack(">HH", height, width)
    return content[:place] + size + content[place + 4 :]


def bad_checksum() -> bytes:
    content = bytearray(png(1))
    content[content.index(b"IDAT") + 40] ^= 1
    return bytes(content)


def palette_bmp() -> bytes:
    return encode(picture(5).quantize(16), "BMP")


def animated(form: str) -> bytes:
    frames = [picture(i) for i in range(3)]
    return encode(frames[0], form, save_all=True, append_images=frames[1:])


def iso_media(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\0\0mif1" + bytes(200)


HTML = b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
SVG = b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>"

# Case -> the file's name, its bytes, and what its line says.
SKIPS = {
    "B01 zero bytes": ("b.jpg", b"", "empty file - "),
    "B02 JPEG cut in half": ("b.jpg", half(jpeg(1)), "JPEG ends early - "),
    "B03 JPEG lacks 2 bytes": ("b.jpg", jpeg(1)[:-2], "JPEG ends early - "),
    "B04 progressive JPEG cut": (
        "b.jpg", half(jpeg(1, progressive=True)), "JPEG ends early - ",
    ),
    "B05 PNG cut": ("b.png", half(png(1)), "PNG ends early - "),
    "B05 PNG without IEND": ("b.png", png(1)[:-12], "PNG ends early - "),
    "B06 PNG checksum": ("b.png", bad_checksum(), "PNG checksum is wrong - "),
    "B08 text": ("b.jpg", b"hello\nworld\n", "text, no picture - "),
    "B08 HTML page": ("b.jpg", HTML, "HTML page - "),
    "B08 Git LFS pointer": ("b.jpg", LFS, "Git LFS pointer - run git lfs pull"),
    "B08 JSON": ("b.jpg", b'{"error": 1}', "JSON text - "),
    "B08 zeros": ("b.jpg", bytes(4096), "zero bytes only"),
    "B09 HEIC": ("b.jpg", iso_media(b"heic"), "HEIC is not supported - conv"),
    "B09 AVIF": ("b.png", iso_media(b"avif"), "AVIF that is damaged, or of"),
    "B09 TIFF": ("b.jpg", encode(picture(1), "TIFF")[:99], "TIFF that is dam"),
    "B09 JPEG 2000": (
        "b.jpg", b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000 that is damaged",
    ),
    "B09 ICO": ("b.png", encode(picture(1), "ICO"), "ICO is not supported"),
    "B09 SVG": ("b.jpg", SVG, "SVG is not supported - convert"),
    "B10 PSD by name": ("b.psd", b"8BPS" + bytes(99), "PSD is not supp"),
    "B10 HEIC by name": ("b.HEIC", iso_media(b"heic"), "HEIC is not supp"),
    "B10 AVIF by name": ("b.avif", iso_media(b"avif"), "AVIF that is dam"),
    "B21 one pixel": (
        "b.png", encode(picture(1, (1, 1)), "PNG"), "too small: 1 x 1 pixels",
    ),
    "B21 a line": (
        "b.png", encode(picture(1, (2000, 9)), "PNG"), "too narrow: 2000 x 9",
    ),
    "B22 PNG bomb by header": (
        "b.png", png_claiming(50000, 50000), "too large: 50000 x 50000",
    ),
    "B22 JPEG bomb": (
        "b.jpg", with_size(jpeg(1), 12000, 12000), "too large: 12000 x 12000",
    ),
    "B23 PNG without width": (
        "b.png", png_claiming(0, 10), "its header says 0 x 10 pixels",
    ),
    "B23 JPEG without height": (
        "b.jpg", with_size(jpeg(1), 10, 0), "its header says 10 x 0 pixels",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return good_folder(tmp_path_factory.mktemp("files") / "pets")


@pytest.fixture
def spoiled(folder):
    """Puts one more file into the good folder, and takes it away again."""
    added = []

    def add(name: str, content: bytes):
        file = folder / "cat" / name
        file.write_bytes(content)
        added.append(file)
        return folder

    yield add
    for file in added:
        file.unlink(missing_ok=True)


@pytest.mark.usefixtures("without_heic")
@pytest.mark.parametrize("case", SKIPS)
def test_a_bad_file_is_skipped_by_name_and_too_many_fail(case, spoiled, capsys):
    name, content, expected = SKIPS[case]
    root = spoiled(name, content)
    ran = check(capsys, root, "--max_bad_fraction=0.03")
    assert (ran.code, ran.counts) == (0, (41, 40, 1, 0))
    (line,) = ran.skips
    assert line.startswith(f"cat/{name}: {expected}"), line
    assert " - " in line

    strict = check(capsys, root)  # 1 of 41 is more than 1 in 100
    assert strict.code == 3
    assert strict.skips == [line]
    assert len(strict.errors) == 1
    assert strict.errors[0].startswith("1 of 41 pictures cannot be used")
    failing = check(capsys, root, "--bad_input=fail")
    assert (failing.code, failing.skips) == (3, [line])

    listed = check(capsys, as_csv(root), "--max_bad_fraction=0.03")
    assert listed.code == 0
    assert listed.counts == (41, 40, 1, 0)
    assert expected.split(" - ")[0] in listed.skips[0]


def test_fast_sees_what_headers_tell(spoiled, capsys):
    root = spoiled("b.jpg", half(jpeg(1)))
    ran = check(capsys, root, "--check=fast", "--max_bad_fraction=0.03")
    assert (ran.code, ran.counts) == (0, (41, 40, 1, 0))


# Case -> the file's name, its bytes, what is counted of it.
def rgba() -> bytes:
    image = picture(3, mode="RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return encode(image, "PNG")


def deep(channels: int) -> bytes:
    """A PNG of 16 bits a channel."""
    random = np.random.default_rng(0)
    grey = random.integers(0, 4096, (48, 64, channels)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    color = {1: 0, 3: 2}[channels]
    header = struct.pack(">IIBBBBB", 64, 48, 16, color, 0, 0, 0)
    body = png_claiming(1, 1)  # for its frame; both chunks are replaced
    from spoiling import png_chunk

    return (
        body[:8]
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def turned(orientation: int, **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg(7, exif=exif, **options)


ACCEPTED = {
    "B10 .webp": ("b.webp", encode(picture(52), "WEBP"), ""),
    "B10 .jfif": ("b.jfif", jpeg(52), ""),
    "B10 .jpe": ("b.JPE", jpeg(52), ""),
    "B10 a space after it": ("b.jpg ", jpeg(52), ""),
    "B12 animated GIF": ("b.gif", animated("GIF"), "animated: its first frame"),
    "B13 PNG named .jpg": ("b.jpg", png(52), "named otherwise"),
    "B13 WebP named .png": (
        "b.png",
        encode(picture(52), "WEBP"),
        "named other",
    ),
    "B14 CMYK": ("b.jpg", encode(picture(52, mode="CMYK"), "JPEG"), "CMYK"),
    "B15 RGBA": ("b.png", rgba(), "transparent"),
    "B15 palette": (
        "b.png",
        encode(picture(52).quantize(8), "PNG", transparency=0),
        "transparent",
    ),
    "B16 12 bits in 16": ("b.png", deep(1), "16 bits a channel"),
    "B17 16-bit RGB": ("b.png", deep(3), "16 bits a channel"),
    "B19 grey JPEG": ("b.jpg", encode(picture(52, mode="L"), "JPEG"), ""),
    "B19 grey PNG": ("b.png", encode(picture(52, mode="L"), "PNG"), ""),
    "B20 EXIF 6": ("b.jpg", turned(6), "turned by its EXIF"),
    "B20 EXIF 3, progressive": ("b.jpg", turned(3, progressive=True), "turned"),
    "B24 bytes after the end": ("b.jpg", jpeg(52) + b"more", "bytes after its"),
    "B24 of a PNG": ("b.png", png(52) + bytes(9), "bytes after its end"),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_an_unusual_file_is_used_and_counted(case, spoiled, capsys):
    name, content, counted = ACCEPTED[case]
    root = spoiled(name, content)
    for dataset in (root, as_csv(root)):
        ran = check(capsys, dataset)
        assert (ran.code, ran.counts) == (0, (41, 40 + 1, 0, 0)), ran.err
        assert (f"  of the used 1: {counted}" in ran.out) == bool(counted)


def test_b07_changed_bytes_are_caught_by_a_manifest(folder, spoiled, capsys):
    """A zeroed block in a JPEG's data decodes without any error."""
    whole = encode(picture(9, (640, 480)), "JPEG", quality=95)
    root = spoiled("b.jpg", whole)
    manifest = folder.parent / "sums"
    manifest.write_text(
        "".join(
            f"{hashlib.sha256(f.read_bytes()).hexdigest()}  "
            f"{f.relative_to(root)}\n"
            for f in sorted(root.rglob("*.jpg"))
        )
    )
    flags = (f"--data_manifest={manifest}", "--max_bad_fraction=0.03")
    assert check(capsys, root, *flags).counts == (41, 41, 0, 0)
    middle = len(whole) // 2
    spoiled("b.jpg", whole[:middle] + bytes(64) + whole[middle + 64 :])
    ran = check(capsys, root)
    assert ran.counts == (41, 41, 0, 0)
    assert ran.warnings == [
        "1 JPEG is damaged inside, with wrong pixels and no error - look at "
        "cat/b.jpg"
    ]
    ran = check(capsys, root, *flags)
    assert ran.counts == (41, 40, 1, 0)
    assert ran.skips == [
        "cat/b.jpg: its bytes are not those of --data_manifest - fetch it again"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no sums in it"),
        ("abc  cat/1.jpg\n", "sums:1: expected a SHA-256 and a path"),
        (f"{'0' * 64}  a\n{'1' * 64}  a\n", "sums:2: a stands above with"),
    ],
)
def test_b07_a_manifest_that_is_none(folder, capsys, text, expected):
    manifest = folder.parent / "sums"
    manifest.write_text(text)
    ran = check(capsys, folder, f"--data_manifest={manifest}")
    assert ran.code == 3
    assert expected in ran.errors[0]


@pytest.mark.parametrize(
    ("case", "name", "content"),
    [
        ("B11", "b.webp", animated("WEBP")),
        ("B18", "b.bmp", palette_bmp()),
        ("B18", "b.bmp", encode(picture(4, mode="1"), "BMP")),
    ],
    ids=["B11 animated WebP", "B18 palette BMP", "B18 1-bit BMP"],
)
def test_what_tensorflow_reads_wrongly_is_repaired(
    case, name, content, spoiled, capsys
):
    """Used with the pixels that Pillow gives, by the decoder of training."""
    from tl_keras.audit import Rules, check_listing
    from tl_keras.data import list_dataset

    root = spoiled(name, content)
    report = check_listing(list_dataset(str(root)), str(root), Rules())
    assert report.faults == ()
    examples = report.listing.splits["train"]
    index = examples.ids.index(f"cat/{name}")
    seen = pixels.decode(examples.read(index)).numpy()
    with Image.open(io.BytesIO(content)) as image:
        np.testing.assert_array_equal(seen, np.asarray(image.convert("RGB")))


def peak_memory_kb() -> int:
    with open("/proc/self/status") as stream:
        return next(
            int(line.split()[1]) for line in stream if line.startswith("VmHWM")
        )


def test_b22_bombs_are_refused_without_their_memory(folder, spoiled, capsys):
    """Three bombs: a false header, well-packed zeros, a JPEG's claim."""
    check(capsys, folder)  # TensorFlow's own memory comes first
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(13001)) for _ in range(13000))
    packed += packer.flush()
    from spoiling import png_chunk

    zeros = png_claiming(13000, 13000)[:33] + png_chunk(b"IDAT", packed)
    zeros += png_chunk(b"IEND", b"")
    assert len(zeros) < 600_000
    spoiled("a.png", png_claiming(50000, 50000))
    spoiled("b.png", zeros)
    spoiled("c.jpg", with_size(jpeg(1), 12000, 12000))
    with open("/proc/self/clear_refs", "w") as stream:
        stream.write("5")  # the peak is counted from here
    before = peak_memory_kb()
    ran = check(capsys, folder, "--max_bad_fraction=0.1")
    assert peak_memory_kb() - before < 50_000
    assert ran.counts == (43, 40, 3, 0)
    assert all("too large: " in line for line in ran.skips)


def test_b22_a_gif_of_many_large_frames(spoiled, capsys):
    """Its first frame alone is unpacked, so that alone counts, as served."""
    frames = [Image.new("L", (2000, 2000), i) for i in range(6)]
    frames[0].putpixel((0, 0), 9)
    content = encode(
        frames[0], "GIF", save_all=True, append_images=frames[1:],
        optimize=False,
    )  # fmt: skip
    root = spoiled("b.gif", content)
    assert check(capsys, root, "--max_pixels=4000000").counts == (41, 41, 0, 0)
    ran = check(capsys, root, "--max_pixels=3999999", "--max_bad_fraction=0.03")
    assert "too large: 2000 x 2000 pixels, expected" in ran.skips[0]
