"""The bytes of a picture file -> what it says it is. No decoding.

    header = read_header(open("cat.jpg", "rb").read())
    header.format, header.width, header.problem

In: all bytes of a file. Out: a `Header`: format by its first bytes, size,
what is worth counting, and why it cannot be used where that shows without
decoding. Every loop ends and no read goes out of range, whatever the bytes.
"""

import dataclasses
import re
import struct
import zlib

from tl_keras.inputs.image import formats, pixels
from tl_keras.inputs.image.unrecognized_files import describe_stranger

PNG_START = b"\x89PNG\r\n\x1a\n"
FETCH = "fetch it again or take it away"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
MOST_SEGMENTS = 10_000  # of one file; no camera writes so many
TURNED, ALPHA = "turned by its EXIF orientation", "transparent"
DEEP, FIRST_FRAME = "16 bits a channel", "animated: its first frame"
FIRST_PAGE = "of several pages: its first"
DAMAGED = "JPEG data damaged inside, which decodes to wrong pixels"
TRAILING, CMYK = "bytes after its end", "CMYK"


@dataclasses.dataclass
class Header:
    """What a picture file says of itself.

    Attributes:
        format: "JPEG", "PNG", "GIF", "BMP", "WebP", or what Pillow alone opens
            ("TIFF", "AVIF", "JPEG 2000", "HEIC"); "" for anything else.
        width, height: in pixels, before any EXIF rotation.
        notes: what is worth counting, such as `TURNED`.
        frames: pixels of all frames, which are unpacked together.
        problem: why it cannot be used, with the remedy; "" when it can.
        repairable: Pillow may read what TensorFlow cannot.
    """

    format: str = ""
    width: int = 0
    height: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)
    frames: int = 0
    problem: str = ""
    repairable: bool = False

    def pixels(self) -> int:
        """How many pixels a decoder must make room for."""
        return max(self.width * self.height, self.frames)


def read_header(content: bytes) -> Header:
    """Reads what a file says of itself; never raises.

    Args:
        content: all bytes of the file.
    """
    if not content:
        return Header(problem=f"empty file - {FETCH}")
    for start, reader in READERS.items():
        if content.startswith(start):
            try:
                header = reader(content)
            except (struct.error, IndexError, ValueError):
                name = reader.__name__.removeprefix("_read_")
                name = {"webp": "WebP"}.get(name, name.upper())
                return Header(name, problem=f"{name} ends early - {FETCH}")
            if not header.problem and not (header.width and header.height):
                header.problem = (
                    f"its header says {header.width} x {header.height} pixels "
                    f"- {FETCH}"
                )
            return header
    return _read_foreign(content)


def _read_foreign(content: bytes) -> Header:
    """What Pillow alone opens, or what else it is."""
    kind = formats.kind_of(content[: formats.ENOUGH])
    if kind.use != formats.PILLOW or not formats.is_installed(kind.name):
        return Header(problem=describe_stranger(content))
    width, height, pages = pixels.size_of(content)
    if not width or not height:
        return Header(kind.name, problem=describe_stranger(content))
    notes = [FIRST_PAGE] if pages > 1 else []
    return Header(kind.name, width, height, notes, repairable=True)


