"""tasks/multiclass/linear_probe.py: the head solved exactly, and as a phase."""

import dataclasses

import hypothesis
import keras
import numpy as np
import pytest
import scipy.special
import threadpoolctl
from hypothesis import strategies
from sklearn.linear_model import LogisticRegression

from tl_keras.config import TransferConfig
from tl_keras.errors import ConfigError
from tl_keras.features import FeatureStore
from tl_keras.networks import build_classifier
from tl_keras.sources import FixedBatches, TrainingBatches, load_images
from tl_keras.tasks.multiclass import linear_probe
from tl_keras.tasks.multiclass.feature_scaling import SCALINGS, feature_scales
from tl_keras.tasks.multiclass.linear_probe import solve_probe
from tl_keras.training import Phase, fit_phases


def features(count: int, width: int, classes: int):
    random = np.random.default_rng(count + width)
    labels = np.arange(count) % classes
    rows = random.normal(size=(count, width)) * random.uniform(0.1, 9, width)
    rows[:, :classes] += 2 * np.eye(classes)[labels]
    return (rows + 5).astype(np.float32), labels


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize(("count", "width"), [(60, 200), (200, 20)])
def test_the_head_gives_scikit_learns_probabilities(
    count, width, classes, scaling
):
    """But for its confidence, which the folds say."""
    rows, labels = features(count, width, classes)
    probe = solve_probe(rows, labels, scaling=scaling)
    assert probe.scaling == scaling
    received = scipy.special.softmax(
        probe.outputs(rows) * probe.temperature, axis=-1
    )
    wide = rows.astype(np.float64)
    scaled = (wide - wide.mean(axis=0)) / feature_scales(wide, scaling)
    solver = LogisticRegression(C=probe.strength, max_iter=9000, tol=1e-10)
    expected = solver.fit(scaled, labels).predict_proba(scaled)
    np.testing.assert_allclose(received, expected, atol=1e-5)
    again = solve_probe(rows, labels, scaling=scaling)
    np.testing.assert_array_equal(probe.kernel, again.kernel)


def test_lively_features_are_standardised():
    rows, _ = features(200, 20, 2)
    moves = rows.astype(np.float64).std(axis=0)
    lively = moves > 1
    assert 10 < lively.sum() < 20
    found = feature_scales(rows.astype(float), "each")
    np.testing.assert_array_equal(found[lively], moves[lively])
    assert (found >= moves).all()


def test_one_scale_is_one_but_for_what_would_shout_or_round():
    rows = np.random.default_rng(0).normal(size=(50, 40))
    rows[:, :20] *= 3
    plain = feature_scales(rows, "one")
    assert len(np.unique(plain)) == 1
    assert rows.std(axis=0).min() < plain[0] < rows.std(axis=0).max()
    # What hardly moves is heard less; the others are as before.
    quiet = np.column_stack([rows, 1e-3 * rows])
    np.testing.assert_allclose(
        feature_scales(quiet, "one"), plain[0], rtol=1e-5
    )
    odd = np.column_stack([rows, 1e4 * rows[:, 0], rows[:, 1] + 1e3])
    found = feature_scales(odd, "one")
    # All but the two still share theirs.
    assert len(np.unique(found[:40])) == 1
    loudness = odd.std(axis=0) / found
    assert loudness[40] == loudness.max()
    assert 2 < loudness[40] / np.quantile(loudness, 0.9) < 4
    assert found[41] == pytest.approx(0.01 * np.abs(odd[:, 41]).mean())


# Labels a class, what tells the classes apart, what is then taken.
CHOSEN = {
    "few: never asked": (45, "quiet", "one"),
    "many, told by quiet features": (60, "quiet", "each"),
    "many, told by loud features": (60, "loud", "one"),
}


@pytest.mark.parametrize("case", CHOSEN)
def test_many_labels_choose_how_features_are_scaled(case):
    count, kind, expected = CHOSEN[case]
    random = np.random.default_rng(0)
    labels = np.arange(2 * count) % 2
    rows = random.normal(size=(2 * count, 60))
    if kind == "quiet":
        rows[:, 0] += 3 * labels
        rows[:, 20:] *= 8  # noise
    else:
        rows[:, :4] += 0.8 * labels[:, None]
        rows[:, 4:] *= 0.15  # noise, which a scale of its own would blow up
    assert solve_probe(rows, labels).scaling == expected
    # Pictures of one group are one label: those are few again.
    groups = [f"g{i // 4}" for i in range(2 * count)]
    assert solve_probe(rows, labels, groups=groups).scaling == "one"


