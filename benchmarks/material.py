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


def spectra(folder: pathlib.Path) -> pathlib.Path:
    """Spoken digits as pictures: how loud each pitch is, from left to right.

    Of 320 clips to train (32 a digit) and 200 to test, of other speakers; grey,
    64 bands of mel up to 4 kHz, a column each 10 ms.
    """
    import numpy as np
    from PIL import Image
    from scipy.io import wavfile

    if folder.exists():
        return folder
    for clip in sorted((shared() / "data" / "spoken_digits").rglob("*.wav")):
        rate, sound = wavfile.read(clip)
        loud = np.log(1e-6 + _mel_energies(sound / 32768.0, rate))
        scaled = np.interp(loud, (loud.max() - 12, loud.max()), (0, 255))
        place = folder / clip.parent.parent.name / clip.parent.name
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(scaled[:, ::-1].T.astype(np.uint8))
        picture.save(place / f"{clip.stem}.png")
    return folder


def _mel_energies(sound, rate: int, bands: int = 64):
    """(columns, bands), by triangles that overlap by half."""
    import numpy as np
    from scipy import signal

    pitches, _, energy = signal.stft(
        sound, rate, nperseg=rate // 32, noverlap=rate // 32 - rate // 100,
        nfft=512,
    )  # fmt: skip
    mel = 2595 * np.log10(1 + pitches / 700)
    centres = np.linspace(mel[0], mel[-1], bands + 2)[1:-1]
    step = centres[1] - centres[0]
    triangles = np.maximum(0, 1 - np.abs(mel[:, None] - centres) / step)
    return (np.abs(energy) ** 2).T @ triangles


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
