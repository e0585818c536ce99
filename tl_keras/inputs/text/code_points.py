"""What each code point becomes before words are looked up, as small arrays.

BERT's normalizer drops control characters, makes any space a space, sets
Chinese characters and punctuation apart, leaves out accents and makes letters
small. Each of these looks at one character alone, so that all of them together
are a table of code points, made here by Python's `unicodedata`. Most pages of
the table are alike and are kept once.

In: a vocabulary's settings of case, accents and Chinese. Out: arrays.

Reference: `BasicTokenizer` of google-research/bert; `BertNormalizer` of Hugging
Face's tokenizers, whose ranges of Chinese characters these are.
"""

import dataclasses
import functools
import hashlib
import unicodedata

import numpy as np

PAGE_BITS = 7
CHINESE = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)  # fmt: skip
# All of these are treated as their first: ideographs, surrogates, private use,
# and eleven planes in which nothing is.
ALIKE = (
    *CHINESE[:6], (0xD800, 0xDFFF), (0xE000, 0xF8FF), (0x2CEB0, 0x2F7FF),
    (0x2FA20, 0xDFFFF), (0xE1000, 0xEFFFF), (0xF0000, 0x10FFFF),
)  # fmt: skip
ONE_BY_ONE = [
    code
    for code in (*range(0x2FA20), *range(0xE0000, 0xE1000))
    if not any(first <= code <= last for first, last in ALIKE)
]
# In the place of a code point: the one it was, and none.
ITSELF, NONE = -2, -1
# Unassigned ones are kept: an emoji may be younger than this Python.
CONTROLS = ("Cc", "Cf", "Co", "Cs")
SPACES = ("Zs", "Zl", "Zp")


@dataclasses.dataclass(frozen=True)
class CodePoints:
    """The table: `row_of[page_of[code >> 7] << 7 | code & 127]` is a row.

    Attributes:
        page_of: int32 (pages of Unicode,), which kept page each is like.
        row_of: int32 (kept pages * 128,).
        becomes: int32 (rows, most), the code points that stand in for one;
            `ITSELF` or `NONE`.
        apart: bool (rows,), no word goes on from before it to it, or from it
            to what comes after.
    """

    page_of: np.ndarray
    row_of: np.ndarray
    becomes: np.ndarray
    apart: np.ndarray

    def fingerprint(self) -> str:
        """SHA-256 of all of it: Unicode's tables differ between Pythons."""
        digest = hashlib.sha256()
        for field in dataclasses.fields(self):
            digest.update(getattr(self, field.name).tobytes())
        return digest.hexdigest()


@functools.lru_cache(maxsize=8)
def code_points(
    lowercase: bool, strip_accents: bool, split_chinese: bool
) -> CodePoints:
    """The table for a vocabulary's settings; takes half a second, once.

    Args:
        lowercase, strip_accents, split_chinese: see `Vocabulary`.

    Returns:
        `CodePoints`, the same object for the same settings.
    """
    rows: dict[tuple[tuple[int, ...], bool], int] = {}
    row_of = np.empty(0x110000, np.int32)
    for first, last in ALIKE:
        became = _becomes(first, lowercase, strip_accents, split_chinese)
        row_of[first : last + 1] = rows.setdefault(became, len(rows))
    for code in ONE_BY_ONE:
        became = _becomes(code, lowercase, strip_accents, split_chinese)
        row_of[code] = rows.setdefault(became, len(rows))
    pages, page_of = np.unique(
        row_of.reshape(-1, 1 << PAGE_BITS), axis=0, return_inverse=True
    )
    becomes = np.full((len(rows), max(len(c) for c, _ in rows)), NONE, np.int32)
    for (codes, _), row in rows.items():
        becomes[row, : len(codes)] = codes
    apart = np.array([apart for _, apart in rows])
    page_of = page_of.reshape(-1).astype(np.int32)
    return CodePoints(page_of, pages.reshape(-1), becomes, apart)


def with_mark(table: CodePoints, mark: str) -> CodePoints:
    """The table with one character of ASCII set apart, as "!" is.

    Args:
        table: of `code_points`.
        mark: the character.

    Returns:
        Another table; the one given is left as it is.
    """
    page = table.page_of[0] << PAGE_BITS
    row_of = table.row_of.copy()
    row_of[page | ord(mark)] = row_of[page | ord("!")]
    return dataclasses.replace(table, row_of=row_of)


def _becomes(
    code: int, lowercase: bool, strip_accents: bool, split_chinese: bool
) -> tuple[tuple[int, ...], bool]:
    """(what stands in for a code point, whether it is set apart)."""
    character = chr(code)
    category = unicodedata.category(character)
    if character in "\t\n\r" or category in SPACES:
        return (), True
    if code in (0, 0xFFFD) or category in CONTROLS:
        return (), False
    apart = split_chinese and _is_chinese(code)
    if category == "Cn":
        return (ITSELF,), apart
    text = character
    if strip_accents:
        text = "".join(
            c
            for c in unicodedata.normalize("NFD", text)
            if unicodedata.category(c) != "Mn"
        )
    if lowercase:
        # Letter by letter: a sigma at a word's end is like any other.
        text = "".join(c.lower() for c in text)
    apart = apart or any(is_punctuation(c) for c in text)
    if text == character:
        return (ITSELF,), apart
    return tuple(map(ord, text)), apart and bool(text)


def is_punctuation(character: str) -> bool:
    """Whether it is punctuation for BERT: of ASCII all that is no letter."""
    if character.isascii():
        return 33 <= ord(character) <= 126 and not character.isalnum()
    return unicodedata.category(character).startswith("P")


def _is_chinese(code: int) -> bool:
    return any(first <= code <= last for first, last in CHINESE)
