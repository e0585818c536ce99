"""BERT's tokenizer from core TensorFlow operations: texts -> token ids.

    wordpiece = WordPiece(vocabulary, max_tokens=64)
    tokens = wordpiece(tf.constant(["free entry!"]))
    tokens.ids                       # int32 (1, 64)

Characters are normalized and words cut on numbers, by a table of code points
(`code_points`); then each word is looked up whole, and only those that are no
word of the vocabulary are taken to pieces, the longest first. Words are found
by FarmHash among sorted hashes, so that a graph holds no table that a server
would have to set up, no file, and no operation that is not TensorFlow's own.

In: a vocabulary, then texts. Out: token ids, and what was cut.

Reference: `WordpieceTokenizer` of google-research/bert.
"""

from typing import NamedTuple

import tensorflow as tf

from tl_keras.errors import ConfigError
from tl_keras.inputs.text.code_points import (
    ITSELF,
    NONE,
    PAGE_BITS,
    code_points,
    with_mark,
)
from tl_keras.inputs.text.vocabulary import (
    CONTINUES,
    FIELD_MARK,
    Vocabulary,
)
from tl_keras.inputs.text.word_hashes import WordHashes

# Counts up when the same text gives other tokens than before.
VERSION = 1
NOT_UTF8 = "not valid UTF-8"


class Tokens(NamedTuple):
    """What becomes of texts.

    Attributes:
        ids: int32 (batch, max_tokens), those of padding behind the last.
        status: string (batch,), "" or why a text was taken for an empty one.
        cut: bool (batch,), whether a text had more tokens than there is room
            for.
    """

    ids: tf.Tensor
    status: tf.Tensor
    cut: tf.Tensor


