"""What the benchmarks work on: real photographs, where they are at hand.

`TL_KERAS_SHARED` names a folder with `data/cats_vs_dogs` (train, val, test)
and `weights/mobilenet_v2_0.35_224_notop.weights.h5`.
"""

import os
import pathlib
import shutil
import sys

from benchmarks.plain_keras import Work


def shared() -> pathlib.Path:
    """The folder, or an end with one line that says how to name it."""
    folder = os.environ.get("TL_KERAS_SHARED", "")
    if not pathlib.Path(folder, "data", "cats_vs_dogs").is_dir():
        sys.exit(
            f"TL_KERAS_SHARED={folder}: expected a folder with "
            "data/cats_vs_dogs and weights/ - set it"
        )
    return pathlib.Path(folder)


def photographs() -> pathlib.Path:
    """cats_vs_dogs: 200 to train, 100 to validate, 300 to test."""
    return shared() / "data" / "cats_vs_dogs"


def mobilenet(**changes) -> Work:
    """MobileNetV2 at alpha=0.35 with ImageNet weights, on all photographs."""
    file = "mobilenet_v2_0.35_224_notop.weights.h5"
    weights = str(shared() / "weights" / file)
    return Work(
        photographs(), "MobileNetV2", (("alpha", 0.35),), weights, **changes
    )


def vgg16(folder: str, count: int = 64, **changes) -> Work:
    """VGG16 at random weights, on so many photographs to train.

    A quarter as many validate; both are copied to `folder`.
    """
    for split, pictures in (("train", count), ("val", count // 4),
                            ("test", count // 4)):  # fmt: skip
        for name in ("cats", "dogs"):
            place = pathlib.Path(folder, split, name)
            if not place.exists():
                place.mkdir(parents=True)
                files = sorted((photographs() / split / name).iterdir())
                for file in files[: pictures // 2]:
                    shutil.copy(file, place)
    return Work(pathlib.Path(folder), "VGG16", **changes)


def stored_features(cache: str) -> dict[str, tuple]:
    """What `mobilenet()` makes of the photographs: split -> features, labels.

    Args:
        cache: folder where activations are kept from one time to the next.
    """
    # Whoever asks for the folder alone need not wait for TensorFlow.
    from tl_keras import TransferConfig
    from tl_keras.jobs.few_labels import frozen_features
    from tl_keras.jobs.preparation import prepare
    from tl_keras.jobs.training import feature_store

    work = mobilenet()
    prepared = prepare(
        TransferConfig(
            dataset=str(work.data), backbone=work.backbone,
            backbone_args="alpha=0.35", weights=work.weights,
            feature_cache=cache,
        )
    )  # fmt: skip
    store, images = feature_store(prepared.config), prepared.labelled
    return {
        split: frozen_features(prepared, store, getattr(images, split))
        for split in ("train", "val", "test")
    }


def drawn(labels, a_class: int, seed: int):
    """Indices of so many of each class, and of all others.

    Of one seed, more of a class hold the fewer.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    orders = [
        random.permutation(np.flatnonzero(labels == label))
        for label in range(labels.max() + 1)
    ]
    some = np.concatenate([order[:a_class] for order in orders])
    return some, np.setdiff1d(np.arange(len(labels)), some)
