"""evaluation.py: numbers checked by hand and against scikit-learn."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_keras.tasks.multiclass import evaluation
from tl_keras.tasks.multiclass.evaluation import (
    evaluate_classifier,
    wilson_interval,
)


def count(probabilities, labels, class_names):
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities)
    return evaluation.count(logs, labels, class_names)


def test_a_case_counted_by_hand():
    probabilities = np.array(
        [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.5, 0.5]]
    )
    labels = np.array([0, 0, 0, 1, 1])
    result = count(probabilities, labels, ["cat", "dog"])
    metrics = result.metrics
    assert result.predicted.tolist() == [0, 0, 1, 1, 0]
    assert result.confusion.tolist() == [[2, 1], [1, 1]]
    assert metrics["accuracy"] == pytest.approx(3 / 5)
    expected = -np.mean(np.log([0.9, 0.8, 0.4, 0.7, 0.5]))
    assert metrics["loss"] == pytest.approx(expected)
    assert metrics["per_class"]["cat"] == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "support": 3,
    }
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert "top_5_accuracy" not in metrics


def test_wilson_interval_is_the_textbooks():
    # 8 of 10: z = 1.95996, centre and half width by Wilson's formula.
    low, high = wilson_interval(8, 10)
    assert low == pytest.approx(0.490162, abs=1e-5)
    assert high == pytest.approx(0.943318, abs=1e-5)
    assert wilson_interval(10, 10)[1] == 1.0


def test_top_5_where_there_are_more_than_five():
    probabilities = np.eye(7)[[6, 6]] * 0.4 + np.linspace(0, 0.12, 7)[::-1]
    probabilities /= probabilities.sum(-1, keepdims=True)
    # Ranked 6, 0, 1, 2, 3 | 4, 5: label 3 is in the best five, 5 is not.
    metrics = count(probabilities, np.array([3, 5]), "abcdefg").metrics
    assert metrics["top_5_accuracy"] == 0.5


def test_the_f1_interval_holds_the_value_and_narrows():
    random = np.random.default_rng(0)
    widths = []
    for size in (50, 5000):
        labels = random.integers(0, 3, size)
        guess = np.where(random.random(size) < 0.8, labels, (labels + 1) % 3)
        metrics = count(np.eye(3)[guess], labels, "abc").metrics
        low, high = metrics["macro_f1_interval"]
        assert low < metrics["macro_f1"] < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5


def test_a_thousand_classes_are_counted():
    labels = np.arange(1000)
    metrics = count(np.eye(1000), labels, [str(i) for i in labels]).metrics
    assert metrics["accuracy"] == metrics["macro_f1"] == 1.0


@pytest.fixture
def batches():
    random = np.random.default_rng(0)
    x = random.normal(size=(13, 4)).astype(np.float32)
    y = (np.arange(13) % 3).astype(np.int32)
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(4)


def make_model(activation) -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, activation=activation)]
    )


def test_every_example_counts_in_order(batches):
    model = make_model(None)
    result = evaluate_classifier(model, batches, class_names="abc")
    assert result.metrics["examples"] == 13
    assert result.labels.tolist() == [i % 3 for i in range(13)]
    x = np.concatenate([x for x, _ in batches])
    logits = model.predict(x, verbose=0)
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(result.probabilities, expected, rtol=1e-4)


def test_probabilities_are_taken_as_they_are(batches):
    results = [
        evaluate_classifier(
            make_model(activation), batches, class_names="abc",
            from_logits=activation is None,
        )
        for activation in (None, "softmax")
    ]  # fmt: skip
    np.testing.assert_allclose(
        results[0].probabilities, results[1].probabilities, rtol=1e-4
    )


def test_no_examples_is_an_error(batches):
    with pytest.raises(ValueError, match="at least one batch"):
        evaluate_classifier(
            make_model(None), batches.take(0), class_names="abc"
        )


@pytest.mark.parametrize(
    ("outputs", "labels", "names", "expected"),
    [
        ((4, 3), (4,), "ab", "expected outputs of shape"),
        ((4, 1), (4,), "ab", "expected outputs of shape"),
        ((4, 2), (4, 1), "ab", "expected outputs of shape"),
        ((4, 2), (4,), "aa", "a name twice"),
    ],
)
def test_what_does_not_match_is_told(outputs, labels, names, expected):
    with pytest.raises(ValueError, match=expected):
        evaluation.count(
            np.full(outputs, -1.0), np.zeros(labels, int), list(names)
        )


def test_nan_and_forgotten_logits_are_told(batches):
    with pytest.raises(ValueError, match="hold NaN"):
        evaluation.count(np.full((2, 2), np.nan), np.zeros(2, int), "ab")
    with pytest.raises(ValueError, match="from_logits=False"):
        evaluate_classifier(make_model("softmax"), batches, class_names="abc")


def test_a_very_wrong_answer_is_not_capped(batches):
    keras.utils.set_random_seed(0)
    model = make_model(None)
    model.layers[0].bias.assign([3000.0, 0.0, 0.0])
    loss = evaluate_classifier(model, batches, class_names="abc").metrics[
        "loss"
    ]
    assert loss == pytest.approx(3000 * 8 / 13, rel=0.01)


def test_a_class_that_is_nowhere_has_no_f1():
    probabilities = np.eye(3)[[0, 0, 1]]
    labels = np.array([0, 0, 1])
    metrics = count(probabilities, labels, ["a", "b", "never"]).metrics
    assert metrics["macro_f1"] == 1.0
    assert metrics["macro_f1_interval"] == [1.0, 1.0]
    # Predicted once and never there: that is an F1 of 0.
    metrics = count(probabilities, np.array([0, 0, 0]), ["a", "b", "c"]).metrics
    assert metrics["macro_f1"] == pytest.approx((0.8 + 0) / 2)


def test_one_example_of_positive_logits_is_no_probability():
    x = keras.Input((1,))
    model = keras.Model(x, keras.layers.Dense(2, use_bias=True)(x))
    model.layers[-1].set_weights([np.array([[3.0, 1.5]]), np.array([0.0, 0.0])])
    data = tf.data.Dataset.from_tensor_slices(([[1.0]], [0])).batch(1)
    found = evaluate_classifier(model, data, class_names=["a", "b"])
    assert found.metrics["accuracy"] == 1.0
