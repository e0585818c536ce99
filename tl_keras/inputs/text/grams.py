"""Words, pairs of words, and pieces of words, counted in graph operations.

    words = word_pairs(letters)      # ("free", row), ("free entry", row)
    pieces = word_pieces(letters, (2, 5))
    counts = count(words, WordHashes({"free": 0, "free entry": 1}), 1)

In: the characters of texts. Out: strings, or how often each of a list stands in
each text. They are those of scikit-learn's `TfidfVectorizer` with
`token_pattern=WORD`, and with `analyzer="char_wb"`.
"""

from typing import NamedTuple

import tensorflow as tf

from tl_keras.inputs.text.plain_letters import Letters
from tl_keras.inputs.text.plain_text import LETTER, SPACE
from tl_keras.inputs.text.word_hashes import WordHashes


class Grams(NamedTuple):
    """Pieces of texts.

    Attributes:
        texts: string (n,).
        row: int32 (n,), the text that each is of.
    """

    texts: tf.Tensor
    row: tf.Tensor


def word_pairs(letters: Letters) -> Grams:
    """Words and signs (`plain_text.WORD`), and pairs that follow."""
    alone = letters.kinds != LETTER
    seen = letters.where(letters.kinds != SPACE)
    begins = tf.boolean_mask(
        alone | _follows(alone, True) | _new_row(letters.row),
        letters.kinds != SPACE,
    )
    first = tf.where(begins)[:, 0]
    words = tf.strings.unicode_encode(
        tf.RaggedTensor.from_row_splits(
            seen.codes, _bounds(first, seen.codes), validate=False
        ),
        "UTF-8",
    )
    row = tf.gather(seen.row, first)
    pairs = tf.strings.join([words[:-1], words[1:]], " ")
    of_one_text = row[1:] == row[:-1]
    return Grams(
        tf.concat([words, tf.boolean_mask(pairs, of_one_text)], axis=0),
        tf.concat([row, tf.boolean_mask(row[1:], of_one_text)], axis=0),
    )


def word_pieces(letters: Letters, sizes: tuple[int, int]) -> Grams:
    """Pieces of what spaces part, a space at either end of each.

    Args:
        letters: of the texts.
        sizes: the least and the largest number of characters, 2 or more.
    """
    space = letters.kinds == SPACE
    seen = letters.where(~space)
    begins = tf.boolean_mask(
        _follows(space, True) | _new_row(letters.row), ~space
    )
    first = tf.where(begins)[:, 0]
    bounds = _bounds(first, seen.codes)
    length = tf.cast(bounds[1:] - bounds[:-1], tf.int32) + 2
    word = tf.repeat(tf.range(tf.size(length)), length)
    ends = tf.gather(tf.cumsum(length), word)
    place = tf.range(tf.size(word))
    # A space before and behind each word: two places more than those before.
    at = tf.range(tf.size(seen.codes)) + 2 * tf.cumsum(_number(begins)) - 1
    codes = tf.tensor_scatter_nd_update(
        tf.fill([tf.size(word)], ord(" ")), at[:, None], seen.codes
    )
    row = tf.gather(tf.gather(seen.row, first), word)
    texts, rows = [], []
    for size in range(sizes[0], sizes[1] + 1):
        starts = tf.boolean_mask(place, place + size <= ends)
        windows = tf.gather(codes, starts[:, None] + tf.range(size))
        texts.append(tf.strings.unicode_encode(windows, "UTF-8"))
        rows.append(tf.gather(row, starts))
    return Grams(tf.concat(texts, axis=0), tf.concat(rows, axis=0))


def count(grams: Grams, listed: WordHashes, columns: int, rows) -> tf.Tensor:
    """How often each of those listed stands in each text.

    Args:
        grams: of texts.
        listed: gram -> its column.
        columns: how many there are.
        rows: int32, how many texts.

    Returns:
        float32 (rows, columns).
    """
    column = listed.find(grams.texts)
    at = tf.stack([grams.row, column], axis=1)
    at = tf.boolean_mask(at, column >= 0)
    return tf.scatter_nd(
        at, tf.ones([tf.shape(at)[0]]), tf.stack([rows, columns])
    )


def _bounds(first: tf.Tensor, codes: tf.Tensor) -> tf.Tensor:
    return tf.concat([first, tf.size(codes, tf.int64)[None]], axis=0)


def _follows(flags: tf.Tensor, start: bool) -> tf.Tensor:
    """Whether the one before is flagged, bool (n,); `start` for the first."""
    return tf.concat([[start], flags], axis=0)[:-1]


def _new_row(row: tf.Tensor) -> tf.Tensor:
    return tf.concat([[-1], row], axis=0)[:-1] != row


def _number(flags: tf.Tensor) -> tf.Tensor:
    return tf.cast(flags, tf.int32)
