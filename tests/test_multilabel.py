"""tasks.multilabel: several labels an example; numbers known in advance."""

import keras
import numpy as np
import pytest
import scipy.special
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from tl_keras.tasks import stored_task
from tl_keras.tasks.multilabel import evaluation, head
from tl_keras.tasks.multilabel.f1_thresholds import best_thresholds
from tl_keras.tasks.multilabel.label_sets import cut_by_label_sets
from tl_keras.tasks.multilabel.losses import LOSSES, label_loss
from tl_keras.tasks.multilabel.task import Multilabel
from tl_keras.tasks.values import Said

NAMES = ["cat", "dog", "eel"]
RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(120, 6)).astype(np.float32)
WEIGHTS = RANDOM.normal(size=(6, 3))
TARGETS = (FEATURES @ WEIGHTS + RANDOM.normal(size=(120, 3)) > 0.5).astype(int)
LIKELY = scipy.special.expit(FEATURES @ WEIGHTS - 0.5).astype(np.float32)


# The head.


@pytest.mark.parametrize("rows", [120, 5])
def test_the_head_is_what_scikit_learn_finds(rows):
    """Also with fewer examples than features, label by label."""
    x = FEATURES[:rows].astype(np.float64)
    y = TARGETS[:rows].astype(np.float64)
    y[0], y[1] = 1, 0
    ours = head.solve(x, y, np.ones(3), 0.3, head.EXACT)
    for label in range(3):
        theirs = LogisticRegression(C=0.3, tol=1e-10, max_iter=5000)
        theirs.fit(x, y[:, label])
        np.testing.assert_allclose(
            ours[0][label], theirs.coef_[0], rtol=1e-3, atol=1e-4
        )
        assert ours[1][label] == pytest.approx(theirs.intercept_[0], abs=1e-3)


def test_positive_weights_are_sample_weights():
    ours = head.solve(
        FEATURES.astype(float), TARGETS.astype(float), np.full(3, 4.0), 0.3,
        head.EXACT,
    )  # fmt: skip
    theirs = LogisticRegression(C=0.3, tol=1e-10, max_iter=5000).fit(
        FEATURES, TARGETS[:, 0], sample_weight=1 + 3 * TARGETS[:, 0]
    )
    np.testing.assert_allclose(ours[0][0], theirs.coef_[0], rtol=1e-3)


def test_a_label_that_is_never_or_always_there_has_a_bias_alone():
    targets = TARGETS.copy()
    targets[:, 0], targets[:, 1] = 0, 1
    found = head.solve_labels(FEATURES, targets)
    outputs = found.outputs(FEATURES)
    assert np.ptp(outputs[:, :2], axis=0).max() < 1e-6
    assert (outputs[:, 0] < -2).all()
    assert (outputs[:, 1] > 2).all()
    assert np.ptp(outputs[:, 2]) > 1


