"""TF-IDF and logistic regression."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tl_keras.baselines import fit_tfidf, tfidf

THINGS = ("card", "money", "account", "phone", "ticket", "letter", "house")
VERBS = (("lost my {}", 0), ("where is the {}", 1), ("buying a new {}", 2))
TEXTS = [verb.format(thing) for verb, _ in VERBS for thing in THINGS]
LABELS = [label for _, label in VERBS for _ in THINGS]


@pytest.fixture(scope="module")
def baseline():
    return fit_tfidf(TEXTS, LABELS)


def test_it_learns_and_says_what_it_is_worth(baseline):
    assert baseline.accuracy == 1.0
    found = baseline.probabilities(["I lost the bag", "where was it"])
    assert found.argmax(axis=1).tolist() == [0, 1]
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert "TF-IDF of words" in baseline.how()


def test_out_of_fold_answers_are_those_of_the_accuracy(baseline):
    assert baseline.out_of_fold.shape == (21, 3)
    assert baseline.judged.tolist() == list(range(21))
    right = baseline.out_of_fold.argmax(axis=1) == LABELS
    assert right.mean() == baseline.accuracy
    own = baseline.out_of_fold[np.arange(21), LABELS]
    assert baseline.loss == pytest.approx(-np.log(own).mean())


def test_labels_that_say_nothing_are_not_predicted_out_of_fold():
    """No text is judged by a model that has seen it."""
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(list("abcdefghijklmnop"), 5))
             for _ in range(120)]  # fmt: skip
    baseline = fit_tfidf(texts, draw.integers(0, 2, 120))
    assert baseline.accuracy < 0.65


def test_spelling_is_seen_by_characters():
    """No word of a held-out text stands in any other."""
    texts = [f"{stem}{end}" for end in ("tion", "ment")
             for stem in ("ak", "bel", "cor", "dun", "fes", "gil")]  # fmt: skip
    baseline = fit_tfidf(texts, np.repeat([0, 1], 6))
    assert baseline.kind == tfidf.BOTH
    assert baseline.accuracy == 1.0


def test_words_that_speak_for_a_class(baseline):
    assert "lost" in baseline.words_for(0, 4)
    two = fit_tfidf(TEXTS[:14], LABELS[:14])
    assert "lost" in two.words_for(0, 4)
    assert "where" in two.words_for(1, 4)


@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_the_logistic_regression_of_all_features(classes, monkeypatch):
    """Solved on as many numbers as there are texts; without that as well."""
    count = 7 * classes
    texts, labels = TEXTS[:count], LABELS[:count]
    features = tfidf._Counts(tfidf.BOTH, texts).of(texts)
    plain = LogisticRegression(C=10.0, tol=1e-6, max_iter=1000)
    expected = plain.fit(features, labels).predict_proba(features)
    (fitted,) = tfidf._fitted(features, np.array(labels), [10.0])
    np.testing.assert_allclose(fitted.answers(features), expected, atol=0.01)
    monkeypatch.setattr(tfidf, "MAX_DENSE", 0)
    (fitted,) = tfidf._fitted(features, np.array(labels), [10.0])
    np.testing.assert_allclose(fitted.answers(features), expected, atol=0.01)


def test_a_class_of_one_text_is_fitted_without_folds():
    baseline = fit_tfidf(["lost it", "where is it"], [0, 1])
    assert np.isnan(baseline.accuracy)
    assert baseline.out_of_fold is None
    assert baseline.probabilities(["lost"]).argmax() == 0


def test_groups_are_not_torn_apart():
    """Each text stands there twice, under a label that is a coin's."""
    draw = np.random.default_rng(1)
    texts = [f"word{n} other{n}" for n in range(40)] * 2
    labels = np.tile(draw.integers(0, 2, 40), 2)
    groups = [f"{n}" for n in range(40)] * 2
    torn, kept = (
        fit_tfidf(texts, labels),
        fit_tfidf(texts, labels, groups=groups),
    )
    assert torn.accuracy > 0.8
    assert kept.accuracy < 0.75


def test_of_many_texts_a_part_chooses(monkeypatch):
    monkeypatch.setattr(tfidf, "MAX_TO_CHOOSE", 12)
    baseline = fit_tfidf(TEXTS, LABELS)
    assert baseline.judged.tolist() == list(range(21))
    right = baseline.out_of_fold.argmax(axis=1) == LABELS
    assert right.mean() == baseline.accuracy
    monkeypatch.setattr(tfidf, "MAX_DENSE", 20)
    baseline = fit_tfidf(TEXTS, LABELS)
    assert baseline.out_of_fold.shape == (12, 3)
    own = np.array(LABELS)[baseline.judged]
    assert np.bincount(own).tolist() == [4, 4, 4]
    right = baseline.out_of_fold.argmax(axis=1) == own
    assert right.mean() == baseline.accuracy > 0.5


def test_the_same_call_gives_the_same_answers(baseline):
    again = fit_tfidf(TEXTS, LABELS)
    np.testing.assert_array_equal(
        again.probabilities(TEXTS), baseline.probabilities(TEXTS)
    )
