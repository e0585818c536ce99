"""Bytes of a file that somebody wrote -> its text, and how it was encoded.

    text, encoding = text_of(content)

In: bytes. Out: a string. UTF-8 with or without a mark, UTF-16 with one or
recognized by its zeros, and Latin-1 (as Windows-1252 has it) where nothing else
fits, which is a guess and is told.
"""

import codecs
import re

from tl_keras.errors import DataError

AUTO = "auto"
GUESS = "windows-1252"
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
# Not texts, whatever they are called: what they are, and what to do.
FOREIGN = {
    b"PK\x03\x04": "an Excel file or an archive - save it as .csv",
    b"\xd0\xcf\x11\xe0": "an old Excel file - save it as .csv",
    b"\x1f\x8b": "a gzip file - unpack it",
    b"PAR1": "a Parquet file - write it as .csv or JSONL",
    b"%PDF": "a PDF - save its text",
}
LOOKED_AT = 4096
LONE = re.compile("[\ud800-\udfff]")
BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def rows_of(
    content: bytes, encoding: str = AUTO, where: str = "the file"
) -> tuple[str, str]:
    """As `text_of`, of a file in which some rows may be broken.

    Where it is UTF-8, bytes that are none stand in the text as lone
    surrogates (`is_broken`), since a byte spoils a row and not the others.
    What has more such bytes than characters of several bytes is no UTF-8.

    Args:
        content, encoding, where: of `text_of`.

    Returns:
        As `text_of`.

    Raises:
        DataError: as of `text_of`, but for UTF-8.
    """
    told = encoding.lower().replace("_", "-") in (AUTO, "utf-8", "utf8")
    others = (*FOREIGN, *(set(MARKS) - {codecs.BOM_UTF8}))
    if not told or content.startswith(others):
        return text_of(content, encoding, where)
    text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    broken = len(LONE.findall(text))
    whole = len(BEYOND_ASCII.findall(text)) - broken
    if not broken or (encoding == AUTO and whole < broken):
        return text_of(content, encoding, where)
    return text, "utf-8"


def is_broken(text: str) -> bool:
    """Whether there are bytes in a text of `rows_of` that are no UTF-8."""
    return LONE.search(text) is not None


def text_of(
    content: bytes, encoding: str = AUTO, where: str = "the file"
) -> tuple[str, str]:
    """The text of a file's bytes.

    Args:
        content: all of them.
        encoding: "auto", or a name that Python knows.
        where: the file, for messages.

    Returns:
        (text without a byte order mark, the encoding it was read in).

    Raises:
        DataError: it is of a kind that holds no plain text, or not in the
            encoding that was told.
    """
    for mark, what in FOREIGN.items():
        if content.startswith(mark):
            raise DataError(f"{where}: expected text, found {what}")
    if encoding != AUTO:
        return _told(content, encoding, where), encoding
    for mark, name in MARKS.items():
        if content.startswith(mark):
            return _told(content, name, where), name
    zeros = _zeros(content[:LOOKED_AT])
    if zeros:
        return _told(content, zeros, where), zeros
    if b"\0" in content[:LOOKED_AT]:
        raise DataError(
            f"{where}: expected text, found zero bytes - give a file of text, "
            "or say its encoding"
        )
    try:
        return content.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        pass
    # Its five codes without a meaning are control characters in Latin-1.
    try:
        return content.decode(GUESS), GUESS
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def check_encoding(encoding: str) -> None:
    """Raises DataError for a name that Python does not know."""
    if encoding == AUTO:
        return
    try:
        "".encode(encoding)
    except (LookupError, ValueError, UnicodeError):
        raise DataError(
            f"encoding={encoding!r:.40}: expected {AUTO} or a name such as "
            "utf-8, utf-16 or latin-1"
        ) from None


def _told(content: bytes, encoding: str, where: str) -> str:
    check_encoding(encoding)
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except (UnicodeError, AttributeError) as error:
        start = getattr(error, "start", 0)
        line = content.count(b"\n", 0, start) + 1
        raise DataError(
            f"{where}:{line}: expected text in {encoding}, found bytes that "
            f"are none ({content[start : start + 4].hex(' ')}) - say which "
            "encoding it is, or save it as UTF-8"
        ) from None


def _zeros(start: bytes) -> str:
    """UTF-16 without a mark: of western texts every second byte is zero."""
    half = len(start) // 2
    if half < 2:
        return ""
    if start[1::2].count(0) > 0.7 * half and start[0::2].count(0) < 0.1 * half:
        return "utf-16-le"
    if start[0::2].count(0) > 0.7 * half and start[1::2].count(0) < 0.1 * half:
        return "utf-16-be"
    return ""
