"""What a file is, told by its first bytes and never by its name.

    kind = kind_of(first_bytes)          # Kind("TIFF", PILLOW)
    kind.name, kind.use

In: the first `ENOUGH` bytes of a file. Out: its name in words, and what can be
done with it: decoded by the graph, opened by one of Pillow's own decoders and
kept as a PNG, named as a picture that is not read here, or no picture at all.

Nothing that starts another program (EPS, PDF) is ever opened as a picture.
"""

import importlib.util
import re
from typing import NamedTuple

ENOUGH = 1024  # bytes
GRAPH, PILLOW, PICTURE, OTHER = "graph", "pillow", "picture", "other"
# A kind -> Pillow's name of the one decoder that may open it.
PILLOW_FORMATS = {
    "TIFF": "TIFF",
    "AVIF": "AVIF",
    "JPEG 2000": "JPEG2000",
    "HEIC": "HEIF",
}
# A file's name that fits its content:
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WebP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "AVIF": (".avif",),
    "JPEG 2000": (".jp2", ".j2k", ".jpx", ".jpf", ".j2c", ".jpc"),
    "HEIC": (".heic", ".heif", ".hif"),
}
# These begin as TIFF does, and their first picture is a preview.
RAW = (".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".orf", ".rw2", ".pef",
       ".srw", ".raf")  # fmt: skip
# Their bytes have no mark of their own.
BY_NAME_ALONE = {
    ".tga": "TGA",
    ".pcx": "PCX",
    **dict.fromkeys(RAW, "a raw photograph"),
}


class Kind(NamedTuple):
    """What a file is.

    Attributes:
        name: in words, such as "TIFF" or "an HTML page".
        use: `GRAPH`, `PILLOW`, `PICTURE` (not read here) or `OTHER`.
    """

    name: str
    use: str


NOTHING = Kind("an empty file", OTHER)
UNKNOWN = Kind("of no kind that is known here", OTHER)
RAW_PHOTOGRAPH = Kind("a raw photograph", PICTURE)
_STARTS = (
    (b"\xff\xd8\xff", Kind("JPEG", GRAPH)),
    (b"\x89PNG\r\n\x1a\n", Kind("PNG", GRAPH)),
    (b"GIF87a", Kind("GIF", GRAPH)),
    (b"GIF89a", Kind("GIF", GRAPH)),
    (b"II*\0", Kind("TIFF", PILLOW)),
    (b"MM\0*", Kind("TIFF", PILLOW)),
    (b"II+\0", Kind("TIFF", PILLOW)),
    (b"MM\0+", Kind("TIFF", PILLOW)),
    (b"\0\0\0\x0cjP  \r\n\x87\n", Kind("JPEG 2000", PILLOW)),
    (b"\xff\x4f\xff\x51", Kind("JPEG 2000", PILLOW)),
    (b"\0\0\0\x0cJXL \r\n\x87\n", Kind("JPEG XL", PICTURE)),
    (b"\xff\x0a", Kind("JPEG XL", PICTURE)),
    (b"\0\0\x01\0", Kind("ICO", PICTURE)),
    (b"\0\0\x02\0", Kind("CUR", PICTURE)),
    (b"8BPS", Kind("PSD", PICTURE)),
    (b"gimp xcf", Kind("XCF", PICTURE)),
    (b"%!PS", Kind("PostScript", PICTURE)),
    (b"\xc5\xd0\xd3\xc6", Kind("EPS", PICTURE)),
    (b"DDS ", Kind("DDS", PICTURE)),
    (b"v/1\x01", Kind("OpenEXR", PICTURE)),
    (b"#?RADIANCE", Kind("Radiance HDR", PICTURE)),
    (b"AT&TFORM", Kind("DjVu", PICTURE)),
    (b"icns", Kind("ICNS", PICTURE)),
    (b"SIMPLE  =", Kind("FITS", PICTURE)),
    (b"%PDF", Kind("PDF", OTHER)),
    (b"PK\x03\x04", Kind("a ZIP archive", OTHER)),
    (b"\x1f\x8b", Kind("a gzip archive", OTHER)),
    (b"Rar!", Kind("a RAR archive", OTHER)),
    (b"7z\xbc\xaf", Kind("a 7z archive", OTHER)),
    (b"version https://git-lfs", Kind("a Git LFS pointer", OTHER)),
)
# The kind of an ISO media file, by the brand after `ftyp`.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), Kind("AVIF", PILLOW)),
    **dict.fromkeys(
        (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1",
         b"msf1"),
        Kind("HEIC", PILLOW),
    ),
    b"crx ": RAW_PHOTOGRAPH,
}  # fmt: skip
# Sizes of a BMP's second header, in bytes.
BITMAP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_TEXTS = (
    (rb"<!doctype html|<html|<head|<body", Kind("an HTML page", OTHER)),
    (rb"<svg", Kind("SVG", PICTURE)),
    (rb"<\?xml", Kind("XML text", OTHER)),
    (rb"[\[{]", Kind("JSON text", OTHER)),
    (rb"P[1-6]\s+(#.*\s+)*\d+\s+\d", Kind("PPM", PICTURE)),
)