def test_few_labels_may_end_at_the_nearest_class_mean():
    """Round clouds in many dimensions: nothing beats the line of the means."""
    random = np.random.default_rng(1)
    labels = np.arange(20) % 2
    rows = random.normal(size=(20, 300)) + 0.3 * labels[:, None]
    probe = solve_probe(rows, labels)
    line = rows[labels == 1].mean(axis=0) - rows[labels == 0].mean(axis=0)
    way = probe.kernel[:, 1] - probe.kernel[:, 0]
    cosine = way @ line / np.linalg.norm(way) / np.linalg.norm(line)
    assert cosine > 0.98
    # Strong as the penalty is, the head is as sure as the folds are right.
    assert probe.strength < 0.01
    labels = np.arange(400) % 2
    logits = probe.outputs(
        random.normal(size=(400, 300)) + 0.3 * labels[:, None]
    )
    sure = scipy.special.softmax(logits, axis=-1).max(axis=-1).mean()
    assert abs(sure - (logits.argmax(axis=-1) == labels).mean()) < 0.15


def test_folds_that_say_nothing_do_not_silence_the_head():
    """Labels at random: out of fold all are wrong as often as not."""
    rows = np.random.default_rng(0).normal(size=(12, 300))
    probe = solve_probe(rows, np.arange(12) % 2)
    assert (probe.strength, probe.temperature) == (0.1, 1)
    assert scipy.special.softmax(probe.outputs(rows), axis=-1).max() > 0.9
    assert probe.out_of_fold.shape == (12, 2)


