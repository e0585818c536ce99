"""What a file is that is no picture we read: the words a person needs.

In: its bytes. Out: one line: what it is and the remedy. Downloads leave HTML
pages and Git LFS pointers under picture names, phones leave HEIC.
"""

import re

CONVERT = "is not supported - convert it to JPEG or PNG"
NO_PICTURE = "take it away or fetch the picture"
# The kind of an ISO media file, by the brand after `ftyp`.
BRANDS = {
    b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"heim": "HEIC",
    b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF", b"avis": "AVIF",
}  # fmt: skip
STARTS = {
    b"II*\0": f"TIFF {CONVERT}",
    b"MM\0*": f"TIFF {CONVERT}",
    b"\0\0\0\x0cjP  ": f"JPEG 2000 {CONVERT}",
    b"\xff\x4f\xff\x51": f"JPEG 2000 {CONVERT}",
    b"\0\0\0\x0cJXL ": f"JPEG XL {CONVERT}",
    b"\xff\x0a": f"JPEG XL {CONVERT}",
    b"\0\0\x01\0": f"ICO {CONVERT}",
    b"8BPS": f"PSD {CONVERT}",
    b"%PDF": f"PDF {CONVERT}",
    b"P6\n": f"PPM {CONVERT}",
    b"PK\x03\x04": f"ZIP archive - unpack it, or {NO_PICTURE}",
    b"\x1f\x8b": f"gzip archive - unpack it, or {NO_PICTURE}",
    b"version https://git-lfs": "Git LFS pointer - run git lfs pull",
}
TEXTS = (
    (rb"<!doctype html|<html|<head|<body", f"HTML page - {NO_PICTURE}"),
    (rb"<svg", f"SVG {CONVERT}"),
    (rb"<\?xml", f"XML text - {NO_PICTURE}"),
    (rb"[\[{]", f"JSON text - {NO_PICTURE}"),
)


def describe_stranger(content: bytes) -> str:
    """Names what the bytes are, and the remedy.

    Args:
        content: the bytes of a file that starts as none of our formats.
    """
    for start, words in STARTS.items():
        if content.startswith(start):
            return words
    if content[4:8] == b"ftyp":
        return f"{BRANDS.get(content[8:12], 'a video or HEIF')} {CONVERT}"
    if not content.strip(b"\0"):
        return f"zero bytes only, a fault of a disk or copy - {NO_PICTURE}"
    opening = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if opening.lower().startswith(b"<?xml") and b"<svg" in content[:4096]:
        return f"SVG {CONVERT}"
    for pattern, words in TEXTS:
        if re.match(pattern, opening, re.IGNORECASE):
            return words
    if opening and not re.search(rb"[^\t\r\n\x20-\x7e\x80-\xff]", opening):
        return f"text, no picture - {NO_PICTURE}"
    return f"no picture: it starts with {content[:4].hex(' ')} - {NO_PICTURE}"