def kind_of(first: bytes) -> Kind:
    """What a file is.

    Args:
        first: its first bytes, `ENOUGH` of them or all.
    """
    if not first:
        return NOTHING
    for start, kind in _STARTS:
        if first.startswith(start):
            raw = kind.name == "TIFF" and first[8:10] == b"CR"
            return RAW_PHOTOGRAPH if raw else kind
    if first[:4] == b"RIFF":
        webp = first[8:12] == b"WEBP"
        return Kind("WebP", GRAPH) if webp else Kind("a RIFF file", OTHER)
    # Two letters begin a text as well.
    if (
        first[:2] == b"BM"
        and first[14:18]
        and (int.from_bytes(first[14:18], "little") in BITMAP_HEADERS)
    ):
        return Kind("BMP", GRAPH)
    if first[4:8] == b"ftyp":
        return _by_brand(first)
    if first[128:132] == b"DICM":
        return Kind("DICOM", PICTURE)
    return _text_kind(first)


def _by_brand(first: bytes) -> Kind:
    """An ISO media file: its own brand, or those that it says it keeps to."""
    size = min(int.from_bytes(first[:4], "big"), len(first), 256)
    brands = [first[8:12], *(first[i : i + 4] for i in range(16, size, 4))]
    if b"avif" in brands:  # It may begin with mif1, as HEIC does.
        return _BRANDS[b"avif"]
    known = (_BRANDS[brand] for brand in brands if brand in _BRANDS)
    return next(known, Kind("a video", OTHER))


def _text_kind(first: bytes) -> Kind:
    if not first.strip(b"\0"):
        return Kind("zero bytes only, a fault of a disk or copy", OTHER)
    opening = first.lstrip(b"\xef\xbb\xbf \t\r\n")
    if opening.lower().startswith(b"<?xml") and b"<svg" in first:
        return Kind("SVG", PICTURE)
    for pattern, kind in _TEXTS:
        if re.match(pattern, opening, re.IGNORECASE):
            return kind
    if opening and not re.search(rb"[^\t\r\n\x20-\x7e\x80-\xff]", opening):
        return Kind("text", OTHER)
    return UNKNOWN


def is_installed(kind: str) -> bool:
    """Whether Pillow can open this kind here: HEIC needs its plug-in."""
    if kind != "HEIC":
        return True
    return importlib.util.find_spec("pillow_heif") is not None


def refusal(kind: Kind) -> str:
    """Why a picture of this kind is not used, and the remedy; "" if it is."""
    if kind.use == PICTURE:
        return f"{kind.name} is not supported - convert it to JPEG or PNG"
    if kind.use == PILLOW and not is_installed(kind.name):
        return (
            f"{kind.name} is not supported - convert it to JPEG or PNG, or pip "
            "install pillow-heif"
        )
    return ""
