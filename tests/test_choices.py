"""training: mixup, CutMix, SAM and averages of weights, one step at a time."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_training import data

from tl_keras.errors import ConfigError, StoppedError
from tl_keras.features import Activations, StoredBatches
from tl_keras.networks import LOGITS, build_classifier
from tl_keras.strategies import LoRA
from tl_keras.training import (
    Mixing,
    Objective,
    Phase,
    PhaseBackups,
    fit_phases,
    get_variables,
)
from tl_keras.training.train_step import train_step_of

# Plain steps, that a loop by hand can repeat.
PLAIN = Phase(
    "p", 3, 0.1, optimizer="sgd", momentum=0.0, schedule="constant",
    warmup_epochs=0,
)  # fmt: skip


def rows(count=6, shape=(4, 4, 2)):
    return np.random.default_rng(0).normal(size=(count, *shape)).astype("f4")


def test_mixup_takes_a_share_of_each_and_hangs_on_seed_and_step():
    x = rows()
    mixed, share, other = Mixing(mixup=0.4, seed=3)(tf.constant(x), 5)
    want = float(share) * x + (1 - float(share)) * x[np.array(other)]
    np.testing.assert_allclose(mixed, want, atol=1e-6)
    assert sorted(np.array(other)) == list(range(6))
    again = Mixing(mixup=0.4, seed=3)(tf.constant(x), 5)
    np.testing.assert_array_equal(mixed, again[0])
    for seed, step in ((3, 6), (4, 5)):
        elsewhere = Mixing(mixup=0.4, seed=seed)(tf.constant(x), step)
        assert float(elsewhere[1]) != float(share)


def test_shares_are_of_the_beta_distribution():
    """Folded at a half: the mean of |2 Beta(a, a) - 1| is known for a = 1."""
    mixing = Mixing(mixup=1.0)
    shares = [float(mixing(tf.zeros((2, 1)), step)[1]) for step in range(100)]
    assert min(shares) >= 0.5
    assert max(shares) <= 1
    assert np.mean(shares) == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "bfloat16"])
def test_cutmix_pastes_a_rectangle_of_its_share(dtype):
    sizes = set()
    for step in range(8):
        x = tf.cast(tf.range(3)[:, None, None, None] + 1, dtype)
        x = tf.tile(x, (1, 6, 8, 2))
        mixed, share, other = Mixing(cutmix=1.0)(x, step)
        assert mixed.dtype == ("float32" if dtype == "uint8" else dtype)
        mixed = tf.cast(mixed, tf.float32).numpy()
        for row, theirs in enumerate(np.array(other)):
            pasted = (mixed[row] == theirs + 1).all(-1)
            if theirs == row:
                continue
            assert set(np.unique(mixed[row])) <= {row + 1, theirs + 1}
            assert 1 - pasted.mean() == pytest.approx(float(share))
            high, wide = pasted.any(1).sum(), pasted.any(0).sum()
            assert pasted.sum() == high * wide
            sizes.add(high * wide)
        assert float(share) >= 0.4  # half, but for rounding to whole pixels
    assert len(sizes) > 3


def test_with_both_each_step_draws_one():
    x = tf.constant(np.eye(4, dtype="f4").reshape(4, 4, 1, 1) * 100)
    x = tf.tile(x, (1, 1, 4, 1))
    kinds = set()
    for step in range(12):
        mixed, *_ = Mixing(mixup=1.0, cutmix=1.0)(x, step)
        whole = set(np.unique(np.round(mixed, 3))) <= {0.0, 100.0}
        kinds.add("cut" if whole else "mixed")
    assert kinds == {"cut", "mixed"}


def test_cutmix_without_places_is_refused():
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(2)])
    phase = dataclasses.replace(PLAIN, cutmix=1.0)
    with pytest.raises(ConfigError, match="trains on 7 numbers an example"):
        train_step_of(model, phase, 0)


def small(dropout=0.0):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.AveragePooling2D(4)(x)
    x = keras.layers.Conv2D(4, 2, activation="tanh", name="conv")(x)
    backbone = keras.Model(inputs, x, name="small")
    return build_classifier(backbone, 2, dropout=dropout)


def loss_of(model, x, targets):
    """Cross-entropy of soft targets, as the papers write it."""
    logs = tf.nn.log_softmax(model(x, training=True))
    return -tf.reduce_mean(tf.reduce_sum(targets * logs, -1))


def by_hand(phase, batches):
    """A loop that takes soft targets, and SAM's two passes."""
    model = small()
    variables = [v.value for v in model.trainable_variables]
    mixing, step = Mixing(phase.mixup, phase.cutmix, phase.seed), 0
    for _ in range(phase.epochs):
        for pixels, labels in batches:
            x, targets = tf.cast(pixels, tf.float32), tf.one_hot(labels, 2)
            if mixing.mixup:
                x, share, other = mixing(x, step)
                theirs = tf.gather(targets, other)
                targets = share * targets + (1 - share) * theirs
            with tf.GradientTape() as tape:
                loss = loss_of(model, x, targets)
            gradients = tape.gradient(loss, variables)
            if phase.sam_rho:
                norm = tf.sqrt(sum(tf.reduce_sum(g**2) for g in gradients))
                here = [tf.identity(v) for v in variables]
                for v, g in zip(variables, gradients, strict=True):
                    v.assign_add(phase.sam_rho * g / norm)
                with tf.GradientTape() as tape:
                    loss = loss_of(model, x, targets)
                gradients = tape.gradient(loss, variables)
                for v, old in zip(variables, here, strict=True):
                    v.assign(old)
            for v, g in zip(variables, gradients, strict=True):
                v.assign_sub(0.1 * g)
            step += 1
    return get_variables(model)