def _read_jpeg(content: bytes) -> Header:
    header, place = Header("JPEG"), 2
    for _ in range(MOST_SEGMENTS):
        while content[place] == 0xFF and content[place + 1] == 0xFF:
            place += 1  # fill bytes
        start, marker = content[place], content[place + 1]
        if start != 0xFF:  # libjpeg steps over such bytes, too
            place = content.index(b"\xff", place)
            continue
        if marker in (0xD9, 0xDA):
            break
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            place += 2
            continue
        (length,) = struct.unpack_from(">H", content, place + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            header.height, header.width, parts = struct.unpack_from(
                ">HHB", content, place + 5
            )
            if parts == 4:
                header.notes.append(CMYK)
        elif marker == 0xE1 and content[place + 4 : place + 10] == b"Exif\0\0":
            segment = content[place + 10 : place + 2 + length]
            if 1 < exif_orientation(segment) <= 8:
                header.notes.append(TURNED)
        place += 2 + max(2, length)
    # Inside the picture's data 0xFF is never followed by 0xD9.
    end = content.rfind(b"\xff\xd9", place)
    if end < 0:
        header.problem = f"JPEG ends early - {FETCH}"
    elif end + 2 < len(content):
        header.notes.append(TRAILING)
    return header


def exif_orientation(tiff: bytes) -> int:
    """The orientation (1 to 8) in a block of EXIF, 1 when there is none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    try:
        (place,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, place)
        for entry in range(min(count, 512)):
            tag, kind, _, value = struct.unpack_from(
                order + "HHIH", tiff, place + 2 + 12 * entry
            )
            if tag == 0x0112 and kind == 3:
                return value
    except struct.error:
        return 1
    return 1


def _read_png(content: bytes) -> Header:
    header, place, ended = Header("PNG"), 8, False
    width, height, depth, color = struct.unpack_from(">IIBB", content, 16)
    header.width, header.height = width, height
    if depth == 16:
        header.notes.append(DEEP)
    transparent = color in (4, 6)
    while place + 12 <= len(content) and not ended:
        (length,) = struct.unpack_from(">I", content, place)
        kind = content[place + 4 : place + 8]
        end = place + 8 + length
        if end + 4 > len(content):
            break
        (stored,) = struct.unpack_from(">I", content, end)
        if zlib.crc32(memoryview(content)[place + 4 : end]) != stored:
            header.problem = f"PNG checksum is wrong - {FETCH}"
            return header
        transparent |= kind == b"tRNS"
        if kind == b"acTL":
            header.notes.append(FIRST_FRAME)
        if kind == b"eXIf" and 1 < exif_orientation(
            content[place + 8 : end]
        ) <= 8:  # fmt: skip
            header.notes.append(TURNED)
        ended = kind == b"IEND"
        place = end + 4
    if not ended:
        header.problem = f"PNG ends early - {FETCH}"
    elif place < len(content):
        header.notes.append(TRAILING)
    if transparent:
        header.notes.append(ALPHA)
    return header


def _read_gif(content: bytes) -> Header:
    header = Header("GIF")
    header.width, header.height = struct.unpack_from("<HH", content, 6)
    palette = content[10]
    place = 13 + (3 * 2 ** ((palette & 7) + 1) if palette & 0x80 else 0)
    frames, transparent = 0, False
    while place < len(content):
        block = content[place]
        if block == 0x2C:
            frames += 1
            width, height = struct.unpack_from("<HH", content, place + 5)
            header.frames += width * height
            palette = content[place + 9]
            place += 10 + (3 * 2 ** ((palette & 7) + 1) if palette & 128 else 0)
            place = _after_blocks(content, place + 1)
        elif block == 0x21:
            if content[place + 1] == 0xF9 and frames == 0:
                transparent = bool(content[place + 3] & 1)
            place = _after_blocks(content, place + 2)
        else:
            break
    if frames == 0:
        header.problem = f"GIF without a picture in it - {FETCH}"
    if frames > 1:
        header.notes.append(FIRST_FRAME)
    if transparent:
        header.notes.append(ALPHA)
    return header


def _after_blocks(content: bytes, place: int) -> int:
    """Steps over a GIF's chain of blocks; each moves at least one byte on."""
    while content[place]:
        place += content[place] + 1
    return place + 1


def _read_bmp(content: bytes) -> Header:
    header = Header("BMP")
    (data, size) = struct.unpack_from("<II", content, 10)
    if size == 12:
        header.width, header.height, _, bits = struct.unpack_from(
            "<HHHH", content, 18
        )
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", content, 18)
        header.width, header.height = abs(width), abs(height)
    row = (header.width * bits + 31) // 32 * 4
    packed = size >= 20 and struct.unpack_from("<I", content, 30)[0] in (1, 2)
    if not packed and data + row * header.height > len(content):
        header.problem = f"BMP ends early - {FETCH}"
    header.repairable = bits <= 16 or packed
    return header


def _read_webp(content: bytes) -> Header:
    header = Header("WebP")
    (size,) = struct.unpack_from("<I", content, 4)
    kind = content[12:16]
    if content[8:12] != b"WEBP":
        return Header(
            problem=f"no picture: {content[8:12]!a} in RIFF - {FETCH}"
        )
    if kind == b"VP8X":
        flags = content[20]
        header.width = 1 + int.from_bytes(content[24:27], "little")
        header.height = 1 + int.from_bytes(content[27:30], "little")
        if flags & 0x02:
            header.notes.append(FIRST_FRAME)
            header.repairable = True
        if flags & 0x10:
            header.notes.append(ALPHA)
        exif = re.search(rb"EXIF.{4}(?:Exif\0\0)?(?=II|MM)", content, re.S)
        if flags & 0x08 and exif:
            if 1 < exif_orientation(content[exif.end() :]) <= 8:
                header.notes.append(TURNED)
    elif kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        header.width, header.height = width & 0x3FFF, height & 0x3FFF
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        header.width = 1 + (bits & 0x3FFF)
        header.height = 1 + (bits >> 14 & 0x3FFF)
        if bits >> 28 & 1:
            header.notes.append(ALPHA)
    if size + 8 > len(content):
        header.problem = f"WebP ends early - {FETCH}"
    elif size + 9 < len(content):
        header.notes.append(TRAILING)
    return header


READERS = {
    b"\xff\xd8\xff": _read_jpeg,
    PNG_START: _read_png,
    b"GIF87a": _read_gif,
    b"GIF89a": _read_gif,
    b"BM": _read_bmp,
    b"RIFF": _read_webp,
}
