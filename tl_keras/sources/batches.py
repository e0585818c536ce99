"""What a phase trains and validates on: pictures, and how they are taken.

    train = TrainingBatches(images, 32, seed=0, augment="flip", views=4)
    for pixels, labels in train(epoch=3): ...

In: pictures. Out: their batches, for any epoch or all of them once; and the
stored views of an augmented training set.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from tl_keras.sources.epoch_source import EpochSource
from tl_keras.sources.pipeline import LabelledExamples

GIGABYTE = 1e9


class TensorMemory:
    """Decodes examples once and holds their tensors, while they fit.

    Args:
        limit_gb: for all that is held, in gigabytes (1e9 bytes). Pictures
            that would go over it are decoded at each pass instead.
    """

    def __init__(self, limit_gb: float):
        self._left = limit_gb * GIGABYTE
        self._held: dict[int, tuple[LabelledExamples, LabelledExamples]] = {}

    def held(self, labelled: LabelledExamples) -> LabelledExamples:
        """The same pictures, with their pixels in memory if they fit."""
        if id(labelled) not in self._held:
            if labelled.decoded is not None or len(labelled) == 0:
                return labelled
            if labelled.decoded_bytes() > self._left:
                return labelled
            decoded = tf.nest.map_structure(
                lambda spec: np.empty(
                    (len(labelled), *spec.shape), spec.dtype.as_numpy_dtype
                ),
                labelled.decoding.specs,
            )
            done = 0
            for batch in labelled.once(32):
                parts = tf.nest.flatten(batch)
                end = done + len(parts[0])
                for held, part in zip(
                    tf.nest.flatten(decoded), parts, strict=True
                ):
                    held[done:end] = part
                done = end
            self._left -= labelled.decoded_bytes()
            # The pictures are kept too, so that their id stays theirs.
            self._held[id(labelled)] = (
                labelled,
                dataclasses.replace(labelled, decoded=decoded),
            )
        return self._held[id(labelled)][1]


@dataclasses.dataclass(frozen=True)
class TrainingBatches(EpochSource):
    """The batches of any epoch: call it with the epoch's number.

    Attributes:
        labelled: what is trained on.
        batch_size, seed, augment: of `LabelledExamples.shuffled_epoch`.
        views: where activations are stored, so many augmented views of each
            picture are; 0 where nothing is augmented.
        memory: holds the pixels from the first pass on; None decodes each.
    """

    labelled: LabelledExamples
    batch_size: int
    seed: int = 0
    augment: str = "none"
    views: int = 0
    memory: TensorMemory | None = None

    def __call__(
        self, epoch=0, skip=0, *, places: bool = False
    ) -> tf.data.Dataset:
        """One epoch's batches but the first `skip`, or tf.Variables of both.

        With `places`, the rows' places in `rows` stand in for them.
        """
        return _held(self).shuffled_epoch(
            self.batch_size,
            seed=self.seed,
            epoch=epoch,
            augment=self.augment,
            skip=skip,
            places=places,
        )

    @property
    def rows(self) -> np.ndarray | None:
        """uint8 (n, side, side, 3) of all pictures, where memory holds them
        and every epoch takes them as they are."""
        return _one_array(_held(self)) if self.augment == "none" else None

    @property
    def groups(self) -> Sequence[str] | None:
        """What each picture belongs to, where the data says so."""
        return self.labelled.examples.groups

    def once(self) -> tf.data.Dataset:
        """All pictures once, in their order, as they are."""
        return self.labelled.batches(self.batch_size)


@dataclasses.dataclass(frozen=True)
class FixedBatches(EpochSource):
    """All examples once, in their order: call it for the batches.

    Attributes: `labelled`, `batch_size`, and `memory` as in `TrainingBatches`.
    """

    labelled: LabelledExamples
    batch_size: int
    memory: TensorMemory | None = None

    def __call__(
        self, epoch=0, skip=0, *, places: bool = False
    ) -> tf.data.Dataset:
        """The batches; every epoch has the same."""
        batches = _held(self).batches(self.batch_size, places=places)
        return batches.skip(skip) if skip else batches

    def once(self) -> tf.data.Dataset:
        """The batches."""
        return self()

    @property
    def groups(self) -> Sequence[str] | None:
        """As of `TrainingBatches`."""
        return self.labelled.examples.groups

    @property
    def rows(self) -> np.ndarray | None:
        """As of `TrainingBatches`."""
        return _one_array(_held(self))


def _held(data: TrainingBatches | FixedBatches) -> LabelledExamples:
    """The pictures, with their pixels where memory holds them."""
    return data.memory.held(data.labelled) if data.memory else data.labelled


def _one_array(labelled: LabelledExamples) -> np.ndarray | None:
    """What memory holds of them, where the model has a single input."""
    decoded = labelled.decoded
    return decoded if isinstance(decoded, np.ndarray) else None


@dataclasses.dataclass(frozen=True)
class Views:
    """Augmented views of pictures, as if each were a picture of its own.

    View v of picture i stands at place i * count + v. It is drawn from the
    picture's bytes and v alone: neither a run's seed nor the other pictures
    change it, so that a stored view serves every run.

    Attributes:
        labelled: the pictures.
        augment: one of `AUGMENTS`, not "none".
        count: views of each picture.
        digests: SHA-256 of each picture's bytes, in hexadecimal.
        places: the views that are meant, int (n,).
    """

    labelled: LabelledExamples
    augment: str
    count: int
    digests: tuple[str, ...]
    places: np.ndarray

    @classmethod
    def of(
        cls, labelled: LabelledExamples, augment: str, count: int
    ) -> "Views":
        """All views of all pictures.

        Args:
            labelled: the pictures; each is read once, to be known by its bytes.
            augment: one of `AUGMENTS`, not "none".
            count: views of each picture, 1 or more.

        Returns:
            len(labelled) * count views, those of a picture in a row.

        Raises:
            OSError: a picture cannot be read.
        """
        augment = labelled.decoding.by_turns.get(augment, augment)
        places = np.arange(len(labelled) * count)
        return cls(
            labelled, augment, count, tuple(labelled.content_ids()), places
        )

    def __len__(self) -> int:
        return len(self.places)

    @property
    def labels(self) -> np.ndarray:
        """int32 (n,), those of the pictures."""
        return self.labelled.labels[self.places // self.count]

    @property
    def lengths(self) -> None:
        """None: every view fills all of its tensor."""
        return None

    def made_by(self) -> str:
        """What decides the pixels, besides the bytes of the pictures."""
        return f"{self.labelled.made_by()}, {self.augment}"

    def content_ids(self) -> list[str]:
        """Each picture's hash and the view's number."""
        rows, numbers = np.divmod(self.places, self.count)
        return [
            f"{self.digests[row]}-{number}"
            for row, number in zip(rows, numbers, strict=True)
        ]

    def take(self, indices: Sequence[int]) -> "Views":
        """The views at `indices`, in that order."""
        return dataclasses.replace(self, places=self.places[indices])

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """All views once, in their order: (uint8 (b, s, s, 3), int32 (b,))."""
        rows, numbers = np.divmod(self.places, self.count)
        keys = [
            (int(self.digests[row][:15], 16), number)
            for row, number in zip(rows, numbers, strict=True)
        ]
        return self.labelled.views(rows, keys, self.augment, batch_size)

    def once(self, batch_size: int) -> Iterator[tf.Tensor]:
        """The tensors of `batches`."""
        return (tensors for tensors, _ in self.batches(batch_size))
