"""tasks.regression and tasks.conformal: numbers known in advance."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from sklearn import metrics as sk
from sklearn.linear_model import Ridge

from tl_keras.tasks import conformal, stored_task
from tl_keras.tasks.bootstrap import paired
from tl_keras.tasks.regression import evaluation, ridge
from tl_keras.tasks.regression.quantiles import cut_by_quantiles
from tl_keras.tasks.regression.task import LOSSES, Regression
from tl_keras.tasks.values import Said

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(90, 6)).astype(np.float32)
TRUTH = FEATURES @ RANDOM.normal(size=(6, 2)) + RANDOM.normal(0, 0.3, (90, 2))
AGES = 40 + 10 * TRUTH  # in a unit of its own
NAMES = ["age", "height"]


# The head.


@pytest.mark.parametrize(("rows", "width"), [(90, 6), (4, 6)])
def test_the_head_is_what_scikit_learn_finds(rows, width):
    """Also with fewer examples than features."""
    x = FEATURES[:rows, :width].astype(np.float64)
    y = TRUTH[:rows]
    centred = x - x.mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False)
    alive = singular[singular > 1e-10 * singular.max()]
    strength = 0.4
    ours, intercept = ridge.ridge(x, y, [strength])
    alpha = strength * (alive**2).sum() / len(alive)
    theirs = Ridge(alpha=alpha).fit(x, y)
    np.testing.assert_allclose(ours[0].T, theirs.coef_, atol=1e-9)
    np.testing.assert_allclose(intercept, theirs.intercept_, atol=1e-9)


def test_all_strengths_are_solved_as_each_alone():
    many, intercepts = ridge.ridge(FEATURES, TRUTH, [0.1, 10.0])
    for place, strength in enumerate((0.1, 10.0)):
        alone, intercept = ridge.ridge(FEATURES, TRUTH, [strength])
        np.testing.assert_allclose(many[place], alone[0])
        np.testing.assert_allclose(intercepts[place], intercept)


def test_noise_is_penalised_to_the_mean():
    noise = np.random.default_rng(7).normal(size=(90, 1))
    found = ridge.solve_ridge(FEATURES, noise)
    assert found.strength > 5
    assert np.abs(found.outputs(FEATURES) - noise.mean()).max() < 0.3
    said = ridge.solve_ridge(FEATURES, TRUTH)
    assert said.strength < 1
    assert sk.r2_score(TRUTH, said.outputs(FEATURES)) > 0.9


def test_views_and_groups_stay_together_in_the_folds():
    rows = np.repeat(TRUTH[:20], 3, axis=0)
    for groups in (None, [f"g{i // 4}" for i in range(20)]):
        folds = ridge.cut_folds(rows, 3, groups)
        assert len(folds) == 5
        for fitted, judged in folds:
            assert set(fitted // 3).isdisjoint(judged // 3)
            if groups:
                of = np.array(groups)
                assert set(of[fitted // 3]).isdisjoint(of[judged // 3])
    assert ridge.cut_folds(TRUTH[:1], 1, None) == []


# Metrics.


def test_metrics_are_scikit_learns():
    values = AGES + np.random.default_rng(7).normal(0, 3, AGES.shape)
    m = evaluation.count(values, AGES, NAMES).metrics
    assert m["mae"] == pytest.approx(sk.mean_absolute_error(AGES, values))
    assert m["r2"] == pytest.approx(sk.r2_score(AGES, values))
    assert m["rmse"] == pytest.approx(sk.root_mean_squared_error(AGES, values))
    median = sk.median_absolute_error(AGES, values)
    assert m["median_error"] == pytest.approx(median)
    for name in evaluation.NUMBERS:
        low, high = m[f"{name}_interval"]
        assert low < m[name] < high
    assert m["per_target"]["age"]["mae"] == pytest.approx(
        np.abs(values - AGES)[:, 0].mean()
    )


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    held = 0
    for seed in range(40):
        errors = np.random.default_rng(seed).normal(0, 1, (60, 1))
        m = evaluation.count(errors, np.zeros((60, 1)), ["x"]).metrics
        low, high = m["mae_interval"]
        held += low <= np.sqrt(2 / np.pi) <= high
    assert held >= 33


def test_targets_that_are_all_alike_have_no_r2():
    far = np.full((5, 1), 1e6)
    m = evaluation.count(far + 1, far, ["x"]).metrics
    assert (m["r2"], m["mae"]) == (0.0, 1.0)


def test_shapes_and_nan_are_refused():
    with pytest.raises(ValueError, match="expected answers and targets"):
        evaluation.count(AGES, AGES[:, :1], NAMES)
    with pytest.raises(ValueError, match="hold NaN"):
        evaluation.count(AGES * np.nan, AGES, NAMES)


# Splits.


def test_each_part_has_small_and_large_numbers():
    random = np.random.default_rng(1)
    values = random.lognormal(0, 1, 200)
    shares = [0.7, 0.15, 0.15]
    part = cut_by_quantiles(values, shares, seed=1)
    assert np.bincount(part).tolist() == [140, 30, 30]
    whole = np.quantile(values, [0.25, 0.5, 0.75])
    for number in range(3):
        found = np.quantile(values[part == number], [0.25, 0.5, 0.75])
        np.testing.assert_allclose(found, whole, rtol=0.3)
    assert (part == cut_by_quantiles(values, shares, seed=1)).all()
    assert (part != cut_by_quantiles(values, shares, seed=2)).any()
    both = cut_by_quantiles(AGES, shares, seed=1)
    assert np.abs(np.bincount(both) - np.multiply(shares, 90)).max() <= 1


# Conformal prediction.


def test_the_margin_is_the_score_of_the_new_ones_place():
    errors = np.arange(1.0, 20.0)  # 19 of them: the new one is the 20th.
    assert conformal.interval_margin(errors, 0.9) == 18
    assert conformal.interval_margin(errors[:9], 0.9) == 9
    assert conformal.interval_margin(errors[:8], 0.9) == np.inf


def test_intervals_and_sets_hold_as_many_as_they_say():
    """The mean over many splits; each split alone may be off by more."""
    random, held, sizes, in_set = np.random.default_rng(0), [], [], []
    for _ in range(300):
        errors = np.abs(random.standard_t(3, 160))
        margin = conformal.interval_margin(errors[:60], 0.9)
        held.append((errors[60:] <= margin).mean())
        rows = random.dirichlet(np.ones(4), 160)
        labels = np.array([random.choice(4, p=row) for row in rows])
        floor = conformal.set_floor(rows[:60], labels[:60], 0.9)
        own = rows[np.arange(160), labels]
        in_set.append((own[60:] >= floor).mean())
        sizes.append((rows[60:] >= floor).sum(axis=1).mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.015)
    assert np.mean(in_set) == pytest.approx(0.9, abs=0.015)
    assert 1 < np.mean(sizes) < 4


def test_too_few_examples_take_all_classes():
    rows = np.full((5, 4), 0.25)
    assert conformal.set_floor(rows, np.zeros(5, int), 0.9) == 0.0
    with pytest.raises(ValueError, match=r"coverage=1.5"):
        conformal.interval_margin(np.ones(3), 1.5)
    with pytest.raises(ValueError, match="expected numbers"):
        conformal.interval_margin(np.array([np.nan]), 0.9)


# The task.


def test_the_answers_are_in_the_columns_own_units():
    task = Regression.of(AGES)
    layer = task.activation("values")
    outputs = (AGES - AGES.mean(axis=0)) / AGES.std(axis=0)
    answers = layer(outputs.astype(np.float32)).numpy()
    np.testing.assert_allclose(answers, AGES, rtol=1e-5)
    assert task.count(outputs, AGES, NAMES).metrics["mae"] < 1e-9


@pytest.mark.parametrize("kind", LOSSES)
def test_the_loss_is_what_its_costs_say(kind):
    task = Regression.of(AGES, loss_kind=kind)
    outputs = (
        np.random.default_rng(7).normal(0, 2, AGES.shape).astype(np.float32)
    )
    loss = np.asarray(task.loss(2)(AGES.astype(np.float32), outputs))
    costs = task.costs("val_loss", outputs, AGES)
    np.testing.assert_allclose(loss, costs, rtol=1e-4)
    logs = task.logs(outputs, AGES)
    assert logs["loss"] == pytest.approx(costs.mean())
    (metric,) = task.metrics()
    metric.update_state(AGES.astype(np.float32), outputs)
    assert float(metric.result()) == pytest.approx(logs["scaled_mae"], rel=1e-4)


def test_the_solved_head_starts_from_targets_in_any_unit():
    task = Regression.of(AGES)
    found = task.solve(FEATURES, AGES)
    metrics = task.count(found.outputs(FEATURES), AGES, NAMES).metrics
    assert metrics["r2"] > 0.9


def test_calibration_gives_intervals_and_trust_measures_them():
    random = np.random.default_rng(3)
    outputs = random.normal(size=(400, 1))
    targets = 100 + 20 * (outputs + random.normal(0, 0.2, outputs.shape))
    task = Regression([100.0], [20.0])
    found = task.calibrate(outputs[:200], targets[:200])
    (margin,) = found.task.margins
    expected = 4 * scipy.stats.norm.ppf(0.95)
    assert margin == pytest.approx(expected, rel=0.15)
    counted = found.task.count(outputs[200:], targets[200:], ["x"])
    trust = found.task.trust(counted, found)
    assert trust["coverage"] == pytest.approx(0.9, abs=0.06)
    assert trust["interval_width"] == pytest.approx(2 * margin)
    few = task.calibrate(outputs[:5], targets[:5])
    assert few.task.margins is None
    assert "too few" in few.words
    assert few.task.trust(counted, few) == {}
    assert "coverage 0" in Regression(coverage=0.0).calibrate(
        outputs, targets
    ).words  # fmt: skip


def test_what_an_export_holds_makes_the_same_task():
    task = Regression([40.0, 170.0], [10.0, 8.0], margins=[3.0, 2.0])
    assert stored_task(task.stored()) == task
    for wrong, words in (
        ({"task": "ranking"}, "expected one of"),
        ({"task": "regression", "colour": 3}, "colour"),
        ({"task": "regression", "scale": [0.0]}, "scale above 0"),
    ):
        with pytest.raises(ValueError, match=words):
            stored_task(wrong)


def test_values_are_said_with_their_intervals():
    task = Regression([40.0, 170.0], [10.0, 8.0], margins=[3.0, 2.5])
    (said,) = task.say(np.array([[31.5, 180.0]], np.float32), NAMES, 5)
    assert said.more == {
        "age": 31.5, "age_low": 28.5, "age_high": 34.5,
        "height": 180.0, "height_low": 177.5, "height_high": 182.5,
    }  # fmt: skip
    names = tf.constant(NAMES)
    served = task.served(tf.constant([[31.5, 180.0]]), names)
    np.testing.assert_allclose(served["low"], [[28.5, 177.5]])
    assert served["columns"].numpy().tolist() == [[b"age", b"height"]]
    assert set(Regression().served(tf.zeros((1, 1)), names[:1])) == {"columns"}


def test_answers_are_compared_as_shares_of_what_columns_deviate_by():
    task = Regression([40.0, 1e6], [10.0, 1e5], margins=[3.0, 1e4])
    differs = task.differs(NAMES)
    want = np.array([[40.0, 1e6], [50.0, 9e5]])
    found = want + np.array([[0.5, 0], [0, 10.0]])
    difference = differs({"values": want}, {"values": found})
    np.testing.assert_allclose(difference.plain, [0.05, 1e-4])
    assert difference.changed.tolist() == [True, False]
    assert difference.words(0) == ("age 40, height 1e+06",
                                   "age 40.5, height 1e+06")  # fmt: skip
    assert difference.right is None
    margins = np.array([3.0, 1e4])
    bounds = {"values": want, "low": want - margins,
              "high": want + margins}  # fmt: skip
    differs({"values": want}, bounds)
    with pytest.raises(ValueError, match="'high' bounds"):
        differs({"values": want}, bounds | {"high": want})
    with pytest.raises(ValueError, match="of shape"):
        differs({"values": want}, {"values": want[:, :1]})


def test_a_version_of_larger_error_is_worse_and_columns_go_by_name():
    task = Regression.of(AGES)
    good = AGES + np.random.default_rng(7).normal(0, 1, AGES.shape)
    bad = AGES + np.random.default_rng(7).normal(0, 5, AGES.shape)
    ids = [str(i) for i in range(len(AGES))]
    old = Said(NAMES, good, 0.0)
    assert not task.judge(ids, AGES, NAMES, old, Said(NAMES, good, 0.0)).worse
    turned = Said(NAMES[::-1], good[:, ::-1], 0.0)
    same = task.judge(ids, AGES, NAMES, turned, Said(NAMES, good, 0.0))
    assert (same.worse, same.rows, same.found["p_value"]) == (False, [], 1.0)
    verdict = task.judge(ids, AGES, NAMES, old, Said(NAMES, bad, 0.0))
    assert verdict.worse
    assert verdict.found["verdict"] == "worse"
    assert verdict.found["p_value"] < 1e-3
    assert verdict.rows[0]["change"] == "lost"
    # Where rounding moves answers by more, nothing is lost.
    assert not task.judge(ids, AGES, NAMES, old, Said(NAMES, bad, 5.0)).worse


def test_two_of_the_same_cannot_be_told_apart():
    same = paired(0.0, np.zeros(1000), more_is_better=True)
    assert (same["verdict"], same["p_value"]) == ("cannot tell", 1.0)


def test_choices_are_checked():
    for values in ({"loss_kind": "log"}, {"coverage": 1.0},
                   {"mean": [1.0, 2.0]}, {"scale": [0.0]}):  # fmt: skip
        with pytest.raises(ValueError, match="expected"):
            Regression(**values)
    still = Regression.of(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert still.scale == (1.0, 1.0)
