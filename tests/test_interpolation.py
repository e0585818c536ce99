"""training: what validation chooses, and weights between start and tuned."""

import csv
import dataclasses

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from test_training import HEAD, TUNE, data

from tl_keras.errors import StoppedError
from tl_keras.networks import build_classifier
from tl_keras.tasks.multiclass.calibration import calibrated_losses
from tl_keras.tasks.multiclass.task import CALIBRATED, MONITORS, Multiclass
from tl_keras.training import (
    Objective,
    PhaseBackups,
    fit_phases,
    get_variables,
)
from tl_keras.training.interpolation import (
    FEWEST_TO_JUDGE,
    SHARES,
    between,
    interpolate,
    paired_gain,
)

COSTS = Multiclass().costs


@pytest.fixture
def model(tiny_network):
    keras.utils.set_random_seed(0)
    return build_classifier(str(tiny_network), 2)


def hard(count=60, seed=3):
    """Two colours, a third of them under the wrong label."""
    pixels, labels = next(iter(data(count, seed).unbatch().batch(count)))
    wrong = np.arange(count) % 3 == 0
    labels = np.where(wrong, 1 - labels.numpy(), labels.numpy())
    return tf.data.Dataset.from_tensor_slices((pixels, labels)).batch(8)


def valley(at: float):
    """A variable from 0 to 1, and a judge who wants it at `at`."""
    noise = np.random.default_rng(0).normal(0, 0.01, FEWEST_TO_JUDGE)
    variable = keras.Variable(np.zeros(2, np.float32))

    def judge():
        off = float(np.array(variable)[0]) - at
        costs = off**2 * (1 + noise - noise.mean()) + 0.01
        return {"val_loss": costs.mean()}, costs

    ends = [np.zeros(2, np.float32)], [np.ones(2, np.float32)]
    return interpolate([variable], *ends, judge)


@pytest.mark.parametrize(
    ("at", "share"), [(-5, 0), (0, 0), (0.19, 0.2), (0.63, 0.6), (2, 1)]
)
def test_the_best_share_is_found(at, share):
    found = valley(at)
    assert found.share == share
    np.testing.assert_allclose(found.values[0], share)
    assert found.logs["val_loss"] == pytest.approx((share - at) ** 2 + 0.01)
    assert found.gain["better_by"] == pytest.approx(
        at**2 - (share - at) ** 2, abs=1e-6
    )


def test_of_equals_the_start_wins_and_nothing_not_finite_does():
    kept = [np.float32([3.0])], [np.float32([4.0])]
    variable = keras.Variable(kept[0][0])
    found = interpolate(
        [variable], *kept, lambda: ({}, np.full(FEWEST_TO_JUDGE, 0.5))
    )
    assert (found.share, found.values[0][0]) == (0, 3)
    assert found.gain == {"better_by": 0.0, "p_value": 1.0}

    def judge():
        value = float(np.array(variable)[0])
        costs = np.ones(FEWEST_TO_JUDGE)
        costs[0] = np.nan if 3 < value < 4 else 1.0
        return {}, costs

    assert interpolate([variable], *kept, judge).share == 0


def test_few_examples_choose_nothing():
    ends = [np.float32([0.0])], [np.float32([1.0])]
    variable = keras.Variable(ends[0][0])

    def share(count):
        def judge():
            return {}, np.full(count, 1 - float(np.array(variable)[0]))

        return interpolate([variable], *ends, judge).share

    assert (share(FEWEST_TO_JUDGE - 1), share(FEWEST_TO_JUDGE)) == (0, 1)


def test_half_precision_and_seeds_are_not_torn():
    import ml_dtypes

    ends = [np.array([x], ml_dtypes.bfloat16) for x in (1.0, 2.0)]
    halfway = between(*ends, 0.6)
    assert halfway.dtype == ends[0].dtype
    assert float(halfway[0]) == pytest.approx(1.6, abs=0.01)
    seeds = np.uint32([1, 2]), np.uint32([7, 9])
    np.testing.assert_array_equal(between(*seeds, 0.2), seeds[1])
    np.testing.assert_array_equal(between(*seeds, 0.0), seeds[0])


