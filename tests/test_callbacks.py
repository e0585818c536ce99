"""callbacks.py, with scripted logs and without training where it can be."""

import csv
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_keras.callbacks import (
    HistoryLogger,
    KeepBestWeights,
    StopOnNonFinite,
    WarmupCosine,
    guarding,
)


def linear_model(optimizer="sgd") -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


X, Y = np.ones((8, 3), np.float32), np.zeros((8, 1), np.float32)


def fit(model, callback, epochs=2, **arguments):
    return model.fit(
        X, Y, batch_size=2, epochs=epochs, verbose=0, callbacks=[callback],
        **arguments,
    )  # fmt: skip


def attach(callback, model=None, epochs=3, steps=4):
    """A callback as Keras sets one up, for scripted calls."""
    callback.set_model(model or linear_model())
    callback.set_params({"epochs": epochs, "steps": steps})
    callback.on_train_begin()
    return callback


def test_a_finite_fit_is_left_alone():
    callback = StopOnNonFinite(weights_every=1)
    history = fit(linear_model(), callback)
    assert callback.found is None
    assert len(history.history["loss"]) == 2


def test_a_nan_loss_stops_at_its_batch():
    callback = attach(StopOnNonFinite())
    callback.on_epoch_begin(4)
    callback.on_train_batch_end(2, {"loss": 1.0})
    assert callback.found is None
    callback.on_train_batch_end(3, {"loss": math.nan})
    assert callback.found == "loss became nan at epoch 5, batch 4"
    assert callback.model.stop_training


def hiding_model() -> keras.Model:
    """A ReLU that makes 0 of a NaN, as the fused kernel on a CPU does."""
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(2, name="hidden")(inputs)
    hidden = keras.ops.where(hidden > 0, hidden, 0.0)
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.get_layer("hidden").trainable = False
    model.compile("sgd", "mse")
    return model


def test_nan_weights_behind_a_relu_are_found():
    model = hiding_model()
    kernel = model.get_layer("hidden").kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    plain = fit(hiding_model_with(model), keras.callbacks.TerminateOnNaN())
    assert len(plain.history["loss"]) == 2  # Keras's own sees nothing.
    assert np.isfinite(plain.history["loss"]).all()
    callback = StopOnNonFinite()
    history = fit(model, callback)
    assert "hidden/kernel is not finite at the end of epoch 1" in callback.found
    assert len(history.history["loss"]) == 1


def hiding_model_with(model) -> keras.Model:
    other = hiding_model()
    other.set_weights(model.get_weights())
    return other


def test_weights_can_be_looked_at_between_batches():
    model = hiding_model()
    kernel = model.get_layer("hidden").kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    callback = StopOnNonFinite(weights_every=2)
    fit(model, callback)
    assert "at epoch 1, batch 2" in callback.found


def test_what_was_found_is_forgotten_at_the_next_fit():
    callback = attach(StopOnNonFinite())
    callback.on_train_batch_end(0, {"loss": math.inf})
    assert callback.found
    fit(linear_model(), callback)
    assert callback.found is None


def values_a_class() -> keras.Model:
    """A model with a metric of one value a class."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, activation="softmax")]
    )
    model.compile(
        "sgd", "categorical_crossentropy", metrics=[keras.metrics.F1Score()],
        run_eagerly=True,
    )  # fmt: skip
    return model


def fit_classes(*callbacks):
    labels = keras.utils.to_categorical(np.arange(8) % 2, 2)
    return values_a_class().fit(
        X, labels, batch_size=4, epochs=2, verbose=0,
        validation_data=(X, labels), callbacks=list(callbacks),
    )  # fmt: skip


def test_a_metric_of_a_value_a_class_is_taken(tmp_path):
    """As Keras's CSVLogger takes it."""
    logger, keeper = HistoryLogger(tmp_path / "h.csv"), KeepBestWeights("loss")
    guard = StopOnNonFinite()
    history = fit_classes(logger, keeper, guard).history["f1_score"]
    assert guard.found is None
    assert logger.rows[1]["f1_score"] == np.asarray(history[1]).tolist()
    assert read_rows(tmp_path / "h.csv")[0]["f1_score"].count(",") == 1
    assert len(keeper.best_logs["val_f1_score"]) == 2


