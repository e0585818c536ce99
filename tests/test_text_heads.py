"""Which head texts get: candidates, their weights, and one that is kept."""

import numpy as np
import pytest
import scipy.special
from sklearn.linear_model import LogisticRegression
from test_baselines import LABELS, TEXTS

from tl_keras.baselines import (
    beside,
    class_words,
    fit_tfidf,
    joint,
    solve_beside,
)
from tl_keras.baselines.joint import solve_joint
from tl_keras.tasks.multiclass import choose_mixture
from tl_keras.tasks.multiclass.feature_scaling import feature_scales

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
    assert not any(array.any() for array in head.tfidf_weights())


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


def test_both_side_by_side_are_solved_as_scikit_learn_does():
    """One logistic regression on the concatenation, and its way back."""
    vectors = vectors_of(LABELS, 3, 2.0)
    baseline = fit_tfidf(TEXTS, LABELS)
    found = solve_joint(TEXTS, vectors, LABELS, baseline)
    weights = baseline.counts(TEXTS).toarray()
    rows = (vectors - vectors.mean(0)) / feature_scales(vectors, "one")
    rows /= np.sqrt((rows**2).sum())
    weights /= np.sqrt((weights**2).sum())
    together = np.hstack([rows, np.sqrt(found.share) * weights])
    together *= np.sqrt(len(TEXTS) / (1 + found.share))
    model = LogisticRegression(C=joint.STRENGTH, tol=1e-6, max_iter=1000)
    expected = model.fit(together, LABELS).predict_proba(together)
    logits = vectors @ found.kernel + found.bias
    logits += baseline.counts(TEXTS) @ found.tfidf_kernel
    likely = scipy.special.softmax(logits, axis=1)
    np.testing.assert_allclose(likely, expected, atol=5e-3)
    assert found.out_of_fold.shape == (21, 3)
    # Whoever judges a text has not seen it: a solution that has is all right.
    assert (likely.argmax(1) == LABELS).mean() >= (
        found.out_of_fold.argmax(1) == LABELS
    ).mean()


def test_two_classes_side_by_side_have_both_logits():
    two = np.flatnonzero(LABELS < 2)
    labels, texts = LABELS[two], [TEXTS[place] for place in two]
    found = solve_joint(
        texts, vectors_of(labels, 3, 2.0), labels, fit_tfidf(texts, labels)
    )
    np.testing.assert_allclose(found.kernel[:, 0], -found.kernel[:, 1])


def test_a_fold_without_a_class_judges_by_the_others(monkeypatch):
    """As groups may cut them: whoever it is, it is not the one left out."""
    last = np.flatnonzero(LABELS == 2)
    rest = np.flatnonzero(LABELS != 2)
    monkeypatch.setattr(joint, "_folds", lambda *_: [(rest, last)])
    found = solve_joint(
        TEXTS, vectors_of(LABELS, 3, 2.0), LABELS, fit_tfidf(TEXTS, LABELS)
    )
    judged = found.out_of_fold[last]
    np.testing.assert_array_equal(judged[:, 2], judged.min(axis=1))
    assert (judged[:, :2].max(axis=1) > judged[:, 2]).all()


def test_both_side_by_side_are_kept_where_they_cost_least(monkeypatch):
    """Whatever they are worth: their weights are among the head's."""
    vectors = vectors_of(LABELS, 3, 2.0)
    monkeypatch.setattr(beside, "CHOSEN", -10_000)
    head = solve_beside(TEXTS, vectors, LABELS)
    assert beside.JOINT in head.choice.kept.names
    asked = ["I lost it", "where is it"]
    kept = dict(
        zip(head.choice.kept.names, head.choice.kept.weights, strict=True)
    )
    solved = head.joint
    expected = kept[beside.JOINT] * (
        vectors[:2] @ solved.kernel
        + head.baseline.counts(asked) @ solved.tfidf_kernel
        + solved.bias
    )
    expected += kept.get("encoder", 0) * head.probe.outputs(vectors[:2])
    expected += kept.get("tf-idf", 0) * head.baseline.outputs(asked)
    np.testing.assert_allclose(
        head.outputs(asked, vectors[:2]), expected, atol=1e-5
    )
    judged = kept[beside.JOINT] * solved.out_of_fold[head.baseline.judged]
    assert head.out_of_fold.shape == judged.shape


def test_many_texts_have_no_head_side_by_side(monkeypatch):
    monkeypatch.setattr(joint, "MAX_TEXTS", 20)
    head = solve_beside(TEXTS, vectors_of(LABELS, 3, 2.0), LABELS)
    assert head.joint is None
    monkeypatch.setattr(joint, "MAX_TEXTS", 21)
    monkeypatch.setattr(joint, "MAX_WORK", 62)
    head = solve_beside(TEXTS, vectors_of(LABELS, 3, 2.0), LABELS)
    assert head.joint is None


def test_a_number_that_was_chosen_before_counts_as_a_weight_does(many):
    outputs = {"a": noisy(many, 0.8, 1), "b": noisy(many, 0.8, 2)}
    plain = choose_mixture(outputs, many)
    counted = choose_mixture(outputs, many, {"a": 3})
    for one, other in zip(
        sorted(plain.candidates), sorted(counted.candidates), strict=True
    ):
        more = 3 / len(many) if "a" in one.names else 0
        assert other.cost == pytest.approx(one.cost + more)


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
