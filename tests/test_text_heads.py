"""Which head texts get: candidates, their weights, and one that is kept."""

import numpy as np
import pytest
import scipy.special
from test_baselines import LABELS, TEXTS

from tl_keras.baselines import class_words, solve_beside
from tl_keras.tasks.multiclass import choose_mixture

LABELS = np.array(LABELS)


def noisy(labels, right, seed=0, classes=3):
    """Logits that are right so often, and as sure as that."""
    draw = np.random.default_rng(seed)
    hit = draw.random(len(labels)) < right
    said = np.where(hit, labels, (labels + 1) % classes)
    sure = np.log(right * (classes - 1) / (1 - right))
    return sure * np.eye(classes)[said] + draw.normal(0, 0.1, (len(said), 3))


@pytest.fixture(scope="module")
def many():
    return np.random.default_rng(7).integers(0, 3, 900)


def test_two_that_know_different_things_are_better_together(many):
    outputs = {"a": noisy(many, 0.8, 1), "b": noisy(many, 0.8, 2)}
    choice = choose_mixture(outputs, many)
    assert choice.kept.names == ("a", "b")
    np.testing.assert_allclose(choice.kept.weights, 1, atol=0.2)
    logits = choice.kept.of(outputs)
    logs = scipy.special.log_softmax(logits, axis=1)
    loss = -logs[np.arange(900), many].mean()
    assert loss == pytest.approx(choice.kept.loss, abs=0.02)
    assert choice.kept.accuracy == (logits.argmax(1) == many).mean()
    alone = [each for each in choice.candidates if len(each.names) == 1]
    assert all(each.loss > choice.kept.loss for each in alone)


def test_what_knows_nothing_has_no_part(many):
    draw = np.random.default_rng(3)
    outputs = {"a": noisy(many, 0.8, 1), "b": draw.normal(size=(900, 3))}
    choice = choose_mixture(outputs, many)
    assert choice.kept.names == ("a",)
    assert choice.weight("a") > 0.5
    assert choice.weight("b") == 0
    assert "(kept)" in choice.lines()[0]
    assert len(choice.lines()) == 3


def test_a_candidate_that_is_too_sure_gets_a_weight_that_mends_it(many):
    choice = choose_mixture({"a": 5 * noisy(many, 0.8, 1)}, many)
    assert choice.kept.weights[0] == pytest.approx(0.2, abs=0.04)


def test_few_examples_that_are_all_right_are_not_made_sure_without_end():
    labels = np.array([0, 1, 2] * 3)
    choice = choose_mixture({"a": np.eye(3)[labels]}, labels)
    likely = scipy.special.softmax(choice.kept.of({"a": np.eye(3)}), axis=1)
    assert likely.max() < 0.95


def vectors_of(labels, seed, apart):
    """Vectors of an encoder that knows so much."""
    draw = np.random.default_rng(seed)
    return (apart * np.eye(3)[labels] + draw.normal(size=(len(labels), 3))) @ (
        draw.normal(size=(3, 6))
    )


def test_texts_that_words_decide_get_the_head_of_words():
    vectors = np.random.default_rng(0).normal(size=(21, 6))
    head = solve_beside(TEXTS, vectors, LABELS)
    assert "tf-idf" in head.choice.kept.names
    assert head.choice.kept.accuracy == 1.0
    found = head.outputs(["I lost it", "where is it"], vectors[:2])
    assert found.argmax(axis=1).tolist() == [0, 1]


def test_vectors_that_decide_get_the_head_of_the_encoder():
    draw = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], 20)
    texts = [" ".join(draw.choice(list("abcdefgh"), 4)) for _ in labels]
    vectors = vectors_of(labels, 2, 9.0)
    head = solve_beside(texts, vectors, labels)
    assert head.choice.kept.names == ("encoder",)
    assert head.choice.kept.accuracy > 0.9
    kernel, bias = head.encoder_weights()
    np.testing.assert_allclose(
        head.outputs(texts, vectors), vectors @ kernel + bias, rtol=1e-6
    )
    assert head.weights() == (1.0, 0.0)


def test_names_that_are_near_their_texts_count_with_few_labels():
    """The class's own direction, which two noisy texts a class do not tell."""
    draw = np.random.default_rng(5)
    axes = np.eye(12)[:3]
    labels = np.repeat([0, 1, 2], 4)
    vectors = axes[labels] + draw.normal(0, 0.5, (12, 12))
    texts = [" ".join(draw.choice(list("abcdefgh"), 4)) for _ in labels]
    head = solve_beside(texts, vectors, labels, name_vectors=3 * axes)
    assert "class names" in head.choice.kept.names
    new = np.repeat([0, 1, 2], 200)
    asked = axes[new] + draw.normal(0, 0.5, (600, 12))
    without = solve_beside(texts, vectors, labels)
    words = ["a"] * 600
    right = [
        (each.outputs(words, asked).argmax(1) == new).mean()
        for each in (head, without)
    ]
    assert right[0] > right[1] + 0.02


def test_a_class_of_one_text_leaves_nothing_to_choose_by():
    assert solve_beside(["a b", "c d"], np.eye(2), [0, 1]) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("card_arrival", "card arrival"),
        ("Refund_not_showing_up", "Refund not showing up"),
        ("lostCard", "lost Card"),
        ("a-b/c  d", "a b c d"),
        ("SPAM", "SPAM"),
        ("\u00e9t\u00e9", "\u00e9t\u00e9"),
    ],
)
def test_a_name_becomes_words(name, words):
    assert class_words(name) == words
