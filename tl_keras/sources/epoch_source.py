"""What a fit takes its batches from, whatever they come from.

    source = as_source(train)          # a tf.data.Dataset, a function, ours
    for inputs, labels in source(epoch=3): ...

In: what people hand to `fit_phases`. Out: an `EpochSource`: batches in an order
that (seed, epoch) alone decide, so that a fit can be killed and go on. There
are four kinds: from files (`TrainingBatches`, `FixedBatches`), from stored
activations (`features.StoredBatches`, `features.StoredFixedBatches`), and what
others made (`GivenBatches`).
"""

import abc
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf


class EpochSource(abc.ABC):
    """Batches of (inputs, targets) of any epoch.

    Attributes:
        batch_size: examples a batch, the last one of an epoch may have fewer;
            None where only its maker knows, and no epoch can be begun in its
            middle.
        rows: what the inputs are taken from, (n, ...), where memory holds it;
            None where inputs are read or changed on their way.
        rows_per_example: so many rows in a row are views of one example.
        groups: what each example belongs to (a patient, a speaker), in the
            order of `once`; None where nothing is known.

    Example:
        source: EpochSource = TrainingBatches(images.train, batch_size=32)
        for pixels, labels in source(epoch=3):
            print(pixels.shape, labels.shape)
    """

    batch_size: int | None
    rows: np.ndarray | None = None
    rows_per_example: int = 1
    groups: Sequence[str] | None = None

    @abc.abstractmethod
    def __call__(
        self, epoch=0, skip=0, *, places: bool = False
    ) -> tf.data.Dataset:
        """One epoch's batches but the first `skip`.

        Where the order is shuffled, its cardinality stays that of the whole
        epoch, which is what `fit` counts: take no more than are left.

        Args:
            epoch, skip: whole numbers, or tf.Variables that are read when a
                pass begins. Where the order is fixed, the epoch is not read.
            places: give int64 places in `rows` in the place of inputs; only
                where `rows` is not None.
        """

    @abc.abstractmethod
    def once(self) -> tf.data.Dataset:
        """The batches of all rows once, in their order, as they are."""


class GivenBatches(EpochSource):
    """Batches that somebody else makes, one epoch long.

    Args:
        made: the batches; or a function from the epoch's number (a
            tf.Variable) to them.
    """

    batch_size = None

    def __init__(self, made: tf.data.Dataset | Callable[..., tf.data.Dataset]):
        self.made = made

    def __call__(
        self, epoch=0, skip=0, *, places: bool = False
    ) -> tf.data.Dataset:
        """The batches of an epoch; nothing can be skipped or held."""
        return self.made(epoch) if callable(self.made) else self.made

    def once(self) -> tf.data.Dataset:
        """Those of epoch 0, in whatever order they come."""
        return self(0)


def as_source(
    data: EpochSource | tf.data.Dataset | Callable[..., tf.data.Dataset] | None,
    *,
    fixed: bool = False,
) -> EpochSource | None:
    """What `fit_phases` is given, as a source; None stays None.

    Args:
        data: batches, a source, or a function that makes batches.
        fixed: the function takes no epoch: data to validate on.
    """
    if data is None or isinstance(data, EpochSource):
        return data
    if fixed and callable(data):
        made = data
        return GivenBatches(lambda _: made())
    return GivenBatches(data)