class WordPiece:
    """The tokenizer of a vocabulary.

    Args:
        vocabulary: from `read_vocabulary`. In a text, a special word such as
            "[SEP]" is text.
        max_tokens: tokens of a text, the first and last special one included;
            3 or more.
        fields: make a `vocabulary.sep` of each `FIELD_MARK`, which parts the
            fields of a text; else it is left out, as any control character.

    Raises:
        ConfigError: too few tokens, or two words of one hash.

    Example:
        wordpiece = WordPiece(read_vocabulary("models/MiniLM"), 64)
        ids = wordpiece(tf.constant(["free entry!"])).ids
    """

    def __init__(
        self, vocabulary: Vocabulary, max_tokens: int, *, fields: bool = False
    ):
        if max_tokens < 3:
            raise ConfigError(
                f"max_tokens={max_tokens}: expected 3 or more, as a text's "
                "first and last token are special ones"
            )
        self.vocabulary = vocabulary
        self.max_tokens = max_tokens
        self.table = code_points(
            vocabulary.lowercase,
            vocabulary.strip_accents,
            vocabulary.split_chinese,
        )
        starts, later = {}, {}
        for number, word in enumerate(vocabulary.words):
            if word.startswith(CONTINUES) and word != CONTINUES:
                later[word.removeprefix(CONTINUES)] = number
            elif word:
                starts[word] = number
        if fields:
            self.table = with_mark(self.table, FIELD_MARK)
            starts[FIELD_MARK] = vocabulary.sep
        self._starts, self._later = WordHashes(starts), WordHashes(later)

    def __call__(self, texts: tf.Tensor) -> Tokens:
        """The tokens of texts; works in a graph as well.

        Args:
            texts: string (batch,), UTF-8.

        Returns:
            `Tokens`. A text that is not UTF-8 has a status, and the tokens of
            an empty one.
        """
        room = self.max_tokens - 2
        texts, status = valid_texts(texts)
        count = tf.shape(texts)[0]
        words, row = self._words(texts)
        # Each word is a token or more; one word more tells of those cut off.
        in_reach = _place_in_row(row, count) <= room
        words = tf.boolean_mask(words, in_reach)
        row = tf.boolean_mask(row, in_reach)
        pieces = self._pieces(words)
        here = pieces >= 0
        row = tf.repeat(row, tf.math.count_nonzero(here, 1, dtype=tf.int32))
        place = _place_in_row(row, count)
        lengths = tf.minimum(_lengths(row, count), room)
        fits = place < room
        at = tf.stack([row, place + 1], axis=1)
        rows = tf.range(count)
        vocabulary = self.vocabulary
        ids = tf.tensor_scatter_nd_update(
            tf.fill([count, self.max_tokens], vocabulary.pad),
            tf.concat(
                [
                    tf.boolean_mask(at, fits),
                    tf.stack([rows, tf.zeros_like(rows)], axis=1),
                    tf.stack([rows, lengths + 1], axis=1),
                ],
                axis=0,
            ),
            tf.concat(
                [
                    tf.boolean_mask(tf.boolean_mask(pieces, here), fits),
                    tf.fill([count], vocabulary.cls),
                    tf.fill([count], vocabulary.sep),
                ],
                axis=0,
            ),
        )
        ids = tf.ensure_shape(ids, (None, self.max_tokens))
        return Tokens(ids, status, _lengths(row, count) > room)

    def _words(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Texts (b,) -> words (n,) and the text that each is of, int32."""
        table = self.table
        decoded = tf.strings.unicode_decode(texts, "UTF-8")
        codes = decoded.flat_values
        text = tf.cast(decoded.value_rowids(), tf.int32)
        page = tf.gather(
            table.page_of, tf.bitwise.right_shift(codes, PAGE_BITS)
        )
        kind = tf.gather(
            table.row_of,
            tf.bitwise.left_shift(page, PAGE_BITS)
            + tf.bitwise.bitwise_and(codes, (1 << PAGE_BITS) - 1),
        )
        apart = tf.gather(table.apart, kind)
        begins = apart | _after(apart) | _changes(text)
        word = tf.cumsum(tf.cast(begins, tf.int32))
        became = tf.gather(table.becomes, kind)
        became = tf.where(became == ITSELF, codes[:, None], became)
        here = became != NONE
        times = tf.math.count_nonzero(here, 1, dtype=tf.int32)
        word, text = tf.repeat(word, times), tf.repeat(text, times)
        codes = tf.boolean_mask(became, here)
        first = tf.where(_changes(word))[:, 0]
        bounds = tf.concat([first, tf.size(codes, tf.int64)[None]], axis=0)
        words = tf.RaggedTensor.from_row_splits(codes, bounds, validate=False)
        return tf.strings.unicode_encode(words, "UTF-8"), tf.gather(text, first)

    def _pieces(self, words: tf.Tensor) -> tf.Tensor:
        """Words (n,) -> ids of their pieces, int32 (n, most), -1 for none."""
        words, which = tf.unique(words)
        chars = tf.strings.length(words, unit="UTF8_CHAR")
        whole = tf.where(
            chars > self.vocabulary.max_word_chars,
            self.vocabulary.unk,
            self._starts.find(words),
        )
        rest = tf.where(whole < 0)
        broken = self._broken(tf.gather_nd(words, rest))
        most = tf.shape(broken)[1]
        pieces = tf.pad(
            whole[:, None], [[0, 0], [0, most - 1]], constant_values=-1
        )
        pieces = tf.tensor_scatter_nd_update(pieces, rest, broken)
        return tf.gather(pieces, which)

    def _broken(self, words: tf.Tensor) -> tf.Tensor:
        """As `_pieces`, of words of which none is in the vocabulary."""
        chars = tf.strings.length(words, unit="UTF8_CHAR")
        every = tf.range(tf.shape(words)[0])
        found, size = self._starts.longest(words, tf.zeros_like(chars), chars)
        pieces = tf.TensorArray(
            tf.int32, 1, dynamic_size=True, element_shape=[None]
        ).write(0, found)

        def goes_on(which, *_):
            return tf.size(which) > 0

        def step(which, start, bad, pieces, number):
            """The next piece of those words that are not at their end."""
            ends = tf.gather(chars, which)
            found, size = self._later.longest(
                tf.gather(words, which), start, ends
            )
            at = which[:, None]
            # Ids from 1 on, as what is scattered is filled up with zeros.
            row = tf.scatter_nd(at, found + 1, tf.shape(words)) - 1
            bad |= tf.scatter_nd(at, found < 0, tf.shape(words))
            start += size
            left = (start < ends) & (found >= 0)
            return (
                tf.boolean_mask(which, left),
                tf.boolean_mask(start, left),
                bad,
                pieces.write(number, row),
                number + 1,
            )

        left = (found >= 0) & (size < chars)
        *_, bad, pieces, _ = tf.while_loop(
            goes_on,
            step,
            (
                tf.boolean_mask(every, left),
                tf.boolean_mask(size, left),
                found < 0,
                pieces,
                tf.constant(1),
            ),
            shape_invariants=(
                tf.TensorShape([None]),
                tf.TensorShape([None]),
                tf.TensorShape([None]),
                None,
                tf.TensorShape([]),
            ),
        )
        pieces = tf.transpose(pieces.stack())
        unknown = tf.where(
            tf.range(tf.shape(pieces)[1]) == 0, self.vocabulary.unk, -1
        )
        return tf.where(bad[:, None], unknown, pieces)


def valid_texts(texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(texts, those that are not UTF-8 empty; "" or why, for each)."""
    again = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
    valid = again == texts
    return tf.where(valid, texts, ""), tf.where(valid, "", NOT_UTF8)


def _after(flags: tf.Tensor) -> tf.Tensor:
    """Whether the one before is flagged, bool (n,)."""
    return tf.concat([[False], flags], axis=0)[:-1]


def _changes(numbers: tf.Tensor) -> tf.Tensor:
    """Whether one differs from that before it; the first does, bool (n,)."""
    before = tf.concat([[-1], numbers], axis=0)[:-1]
    return numbers != before


def _lengths(row: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """How many there are of each row, int32 (count,); rows are in order."""
    bounds = tf.searchsorted(row, tf.range(count + 1))
    return bounds[1:] - bounds[:-1]


def _place_in_row(row: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Which of its row each is, from 0, int32 (n,); rows are in order."""
    begins = tf.searchsorted(row, tf.range(count))
    return tf.range(tf.size(row)) - tf.gather(begins, row)