def test_views_and_groups_stay_together_in_the_folds():
    rows = np.repeat(TARGETS[:20], 3, axis=0)
    for groups in (None, [f"g{i // 4}" for i in range(20)]):
        for fitted, judged in head.cut_folds(rows, 3, groups):
            assert set(fitted // 3).isdisjoint(judged // 3)
            if groups:
                of = np.array(groups)
                assert set(of[fitted // 3]).isdisjoint(of[judged // 3])


def test_noise_is_penalised_more_than_what_says_something():
    said = head.solve_labels(FEATURES, TARGETS)
    noise = head.solve_labels(
        FEATURES, np.random.default_rng(7).integers(0, 2, (120, 3))
    )
    assert np.abs(noise.kernel).max() < np.abs(said.kernel).max() / 4
    assert "one scale" in said.how()


# Loss.


@pytest.mark.parametrize("kind", LOSSES)
def test_losses_fall_where_the_model_is_right(kind):
    targets = np.array([[1.0, 0.0]], np.float32)
    right, wrong = [[4.0, -4.0]], [[-4.0, 4.0]]
    loss = label_loss(kind)
    values = [float(loss(targets, np.float32(z))[0]) for z in (right, wrong)]
    assert values[0] < 0.05 < 1 < values[1]


def test_cross_entropy_is_keras_own_and_weights_count_what_is_there():
    targets = TARGETS[:8].astype(np.float32)
    logits = np.random.default_rng(7).normal(size=(8, 3)).astype(np.float32)
    plain = label_loss()(targets, logits)
    theirs = keras.losses.binary_crossentropy(targets, logits, from_logits=True)
    np.testing.assert_allclose(plain, theirs, rtol=1e-5)
    heavy = label_loss(positive_weights=[2.0, 2.0, 2.0])(targets, logits)
    there = targets * np.logaddexp(0, -logits)
    np.testing.assert_allclose(heavy - plain, there.mean(axis=1), rtol=1e-4)
    focal = label_loss("focal")(targets, logits)
    assert (np.asarray(focal) < np.asarray(plain)).all()


# Thresholds.


def test_the_threshold_is_that_of_the_highest_f1():
    found = best_thresholds(LIKELY, TARGETS)
    for label in range(3):
        p, y = LIKELY[:, label], TARGETS[:, label]
        best = max(sk.f1_score(y, p >= t) for t in [*p, 0.5])
        assert sk.f1_score(y, p >= found[label]) == pytest.approx(best)


@pytest.mark.parametrize("truth", [0, 1])
def test_a_label_without_both_answers_keeps_the_usual_threshold(truth):
    targets = np.full((10, 1), truth)
    assert best_thresholds(LIKELY[:10, :1], targets) == [0.5]


def test_a_perfect_rank_is_cut_in_the_middle():
    likely = np.array([[0.1], [0.2], [0.3], [0.4]], np.float32)
    found = best_thresholds(likely, np.array([[0], [0], [1], [1]]))
    assert found[0] == pytest.approx(0.25)


# Metrics.


def test_metrics_are_scikit_learns():
    cuts = np.array([0.5, 0.4, 0.6], np.float32)
    found = evaluation.count(LIKELY, TARGETS, NAMES, cuts)
    given = np.greater_equal(LIKELY, cuts)
    m = found.metrics
    assert m["map"] == pytest.approx(
        sk.average_precision_score(TARGETS, LIKELY, average="macro")
    )
    assert m["macro_f1"] == pytest.approx(
        sk.f1_score(TARGETS, given, average="macro")
    )
    assert m["micro_f1"] == pytest.approx(
        sk.f1_score(TARGETS, given, average="micro")
    )
    assert m["hamming"] == pytest.approx(sk.hamming_loss(TARGETS, given))
    assert m["exact_match"] == pytest.approx(sk.accuracy_score(TARGETS, given))
    assert m["loss"] == pytest.approx(
        np.mean([sk.log_loss(TARGETS[:, i], LIKELY[:, i]) for i in range(3)]),
        rel=1e-5,
    )
    for name in ("map", "macro_f1", "micro_f1", "exact_match"):
        low, high = m[f"{name}_interval"]
        assert low < m[name] < high
    assert m["per_label"]["dog"]["threshold"] == pytest.approx(0.4)
    assert m["per_label"]["dog"]["support"] == TARGETS[:, 1].sum()


def test_average_precision_counts_ties_and_weights_as_scikit_learn():
    likely = np.random.default_rng(7).integers(0, 4, (30, 1)) / 4.0
    truth = np.random.default_rng(7).integers(0, 2, (30, 1)).astype(bool)
    counts = np.random.default_rng(7).integers(0, 3, (2, 30))
    found = evaluation.average_precisions(likely, truth, counts)
    for row, weights in zip(found, counts, strict=True):
        expected = sk.average_precision_score(
            truth[:, 0], likely[:, 0], sample_weight=weights
        )
        assert row[0] == pytest.approx(expected)


def test_a_label_that_is_never_there_has_no_precision_and_costs_none():
    targets = TARGETS.copy()
    targets[:, 2] = 0
    cuts = np.full(3, 0.5)
    found = evaluation.count(LIKELY, targets, NAMES, cuts).metrics
    assert found["per_label"]["eel"]["ap"] is None
    rest = evaluation.count(
        LIKELY[:, :2], targets[:, :2], NAMES[:2], cuts[:2]
    ).metrics
    assert found["map"] == rest["map"]


def test_labels_in_each_others_place_are_told():
    truth = np.array([[1, 0, 0]] * 3 + [[0, 1, 0]], bool)
    given = np.array([[0, 1, 0]] * 2 + [[1, 0, 0], [0, 1, 1]], bool)
    assert evaluation.confused_company(truth, given, NAMES) == [
        {"missing": "cat", "instead": "dog", "count": 2, "of": 3}
    ]


def test_shapes_and_nan_are_refused():
    cuts = np.full(3, 0.5)
    with pytest.raises(ValueError, match="expected answers and targets"):
        evaluation.count(LIKELY[:, :2], TARGETS, NAMES, cuts)
    with pytest.raises(ValueError, match="hold NaN"):
        evaluation.count(LIKELY * np.nan, TARGETS, NAMES, cuts)


# Stratification.


def test_each_label_has_its_share_in_each_part():
    random = np.random.default_rng(1)
    targets = (random.random((400, 5)) < [0.5, 0.3, 0.1, 0.05, 0.02]).astype(
        int
    )
    shares = [0.7, 0.15, 0.15]
    part = cut_by_label_sets(targets, shares, seed=3)
    assert set(part) == {0, 1, 2}
    for label in range(5):
        members = targets[:, label] == 1
        found = np.bincount(part[members], minlength=3)
        assert np.abs(found - np.multiply(shares, members.sum())).max() <= 2
    sizes = np.bincount(part)
    assert np.abs(sizes - np.multiply(shares, 400)).max() <= 8
    again = cut_by_label_sets(targets, shares, seed=3)
    assert (part == again).all()
    assert (part != cut_by_label_sets(targets, shares, seed=4)).any()


# The task.


def task_and_outputs():
    logits = (FEATURES @ WEIGHTS - 0.5).astype(np.float32)
    return Multilabel(), logits


def test_calibration_finds_planted_temperatures_and_keeps_thresholds():
    random = np.random.default_rng(2)
    logits = random.normal(0, 2, (4000, 2))
    targets = (random.random((4000, 2)) < scipy.special.expit(logits)).astype(
        int
    )
    found = Multilabel().calibrate(logits * [3.0, 0.5], targets)
    np.testing.assert_allclose(found.divisor, [3.0, 0.5], rtol=0.1)
    assert len(found.task.thresholds) == 2
    assert found.numbers["thresholds"] == list(found.task.thresholds)
    plain = Multilabel().calibrate(logits, targets, confidence=False)
    assert (plain.divisor == 1).all()
    assert plain.task.thresholds is not None
    names = ["a", "b"]
    kept = found.task.count(logits, targets, names)
    numbers = found.task.trust(kept, found)
    assert numbers["ece"] < 0.03 < numbers["ece_before"]


def test_what_an_export_holds_makes_the_same_task():
    task = Multilabel(thresholds=[0.25, 0.5])
    again = stored_task(task.stored())
    assert again == task
    assert stored_task(Multilabel().stored()) == Multilabel()
    with pytest.raises(ValueError, match="one for each of 3 labels"):
        task.differs(NAMES)


def test_labels_are_said_by_their_own_thresholds():
    task = Multilabel(thresholds=[0.2, 0.9, 0.5])
    rows = np.array([[0.3, 0.8, 0.6], [0.1, 0.1, 0.1]], np.float32)
    first, second = task.say(rows, NAMES, top_k=1)
    assert first.labels == ("eel", "cat")
    assert first.scores == (0.6, 0.3)
    assert second.labels == ()


def test_answers_differ_where_another_label_is_given():
    task = Multilabel()
    differs = task.differs(NAMES)
    want = np.array([[0.9, 0.2, 0.50001], [0.9, 0.2, 0.1]], np.float32)
    found = want.copy()
    found[0, 2] = 0.49999
    difference = differs({"probabilities": want}, {"probabilities": found},
                         np.array([[1, 0, 1], [1, 0, 0]]))  # fmt: skip
    assert difference.changed.tolist() == [True, False]
    assert difference.words(0) == ("cat|eel", "cat")
    assert difference.ties(1e-3).tolist() == [True, False]
    assert difference.ties(1e-6).tolist() == [False, False]
    assert [one.tolist() for one in difference.right] == [
        [True, True], [False, True],
    ]  # fmt: skip
    served = np.array([[b"cat", b"", b"eel"], [b"cat", b"", b""]])
    differs({"probabilities": want}, {"probabilities": want, "labels": served})
    with pytest.raises(ValueError, match="gives the labels"):
        differs(
            {"probabilities": want},
            {"probabilities": want, "labels": served[::-1]},
        )


def test_a_version_of_lower_map_is_worse_and_labels_go_by_name():
    task, logits = task_and_outputs()
    good = scipy.special.expit(logits)
    noise = np.random.default_rng(7).random(good.shape).astype(np.float32)
    ids = [str(i) for i in range(len(good))]
    old = Said(NAMES, good, 0.0, task)
    same = Said(NAMES, good, 0.0)
    assert not task.judge(ids, TARGETS, NAMES, old, same).worse
    turned = Said(NAMES[::-1], good[:, ::-1], 0.0, task)
    assert task.judge(ids, TARGETS, NAMES, turned, same).rows == []
    verdict = task.judge(ids, TARGETS, NAMES, old, Said(NAMES, noise, 0.0))
    assert verdict.worse
    assert verdict.found["verdict"] == "worse"
    assert verdict.found["p_value"] < 0.01
    assert {row["change"] for row in verdict.rows} <= {"won", "lost", "other"}
    assert set(verdict.rows[0]) == set(verdict.columns)


def test_choices_are_checked():
    with pytest.raises(ValueError, match="loss_kind='hinge'"):
        Multilabel(loss_kind="hinge")
    with pytest.raises(ValueError, match="label_smoothing=2"):
        Multilabel(label_smoothing=2)
