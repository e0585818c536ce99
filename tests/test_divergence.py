"""divergence.py: what has no number is named, and the rate is not blamed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

from tl_keras.errors import DivergedError
from tl_keras.jobs.preparation import prepare
from tl_keras.jobs.training import feature_store, train
from tl_keras.networks import build_classifier
from tl_keras.runs import RunFolder
from tl_keras.training import Phase, fit_phases
from tl_keras.training.divergence import not_finite
from tl_keras.training.solving import pooled_features

pytestmark = pytest.mark.usefixtures("plain_decoder")
LEAVE_OUT = "are not finite; expected numbers - leave these out, or give a net"


@pytest.fixture(scope="module")
def by_deviation(tmp_path_factory):
    """A network that has no number for a picture of a single color."""
    inputs = keras.Input((16, 16, 3))
    deviation = keras.ops.std(inputs, axis=(1, 2, 3), keepdims=True)
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs / deviation)
    file = tmp_path_factory.mktemp("network") / "deviation.keras"
    keras.Model(inputs, x).save(file)
    return file


def batches(count: int, *plain: int) -> tf.data.Dataset:
    """Pictures of chance, some of a single color, in batches of 4."""
    pixels = np.random.default_rng(0).uniform(0, 255, (count, 16, 16, 3))
    pixels[list(plain)] = 255
    labels = np.arange(count, dtype=np.int32) % 2
    pixels = pixels.astype(np.float32)
    return tf.data.Dataset.from_tensor_slices((pixels, labels)).batch(4)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("split", ["training", "validation"])
def test_f14_who_has_no_number_is_told_and_no_rate_is_blamed(
    by_deviation, solver, split
):
    model = build_classifier(str(by_deviation), 2)
    train = batches(12, *([6] if split == "training" else ()))
    val = batches(8, *([0, 2, 4, 7] if split == "validation" else ()))
    with pytest.raises(DivergedError) as caught:
        fit_phases(
            model, [Phase("head", 2, 1e-3, solver=solver)], train, val,
            verbose=0,
        )  # fmt: skip
    which = {
        "training": "1 of 12 training examples (number 7)",
        "validation": "4 of 8 validation examples (number 1, number 3, "
        "number 5, ...)",
    }[split]
    assert str(caught.value).startswith(
        f"phase head: before any step the network's answers to {which} "
        + LEAVE_OUT
    )


def test_of_a_run_the_pictures_are_named(by_deviation, tmp_path):
    colors = tiny.write_colors(tmp_path / "colors")
    for number in range(4):  # Of 28, so many that training has one.
        file = colors / "green" / f"plain{number}.png"
        Image.fromarray(np.full((9, 9, 3), 255 - number, np.uint8)).save(file)
    config = tiny.config(
        colors, by_deviation, tmp_path / "out", fine_tune_epochs=0,
        feature_cache=str(tmp_path / "features"),
    )  # fmt: skip
    prepared = prepare(config)
    folder = RunFolder.of(config.run_folder())
    folder.path.mkdir(parents=True)
    with pytest.raises(DivergedError, match=r"\(green/plain\d\.png"):
        train(prepared, folder, feature_store(config))


def test_features_are_numbers(by_deviation):
    model = build_classifier(str(by_deviation), 2)
    features, labels = pooled_features(model, batches(6))
    assert features.shape == (6, 4)
    assert labels.shape == (6,)
    with pytest.raises(DivergedError, match=r"1 of 6 examples \(number 4\)"):
        pooled_features(model, batches(6, 3))
    with pytest.raises(DivergedError, match=r"1 of 6 examples \(d.png\)"):
        pooled_features(model, batches(6, 3), [f"{x}.png" for x in "abcdef"])


def test_the_remedy_fits_the_fault(tiny_network):
    """All of them: the network; float16: its range; else these pictures."""
    model = build_classifier(str(tiny_network), 2)
    some, none = np.array([True, False]), np.array([False, False])
    ids = ["a.png", "b.png"]
    assert not_finite(some, ids, "pictures", model) == (
        "1 of 2 pictures (b.png) are not finite; expected numbers - leave "
        "these out, or give a network that can take them"
    )
    assert not_finite(none, ids, "pictures", model).endswith(
        "(a.png, b.png) are not finite; expected numbers - see its weights, "
        "and which numbers it was made for"
    )
    halves = build_classifier(str(tiny_network), 2, precision="mixed_float16")
    for fine in (some, none):
        assert not_finite(fine, ids, "pictures", halves).endswith(
            "float16 ends at 65,504: give --precision=mixed_bfloat16 or float32"
        )
