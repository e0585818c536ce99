"""Views: flips that take turns at the cut, and both at test time."""

import contextlib
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from test_training import data

from tl_keras import exports, run
from tl_keras.config import TransferConfig
from tl_keras.errors import ConfigError
from tl_keras.exports import check_export
from tl_keras.exports.signatures import answering_model, write_signatures
from tl_keras.features import FeatureStore
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.networks import (
    FIRST_OF_HEAD,
    LOGITS,
    build_classifier,
    mirrored,
    probabilities_model,
)
from tl_keras.sources import TrainingBatches, Views, load_images
from tl_keras.tasks.multiclass.task import Multiclass


@pytest.fixture
def model(tiny_network):
    keras.utils.set_random_seed(0)
    model = build_classifier(str(tiny_network), 2)
    # Else it hardly knows left from right.
    kernel = model.get_layer("two_conv").kernel
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    return model


def pictures() -> tf.Tensor:
    return tf.cast(next(iter(data(8)))[0], tf.float32)


def test_both_views_are_averaged_and_weights_are_shared(model):
    both, x = mirrored(model), pictures()
    want = (model(x) + model(x[:, :, ::-1])) / 2
    assert np.abs(want - model(x)).max() > 1e-3
    np.testing.assert_allclose(both(x), want, atol=1e-5)
    np.testing.assert_allclose(both(x[:, :, ::-1]), both(x), atol=1e-6)
    assert set(map(id, both.variables)) == set(map(id, model.variables))
    assert both.get_layer(LOGITS) is model.get_layer(LOGITS)
    model.get_layer(LOGITS).bias.assign([5.0, -5.0])
    np.testing.assert_allclose(both(x) - want, [[5, -5]] * 8, atol=1e-4)
    answers = answering_model(both)(x)
    pooled = keras.Model(model.inputs, model.get_layer(FIRST_OF_HEAD).output)
    np.testing.assert_allclose(
        answers["features"], (pooled(x) + pooled(x[:, :, ::-1])) / 2, atol=1e-5
    )
    np.testing.assert_allclose(
        answers["probabilities"], tf.nn.softmax(both(x)), atol=1e-6
    )


def test_what_is_no_picture_has_no_mirror_image():
    given = keras.Input((7,), name="given")
    x = keras.layers.Identity(name=FIRST_OF_HEAD)(given)
    model = keras.Model(given, keras.layers.Dense(2, name=LOGITS)(x))
    with pytest.raises(ConfigError, match="a network of pictures"):
        mirrored(model)


@pytest.mark.usefixtures("plain_decoder")
def test_a_run_evaluates_and_publishes_both_views(
    color_folder, tiny_network, tmp_path, monkeypatch
):
    """One graph: calibrated, evaluated, measured and exported alike."""
    asked, published = [], exports.publish
    monkeypatch.setattr(
        "tl_keras.jobs.publishing.publish",
        lambda model, *args, **more: (
            asked.append(model) or published(model, *args, **more)
        ),
    )
    config = tiny.config(
        color_folder, tiny_network, tmp_path / "out", test_time_views=True,
        augment="flip",
    )  # fmt: skip
    result = run(config, stages=tiny.QUICK)
    (served,) = asked
    test = load_images(
        str(color_folder), image_size=16, val_fraction=0.25, test_fraction=0.25
    ).test
    ((pixels, _),) = test.batches(64)
    want = mirrored(result.model)(pixels)
    np.testing.assert_allclose(served(pixels), want, atol=1e-6)
    rows = (result.run_folder / "predictions.csv").read_text().splitlines()[1:]
    likely = tf.nn.softmax(want).numpy().max(-1)
    told = sorted(float(row.split(",")[3]) for row in rows)
    np.testing.assert_allclose(told, sorted(likely), atol=1e-4)
    metrics = json.loads((result.run_folder / "metrics.json").read_text())
    assert metrics["test"]["examples"] == len(rows)


@pytest.mark.parametrize(
    "views", [2, pytest.param(1, marks=pytest.mark.nightly)]
)
def test_the_gate_passes_both_views_and_refuses_one(views, model, tmp_path):
    """In fresh processes, as a version is asked before it is published."""
    decoding = Decoding(16)
    golden = {
        str(i): tf.io.encode_png(tf.cast(one, tf.uint8)).numpy()
        for i, one in enumerate(pictures()[:3])
    }
    names = ["blue_not", "green"]
    exported = mirrored(model) if views == 2 else model
    write_signatures(exported, tmp_path / "1", names, decoding)
    extra = tmp_path / "1" / "assets.extra"
    extra.mkdir()
    (extra / "labels.txt").write_text("\n".join(names) + "\n")
    asked = names, decoding, golden, Multiclass()
    refused = pytest.raises(exports.NotPublishedError)
    with contextlib.nullcontext() if views == 2 else refused:
        report = check_export(tmp_path / "1", mirrored(model), *asked)
        assert report.difference < 1e-5


@pytest.mark.usefixtures("plain_decoder")
def test_flips_take_turns_at_the_cut(model, color_folder, tmp_path):
    """The two views of each picture are stored, each once."""
    images = load_images(
        str(color_folder), image_size=16, val_fraction=0.25, test_fraction=0.25
    ).train
    ((plain, _),) = images.batches(64)
    views = Views.of(images, "flip", 2)
    ((pixels, labels),) = views.batches(64)
    np.testing.assert_array_equal(pixels[::2], plain)
    np.testing.assert_array_equal(pixels[1::2], plain[:, :, ::-1])
    np.testing.assert_array_equal(labels, np.repeat(images.labels, 2))
    assert views.made_by() != f"{images.made_by()}, flip"  # as it was stored
    trunk = keras.Model(model.inputs[0], model.get_layer(FIRST_OF_HEAD).output)
    train = TrainingBatches(images, 4, seed=1, augment="flip", views=2)
    stored = FeatureStore(tmp_path).training(trunk, train)
    assert stored.rows_per_example == 2
    epochs = [
        np.concatenate([rows for rows, _ in stored(epoch)]) for epoch in (0, 1)
    ]
    want = [np.asarray(trunk(tf.cast(x, tf.float32))) for x in (plain, pixels)]
    # In two epochs each view once, and both kinds in either of them.
    np.testing.assert_allclose(
        np.sort(np.concatenate(epochs), 0), np.sort(want[1], 0), atol=1e-5
    )
    same = [
        np.isclose(row, want[0], atol=1e-5).all(-1).any() for row in epochs[0]
    ]
    assert 0 < sum(same) < len(same)


def test_two_flips_are_all_there_are(tmp_path):
    (tmp_path / "pets").mkdir()
    given = {"dataset": str(tmp_path / "pets"), "augment": "flip"}
    assert TransferConfig(**given).stored_views() == 2
    assert TransferConfig(**{**given, "augment": "rand"}).stored_views() == 4
    faults = TransferConfig(**given, augment_views=3).faults()
    assert [f.message for f in faults if "augment_views" in f.message] == [
        "--augment_views=3: expected 1 or 2 with --augment=flip, since a "
        "picture has no more - or take flip_crop"
    ]


def test_the_cost_is_measured_of_both_views(model):
    one, two = probabilities_model(model), probabilities_model(mirrored(model))
    assert one.output_shape == two.output_shape
