"""What TF-IDF makes of a text before it counts: small letters, no accents.

    plain("\u00c9t\u00e9!")                    # "ete!"

In: a text. Out: another; and which characters make a word. No TensorFlow: the
graph's own (`plain_letters`) is made of this.
"""

import unicodedata

# A word, or one sign alone, as a regular expression.
WORD = r"(?u)\w+|[^\w\s]"
# Characters of a piece of a word, least and most, with the space at its ends.
PIECES = (2, 5)
SPACE, LETTER, MARK = 0, 1, 2


def plain(text: str) -> str:
    """A text in small letters without accents.

    As scikit-learn's vectorizers make it with `strip_accents="unicode"`, but
    for a sigma at a word's end, which becomes one as any other: what a
    character becomes then depends on it alone.
    """
    text = text.lower().replace("\u03c2", "\u03c3")
    if text.isascii():
        return text
    return "".join(
        c
        for c in unicodedata.normalize("NFKD", text)
        if not unicodedata.combining(c)
    )


def kind_of(character: str) -> int:
    """As Python's regular expressions take it: of space, of a word, neither."""
    if character.isspace():
        return SPACE
    return LETTER if character.isalnum() or character == "_" else MARK
