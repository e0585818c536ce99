"""`TextInput`: how bytes become the tokens that a network sees, in one value.

    text_input = TextInput(read_vocabulary("models/MiniLM"), max_tokens=64)
    ids, status = text_input.load_rows(tf.constant(["free entry!"]))
    text_input.describe()                # part of a content key

In: settings, once; then bytes. Out: token ids, and words that change when the
ids would.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import ClassVar

import tensorflow as tf

from tl_keras.inputs.input import Input
from tl_keras.inputs.text.facts import TextFacts, excerpt, facts_of
from tl_keras.inputs.text.vocabulary import Vocabulary
from tl_keras.inputs.text.wordpiece import VERSION, Tokens, WordPiece

TOKEN_IDS = "token_ids"
# Lengths of batches are multiples of it: kernels like round numbers.
MULTIPLE = 8
SAMPLE = b"Where is the card that I ordered last week?"
# Shows what a data set's own texts may not: accents, other alphabets, marks,
# a word without an end, and control characters.
PROBE = (
    "\u00c9t\u00e9 na\u00efve\u0301 \u4e2d\u56fd [SEP] \U0001f600 "
    "don't\u200b \x07stop\n" + "x" * 300
)
# Of a text's bytes while it is tokenized: its code points, what they become
# and which word each is of.
COPIES = 60


@dataclasses.dataclass(frozen=True)
class TextInput(Input):
    """How a text becomes what a network of BERT's family sees.

    Attributes:
        vocabulary: from `read_vocabulary`.
        max_tokens: of a text, 3 or more; the rest is cut off.
        fields: a text may have several, parted by `FIELD_MARK`; see
            `WordPiece`.

    Raises:
        ConfigError: too few tokens, or a vocabulary that cannot be used.

    Example:
        text_input = TextInput(read_vocabulary("models/MiniLM"), 64)
        publish(for_any_length(model), "intents", decoding=text_input, ...)
    """

    vocabulary: Vocabulary = dataclasses.field(repr=False)
    max_tokens: int = 128
    fields: bool = False

    kind: ClassVar[str] = "text"
    serving_name: ClassVar[str] = "text"
    loaded_signature: ClassVar[str] = TOKEN_IDS
    example_key: ClassVar[str] = "text"
    damaged: ClassVar[bytes] = b"\xff\xfe not UTF-8"

    def __post_init__(self):
        _ = self._wordpiece

    @functools.cached_property
    def _wordpiece(self) -> WordPiece:
        return WordPiece(self.vocabulary, self.max_tokens, fields=self.fields)

    @property
    def specs(self) -> tf.TensorSpec:
        """int32 (max_tokens,), the ids of one text."""
        return tf.TensorSpec((self.max_tokens,), tf.int32)

    @property
    def served_specs(self) -> tf.TensorSpec:
        """int32 (batch, tokens), the ids of texts, as long as the longest."""
        return tf.TensorSpec((None, None), tf.int32, name=TOKEN_IDS)

    def load(self, encoded: tf.Tensor) -> tf.Tensor:
        """The token ids of one text; for many, `tokenize` is far faster.

        Args:
            encoded: string scalar, UTF-8.

        Returns:
            int32 (max_tokens,).

        Raises:
            tf.errors.InvalidArgumentError: it is not UTF-8.
        """
        tokens = self.tokenize(encoded[None])
        check = tf.debugging.Assert(tokens.status[0] == "", [tokens.status])
        with tf.control_dependencies([] if check is None else [check]):
            return tf.identity(tokens.ids[0])

    def load_rows(self, encoded: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Token ids of texts of which some may be none, in graph operations.

        Args:
            encoded: string (batch,), UTF-8.

        Returns:
            int32 (batch, tokens), as long as the longest text of the batch,
            rounded up to a multiple of 8, and no longer than max_tokens; and
            string (batch,): "", or why a text was taken for an empty one.
        """
        tokens = self.tokenize(encoded)
        needed = length_for(tokens.ids, self.vocabulary.pad)
        return tokens.ids[:, :needed], tokens.status

    def tokenize(self, encoded: tf.Tensor) -> Tokens:
        """All that becomes of texts, eagerly, in `tf.data` or in a graph.

        Args:
            encoded: string (batch,), UTF-8.
        """
        return self._traced(tf.convert_to_tensor(encoded, tf.string))

    @functools.cached_property
    def _traced(self):
        return tf.function(
            self._wordpiece.__call__,
            input_signature=[tf.TensorSpec((None,), tf.string)],
            autograph=False,
        )

    def describe(self) -> str:
        """Words that change whenever a text's tokens would."""
        table = self._wordpiece.table
        return (
            f"wordpiece {VERSION}, {self.max_tokens} tokens, "
            f"{'fields' if self.fields else 'one field'}, vocabulary "
            f"{self.vocabulary.fingerprint()[:16]}, Unicode "
            f"{table.fingerprint()[:16]}"
        )

    def sample(self) -> bytes:
        """A question of nobody's."""
        return SAMPLE

    def probe(self) -> dict[str, bytes]:
        """A text of signs that a data set's own may not have."""
        return {"a made-up text": PROBE.encode()}

    def numbers(self) -> dict[str, int]:
        """How many tokens of a text the network sees."""
        return {"max_tokens": self.max_tokens}

    def in_words(self) -> str:
        """ "up to 128 tokens"."""
        return f"up to {self.max_tokens} tokens"

    def batch(self, encoded: Sequence[bytes]) -> tf.Tensor:
        """Token ids, as long as the longest text needs."""
        return self.load_rows(tf.constant(list(encoded)))[0]

    def peak_bytes(self) -> int:
        """Memory that tokenizing a megabyte of texts takes at once."""
        return COPIES * 1_000_000

    def check(self, encoded: bytes) -> TextFacts:
        """Facts and faults of one text; needs no network."""
        return facts_of(encoded)

    def preview(self, encoded: bytes) -> str:
        """A text in one line, as a person sees it on the card."""
        return excerpt(encoded)


def length_for(ids: tf.Tensor, pad: int) -> tf.Tensor:
    """How many tokens of a batch are needed, a multiple of 8; int32.

    A network of any length is the quicker the fewer it is given:
    `ids[:, :length_for(ids, pad)]` gives what `ids` gives.

    Args:
        ids: int32 (batch, max_tokens).
        pad: the id of padding.
    """
    longest = tf.reduce_max(
        tf.math.count_nonzero(ids != pad, 1, dtype=tf.int32)
    )
    rounded = (tf.maximum(longest, 1) + MULTIPLE - 1) // MULTIPLE * MULTIPLE
    return tf.minimum(rounded, tf.shape(ids)[1])
