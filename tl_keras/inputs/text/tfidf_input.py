"""`TfidfInput`: how a text becomes weights of its words, in one value.

    tfidf_input = TfidfInput(words=("free", "free entry"), idf=(1.2, 2.3))
    weights, status = tfidf_input.load_rows(tf.constant(["free entry!"]))
    weights                              # float32 (1, 2)

In: what a fitted `TfidfVectorizer` of scikit-learn knows, once; then bytes.
Out: what it would make of them, by core TensorFlow operations alone, so that a
served graph needs neither scikit-learn nor a table.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import tensorflow as tf

from tl_keras.errors import ConfigError
from tl_keras.inputs.input import Input
from tl_keras.inputs.text.facts import TextFacts, excerpt, facts_of
from tl_keras.inputs.text.grams import count, word_pairs, word_pieces
from tl_keras.inputs.text.plain_letters import plain_letters
from tl_keras.inputs.text.plain_text import PIECES
from tl_keras.inputs.text.text_input import PROBE, SAMPLE
from tl_keras.inputs.text.word_hashes import WordHashes
from tl_keras.inputs.text.wordpiece import valid_texts

TFIDF = "tfidf"
# Counts up when the same text gives other weights than before.
VERSION = 1
# Of a text's bytes while it is counted: each is of so many pieces, and each
# piece is a string.
COPIES = 400


@dataclasses.dataclass(frozen=True, eq=False)
class TfidfInput(Input):
    """How a text becomes the weights of its words and pieces of words.

    A weight is (1 + log of how often it stands there) times its idf; those of
    words have a length of 1 together, and so have those of pieces. Letters
    are made small and lose their accents (`plain_text.plain`).

    Attributes:
        words: words and pairs of words, by column.
        pieces: pieces of `plain_text.PIECES` characters, by the columns
            behind; may be empty.
        idf: of all columns, float (words + pieces,).

    Raises:
        ConfigError: numbers that do not match, or nothing to count.

    Example:
        model, decoding = served_baseline(fit_tfidf(texts, labels))
        export_saved_model(model, "intents", decoding=decoding, ...)
    """

    words: tuple[str, ...] = dataclasses.field(repr=False)
    pieces: tuple[str, ...] = dataclasses.field(repr=False, default=())
    idf: np.ndarray = dataclasses.field(repr=False, default=())

    kind: ClassVar[str] = "text"
    serving_name: ClassVar[str] = "text"
    loaded_signature: ClassVar[str] = TFIDF
    example_key: ClassVar[str] = "text"
    damaged: ClassVar[bytes] = b"\xff\xfe not UTF-8"

    def __post_init__(self):
        columns = len(self.words) + len(self.pieces)
        if not self.words or len(self.idf) != columns:
            raise ConfigError(
                f"TfidfInput: received {len(self.words)} words, "
                f"{len(self.pieces)} pieces and {len(self.idf)} idf; expected "
                "a word or more, and an idf for each column"
            )
        # Now, as they are made eagerly, and graphs are traced later.
        _ = self._listed

    @property
    def columns(self) -> int:
        """How many weights a text has."""
        return len(self.idf)

    @property
    def specs(self) -> tf.TensorSpec:
        """float32 (columns,), the weights of one text."""
        return tf.TensorSpec((self.columns,), tf.float32)

    @property
    def served_specs(self) -> tf.TensorSpec:
        """float32 (batch, columns)."""
        return tf.TensorSpec((None, self.columns), tf.float32, name=TFIDF)

    def load(self, encoded: tf.Tensor) -> tf.Tensor:
        """The weights of one text.

        Args:
            encoded: string scalar, UTF-8.

        Raises:
            tf.errors.InvalidArgumentError: it is not UTF-8.
        """
        weights, status = self.load_rows(encoded[None])
        check = tf.debugging.Assert(status[0] == "", [status])
        with tf.control_dependencies([] if check is None else [check]):
            return tf.identity(weights[0])

    def load_rows(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Weights of texts of which some may be none, in graph operations.

        Args:
            encoded: string (batch,), UTF-8.

        Returns:
            float32 (batch, columns), and string (batch,): "", or why a text
            was taken for an empty one.
        """
        return self._traced(tf.convert_to_tensor(encoded, tf.string))

    @functools.cached_property
    def _traced(self):
        return tf.function(
            self._weigh,
            input_signature=[tf.TensorSpec((None,), tf.string)],
            autograph=False,
        )

    @functools.cached_property
    def _listed(self) -> list[WordHashes]:
        return [
            WordHashes({gram: column for column, gram in enumerate(grams)})
            for grams in (self.words, self.pieces)
            if grams
        ]

    def _weigh(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        texts, status = valid_texts(encoded)
        letters = plain_letters(texts)
        rows = tf.shape(texts)[0]
        grams = [word_pairs(letters)]
        columns = [len(self.words)]
        if self.pieces:
            grams.append(word_pieces(letters, PIECES))
            columns.append(len(self.pieces))
        idf = tf.split(tf.constant(self.idf, tf.float32), columns)
        weights = [
            _unit(_sublinear(count(each, listed, size, rows)) * rarity)
            for each, listed, size, rarity in zip(
                grams, self._listed, columns, idf, strict=True
            )
        ]
        return tf.concat(weights, axis=1), status

    def describe(self) -> str:
        """Words that change whenever a text's weights would."""
        digest = hashlib.sha256(
            "\n".join([*self.words, "", *self.pieces]).encode("utf-8")
        )
        digest.update(np.asarray(self.idf, np.float32).tobytes())
        return (
            f"tf-idf {VERSION}, {self.columns} columns, "
            f"{digest.hexdigest()[:16]}"
        )

    def sample(self) -> bytes:
        """A question of nobody's."""
        return SAMPLE

    def probe(self) -> dict[str, bytes]:
        """A text of signs that a data set's own may not have."""
        return {"a made-up text": PROBE.encode()}

    def numbers(self) -> dict[str, int]:
        """How many words and pieces are counted."""
        return {"tfidf_columns": self.columns}

    def in_words(self) -> str:
        """ "30,000 words and pieces of words"."""
        return f"{self.columns:,} words and pieces of words"

    def batch(self, encoded: Sequence[bytes]) -> tf.Tensor:
        """Weights of good texts, at once and eagerly."""
        return self.load_rows(tf.constant(list(encoded)))[0]

    def peak_bytes(self) -> int:
        """Memory that a megabyte of texts takes at once, or 1,000 of them."""
        return COPIES * 1_000_000 + 1000 * 3 * 4 * self.columns

    def check(self, encoded: bytes) -> TextFacts:
        """Facts and faults of one text; needs no network."""
        return facts_of(encoded)

    def preview(self, encoded: bytes) -> str:
        """A text in one line, as a person sees it on the card."""
        return excerpt(encoded)


def _sublinear(counts: tf.Tensor) -> tf.Tensor:
    return tf.where(counts > 0, 1 + tf.math.log(tf.maximum(counts, 1)), 0)


def _unit(weights: tf.Tensor) -> tf.Tensor:
    """Rows of length 1; those of zeros stay so."""
    squares = tf.reduce_sum(tf.square(weights), axis=1, keepdims=True)
    return tf.math.divide_no_nan(weights, tf.sqrt(squares))
