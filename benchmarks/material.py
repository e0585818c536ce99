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