@pytest.mark.parametrize(
    "options", [{"mixup": 0.5, "seed": 4}, {"sam_rho": 0.5},
                {"mixup": 0.5, "sam_rho": 0.2}],
)  # fmt: skip
def test_steps_are_those_of_a_loop_by_hand(options):
    phase = dataclasses.replace(PLAIN, unfreeze_from="all", **options)
    model, plain = small(), small()
    fit_phases(model, [phase], data(), verbose=0)
    for one, two in zip(
        get_variables(model), by_hand(phase, data()), strict=True
    ):
        np.testing.assert_allclose(one, two, atol=2e-6)
    without = dataclasses.replace(PLAIN, unfreeze_from="all")
    fit_phases(plain, [without], data(), verbose=0)
    kernels = [m.get_layer("conv").kernel for m in (model, plain)]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-4


def test_sam_passes_twice_but_dropout_and_norms_go_on_once(tiny_network):
    """The seeds and BatchNorm's means are as after one pass of plain steps."""

    def after(**options):
        keras.utils.set_random_seed(0)
        model = build_classifier(str(tiny_network), 2, dropout=0.5)
        phase = dataclasses.replace(
            PLAIN, epochs=1, learning_rate=1e-12, unfreeze_from="all",
            train_batch_norm=True, **options,
        )  # fmt: skip
        fit_phases(model, [phase], data(8), verbose=0)
        return [
            np.array(v)
            for v in model.variables
            if "seed" in v.path or "moving" in v.path
        ]

    plain, sam = after(), after(sam_rho=0.05)
    assert len(plain) == 6
    for one, two in zip(plain, sam, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5)


def test_class_weights_and_smoothing_hold_for_mixed_examples():
    """Each of the two targets has its own class's weight."""
    objective = Objective(label_smoothing=0.2, class_weights=[1.0, 3.0])
    phase = dataclasses.replace(PLAIN, epochs=1, mixup=0.5)
    model, other_model = small(), small()
    head = other_model.get_layer(LOGITS)
    fit_phases(model, [phase], data(8), objective=objective, verbose=0)
    ((pixels, labels),) = data(8)
    x, share, other = Mixing(0.5)(tf.cast(pixels, tf.float32), 0)
    with tf.GradientTape() as tape:
        logs = tf.nn.log_softmax(other_model(x, training=True))
        total = 0.0
        for part, y in ((share, labels), (1 - share, tf.gather(labels, other))):
            smooth = 0.8 * tf.one_hot(y, 2) + 0.1
            weight = tf.where(y == 1, 3.0, 1.0)
            total += part * tf.reduce_mean(
                -weight * tf.reduce_sum(smooth * logs, -1)
            )
    gradient = tape.gradient(total, head.kernel.value)
    np.testing.assert_allclose(
        model.get_layer(LOGITS).kernel, head.kernel - 0.1 * gradient, atol=1e-6
    )


