"""Texts -> code points of small letters without accents, and what each is.

    codes, kinds, row = plain_letters(tf.constant(["\\u00c9t\\u00e9!"]))
    codes                            # those of "ete!"

In: texts, in graph operations. Out: numbers of which words are cut. A table
made of Python's `unicodedata` says what each character becomes, and equals
what `plain` does to a whole text.
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tl_keras.inputs.text.plain_text import MARK, kind_of, plain

PAGE_BITS = 7
# Of Unicode 17, none but private ones is assigned outside of these.
ASSIGNED = (*range(0xD800), *range(0xE000, 0x33480), *range(0xE0000, 0xE0200))


class Letters(NamedTuple):
    """The characters of texts, one text behind the other.

    Attributes:
        codes: int32 (n,), code points.
        kinds: int32 (n,): of `plain_text.kind_of`.
        row: int32 (n,), the text that each is of.
    """

    codes: tf.Tensor
    kinds: tf.Tensor
    row: tf.Tensor

    def where(self, chosen: tf.Tensor) -> "Letters":
        """Those of which `chosen`, bool (n,), is true."""
        return Letters(*(tf.boolean_mask(part, chosen) for part in self))


def plain_letters(texts: tf.Tensor) -> Letters:
    """What `plain` makes of texts, character by character.

    Args:
        texts: string (batch,), valid UTF-8.
    """
    table = _table()
    decoded = tf.strings.unicode_decode(texts, "UTF-8")
    codes = decoded.flat_values
    row = tf.cast(decoded.value_rowids(), tf.int32)
    entry = table.entry(codes)
    count = tf.gather(table.lengths, entry)
    place = tf.range(tf.reduce_sum(count)) - tf.repeat(
        tf.cumsum(count, exclusive=True), count
    )
    became = tf.gather(
        table.becomes, tf.repeat(tf.gather(table.starts, entry), count) + place
    )
    # -1 stands for the character itself.
    codes = tf.where(became < 0, tf.repeat(codes, count), became)
    kinds = tf.gather(table.kinds, table.entry(codes))
    return Letters(codes, kinds, tf.repeat(row, count))


class _Table(NamedTuple):
    """`page_of[code >> 7]` is a page of `entry_of`, which gives an entry.

    An entry says what a code point becomes, `becomes[start:start + length]`
    with -1 for itself, and of which kind it is.
    """

    page_of: np.ndarray
    entry_of: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    becomes: np.ndarray
    kinds: np.ndarray

    def entry(self, codes: tf.Tensor) -> tf.Tensor:
        """Of code points, int32 (n,)."""
        page = tf.gather(self.page_of, tf.bitwise.right_shift(codes, PAGE_BITS))
        within = tf.bitwise.bitwise_and(codes, (1 << PAGE_BITS) - 1)
        return tf.gather(
            self.entry_of, tf.bitwise.left_shift(page, PAGE_BITS) + within
        )


@functools.lru_cache(maxsize=1)
def _table() -> _Table:
    """Half a second, once."""
    entries: dict[tuple, int] = {((-1,), MARK): 0}
    entry_of = np.zeros(0x110000, np.int32)
    for code in ASSIGNED:
        character = chr(code)
        text = plain(character)
        became = (-1,) if text == character else tuple(map(ord, text))
        entry_of[code] = entries.setdefault(
            (became, kind_of(character)), len(entries)
        )
    pages, page_of = np.unique(
        entry_of.reshape(-1, 1 << PAGE_BITS), axis=0, return_inverse=True
    )
    lengths = np.array([len(became) for became, _ in entries], np.int32)
    return _Table(
        page_of.reshape(-1).astype(np.int32),
        pages.reshape(-1),
        (np.cumsum(lengths) - lengths).astype(np.int32),
        lengths,
        np.array([c for became, _ in entries for c in became], np.int32),
        np.array([kind for _, kind in entries], np.int32),
    )
