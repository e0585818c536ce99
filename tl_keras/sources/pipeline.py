"""Examples -> batches of inputs and labels, in (seed, epoch) order.

    images = LabelledExamples(examples, Decoding(image_size=224))
    for pixels, labels in images.batches(32): ...
    model.fit(images.shuffled(32, seed=0), epochs=10)

In: examples, and how each is decoded (`inputs.Input`). Out: tf.data batches of
tensors, for pictures uint8 pixels `(batch, height, width, 3)`, and int32 labels
`(batch,)`. The order of an epoch is a permutation drawn from
(seed, epoch) alone, and an augmented view from (seed, epoch, example), so that
any epoch can be given again without those before it.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tl_keras import summaries
from tl_keras.data.examples import Examples, joined
from tl_keras.inputs.input import Input, Tensors
from tl_keras.inputs.kinds import nouns
from tl_keras.sources.decoding import decoded_once, reader_of, unreadable
from tl_keras.sources.order import cutter, epoch_indices
from tl_keras.sources.targets import labelled_places, target_tensor, with_length
from tl_keras.tf_data import AHEAD, PARALLEL, paced


@dataclasses.dataclass(frozen=True, repr=False)
class LabelledExamples(summaries.Summarized):
    """Labelled examples that become a network's inputs, of any kind.

    Attributes:
        examples: what to read.
        decoding: how an example's bytes become tensors: `pixels.Decoding`, or
            another `Input`.
        decoded: their tensors (n, ...), where they are held in memory
            (`TensorMemory`); else None.
    """

    examples: Examples
    decoding: Input
    decoded: Tensors | None = dataclasses.field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.examples)

    def summary(self) -> str:
        """How many there are, and how they are read."""
        return f"{len(self):,} examples, {self.decoding!r}"

    def plus(self, other: "LabelledExamples") -> "LabelledExamples":
        """These examples, then those of another of the same kind."""
        decoded = None
        if self.decoded is not None and other.decoded is not None:
            decoded = tf.nest.map_structure(
                lambda one, more: np.concatenate([one, more]),
                self.decoded,
                other.decoded,
            )
        return dataclasses.replace(
            self,
            examples=joined([self.examples, other.examples]),
            decoded=decoded,
        )

    def take(self, indices: Sequence[int]) -> "LabelledExamples":
        """The pictures at `indices`, in that order."""
        return dataclasses.replace(
            self,
            examples=self.examples.take(indices),
            decoded=None
            if self.decoded is None
            else tf.nest.map_structure(lambda a: a[indices], self.decoded),
        )

    @property
    def many(self) -> str:
        """What the examples are called: "pictures", "texts"."""
        return nouns(self.decoding.kind)[1]

    @property
    def image_size(self) -> int:
        """Side of the squares, in pixels; of pictures alone."""
        return self.decoding.image_size

    def decoded_bytes(self) -> int:
        """What the tensors of all examples take in memory."""
        return len(self) * sum(
            spec.shape.num_elements() * spec.dtype.size
            for spec in tf.nest.flatten(self.decoding.specs)
        )

    @property
    def labels(self) -> np.ndarray:
        """int32 (n,), index into the class names."""
        return self.examples.labels

    @property
    def lengths(self) -> np.ndarray | None:
        """int (n,), how much of its tensor each example fills, where they
        differ in that (texts); None where all fill all of it."""
        return None

    @property
    def cut_to(self) -> np.ndarray | None:
        """`lengths`, where a batch is cut to its longest example."""
        return None

    def made_by(self) -> str:
        """What decides the pixels, besides the bytes of the pictures."""
        return self.decoding.describe()

    def content_ids(self) -> list[str]:
        """SHA-256 of each picture's bytes, in hexadecimal."""
        return self.examples.content_ids()

    def batches(
        self, batch_size: int, *, places: bool = False
    ) -> tf.data.Dataset:
        """All examples once, in their order, the last batch partial.

        Args:
            batch_size: pictures a batch.
            places: give int64 (b,), the places of the pictures, instead of
                their pixels, for whoever holds the pixels himself.

        Returns:
            Dataset of (uint8 (b, image_size, image_size, 3), int32 (b,)).
        """
        indices = tf.data.Dataset.range(len(self))
        if places:
            return labelled_places(indices, self.labels, batch_size)
        return self._load(indices, batch_size)

    def shuffled(
        self, batch_size: int, *, seed: int = 0, augment: str = "none"
    ) -> tf.data.Dataset:
        """As `batches`, in a new order at each pass, for anyone's `fit`.

        Passes are numbered from 0; pass `n` has the order and the views that
        `shuffled_epoch(..., epoch=n)` gives.

        Args:
            batch_size: examples a batch; the last may have fewer.
            seed: of the order and of the augmentation.
            augment: one of `decoding.augments`.

        Returns:
            (pixels (b, size, size, 3), labels (b,)), as `shuffled_epoch`.
        """
        passes = tf.Variable(-1, dtype=tf.int64, trainable=False)
        return self.shuffled_epoch(
            batch_size,
            seed=seed,
            augment=augment,
            epoch=lambda: passes.assign_add(1),
        )

    def shuffled_epoch(
        self,
        batch_size: int,
        *,
        seed: int,
        epoch,
        augment: str = "none",
        skip=0,
        places: bool = False,
    ) -> tf.data.Dataset:
        """The batches of one epoch, its order drawn from (seed, epoch).

        Args:
            batch_size: pictures a batch; the last one may have fewer.
            seed: whole number, 0 or more.
            epoch: int, tf.Variable (read when a pass begins), or a function
                that gives either.
            augment: one of `decoding.augments`.
            skip: so many batches are left out at its beginning, without a
                decode; int or tf.Variable.
            places: as in `batches`; not with `augment`.

        Returns:
            (uint8 pixels (b, size, size, 3), int32 labels (b,)).

        Raises:
            ValueError: no such `augment`.
        """
        augments = self.decoding.augments
        if augment not in augments:
            raise ValueError(
                f"augment={augment!r}: expected one of {', '.join(augments)}"
            )
        count = len(self)
        indices = epoch_indices(
            count,
            seed,
            epoch,
            lambda: skip * batch_size,
            lengths=self.cut_to,
            batch_size=batch_size,
        )
        if augment == "none":
            indices = indices.map(lambda index, _: index)
            if places:
                batches = labelled_places(indices, self.labels, batch_size)
            else:
                batches = self._load(indices, batch_size)
            return with_length(batches, count, batch_size)

        def view(tensors, index, number):
            # The count keeps the seeds of two epochs apart.
            key = tf.stack(
                [number * count + index, tf.constant(seed, tf.int64)]
            )
            return self.decoding.augment(tensors, key, augment)

        batches = self._load(indices, batch_size, view)
        return with_length(batches, count, batch_size)

    def views(
        self,
        rows: Sequence[int],
        keys: Sequence[tuple[int, int]],
        augment: str,
        batch_size: int,
    ) -> tf.data.Dataset:
        """Given views of given pictures, in the order given.

        Args:
            rows: an index of a picture for each view.
            keys: the seed of each view.
            augment: one of `decoding.augments`.
            batch_size: views a batch.

        Returns:
            (uint8 pixels (b, size, size, 3), int32 labels (b,)), unshuffled.
        """
        views = tf.data.Dataset.from_tensor_slices(
            (
                tf.constant(rows, tf.int64, [len(rows)]),
                tf.constant(keys, tf.int64, [len(keys), 2]),
            )
        )
        return self._load(
            views,
            batch_size,
            lambda tensors, _, key: self.decoding.augment(
                tensors, key, augment
            ),
        )

    def _load(self, indices, batch_size: int, view=None) -> tf.data.Dataset:
        labels = target_tensor(self.examples.labels)
        tensors_at = reader_of(self.examples, self.decoding, self.decoded)

        def load(index, *number):
            tensors = tensors_at(index)
            if view is not None:
                tensors = view(tensors, index, *number)
            return tensors, labels[index]

        if self.decoded is not None and view is None:
            # A batch at once: picture by picture costs more than the copy.
            loaded = indices.map(lambda index, *_: index).batch(batch_size)
            cut = cutter(self.cut_to)
            loaded = loaded.map(
                lambda index: (
                    cut(tensors_at(index), index),
                    tf.gather(labels, index),
                ),
                num_parallel_calls=2,
            )
        else:
            loaded = indices.map(load, num_parallel_calls=PARALLEL).batch(
                batch_size
            )
        return paced(loaded.prefetch(AHEAD))

    def once(self, batch_size: int) -> Iterator[tf.Tensor]:
        """The tensors of `batches`, for a single pass; see `decoded_once`."""
        return decoded_once(self.examples, self.decoding, batch_size)

    def unreadable(self) -> dict[int, str]:
        """Index -> why, of the examples that cannot be read now.

        TensorFlow's own faults name no file; this is called after one. Where
        all can be read, those that do not decode are named.
        """
        return unreadable(
            self.examples, self.decoding if self.decoded is None else None
        )