def test_the_moving_average_is_what_is_kept():
    phase = dataclasses.replace(PLAIN, ema_momentum=0.8)
    plain, steps = small(), []
    fit_phases(
        plain, [PLAIN], data(), verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda *_, **__: steps.append(
                    np.array(plain.get_layer(LOGITS).kernel)
                )
            )
        ],
    )  # fmt: skip
    average = steps[0]
    for kernel in steps[1:]:
        average = 0.8 * average + 0.2 * kernel
    model = small()
    result = fit_phases(model, [phase], data(), data(24, 1), verbose=0)
    kept = np.array(model.get_layer(LOGITS).kernel)
    if result.phases[0].best_epoch == 3:
        np.testing.assert_allclose(kept, average, atol=1e-5)
    assert np.abs(kept - steps[-1]).max() > 1e-4
    # Validation was asked of the average: what it logged is what is kept.
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    ((pixels, labels),) = data(24, 1).unbatch().batch(24)
    logged = result.phases[0].best_logs["val_loss"]
    assert float(loss(labels, model(pixels))) == pytest.approx(logged, rel=1e-4)


def stored() -> StoredBatches:
    """Rows in an order that the epoch's number decides."""
    pixels, labels = next(iter(data(24).unbatch().batch(24)))
    rows = Activations(pixels.numpy(), (16, 16, 3), "uint8", labels.numpy())
    return StoredBatches(rows, batch_size=8, seed=0)


CHOICES = {
    "lora": {"strategy": LoRA(2)},
    "rates, pull": {
        "unfreeze_from": "all", "layer_decay": 0.5, "l2_sp": 0.1,
        "optimizer": "adamw",
    },
    "average": {"unfreeze_from": "all", "ema_momentum": 0.9},
    "sam": {"unfreeze_from": "all", "sam_rho": 0.1},
    "mixed": {"unfreeze_from": "all", "mixup": 0.5, "cutmix": 1.0, "seed": 1},
}  # fmt: skip


@pytest.mark.usefixtures("plain_decoder")
@pytest.mark.parametrize("name", CHOICES)
def test_stopped_anywhere_it_ends_with_the_same_bits(name, tmp_path):
    """Stopped in an epoch, then in validation, where averages stand."""

    def fit(folder, stop=None):
        model = small(dropout=0.5)
        phase = Phase("t", 2, 0.01, **CHOICES[name])
        result = fit_phases(
            model, [phase], stored(), data(16, 1), verbose=0,
            backups=PhaseBackups(folder, save_freq=10**6, stop=stop),
        )  # fmt: skip
        return result, get_variables(model)

    def after(calls):
        """A stop at so many of a process's batches, 3 + 2 + 1 an epoch."""
        asked = []
        return lambda: asked.append(True) or len(asked) >= calls

    straight, weights = fit(tmp_path / "straight")
    for calls in (2, 3):
        with pytest.raises(StoppedError):
            fit(tmp_path / "stopped", after(calls))
    result, again = fit(tmp_path / "stopped")
    assert result.history == straight.history
    for one, two in zip(weights, again, strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layer_decay": 0.0}, "layer_decay=0.0: expected 0.01 to 1"),
        ({"ema_momentum": 1.0}, "ema_momentum=1.0"),
        ({"sam_rho": -1}, "sam_rho=-1"),
        ({"mixup": 0.2, "solver": "lbfgs"}, "makes none of"),
    ],
)
def test_what_a_phase_refuses(options, told):
    with pytest.raises(ValueError, match=told):
        Phase("p", 1, 1e-3, **options)