def test_one_value_of_several_that_is_nan_stops():
    callback = attach(StopOnNonFinite())
    callback.on_epoch_begin(0)
    callback.on_train_batch_end(0, {"f1": np.array([0.5, 1.0]), "note": "a"})
    assert callback.found is None
    callback.on_train_batch_end(1, {"f1": np.array([0.5, math.nan])})
    assert callback.found == "f1 became [0.5, nan] at epoch 1, batch 2"


def test_several_values_cannot_be_the_best(tmp_path):
    with pytest.raises(ValueError, match=r"monitor='f1_score': expected one"):
        fit_classes(KeepBestWeights("f1_score"))


def rates(callback, epochs=4, steps=5, first=0) -> list[float]:
    """The learning rate of every batch of a scripted fit."""
    attach(callback, epochs=first + epochs, steps=steps)
    seen = []
    for epoch in range(first, first + epochs):
        callback.on_epoch_begin(epoch)
        for batch in range(steps):
            callback.on_train_batch_begin(batch)
            rate = callback.model.optimizer.learning_rate
            seen.append(float(keras.ops.convert_to_numpy(rate)))
    return seen


def rate_by_hand(callback, done: float, epochs: int, step: float) -> float:
    """The formula, in Python's floats."""
    warmup = min(callback.warmup_epochs, epochs / 2)
    if done < warmup:
        return callback.learning_rate * min(1.0, (done + step) / warmup)
    share = min(1.0, (done - warmup) / (epochs - warmup))
    low = callback.final_fraction
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    return callback.learning_rate * (low + (1 - low) * cosine)


@pytest.mark.parametrize("warmup", [0, 0.3, 1, 2.5, 99])
@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_the_rates_are_the_formulas_to_the_last_bit(warmup, final):
    """As float32, which is what an optimizer keeps."""
    for rate in (1e-4, 3e-3, 1.0):
        callback = WarmupCosine(rate, warmup, final_fraction=final)
        for steps, epochs in ((1, 5), (7, 10), (30, 3)):
            found = [callback.rates(e, epochs, steps) for e in range(epochs)]
            expected = [
                rate_by_hand(callback, e + s / steps, epochs, 1 / steps)
                for e in range(epochs)
                for s in range(steps)
            ]
            np.testing.assert_array_equal(
                np.concatenate(found).astype(np.float32),
                np.float32(expected),
            )


def test_the_rate_rises_then_falls_along_a_cosine():
    seen = rates(WarmupCosine(1.0, warmup_epochs=1))
    np.testing.assert_allclose(seen[:5], [0.2, 0.4, 0.6, 0.8, 1.0], rtol=1e-6)
    done = (np.arange(5, 20) - 5) / 15
    np.testing.assert_allclose(
        seen[5:], 0.5 * (1 + np.cos(np.pi * done)), rtol=1e-5
    )


def test_a_later_fit_has_the_same_rates():
    callback = WarmupCosine(0.1, warmup_epochs=2)
    assert rates(callback) == rates(callback, first=10)


def test_constant_is_a_final_fraction_of_one():
    seen = rates(WarmupCosine(0.5, warmup_epochs=0, final_fraction=1.0))
    np.testing.assert_allclose(seen, 0.5)


def test_a_warmup_takes_at_most_half():
    seen = rates(WarmupCosine(1.0, warmup_epochs=99), epochs=2)
    assert max(seen) == 1.0
    assert seen.index(1.0) == 4


def test_a_resumed_fit_goes_on_where_it_was():
    whole = rates(WarmupCosine(1.0), epochs=4)
    rest = WarmupCosine(1.0, first_epoch=0)
    attach(rest, epochs=4, steps=5)
    rest.on_epoch_begin(2)
    rest.on_train_batch_begin(3)
    assert float(rest.model.optimizer.learning_rate) == pytest.approx(
        whole[2 * 5 + 3]
    )


