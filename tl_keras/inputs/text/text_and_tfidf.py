"""`TextAndTfidf`: a text as tokens and as weights of its words, side by side.

    decoding = TextAndTfidf(text_input, tfidf_input)
    tensors, status = decoding.load_rows(tf.constant(["free entry!"]))
    tensors["token_ids"], tensors["tfidf"]

In: two ways to read a text. Out: what each gives, by the names of a model's two
inputs, in one graph.
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import tensorflow as tf

from tl_keras.inputs.input import Input
from tl_keras.inputs.text.facts import TextFacts
from tl_keras.inputs.text.text_input import TOKEN_IDS, TextInput
from tl_keras.inputs.text.tfidf_input import TFIDF, TfidfInput


@dataclasses.dataclass(frozen=True, eq=False)
class TextAndTfidf(Input):
    """How a text becomes what an encoder and TF-IDF weights see of it.

    Attributes:
        text: for the encoder.
        tfidf: for what stands beside it.

    Example:
        model, decoding = with_baseline(classifier, baseline, (1.0, 0.5),
                                        text_input)
        publish(model, "intents", decoding=decoding, ...)
    """

    text: TextInput
    tfidf: TfidfInput

    kind: ClassVar[str] = "text"
    serving_name: ClassVar[str] = "text"
    loaded_signature: ClassVar[str] = "tensors"
    example_key: ClassVar[str] = "text"
    damaged: ClassVar[bytes] = b"\xff\xfe not UTF-8"

    @property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """Of one text, by the model's inputs."""
        return {TOKEN_IDS: self.text.specs, TFIDF: self.tfidf.specs}

    @property
    def served_specs(self) -> dict[str, tf.TensorSpec]:
        """Of a batch, by the model's inputs."""
        return {
            TOKEN_IDS: self.text.served_specs,
            TFIDF: self.tfidf.served_specs,
        }

    def load(self, encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        """Both of one text.

        Args:
            encoded: string scalar, UTF-8.

        Raises:
            tf.errors.InvalidArgumentError: it is not UTF-8.
        """
        return {
            TOKEN_IDS: self.text.load(encoded),
            TFIDF: self.tfidf.load(encoded),
        }

    def load_rows(
        self, encoded: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Both of texts of which some may be none, in graph operations.

        Args:
            encoded: string (batch,), UTF-8.

        Returns:
            As `served_specs`, and string (batch,): "", or why a text was
            taken for an empty one.
        """
        ids, status = self.text.load_rows(encoded)
        weights, _ = self.tfidf.load_rows(encoded)
        return {TOKEN_IDS: ids, TFIDF: weights}, status

    def describe(self) -> str:
        """Words that change whenever what `load` gives would."""
        return f"{self.text.describe()}; {self.tfidf.describe()}"

    def sample(self) -> bytes:
        """A question of nobody's."""
        return self.text.sample()

    def probe(self) -> dict[str, bytes]:
        """A text of signs that a data set's own may not have."""
        return self.text.probe()

    def numbers(self) -> dict[str, int]:
        """What people ask of both."""
        return {
            "max_tokens": self.text.max_tokens,
            "tfidf_columns": self.tfidf.columns,
        }

    def in_words(self) -> str:
        """What the network is shown of a text."""
        return (
            f"up to {self.text.max_tokens} tokens, and {self.tfidf.in_words()}"
        )

    def batch(self, encoded: Sequence[bytes]) -> dict[str, tf.Tensor]:
        """Both of good texts, at once and eagerly."""
        return self.load_rows(tf.constant(list(encoded)))[0]

    def peak_bytes(self) -> int:
        """Memory that a megabyte of texts takes at once."""
        return self.text.peak_bytes() + self.tfidf.peak_bytes()

    def check(self, encoded: bytes) -> TextFacts:
        """Facts and faults of one text; needs no network."""
        return self.text.check(encoded)

    def preview(self, encoded: bytes) -> str:
        """A text in one line, as a person sees it on the card."""
        return self.text.preview(encoded)
