"""phases/probe.py: the head solved exactly, and as a phase."""

import dataclasses

import keras
import numpy as np
import pytest
import scipy.special
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tl_keras.classifier import build_classifier
from tl_keras.config import TransferConfig
from tl_keras.data import FixedBatches, TrainingBatches, load_images
from tl_keras.errors import ConfigError
from tl_keras.features import FeatureStore
from tl_keras.phases import Phase, fit_phases
from tl_keras.phases.probe import solve_probe


def features(count: int, width: int, classes: int):
    random = np.random.default_rng(count + width)
    labels = np.arange(count) % classes
    rows = random.normal(size=(count, width)) * random.uniform(0.1, 9, width)
    rows[:, :classes] += 2 * np.eye(classes)[labels]
    return (rows + 5).astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize(("count", "width"), [(60, 200), (200, 20)])
def test_the_head_gives_scikit_learns_probabilities(count, width, classes):
    rows, labels = features(count, width, classes)
    probe = solve_probe(rows, labels)
    received = scipy.special.softmax(rows @ probe.kernel + probe.bias, axis=-1)
    scaler = StandardScaler().fit(rows.astype(np.float64))
    solver = LogisticRegression(C=probe.strength, max_iter=9000, tol=1e-10)
    solver.fit(scaler.transform(rows.astype(np.float64)), labels)
    expected = solver.predict_proba(scaler.transform(rows.astype(np.float64)))
    np.testing.assert_allclose(received, expected, atol=1e-5)
    again = solve_probe(rows, labels)
    np.testing.assert_array_equal(probe.kernel, again.kernel)


def test_a_constant_feature_and_a_single_example_do_no_harm():
    rows, labels = features(12, 6, 3)
    rows[:, 4] = 7.0
    assert np.isfinite(solve_probe(rows, labels).kernel).all()
    one_each = solve_probe(rows[:3], labels[:3])
    assert np.isfinite(one_each.kernel).all()


def test_class_weights_move_the_boundary():
    rows, labels = features(60, 4, 2)
    plain = solve_probe(rows, labels)
    heavy = solve_probe(rows, labels, class_weights=[1.0, 20.0])
    share = [
        ((rows @ p.kernel + p.bias).argmax(-1) == 1).mean()
        for p in (plain, heavy)
    ]
    assert share[1] > share[0]


@pytest.mark.parametrize("stored", [True, False])
def test_as_a_phase_it_sets_the_models_head(
    stored, color_folder, tiny_network, tmp_path
):
    keras.utils.set_random_seed(0)
    images = load_images(str(color_folder), image_size=16)
    model = build_classifier(str(tiny_network), 2)
    store = FeatureStore(tmp_path / "s") if stored else None
    head = Phase("head", 10, 1e-3, solver="lbfgs")
    tune = Phase("fine_tune", 1, 1e-6, unfreeze_from="two")
    result = fit_phases(
        model, [head, tune], TrainingBatches(images.train, 4),
        FixedBatches(images.val, 4), features=store,
        history_file=tmp_path / "h.csv", verbose=0,
    )  # fmt: skip
    assert [row["epoch"] for row in result.history] == [1, 2]
    assert [row["phase"] for row in result.history] == ["head", "fine_tune"]
    assert result.history[0]["accuracy"] == 1.0
    # The fine-tune starts from the probe: one tiny step later it is as good.
    assert result.history[1]["val_cross_entropy"] == pytest.approx(
        result.history[0]["val_cross_entropy"], rel=0.05
    )
    assert len((tmp_path / "h.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("given", "solver"),
    [
        ({}, "lbfgs"),
        ({"head_solver": "adam"}, "adam"),
        ({"dropout": 0.1}, "adam"),
        ({"label_smoothing": 0.1}, "adam"),
        ({"head_units": (8,)}, "adam"),
        ({"augment": "flip"}, "lbfgs"),
        ({"augment": "flip", "feature_cache": "off"}, "adam"),
        ({"head_learning_rate": 0.01}, "adam"),
        ({"pooling": "flatten"}, "adam"),
        ({"pooling": "max"}, "lbfgs"),
        ({"class_weights": "balanced"}, "lbfgs"),
    ],
)
def test_auto_takes_the_exact_head_where_nothing_needs_epochs(given, solver):
    config = TransferConfig(dataset="digits", **given)
    config.validate()
    assert config.solver() == solver


def test_what_the_exact_head_cannot_do_is_refused():
    config = TransferConfig(dataset="digits", head_solver="lbfgs", dropout=0.5)
    with pytest.raises(ConfigError, match="--dropout: given, but"):
        config.validate()
    dataclasses.replace(config, head_epochs=0).validate()


@pytest.mark.parametrize("views", [1, 3])
def test_out_of_fold_each_picture_is_judged_by_others(views):
    rows, labels = features(40, 12, 2)
    rows[:, :2] += 50 * np.eye(2)[labels]
    rows, labels = np.repeat(rows, views, 0), np.repeat(labels, views)
    wrong = 7
    labels[wrong * views : (wrong + 1) * views] ^= 1
    probe = solve_probe(rows, labels, views=views)
    judged = probe.out_of_fold
    assert judged.shape == (40, 2)
    np.testing.assert_allclose(judged.sum(-1), 1, atol=1e-5)
    # The picture under the wrong label is believed in least.
    own = judged[np.arange(40), labels[::views]]
    assert own.argmin() == wrong
    assert solve_probe(rows[:2], np.array([0, 1])).out_of_fold is None
