"""Stored activations, as sources of batches.

In: rows, in memory or on the disk. Out: their batches, for any epoch or all of
them once, in the order that pictures would have.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from tl_keras.sources import EpochSource
from tl_keras.sources.order import cutter, epoch_indices
from tl_keras.sources.targets import labelled_places, target_tensor, with_length
from tl_keras.tf_data import AHEAD, paced


@dataclasses.dataclass(frozen=True)
class Activations:
    """The activations of n examples, in their order.

    Attributes:
        rows: array (n, ...), in memory or mapped from the disk; or a function
            from indices (b,) to rows (b, ...).
        shape, dtype: of one row.
        labels: of the examples, (n, ...), as `Examples.labels`.
        views: so many rows in a row are views of one picture.
        lengths: int (n,), behind which a row's first axis holds zeros alone,
            where whoever takes the rows takes them of any length: a batch is
            then as long as its longest row. None gives rows as they are.
    """

    rows: np.ndarray | Callable[[np.ndarray], np.ndarray]
    shape: tuple[int, ...]
    dtype: str
    labels: np.ndarray
    views: int = 1
    lengths: np.ndarray | None = None

    def batches(
        self, batch_size: int, *, places: bool = False
    ) -> tf.data.Dataset:
        """All rows once, in their order: (rows (b, ...), labels (b,)).

        With `places`, int64 (b,) indices stand in for the rows.
        """
        indices = tf.data.Dataset.range(len(self.labels))
        if places:
            return labelled_places(indices, self.labels, batch_size)
        return self._load(indices, batch_size)

    def rows_in_memory(self) -> np.ndarray | None:
        """`rows`, or None where they are read as they are needed."""
        return self.rows if isinstance(self.rows, np.ndarray) else None

    def once(self, batch_size: int) -> Iterator[tf.Tensor]:
        """The rows of `batches`."""
        return (rows for rows, _ in self.batches(batch_size))

    def shuffled_epoch(
        self,
        batch_size: int,
        *,
        seed: int,
        epoch,
        skip=0,
        places: bool = False,
    ) -> tf.data.Dataset:
        """As of `LabelledExamples.shuffled_epoch`, with activations for pixels.

        Of each picture one view is taken; in `views` epochs each has its
        turn, beginning with one drawn from (seed, picture).
        """
        views = self.views
        count = len(self.labels) // views
        first = np.random.default_rng([seed, views]).integers(views, size=count)
        first = tf.constant(first, tf.int64)

        def row(index, number):
            return index * views + (first[index] + number) % views

        indices = epoch_indices(
            count,
            seed,
            epoch,
            lambda: skip * batch_size,
            lengths=self.lengths,
            batch_size=batch_size,
        )
        indices = indices.map(row)
        if places:
            batches = labelled_places(indices, self.labels, batch_size)
        else:
            batches = self._load(indices, batch_size)
        return with_length(batches, count, batch_size)

    def _load(self, indices: tf.data.Dataset, size: int) -> tf.data.Dataset:
        with tf.device("CPU:0"):  # A GPU's memory is for training.
            labels = target_tensor(self.labels)
            in_memory = isinstance(self.rows, np.ndarray)
            rows = tf.constant(self.rows) if in_memory else None
        cut = cutter(self.lengths)

        def rows_at(index):
            if in_memory:
                return tf.gather(rows, index)
            got = tf.numpy_function(
                self.rows, [index], self.dtype, stateful=False
            )
            got.set_shape((None, *self.shape))
            return got

        def take(index):
            return cut(rows_at(index), index), tf.gather(labels, index)

        loaded = indices.batch(size).map(take, num_parallel_calls=2)
        return paced(loaded.prefetch(AHEAD))


@dataclasses.dataclass(frozen=True)
class StoredBatches(EpochSource):
    """Stored activations as `TrainingBatches` gives pictures."""

    activations: Activations
    batch_size: int
    seed: int
    groups: Sequence[str] | None = None

    def __call__(
        self, epoch=0, skip=0, *, places: bool = False
    ) -> tf.data.Dataset:
        """One epoch's batches but the first `skip`, or tf.Variables of both."""
        return self.activations.shuffled_epoch(
            self.batch_size,
            seed=self.seed,
            epoch=epoch,
            skip=skip,
            places=places,
        )

    @property
    def rows(self) -> np.ndarray | None:
        """All activations, where they are in memory."""
        return self.activations.rows_in_memory()

    def once(self) -> tf.data.Dataset:
        """All rows once: of each picture all its views, side by side."""
        return self.activations.batches(self.batch_size)

    @property
    def rows_per_example(self) -> int:
        """How many views of each picture there are."""
        return self.activations.views


@dataclasses.dataclass(frozen=True)
class StoredFixedBatches(EpochSource):
    """Stored activations as `FixedBatches` gives pictures."""

    activations: Activations
    batch_size: int
    groups: Sequence[str] | None = None

    def __call__(
        self, epoch=0, skip=0, *, places: bool = False
    ) -> tf.data.Dataset:
        """The batches; every epoch has the same."""
        batches = self.activations.batches(self.batch_size, places=places)
        return batches.skip(skip) if skip else batches

    def once(self) -> tf.data.Dataset:
        """The batches."""
        return self()

    @property
    def rows(self) -> np.ndarray | None:
        """All activations, where they are in memory."""
        return self.activations.rows_in_memory()