@pytest.mark.parametrize("count", [4, 12, 60])
def test_folds_that_are_all_right_ask_for_no_boundless_confidence(count):
    rows = np.repeat(np.eye(2), count // 2, axis=0) * 9
    rows = np.column_stack([rows, np.zeros(count)])
    labels = np.repeat([0, 1], count // 2)
    likely = solve_probe(rows, labels).out_of_fold.max(axis=-1)
    # As Platt's targets have it.
    np.testing.assert_allclose(likely, 1 - 1 / (count + 2), atol=0.02)


def test_one_thread_solves_and_the_others_come_back(monkeypatch):
    def threads():
        return [
            library["num_threads"]
            for library in threadpoolctl.threadpool_info()
            if library["user_api"] == "blas"
        ]

    seen, fit = [], LogisticRegression.fit

    def watched(self, *arguments):
        seen.append(max(threads()))
        return fit(self, *arguments)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        solve_probe(*features(20, 6, 2))
        after = threads()
    assert set(seen) == {1}
    assert set(after) == {2}


COLUMNS = {
    "dead": lambda random, n: 1e-33 * random.normal(size=n),
    "near-dead": lambda random, n: 1e-4 * (np.arange(n) == 3),
    "constant": lambda random, n: np.full(n, 7.0),
    "constant but for rounding": lambda random, n: 3e3 + 1e-4 * np.arange(n),
    "huge": lambda random, n: 1e4 * random.normal(size=n),
    "tiny": lambda random, n: 1e-6 * random.normal(size=n),
}


@hypothesis.given(
    kinds=strategies.lists(strategies.sampled_from(sorted(COLUMNS))),
    copied=strategies.integers(0, 3),
    seed=strategies.integers(0, 1000),
    scaling=strategies.sampled_from(SCALINGS),
)
@hypothesis.settings(max_examples=20, deadline=None)
def test_no_head_hangs_on_features_that_carry_nothing(
    kinds, copied, seed, scaling
):
    """Finite, bounded, and computed alike in float32 whatever the order."""
    random = np.random.default_rng(seed)
    rows, labels = features(30, 6, 3)
    odd = [COLUMNS[kind](random, 30) for kind in kinds]
    rows = np.column_stack([rows, *odd, *rows.T[:copied]]).astype(np.float32)
    probe = solve_probe(rows, labels, scaling=scaling)
    assert np.isfinite(probe.kernel).all()
    # No feature, moved by as much as the lively ones do, decides alone.
    assert np.abs(probe.kernel[:6]).max() < 30
    assert np.abs(probe.kernel).max() < 300
    exact = rows.astype(np.float64) @ probe.kernel.astype(np.float64)
    exact += probe.bias
    turned = rows[:, ::-1] @ probe.kernel[::-1] + probe.bias
    scale = np.maximum(1, np.abs(exact))
    assert (np.abs(turned - exact) / scale).max() < 1e-5


@pytest.mark.parametrize("scaling", SCALINGS)
def test_noise_beside_the_features_changes_no_prediction(scaling):
    rows, labels = features(60, 12, 3)
    noise = 1e-6 * np.random.default_rng(0).normal(size=(60, 4))
    more = np.column_stack([rows, noise]).astype(np.float32)
    plain = solve_probe(rows, labels, scaling=scaling)
    noisy = solve_probe(more, labels, scaling=scaling)
    np.testing.assert_allclose(
        more @ noisy.kernel + noisy.bias,
        rows @ plain.kernel + plain.bias,
        atol=1e-3,
    )
    # Of one picture alone: as a ReLU6 that fires once in a hundred.
    more[:, -1] = 0
    more[5, -1] = 0.02
    once = solve_probe(more, labels, scaling=scaling)
    assert np.abs(once.kernel[-1]).max() < np.abs(once.kernel[:12]).max()


def test_a_constant_feature_and_a_single_example_do_no_harm():
    rows, labels = features(12, 6, 3)
    rows[:, 4] = 7.0
    assert np.isfinite(solve_probe(rows, labels).kernel).all()
    one_each = solve_probe(rows[:3], labels[:3])
    assert np.isfinite(one_each.kernel).all()


def test_what_was_solved_is_not_solved_again(monkeypatch):
    draw = np.random.default_rng(5)
    features, labels = draw.normal(size=(12, 3)), np.arange(12) // 2 % 2
    calls, real = [], linear_probe.cross_validate

    def counted(*arguments):
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(linear_probe, "cross_validate", counted)
    first = solve_probe(features, labels)
    for number in range(2):  # another head in between
        solve_probe(features[: 10 - number], labels[: 10 - number])
    assert solve_probe(features.copy(), labels) is first
    assert len(calls) == 3
    # Anything else that is asked is another head.
    asked = ({"class_weights": [1.0, 2.0]}, {"scaling": "each"}, {"views": 2},
             {"groups": [str(i // 2) for i in range(12)]})  # fmt: skip
    for more in asked:
        solve_probe(features, labels, **more)
    solve_probe(features.astype(np.float32), labels)
    assert len(calls) == 8
    assert len(linear_probe._solved) == linear_probe.MAX_KEPT


def test_class_weights_move_the_boundary():
    rows, labels = features(60, 4, 2)
    plain = solve_probe(rows, labels)
    heavy = solve_probe(rows, labels, class_weights=[1.0, 20.0])
    share = [
        ((rows @ p.kernel + p.bias).argmax(-1) == 1).mean()
        for p in (plain, heavy)
    ]
    assert share[1] > share[0]


@pytest.mark.usefixtures("plain_decoder")
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
    with pytest.raises(ConfigError, match=r"^dropout: given, but"):
        config.validate()
    dataclasses.replace(config, head_epochs=0).validate()


def test_pictures_of_one_group_do_not_judge_one_another():
    """Four of each patient, all but alike: by others he cannot be known."""
    random = np.random.default_rng(0)
    patients = np.repeat(np.arange(20), 4)
    rows = random.normal(size=(20, 30))[patients]
    rows = (rows + 0.01 * random.normal(size=(80, 30))).astype(np.float32)
    labels = random.permutation(np.arange(20) % 2)[patients]

    def right(groups):
        judged = solve_probe(rows, labels, groups=groups).out_of_fold
        return (judged.argmax(axis=-1) == labels).mean()

    assert right(None) == 1.0
    assert right([f"p{number}" for number in patients]) < 0.8
    # One patient a class: there is nobody to judge by.
    alone = solve_probe(rows, labels, groups=list(map(str, labels)))
    assert alone.out_of_fold is None


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
