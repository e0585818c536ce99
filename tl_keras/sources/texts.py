"""Listed texts -> batches of token ids and labels, in (seed, epoch) order.

    texts = Texts.of(listing.splits["train"], text_input)
    for token_ids, labels in texts.batches(32): ...
    train = TrainingBatches(texts, 32, seed=0)

From a table to a version that a server loads:

    listing = list_texts("intents.csv")                # with a column split
    vocabulary = read_vocabulary("models/MiniLM")
    text_input = TextInput(vocabulary, max_tokens=64)
    splits = {s: Texts.of(e, text_input) for s, e in listing.splits.items()}
    encoder = load_text_encoder("models/MiniLM", max_tokens=64)
    model = build_text_classifier(encoder, len(listing.class_names))
    fit_phases(
        model,
        [Phase("head", 1, 1e-3, solver="lbfgs"),
         Phase("fine_tune", 4, 1e-4, unfreeze_from="block_4")],
        TrainingBatches(splits["train"], 16),
        FixedBatches(splits["val"], 32),
        features=FeatureStore("features"))
    publish(for_any_length(model), "saved_models/intents",
            class_names=listing.class_names,
            golden={"a text": b"where is my card?"}, decoding=text_input)

In: examples that hold texts. Out: what `TrainingBatches`, `FixedBatches` and a
feature store take examples as. All texts are tokenized at once, which is many
times faster than one by one, and their ids are held: a hundred thousand of them
take fifty megabytes.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tl_keras.data.examples import Examples
from tl_keras.errors import DataError
from tl_keras.inputs.text import TextInput
from tl_keras.inputs.text.text_input import MULTIPLE, length_for
from tl_keras.sources.pipeline import LabelledExamples

AT_ONCE = 1024


@dataclasses.dataclass(frozen=True)
class Texts(LabelledExamples):
    """Labelled texts that became token ids; made by `Texts.of`.

    Attributes:
        examples: what was read.
        decoding: the `TextInput`, how a text becomes its tokens.
        decoded: int32 (n, max_tokens).
        any_length: whether batches are as long as their longest text, for a
            network that takes any length (`for_any_length`).
    """

    any_length: bool = False

    @classmethod
    def of(
        cls,
        examples: Examples,
        decoding: TextInput,
        length: int | None = None,
        *,
        any_length: bool = False,
    ) -> "Texts":
        """Tokenizes all texts.

        Args:
            examples: with their texts in memory or in files.
            decoding: how.
            length: so many ids of each are held, which must be enough for the
                longest; `decoding.max_tokens` when None.
            any_length: as the attribute.

        Returns:
            `Texts`, with their ids.

        Raises:
            DataError: a text is not UTF-8.
            OSError: a file cannot be read.
        """
        length = length or decoding.max_tokens
        ids = np.empty((len(examples), length), np.int32)
        for start, tokens in _tokens(examples, decoding):
            status = tokens.status.numpy()
            for place in np.flatnonzero(status != b"")[:1]:
                raise DataError(
                    f"{examples.ids[start + place]}: "
                    f"{status[place].decode()}; expected UTF-8 - save it so, "
                    "or leave it out"
                )
            ids[start : start + len(status)] = tokens.ids[:, :length]
        return cls(examples, decoding, ids, any_length)

    @property
    def lengths(self) -> np.ndarray:
        """int (n,), the tokens of each text, rounded up to multiples of 8."""
        filled = np.count_nonzero(
            self.decoded != self.decoding.vocabulary.pad, axis=1
        )
        rounded = -(-np.maximum(filled, 1) // MULTIPLE) * MULTIPLE
        return np.minimum(rounded, self.decoded.shape[1])

    @property
    def cut_to(self) -> np.ndarray | None:
        """As of `LabelledExamples`; on a GPU, whose compiled steps want one
        length, batches are as they are."""
        if not self.any_length or tf.config.get_visible_devices("GPU"):
            return None
        return self.lengths

    def made_by(self) -> str:
        """As of `LabelledExamples`, and how many ids are held of a text."""
        return f"{super().made_by()}, {self.decoded.shape[1]} held"

    def once(self, batch_size: int) -> Iterator[tf.Tensor]:
        """The token ids of `batches`; they are held already."""
        for start in range(0, len(self), batch_size):
            yield tf.constant(self.decoded[start : start + batch_size])

    def cut(self) -> list[str]:
        """Ids of the examples that have more tokens than there is room for."""
        return [
            self.examples.ids[start + place]
            for start, tokens in _tokens(self.examples, self.decoding)
            for place in np.flatnonzero(tokens.cut)
        ]


def needed_length(examples: Examples, decoding: TextInput) -> int:
    """How many ids the longest of some texts needs, a multiple of 8.

    A network that is trained on no more is the quicker for it, and what it
    gives is the same: padding changes nothing.

    Args:
        examples: the texts.
        decoding: how they are tokenized.

    Returns:
        At least 8, at most `decoding.max_tokens`.
    """
    longest = max(
        (
            int(length_for(tokens.ids, decoding.vocabulary.pad))
            for _, tokens in _tokens(examples, decoding)
        ),
        default=0,
    )
    return max(longest, min(MULTIPLE, decoding.max_tokens))


def _tokens(examples: Examples, decoding: TextInput):
    """(place of the first, `Tokens`) of so many texts at once."""
    for start in range(0, len(examples), AT_ONCE):
        places = range(start, min(start + AT_ONCE, len(examples)))
        yield start, decoding.tokenize([examples.read(i) for i in places])
