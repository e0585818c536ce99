"""The peer: transfer learning as Keras's guide writes it by hand.

`image_dataset_from_directory`, prefetch, a frozen base called with
training=False, a Dense head, `fit`; then unfreeze, compile anew with a small
rate, `fit`. Validation on `val`; the test accuracy is that of the last epoch.

As a script, for whole processes:

    python -m benchmarks.plain_keras DATA WEIGHTS HEAD_EPOCHS FINE_TUNE_EPOCHS \
        EXPORT
"""

import dataclasses
import pathlib
import sys

import keras
import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Work:
    """What both sides train on: pictures, network, epochs.

    Attributes:
        data: folder of train/ val/ test/ with class folders.
        backbone: name in keras.applications.
        arguments: of its constructor.
        weights: a weights file, or None for random ones.
        image_size: side of the input in pixels.
        head_epochs, fine_tune_epochs: as they say.
        unfreeze_from: a layer's name, or "all".
        head_units: units of Dense ReLU layers before the logits.
        batch_size: as it says.
    """

    data: pathlib.Path
    backbone: str
    arguments: tuple[tuple[str, float], ...] = ()
    weights: str | None = None
    image_size: int = 224
    head_epochs: int = 0
    fine_tune_epochs: int = 0
    unfreeze_from: str = "all"
    head_units: tuple[int, ...] = ()
    batch_size: int = 32


def datasets(work: Work) -> dict[str, tf.data.Dataset]:
    """The three splits, as the guide reads them."""
    return {
        split: keras.utils.image_dataset_from_directory(
            work.data / split,
            image_size=(work.image_size, work.image_size),
            batch_size=work.batch_size,
            shuffle=split == "train",
            seed=0,
            verbose=False,
        ).prefetch(tf.data.AUTOTUNE)
        for split in ("train", "val", "test")
    }


def build(work: Work) -> tuple[keras.Model, keras.Model]:
    """(model, its frozen base)."""
    application = getattr(keras.applications, work.backbone)
    base = application(
        include_top=False,
        weights=work.weights,
        input_shape=(work.image_size, work.image_size, 3),
        **dict(work.arguments),
    )
    base.trainable = False
    inputs = keras.Input((work.image_size, work.image_size, 3))
    if work.backbone.startswith("MobileNet"):
        x = keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    else:
        x = keras.applications.vgg16.preprocess_input(inputs)
    x = keras.layers.GlobalAveragePooling2D()(base(x, training=False))
    for units in work.head_units:
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(2)(x)), base


def compile_at(model: keras.Model, rate: float) -> None:
    """Adam on cross-entropy."""
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )


def train(work: Work) -> tuple[keras.Model, dict[str, tf.data.Dataset]]:
    """Both phases; either may have 0 epochs."""
    keras.utils.set_random_seed(0)
    data = datasets(work)
    model, base = build(work)
    fit = {"validation_data": data["val"], "verbose": 0, "shuffle": False}
    if work.head_epochs:
        compile_at(model, 1e-3)
        model.fit(data["train"], epochs=work.head_epochs, **fit)
    if work.fine_tune_epochs:
        base.trainable = True
        names = [layer.name for layer in base.layers]
        if work.unfreeze_from != "all":
            for layer in base.layers[: names.index(work.unfreeze_from)]:
                layer.trainable = False
        compile_at(model, 1e-4)
        model.fit(data["train"], epochs=work.fine_tune_epochs, **fit)
    return model, data


def main(
    folder: str, weights: str, head: str, fine_tune: str, export: str
) -> None:
    """MobileNetV2 at alpha=0.35, the whole job as a bare script does it."""
    work = Work(
        pathlib.Path(folder), "MobileNetV2", (("alpha", 0.35),), weights,
        head_epochs=int(head), fine_tune_epochs=int(fine_tune),
        unfreeze_from="block_13_expand",
    )  # fmt: skip
    model, data = train(work)
    print("test accuracy:", model.evaluate(data["test"], verbose=0)[1])
    model.export(export, verbose=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
