"""Pictures as files of many kinds, and what Pillow makes of them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

RANDOM = np.random.default_rng(0)
PICTURE = np.kron(
    RANDOM.integers(0, 255, (6, 9, 3), dtype=np.uint8),
    np.ones((10, 10, 1), np.uint8),
)  # 60 x 90, in blocks that survive JPEG
ALPHA = RANDOM.integers(0, 256, (60, 90), dtype=np.uint8)
ORIENTATION = 0x0112
COLOR = Image.fromarray(PICTURE)
GREY = Image.fromarray(PICTURE[..., 0])
PALETTE = COLOR.quantize(16)
ONE_BIT = COLOR.convert("1")


def encode(kind: str, picture=PICTURE, **options) -> bytes:
    """A picture, array or Pillow's, as the bytes of a file."""
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def with_alpha(image: Image.Image) -> Image.Image:
    image = image.convert("LA" if image.mode == "L" else "RGBA")
    image.putalpha(Image.fromarray(ALPHA))
    return image


def exif(turn: int, order: str = "<") -> bytes:
    """An EXIF block that says the orientation, in either byte order."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entries = struct.pack(order + "HHHIHH", 2, 0x010E, 2, 2, 0, 0)
    entries += struct.pack(order + "HHIHH", ORIENTATION, 3, 1, turn, 0)
    body = struct.pack(order + "I", 8) + entries
    return b"Exif\0\0" + mark + body + b"\0\0\0\0"


def pillow(encoded: bytes, background=(255, 255, 255)) -> np.ndarray:
    """Upright, on a background, RGB: what every decoder should give."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(encoded)))
    if image.mode == "CMYK":
        image = image.convert("RGB")
    ground = Image.new("RGBA", image.size, (*background, 255))
    laid = Image.alpha_composite(ground, image.convert("RGBA"))
    return np.asarray(laid.convert("RGB")).astype(int)


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with its length and checksum."""
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)


def png(width, height, depth, color, rows, extra=b"", interlace=0) -> bytes:
    """A PNG from its bare rows, of kinds that Pillow does not write."""
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def interlaced(picture: np.ndarray) -> bytes:
    """An Adam7 PNG, RGB."""
    height, width = picture.shape[:2]
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
    passes += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [
        row.tobytes()
        for top, left, down, across in passes
        for row in picture[top::down, left::across]
        if row.size
    ]
    return png(width, height, 8, 2, rows, interlace=1)


def gif(canvas, at, size, clear=None, background=0, frames=1) -> bytes:
    """A GIF whose frames are smaller than the canvas, all of colour 1."""
    colors = [10, 20, 30, 200, 0, 0, 0, 200, 0, 0, 0, 200]
    image = Image.new("P", size, 1)
    image.putpalette(colors)
    whole = encode("GIF", image, optimize=False)
    rectangle = struct.pack("<HH", *size)
    data = whole[whole.index(b",\0\0\0\0" + rectangle) + 10 : -1]
    control = b""
    if clear is not None:
        control = b"\x21\xf9\x04\x01\0\0" + bytes([clear, 0])
    frame = control + b"," + struct.pack("<HH", *at) + rectangle + b"\0" + data
    head = (
        b"GIF89a" + struct.pack("<HH", *canvas) + bytes([0xF1, background, 0])
    )
    return head + bytes(colors) + frame * frames + b";"


def bitmap(bits, compression, body, size=(4, 2), masks=b"") -> bytes:
    """A BMP with a header of 40 bytes."""
    start = 54 + len(masks)
    head = struct.pack("<IHHI", start + len(body), 0, 0, start)
    head += struct.pack("<IiiHHI", 40, *size, 1, bits, compression)
    return b"BM" + head + struct.pack("<IIIII", 0, 0, 0, 0, 0) + masks + body


def animated_webp(picture=COLOR) -> bytes:
    other = picture.rotate(180)
    return encode(
        "WEBP", picture, save_all=True, append_images=[other], lossless=True
    )
