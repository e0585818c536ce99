"""What can be seen of a text without a network: facts, faults, an excerpt.

    facts = facts_of(b"<b>free</b> entry!")
    facts.faults                         # ("HTML left in: <b>",)

In: the bytes of a text. Out: numbers and lines for people. No TensorFlow.
"""

import collections
import dataclasses
import re
import unicodedata

HTML = re.compile(
    r"</?(?:a|b|br|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|span|strong|"
    r"table|td|th|tr|u|ul)(?:\s[^<>]*)?/?>|&(?:amp|lt|gt|quot|nbsp|#\d+);",
    re.IGNORECASE,
)
EXCERPT = 120  # characters
# The first word of a letter's name says its alphabet, but for these.
ALPHABETS = {"FULLWIDTH": "LATIN", "CJK": "CHINESE", "HIRAGANA": "JAPANESE",
             "KATAKANA": "JAPANESE", "HALFWIDTH": "JAPANESE"}  # fmt: skip
# Of many letters these tell it.
LOOKED_AT = 400


@dataclasses.dataclass(frozen=True)
class TextFacts:
    """What is known of one text.

    Attributes:
        characters: how many there are.
        words: how many are parted by spaces.
        alphabet: of most of its letters, such as "LATIN"; "" without any.
        html: the first mark of HTML in it, or "".
        faults: why it is no example to learn from, one line each.
    """

    characters: int
    words: int
    alphabet: str
    html: str
    faults: tuple[str, ...] = ()


def facts_of(encoded: bytes) -> TextFacts:
    """Looks at one text.

    Args:
        encoded: its bytes, UTF-8.

    Returns:
        `TextFacts`; without a reading where it is not UTF-8.
    """
    try:
        text = encoded.decode("utf-8")
    except UnicodeDecodeError as error:
        return TextFacts(
            0, 0, "", "", (f"not valid UTF-8 from byte {error.start} on",)
        )
    words = len(text.split())
    html = HTML.search(text)
    faults = []
    if not any(not c.isspace() and c.isprintable() for c in text):
        faults.append("empty: nothing in it can be seen")
    if html:
        faults.append(f"HTML left in: {html.group()[:40]}")
    return TextFacts(
        len(text),
        words,
        alphabet_of(text),
        html.group() if html else "",
        tuple(faults),
    )


def alphabet_of(text: str) -> str:
    """The alphabet of most letters, in capitals; "" where there are none."""
    letters = [c for c in text[: 4 * LOOKED_AT] if c.isalpha()][:LOOKED_AT]
    names = (
        unicodedata.name(letter, "").partition(" ")[0] for letter in letters
    )
    counts = collections.Counter(
        ALPHABETS.get(name.partition("-")[0], name) for name in names if name
    )
    return counts.most_common(1)[0][0] if counts else ""


def excerpt(encoded: bytes, most: int = EXCERPT) -> str:
    """A text in one line, for a page or a message.

    Args:
        encoded: its bytes; what is not UTF-8 is shown as U+FFFD.
        most: characters at most, 2 or more; an ellipsis stands for the rest.

    Returns:
        What can be shown: no line breaks and no control characters.
    """
    text = " ".join(encoded[: 8 * most].decode("utf-8", "replace").split())
    text = "".join(c for c in text if c.isprintable())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
