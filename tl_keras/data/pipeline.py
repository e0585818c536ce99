"""Examples -> batches of pixels and labels, in (seed, epoch) order.

    images = Images(examples, image_size=224)
    for pixels, labels in images.batches(32): ...
    model.fit(images.shuffled(32, seed=0), epochs=10)

In: examples. Out: tf.data batches of uint8 pixels `(batch, height, width, 3)`
and int32 labels `(batch,)`. The order of an epoch is a permutation drawn from
(seed, epoch) alone, and an augmented view from (seed, epoch, example), so that
any epoch can be given again without those before it.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from tl_keras import pixels
from tl_keras.data.examples import Examples
from tl_keras.errors import DataError

# Each step of `--augment` adds to the one before it.
AUGMENTS = ("none", "flip", "flip_crop", "flip_crop_color")
CROP_LEAST_SIDE = 0.75  # of the picture's side
COLOR_SHIFT = 0.15  # largest relative change of brightness, contrast, colour


def epoch_indices(count: int, seed: int, epoch) -> tf.data.Dataset:
    """The order of one epoch, drawn from (seed, epoch) alone.

    Args:
        count: how many examples.
        seed: whole number, 0 or more.
        epoch: int, tf.Variable (read when a pass begins), or a function that
            gives either.

    Returns:
        Dataset of (index, epoch's number), int64 scalars, `count` long.
    """

    def order(_):
        number = tf.cast(epoch() if callable(epoch) else epoch, tf.int64)
        key = tf.stack([tf.constant(seed, tf.int64), number])
        # Sorting random numbers gives a permutation in TensorFlow alone.
        draw = tf.random.stateless_uniform([count], key, dtype=tf.float64)
        indices = tf.argsort(draw, stable=True)
        return tf.data.Dataset.from_tensor_slices(
            (tf.cast(indices, tf.int64), tf.fill([count], number))
        )

    indices = tf.data.Dataset.range(1).flat_map(order)
    return indices.apply(tf.data.experimental.assert_cardinality(count))


@dataclasses.dataclass(frozen=True)
class Images:
    """Labelled pictures that become squares of one size.

    Attributes:
        examples: what to read.
        image_size: side of the squares, in pixels.
        resize: how a picture becomes a square (`tl_keras.pixels.RESIZES`).
    """

    examples: Examples
    image_size: int
    resize: str = "crop"

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, indices: Sequence[int]) -> "Images":
        """The pictures at `indices`, in that order."""
        return dataclasses.replace(self, examples=self.examples.take(indices))

    def made_by(self) -> str:
        """What decides the pixels, besides the bytes of the pictures."""
        return (
            f"decoder {pixels.DECODER_VERSION}, {self.resize} to "
            f"{self.image_size}"
        )

    def content_ids(self) -> list[str]:
        """SHA-256 of each picture's bytes, in hexadecimal."""
        return self.examples.content_ids()

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """All examples once, in their order, the last batch partial.

        Returns:
            Dataset of (uint8 (b, image_size, image_size, 3), int32 (b,)).
        """
        indices = tf.data.Dataset.range(len(self))
        return self._load(indices, batch_size)

    def shuffled(
        self, batch_size: int, *, seed: int = 0, augment: str = "none"
    ) -> tf.data.Dataset:
        """As `batches`, in a new order at each pass, for anyone's `fit`.

        Passes are numbered from 0; pass `n` has the order and the views that
        `shuffled_epoch(..., epoch=n)` gives.
        """
        passes = tf.Variable(-1, dtype=tf.int64, trainable=False)
        return self.shuffled_epoch(
            batch_size,
            seed=seed,
            augment=augment,
            epoch=lambda: passes.assign_add(1),
        )

    def shuffled_epoch(
        self, batch_size: int, *, seed: int, epoch, augment: str = "none"
    ) -> tf.data.Dataset:
        """The batches of one epoch, its order drawn from (seed, epoch).

        Args:
            batch_size: pictures a batch; the last one may have fewer.
            seed: whole number, 0 or more.
            epoch: int, tf.Variable (read when a pass begins), or a function
                that gives either.
            augment: one of `AUGMENTS`.
        """
        if augment not in AUGMENTS:
            raise ValueError(
                f"augment={augment!r}: expected one of {', '.join(AUGMENTS)}"
            )
        count = len(self)
        indices = epoch_indices(count, seed, epoch)

        def view(picture, index, number):
            # The count keeps the seeds of two epochs apart.
            key = tf.stack(
                [number * count + index, tf.constant(seed, tf.int64)]
            )
            return augment_picture(picture, key, augment)

        return self._load(indices, batch_size, view)

    def _load(self, indices, batch_size: int, view=None) -> tf.data.Dataset:
        examples = self.examples
        in_files = examples.files is not None
        sources = tf.constant(
            [file.encode("utf-8", "surrogateescape") for file in examples.files]
            if in_files
            else list(examples.encoded)
        )
        labels = tf.constant(examples.labels, tf.int32)

        def load(index, *number):
            source = sources[index]
            encoded = tf.io.read_file(source) if in_files else source
            picture = pixels.load(encoded, self.image_size, self.resize)
            if view is not None:
                picture = view(picture, index, *number)
            return picture, labels[index]

        return (
            indices.map(load, num_parallel_calls=tf.data.AUTOTUNE)
            .batch(batch_size)
            .prefetch(tf.data.AUTOTUNE)
        )

    def raise_unreadable(self) -> None:
        """Raises DataError naming the pictures that cannot be decoded.

        TensorFlow's own message names no file; this is called after it.
        """
        bad = []
        for index, id_ in enumerate(self.examples.ids):
            try:
                pixels.decode(self.examples.read(index))
            except (tf.errors.OpError, OSError) as error:
                reason = str(error).split("} ")[-1].split(" [Op")[0]
                bad.append(
                    f"{id_}: not readable as a picture ({reason[:120]}) - "
                    "repair the file or take it away"
                )
        if bad:
            raise DataError(bad)


@dataclasses.dataclass(frozen=True)
class TrainingBatches:
    """The batches of any epoch: call it with the epoch's number.

    Attributes: as the arguments of `Images.shuffled_epoch`.
    """

    images: Images
    batch_size: int
    seed: int = 0
    augment: str = "none"

    def __call__(self, epoch) -> tf.data.Dataset:
        """One epoch's batches; `epoch` may be a tf.Variable."""
        return self.images.shuffled_epoch(
            self.batch_size, seed=self.seed, epoch=epoch, augment=self.augment
        )


@dataclasses.dataclass(frozen=True)
class FixedBatches:
    """All examples once, in their order: call it for the batches."""

    images: Images
    batch_size: int

    def __call__(self) -> tf.data.Dataset:
        """The batches."""
        return self.images.batches(self.batch_size)


def augment_picture(
    picture: tf.Tensor, key: tf.Tensor, augment: str
) -> tf.Tensor:
    """A random view of a square picture, the same for the same key.

    Args:
        picture: uint8 tensor (side, side, 3).
        key: int64 tensor (2,), the seed of this view.
        augment: one of `AUGMENTS`.

    Returns:
        uint8 tensor of the same shape.
    """
    if augment == "none":
        return picture
    keys = tf.random.experimental.stateless_split(key, 5)
    picture = tf.image.stateless_random_flip_left_right(picture, keys[0])
    if augment == "flip":
        return picture
    picture = _random_crop(picture, keys[1])
    if augment == "flip_crop":
        return picture
    low, high = 1 - COLOR_SHIFT, 1 + COLOR_SHIFT
    picture = tf.image.convert_image_dtype(picture, tf.float32)
    picture = tf.image.stateless_random_brightness(
        picture, COLOR_SHIFT, keys[2]
    )
    picture = tf.image.stateless_random_contrast(picture, low, high, keys[3])
    picture = tf.image.stateless_random_saturation(picture, low, high, keys[4])
    return tf.saturate_cast(tf.round(picture * 255.0), tf.uint8)


def _random_crop(picture: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """A random square of the picture, brought back to the picture's size."""
    side = picture.shape[0]
    draw = tf.random.stateless_uniform([3], key)
    share = CROP_LEAST_SIDE + (1 - CROP_LEAST_SIDE) * draw[0]
    cut = tf.maximum(1, tf.cast(tf.round(share * side), tf.int32))
    room = tf.cast(side - cut + 1, tf.float32)
    top = tf.cast(draw[1] * room, tf.int32)
    left = tf.cast(draw[2] * room, tf.int32)
    picture = picture[top : top + cut, left : left + cut]
    picture = tf.image.resize(picture, (side, side))
    picture = tf.saturate_cast(tf.round(picture), tf.uint8)
    picture.set_shape((side, side, 3))
    return picture