def read_rows(path) -> list[dict]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_history_runs_on_over_fits_and_columns(tmp_path):
    path = tmp_path / "history.csv"
    model = linear_model()
    fit(model, HistoryLogger(path, phase="head"))
    logger = HistoryLogger(path, phase="tune")
    fit(model, logger, epochs=3, initial_epoch=2, validation_data=(X, Y))
    rows = read_rows(path)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["phase"] for row in rows] == ["head", "head", "tune"]
    assert [bool(row["val_loss"]) for row in rows] == [False, False, True]
    assert all(float(row["learning_rate"]) > 0 for row in rows)
    assert len(logger.rows) == 1


def best_of(values, mode="min") -> KeepBestWeights:
    model = linear_model()
    callback = attach(KeepBestWeights("val_loss", mode), model)
    for epoch, value in enumerate(values):
        model.layers[0].bias.assign([float(epoch)])
        callback.on_epoch_end(epoch, {"val_loss": value})
    return callback


@pytest.mark.parametrize(
    ("values", "mode", "epoch"),
    [
        ([3, 1, 2], "min", 2),
        ([3, 1, 1], "min", 2),  # the earlier one on a tie
        ([3, 4, 4], "max", 2),
        ([math.nan, 5, 6], "min", 2),
        ([-math.inf, 5], "min", 2),
    ],
)
def test_the_best_epoch_is_kept(values, mode, epoch):
    callback = best_of(values, mode)
    assert callback.best_epoch == epoch
    assert callback.best_variables[1] == epoch - 1


@pytest.mark.parametrize("room", [True, False])
def test_what_a_gpu_holds_is_copied_there_where_it_has_room(monkeypatch, room):
    copied, copy = [], tf.raw_ops.DeepCopy

    def deep_copy(x):
        if not room:
            raise tf.errors.ResourceExhaustedError(None, None, "full")
        copied.append(x.shape)
        return copy(x=x)

    monkeypatch.setattr(guarding, "_on_gpu", lambda value: True)
    monkeypatch.setattr(tf.raw_ops, "DeepCopy", deep_copy)
    callback = best_of([3, 1, 2])
    assert len(copied) == (4 if room else 0)  # of two epochs, kernel and bias
    assert callback.best_epoch == 2
    kernel, bias = callback.best_variables
    assert bias == 1
    assert isinstance(kernel, np.ndarray)
    assert callback.best_variables[0] is kernel


def test_what_the_next_step_may_lack_is_not_taken_for_copies(monkeypatch):
    """What a best epoch held before is given back first."""
    on_device, copy = [], tf.raw_ops.DeepCopy
    monkeypatch.setattr(guarding, "_on_gpu", lambda value: True)
    monkeypatch.setattr(
        tf.raw_ops, "DeepCopy", lambda x: on_device.append(1) or copy(x=x)
    )
    rooms = iter([1e9, 0, 0])
    callback = attach(
        KeepBestWeights("val_loss", room=lambda: next(rooms))
    )  # fmt: skip
    counts = []
    for epoch, value in enumerate([3, 2, 1]):
        callback.on_epoch_end(epoch, {"val_loss": value})
        counts.append(len(on_device))
    size = len(callback.model.variables)
    assert counts == [size, 2 * size, 3 * size]
    callback.room = lambda: -1
    callback.on_epoch_end(3, {"val_loss": 0})
    assert len(on_device) == 3 * size
    assert callback.best_epoch == 4


def test_nothing_finite_leaves_no_best():
    assert best_of([math.nan, math.inf]).best_epoch is None


def test_the_best_is_forgotten_at_the_next_fit():
    callback = best_of([0.0])
    attach(callback)
    callback.on_epoch_end(7, {"val_loss": 9.0})
    assert callback.best_epoch == 8


def test_an_unknown_monitor_lists_the_names():
    callback = attach(KeepBestWeights("val_loss"))
    with pytest.raises(ValueError, match=r"\['loss'\]"):
        callback.on_epoch_end(0, {"loss": 1.0})