def test_how_sure_a_gain_is():
    random = np.random.default_rng(0)
    before = random.normal(1, 0.5, 200)
    alike = paired_gain(before, before + random.normal(0, 0.1, 200))
    better = paired_gain(before, before - random.normal(0.05, 0.1, 200))
    assert alike["p_value"] > 0.05
    assert better["p_value"] < 1e-6
    assert better["better_by"] == pytest.approx(0.05, abs=0.02)
    assert paired_gain(before[:1], before[:1] - 1)["p_value"] == 1


def test_costs_are_what_each_monitor_compares():
    logits = np.array([[4.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    labels = np.array([0, 0, 0])
    logs = scipy.special.log_softmax(logits, axis=-1)
    np.testing.assert_array_equal(
        COSTS("val_accuracy", logits, labels), [0, 1, 0]
    )
    np.testing.assert_allclose(
        COSTS("val_loss", logits, labels), -logs[:, 0], atol=1e-12
    )
    np.testing.assert_array_equal(
        COSTS("val_loss_calibrated", logits, labels),
        calibrated_losses(logits, labels),
    )


def test_the_history_has_both_losses_as_the_model_gives_them(model, tmp_path):
    """The column is of the whole validation, whatever its batches."""
    val = hard()
    result = fit_phases(
        model, [dataclasses.replace(HEAD, epochs=1)], data(), val,
        history_file=tmp_path / "h.csv", verbose=0,
    )  # fmt: skip
    (row,) = result.history
    logits = model.predict(val.map(lambda x, y: x), verbose=0)
    labels = np.concatenate([y.numpy() for _, y in val])
    assert row[CALIBRATED] == pytest.approx(
        calibrated_losses(logits, labels).mean(), abs=1e-6
    )
    # The prior of the temperature aside, it is never the larger one.
    assert row[CALIBRATED] < row["val_cross_entropy"]
    with open(tmp_path / "h.csv", newline="") as stream:
        (written,) = csv.DictReader(stream)
    assert float(written[CALIBRATED]) == row[CALIBRATED]


def test_the_default_monitor_does_not_mind_over_confidence():
    """One model knows a little more, and is five times as sure as it may."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (300, 3))
    chances = scipy.special.softmax(logits, axis=-1)
    labels = np.array([random.choice(3, p=row) for row in chances])
    knows_less = logits + random.normal(0, 1, logits.shape)

    def better(monitor):
        less = COSTS(monitor, knows_less, labels).mean()
        return COSTS(monitor, 5 * logits, labels).mean() < less

    assert better("val_loss_calibrated")
    assert better("val_accuracy")
    assert not better("val_loss")
    assert Objective().monitor == "val_loss_calibrated"


@pytest.mark.parametrize("monitor", MONITORS)
def test_the_best_epoch_is_that_of_the_monitor(model, monitor):
    class Turn(keras.callbacks.Callback):
        """Other weights in each epoch."""

        def on_train_batch_end(self, batch, logs=None):
            head = self.model.get_layer("head_logits")
            size = 0.5 if self.epoch == 1 else 0.03
            head.kernel.assign(
                size * np.random.default_rng(self.epoch).normal(size=(6, 2))
            )

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

    result = fit_phases(
        model, [dataclasses.replace(HEAD, epochs=3)], data(8), hard(),
        objective=Objective(monitor=monitor), callbacks=[Turn()], verbose=0,
    )  # fmt: skip
    column, mode = MONITORS[monitor]
    values = [row[column] for row in result.history]
    assert len({row[CALIBRATED] for row in result.history}) == 3
    best = np.argmin(values) if mode == "min" else np.argmax(values)
    assert result.phases[0].best_epoch == best + 1


def test_early_stopping_hears_the_default_monitor(model):
    still = dataclasses.replace(
        HEAD, epochs=6, learning_rate=1e-30, schedule="constant"
    )
    result = fit_phases(
        model, [still], data(), hard(),
        objective=Objective(early_stopping_patience=1), verbose=0,
    )  # fmt: skip
    assert len(result.history) == 2


FAST = dataclasses.replace(TUNE, learning_rate=0.05)


@pytest.mark.parametrize("monitor", MONITORS)
def test_a_fine_tune_is_never_worse_than_what_it_began_with(model, monitor):
    column, mode = MONITORS[monitor]
    result = fit_phases(
        model, [HEAD, FAST], data(), hard(),
        objective=Objective(monitor=monitor), verbose=0,
    )  # fmt: skip
    head, tuned = result.phases
    assert head.share is None
    assert tuned.share in SHARES
    assert result.kept == (1 if tuned.share else 0)
    worse = tuned.best_logs[column] - head.best_logs[column]
    assert (worse if mode == "min" else -worse) <= 1e-6
    # What is told of the weights is true of the weights that are kept.
    logs = dict(
        zip(
            ("loss", "accuracy", "cross_entropy"),
            _evaluated(model, hard()),
            strict=True,
        )
    )
    said = result.phases[result.kept].best_logs
    assert said["val_accuracy"] == pytest.approx(logs["accuracy"])
    assert said["val_cross_entropy"] == pytest.approx(
        logs["cross_entropy"], abs=1e-5
    )
    shares = [row.get("share") for row in result.history]
    assert shares.count(None) == 4
    assert shares[tuned.best_epoch - 1] == tuned.share


def _evaluated(model, val):
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[
            keras.metrics.SparseCategoricalAccuracy(),
            keras.metrics.SparseCategoricalCrossentropy(from_logits=True),
        ],
    )
    return model.evaluate(val, verbose=0)


def test_share_0_is_the_frozen_head_to_the_bit(model):
    """Tuning that ruins: the first epoch is far away from where it began."""
    ruin = dataclasses.replace(
        TUNE, epochs=1, learning_rate=30.0, optimizer="sgd", warmup_epochs=0
    )
    result = fit_phases(model, [HEAD, ruin], data(), data(8, 1), verbose=0)
    head, tuned = result.phases
    assert (tuned.share, result.kept) == (0, 0)
    for one, two in zip(head.best_variables, tuned.best_variables, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("phases", "val", "objective"),
    [
        ([HEAD, FAST], None, Objective()),
        ([FAST], data(8, 1), Objective()),
        ([HEAD, FAST], data(8, 1), Objective(interpolate=False)),
        ([HEAD, dataclasses.replace(HEAD, name="on")], data(8, 1), None),
    ],
)
def test_where_nothing_is_interpolated(model, phases, val, objective):
    result = fit_phases(
        model, phases, data(), val, objective=objective, verbose=0
    )
    assert [phase.share for phase in result.phases] == [None] * len(phases)
    assert not any("share" in row for row in result.history)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_in_mixed_precision_too(tiny_network, precision):
    keras.utils.set_random_seed(0)
    model = build_classifier(str(tiny_network), 2, precision=precision)
    result = fit_phases(model, [HEAD, FAST], data(), hard(), verbose=0)
    assert result.phases[1].share in SHARES
    assert all(np.isfinite(v).all() for v in get_variables(model))


@pytest.fixture(scope="module")
def saved_fit(tiny_network, tmp_path_factory):
    """Fits in folders by name; and what came of one that was not cut."""
    root = tmp_path_factory.mktemp("fits")

    def fit(name, **more):
        keras.utils.set_random_seed(0)
        model = build_classifier(str(tiny_network), 2)
        result = fit_phases(
            model, [HEAD, FAST], data(), hard(), verbose=0,
            history_file=root / f"{name}.csv",
            backups=PhaseBackups(root / name, save_freq=1, **more),
        )  # fmt: skip
        return result, get_variables(model), (root / f"{name}.csv").read_text()

    return fit, fit("straight")


@pytest.mark.usefixtures("plain_decoder")
@pytest.mark.parametrize("when", ["in the fit", "after it"])
def test_a_killed_fine_tune_ends_with_the_same_bits(
    when, saved_fit, monkeypatch
):
    from tl_keras.training import trainer

    fit, (straight, weights, written) = saved_fit
    asked = []

    def stop():
        asked.append(True)
        return len(asked) > 40

    class KilledError(Exception):
        pass

    def killed(*_, **__):
        raise KilledError

    if when == "in the fit":
        with pytest.raises(StoppedError):
            fit(when, stop=stop)
    else:
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            patch.setattr(trainer, "interpolate_result", killed)
            fit(when)
    result, again, rewritten = fit(when)
    assert result.history == straight.history
    assert result.phases[1].share == straight.phases[1].share
    assert result.phases[1].gain == straight.phases[1].gain
    for one, two in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert rewritten == written


def test_a_finished_phase_is_read_with_its_share(saved_fit):
    fit, (straight, *_) = saved_fit
    again, *_ = fit("straight")
    assert again.phases[1].share == straight.phases[1].share
    assert again.phases[1].gain == straight.phases[1].gain
    assert straight.phases[1].share is not None
