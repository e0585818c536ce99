"""What an example's bytes become: all that the house asks of a kind of input.

    decoding: Input = Decoding(image_size=224)
    tensors = decoding.load(encoded)             # of one example
    tensors, status = decoding.load_rows(batch)  # of many, some of them bad

In: an example's bytes. Out: what the network takes, in TensorFlow operations,
the same for training, checking, predicting and the exported graph. A kind of
one's own is a subclass.
"""

import abc
import types
from collections.abc import Mapping, Sequence

import tensorflow as tf

# One tensor, or several by the names of the model's inputs.
Specs = tf.TensorSpec | Mapping[str, tf.TensorSpec]
Tensors = tf.Tensor | Mapping[str, tf.Tensor]


class Input(abc.ABC):
    """How an example's bytes become what a network takes.

    Attributes:
        kind: its name, by which `inputs.kinds` knows what else there is of it;
            "" of one's own, of which it knows nothing.
        serving_name: what `serving_default` calls the bytes.
        loaded_signature: the signature that takes what `load_rows` gives.
        example_key: what a tf.Example of a Classify request holds them under.
        damaged: bytes that are no example: an export must say so.
        augments: names for `augment`; "none" comes first.
        by_turns: of them, those that stored views are made by another name
            of, as there are few: which one it is, the view's number says.

    Example:
        decoding: Input = Decoding(image_size=224)
        images = LabelledExamples(examples, decoding)
        export_saved_model(model, "saved_models/mine", decoding=decoding, ...)
    """

    kind: str = ""
    serving_name: str
    loaded_signature: str
    example_key: str
    damaged: bytes
    augments: tuple[str, ...] = ("none",)
    by_turns: Mapping[str, str] = types.MappingProxyType({})

    @property
    @abc.abstractmethod
    def specs(self) -> Specs:
        """What `load` gives: shapes and types of one example's tensors."""

    @property
    @abc.abstractmethod
    def served_specs(self) -> Specs:
        """What `load_rows` gives of a batch, each with its name."""

    @abc.abstractmethod
    def load(self, encoded: tf.Tensor) -> Tensors:
        """One example's tensors, in graph operations.

        Args:
            encoded: string scalar.

        Raises:
            tf.errors.InvalidArgumentError: it is no example (raised when the
                op runs).
        """

    @abc.abstractmethod
    def load_rows(self, encoded: tf.Tensor) -> tuple[Tensors, tf.Tensor]:
        """A batch in which some may be no examples, in graph operations.

        Args:
            encoded: string (b,).

        Returns:
            Tensors as `served_specs` says, something in the place of what
            could not be read; and string (b,): "" or why it could not.
        """

    @abc.abstractmethod
    def describe(self) -> str:
        """Words that change whenever what `load` gives would."""

    @abc.abstractmethod
    def sample(self) -> bytes:
        """An example that is nobody's, for a server's warm-up."""

    @abc.abstractmethod
    def probe(self) -> dict[str, bytes]:
        """{name: an example} that shows what a data set's own may not.

        The export's gate asks it beside real ones; {} where there is none.
        """

    def numbers(self) -> dict[str, int]:
        """What people ask of it, by name, for a run's metrics."""
        return {}

    def in_words(self) -> str:
        """What the network is shown of an example, such as its size."""
        return self.describe()

    def batch(self, encoded: Sequence[bytes]) -> Tensors:
        """The tensors of good examples, at once and eagerly.

        Args:
            encoded: bytes of each, one or more.
        """
        rows = [self.load(tf.constant(one)) for one in encoded]
        return tf.nest.map_structure(lambda *parts: tf.stack(parts), *rows)

    def augment(self, tensors: Tensors, key: tf.Tensor, augment: str):
        """A random view of one example, the same for the same key.

        Args:
            tensors: as `load` gives them.
            key: int64 (2,), the seed of this view.
            augment: one of `augments`.
        """
        return tensors

    @abc.abstractmethod
    def peak_bytes(self) -> int:
        """Memory that loading the largest allowed examples may take at once,
        in one request."""
