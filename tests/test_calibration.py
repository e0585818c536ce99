"""calibration: a planted temperature is found, and folded into the head."""

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from tl_keras.tasks import stored_task
from tl_keras.tasks.multiclass import calibration
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.outputs import fold_divisor


def drawn(count: int, seed: int = 0, classes: int = 4):
    """Logits, and labels drawn from just these probabilities."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, classes))
    chances = scipy.special.softmax(logits, axis=-1)
    labels = np.array([random.choice(classes, p=row) for row in chances])
    return logits, labels


@pytest.mark.parametrize("planted", [0.3, 1.0, 2.5, 8.0])
def test_a_planted_temperature_is_found(planted):
    logits, labels = drawn(20_000)
    found = calibration.fit_temperature(logits * planted, labels)
    assert found == pytest.approx(planted, rel=0.05)


def test_it_lowers_loss_and_error_and_changes_no_class():
    logits, labels = drawn(5_000)
    before = scipy.special.softmax(4 * logits, axis=-1)
    found = calibration.fit_temperature(4 * logits, labels)
    after = calibration.at_temperature(before, found)
    error = calibration.expected_calibration_error
    assert error(before, labels) > 0.2
    assert error(after, labels) < 0.03
    assert (before.argmax(-1) == after.argmax(-1)).all()
    np.testing.assert_allclose(
        after, scipy.special.softmax(4 * logits / found, axis=-1), atol=1e-9
    )


@pytest.mark.parametrize("count", [1, 6, 60, 600])
def test_pictures_all_right_do_not_make_it_boundless(count):
    logits = np.zeros((count, 3))
    logits[:, 1] = 3
    found = calibration.fit_temperature(logits, np.ones(count, int))
    assert 0.2 < found <= 1
    assert (found == 1) == (count <= 6)


def test_noise_changes_nothing():
    """Of 200 small validations of a calibrated model few move it at all."""
    moved = [
        calibration.fit_temperature(*drawn(50, seed)) != 1
        for seed in range(200)
    ]
    assert np.mean(moved) <= 0.1


def test_one_wrong_picture_does_not_take_all_confidence():
    found = calibration.fit_temperature(np.array([[9.0, 0.0]]), np.array([1]))
    assert 1 < found < 4


def test_folding_divides_the_logits():
    inputs = keras.Input((5,))
    dense = keras.layers.Dense(3, bias_initializer="ones")
    model = keras.Model(inputs, dense(inputs))
    given = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    before = model.predict(given, verbose=0)
    fold_divisor(dense, 2.5)
    np.testing.assert_allclose(
        model.predict(given, verbose=0), before / 2.5, rtol=1e-5, atol=1e-6
    )


ECE = {
    "sure and right": ([[1.0, 0.0]] * 4, [0] * 4, 0.0),
    "sure and wrong": ([[1.0, 0.0]] * 4, [1] * 4, 1.0),
    "half right at 0.8": ([[0.8, 0.2]] * 4, [0, 0, 1, 1], 0.3),
    # 0.2 too much in one bin, 0.1 too little in another, half of all each.
    "two bins": ([[0.7, 0.3], [0.9, 0.1]] * 10,
                 [0, 0, 1, 0] * 5, 0.15),
}  # fmt: skip


@pytest.mark.parametrize("case", ECE)
def test_expected_calibration_error_by_hand(case):
    probabilities, labels, expected = ECE[case]
    found = calibration.expected_calibration_error(
        np.array(probabilities), np.array(labels)
    )
    assert found == pytest.approx(expected)


def test_calibration_is_weighed_by_the_bins_counts():
    # Ten answers at 0.95, nine right; two at 0.55, none right.
    scores = np.array([0.95] * 10 + [0.55] * 2)
    predicted = np.zeros(12, int)
    labels = np.array([0] * 9 + [1] + [1, 1])
    bins, error = calibration.reliability(scores, predicted == labels)
    assert len(bins) == calibration.BINS == 15
    assert error == pytest.approx((10 * 0.05 + 2 * 0.55) / 12)
    assert [b["count"] for b in bins if b["count"]] == [2, 10]
    assert [b["accuracy"] for b in bins if b["count"]] == [0, 0.9]
    assert bins[0]["accuracy"] is None


def test_a_bin_holds_its_upper_edge_and_all_are_held():
    scores = np.array([0.0, 1 / 15, 1.0])
    bins, _ = calibration.reliability(scores, np.ones(3, bool))
    assert bins[0]["count"] == 2
    assert bins[-1]["count"] == 1


def test_what_cannot_be_fitted_is_told():
    with pytest.raises(ValueError, match="expected \\(n, num_classes\\)"):
        calibration.fit_temperature(np.zeros((0, 3)), np.zeros(0, int))
    with pytest.raises(ValueError, match="finite"):
        calibration.fit_temperature(np.array([[np.nan, 0]]), np.array([0]))


def test_over_confidence_does_not_count():
    """Twice as sure, or half: the same losses once each is calibrated."""
    logits, labels = drawn(5_000)
    plain = calibration.calibrated_losses(logits, labels)
    for factor in (0.5, 3.0):
        assert (
            calibration.example_losses(factor * logits, labels).mean()
            > plain.mean() + 0.02
        )
        np.testing.assert_allclose(
            calibration.calibrated_losses(factor * logits, labels),
            plain,
            atol=0.02,
        )


def test_no_finite_logits_no_loss():
    found = calibration.calibrated_losses(
        np.array([[np.nan, 0.0], [1.0, 0.0]]), np.array([0, 1])
    )
    assert np.isnan(found).all()


def test_sets_of_classes_hold_the_truth_as_often_as_is_asked():
    """They are chosen on some, measured on others, and kept in the export."""
    logits, labels = drawn(4_000)
    task = Multiclass(coverage=0.8)
    found = task.calibrate(logits[:2000], labels[:2000])
    assert task.chooses_on_validation
    assert not Multiclass().chooses_on_validation
    assert 0 < found.task.floor < 0.5
    counted = found.task.count(logits[2000:], labels[2000:], list("abcd"))
    numbers = found.task.trust(counted, found)
    assert numbers["coverage"] == pytest.approx(0.8, abs=0.03)
    assert 1 < numbers["set_size"] < 3
    again = stored_task(found.task.stored())
    assert again == found.task
    assert Multiclass().stored() == {}
    likely = np.array([[0.5, 0.3, 0.15, 0.05]], np.float32)
    sets = Multiclass(coverage=0.8, floor=0.2)
    (said,) = sets.say(likely, list("abcd"), 1)
    assert (said.labels, said.in_set) == (("a",), ("a", "b"))
    served = sets.served(tf.constant(likely), tf.constant(list("abcd")))
    assert served["set"].numpy().tolist() == [[b"a", b"b", b"", b""]]
    differs = sets.differs(list("abcd"))
    want = {"probabilities": likely}
    differs(want, want | {"set": np.array([[b"a", b"b", b"", b""]])})
    with pytest.raises(ValueError, match="gives the set"):
        differs(want, want | {"set": np.array([[b"a", b"", b"", b""]])})
    plain = Multiclass().served(tf.constant(likely), tf.constant(list("abcd")))
    assert set(plain) == {"classes", "scores"}
