"""training: a list of phases, the best weights of all of them."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_keras.console import on_console
from tl_keras.errors import ConfigError, DivergedError
from tl_keras.features import FeatureStore
from tl_keras.networks import LOGITS, build_classifier
from tl_keras.sources import FixedBatches, TrainingBatches, load_images
from tl_keras.strategies import Freeze, cut_for
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.training import (
    Objective,
    Phase,
    fit_phases,
    get_variables,
    set_variables,
)


@pytest.fixture
def model(tiny_network):
    keras.utils.set_random_seed(0)
    return build_classifier(str(tiny_network), 2)


def data(count=16, seed=0) -> tf.data.Dataset:
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    pixels = random.integers(0, 100, (count, 16, 16, 3)).astype(np.uint8)
    pixels[labels == 1, ..., 0] += 150
    return tf.data.Dataset.from_tensor_slices(
        (pixels, labels.astype(np.int32))
    ).batch(8)


HEAD = Phase("head", 2, 1e-2)
TUNE = Phase("fine_tune", 3, 1e-3, unfreeze_from="two")


def test_epochs_and_history_run_on(model, tmp_path, capsys):
    with on_console():
        result = fit_phases(
            model, [HEAD, TUNE], data(), data(8, 1),
            history_file=tmp_path / "history.csv", verbose=0,
        )  # fmt: skip
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 4, 5]
    assert [row["phase"] for row in result.history] == (
        ["head"] * 2 + ["fine_tune"] * 3
    )
    spans = [(p.first_epoch, p.last_epoch) for p in result.phases]
    assert spans == [(1, 2), (3, 5)]
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 6
    printed = capsys.readouterr().out
    assert "phase head: 14 of" in printed
    assert "the head and two onward, BatchNorm still" in printed


def test_each_phase_trains_what_it_says(model):
    before = {v.path: np.array(v) for v in model.variables}
    fit_phases(model, [HEAD], data(), data(8, 1), verbose=0)
    moved = {v.path for v in model.variables if (before[v.path] != v).any()}
    assert moved == {"head_logits/kernel", "head_logits/bias"}
    before = {v.path: np.array(v) for v in model.variables}
    tune = dataclasses.replace(TUNE, learning_rate=1e-2)
    fit_phases(model, [tune], data(), None, verbose=0)
    moved = {v.path for v in model.variables if (before[v.path] != v).any()}
    moved = {path for path in moved if "seed_generator" not in path}
    assert moved == {
        "two_conv/kernel", "two_conv/bias", "head_logits/kernel",
        "head_logits/bias",
    }  # fmt: skip


def test_a_ruinous_phase_cannot_make_it_worse(model):
    ruin = Phase(
        "ruin", 1, 30.0, unfreeze_from="all", optimizer="sgd", warmup_epochs=0,
        schedule="constant",
    )  # fmt: skip
    result = fit_phases(model, [HEAD, ruin], data(), data(8, 1), verbose=0)
    assert result.kept == 0
    for kept, now in zip(
        result.phases[0].best_variables, get_variables(model), strict=True
    ):
        np.testing.assert_array_equal(kept, now)


def test_the_next_phase_starts_from_the_best_so_far(model):
    """The last head epoch is ruinous; fine-tuning must not start from it."""

    class Ruin(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.get_layer("head_logits").kernel.assign(
                    np.full((6, 2), [[5.0, -5.0]])
                )

    calm = dataclasses.replace(TUNE, epochs=1, learning_rate=1e-12)
    result = fit_phases(
        model, [HEAD, calm], data(), data(8, 1), callbacks=[Ruin()], verbose=0
    )
    # The tuning epoch is epoch 3, and it hardly moves.
    head, tuned = result.phases
    assert head.best_epoch == 1
    assert tuned.best_logs["val_cross_entropy"] == pytest.approx(
        head.best_logs["val_cross_entropy"], rel=1e-4
    )


def test_a_tie_goes_to_the_earlier_phase(model):
    still = dataclasses.replace(TUNE, epochs=1, learning_rate=1e-30)
    phases = [dataclasses.replace(still, unfreeze_from="none"), still]
    result = fit_phases(
        model, phases, data(), data(8, 1),
        objective=Objective(monitor="val_accuracy"), verbose=0,
    )  # fmt: skip
    values = [p.best_logs["val_accuracy"] for p in result.phases]
    assert values[0] == values[1]
    assert result.kept == 0


def test_without_validation_the_last_weights_are_kept(model):
    result = fit_phases(model, [HEAD, TUNE], data(), None, verbose=0)
    assert result.kept == 1
    assert result.phases[1].best_epoch == 5


def test_a_phase_of_no_epochs_is_skipped(model):
    none = dataclasses.replace(TUNE, epochs=0)
    result = fit_phases(model, [none, HEAD], data(), None, verbose=0)
    assert [p.phase.name for p in result.phases] == ["head"]
    with pytest.raises(ValueError, match="epochs above 0"):
        fit_phases(model, [none], data())


def test_divergence_keeps_the_best_finite_weights(model):
    wild = Phase(
        "wild", 3, 1e38, unfreeze_from="all", optimizer="sgd", warmup_epochs=0
    )
    with pytest.raises(DivergedError, match=r"phase wild: .* learning rate"):
        fit_phases(model, [HEAD, wild], data(), data(8, 1), verbose=0)
    assert all(np.isfinite(values).all() for values in get_variables(model))


def test_nan_behind_a_relu_is_never_kept(model):
    """The loss stays finite: a ReLU on a CPU makes 0 of a NaN."""

    class Poison(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            model.get_layer("one_conv").bias.assign([np.nan] * 4)

    before = get_variables(model)
    with pytest.raises(DivergedError, match="one_conv/bias is not finite"):
        fit_phases(
            model, [HEAD], data(), data(8, 1), callbacks=[Poison()], verbose=0
        )
    for old, now in zip(before, get_variables(model), strict=True):
        np.testing.assert_array_equal(old, now)


def test_early_stopping_ends_a_phase_and_starts_anew(model):
    still = Phase("one", 6, 1e-30, schedule="constant")
    result = fit_phases(
        model, [still, dataclasses.replace(still, name="two")],
        data(), data(8, 1),
        objective=Objective(early_stopping_patience=2), verbose=0,
    )  # fmt: skip
    lengths = [p.last_epoch - p.first_epoch + 1 for p in result.phases]
    assert lengths == [3, 3]


def test_label_smoothing_changes_the_loss_and_not_the_monitor(model):
    values = get_variables(model)
    logs = []
    for smoothing in (0.0, 0.3):
        set_variables(model, values)
        still = Phase("still", 1, 1e-30)
        result = fit_phases(
            model, [still], data(), data(8, 1),
            objective=Objective(label_smoothing=smoothing), verbose=0,
        )  # fmt: skip
        logs.append(result.history[0])
    assert logs[0]["val_loss"] == pytest.approx(logs[0]["val_cross_entropy"])
    assert logs[0]["loss"] != pytest.approx(logs[1]["loss"], rel=1e-4)
    assert logs[0]["val_cross_entropy"] == pytest.approx(
        logs[1]["val_cross_entropy"]
    )


def test_smoothed_loss_is_the_formula(model):
    logits = np.array([[1.0, -1.0], [0.5, 2.0]], np.float32)
    labels = np.array([0, 0])
    loss = Multiclass(label_smoothing=0.2).loss(2)(labels, logits)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = -(0.9 * log_p[:, 0] + 0.1 * log_p[:, 1]).mean()
    assert float(keras.ops.mean(loss)) == pytest.approx(expected, rel=1e-5)


def test_class_weights_weigh_the_training_loss(model):
    values = get_variables(model)
    still = Phase("still", 1, 1e-30)
    losses = []
    for weights in ([1.0, 1.0], [2.0, 2.0]):
        set_variables(model, values)
        result = fit_phases(
            model, [still], data(), data(8, 1),
            objective=Objective(class_weights=weights), verbose=0,
        )  # fmt: skip
        losses.append(result.history[0])
    assert losses[1]["loss"] == pytest.approx(2 * losses[0]["loss"], rel=1e-4)
    assert losses[1]["val_loss"] == pytest.approx(losses[0]["val_loss"])


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_optimizers_are_what_they_are_called(optimizer):
    phase = Phase("p", 1, 0.25, optimizer=optimizer, momentum=0.7,
                  weight_decay=0.3)  # fmt: skip
    made = phase.new_optimizer(loss_scaling=False)
    assert made.__class__.__name__.lower() == optimizer
    assert float(made.learning_rate) == 0.25
    if optimizer == "sgd":
        assert made.momentum == 0.7
    if optimizer == "adamw":
        assert made.weight_decay == 0.3


def test_an_unknown_optimizer_lists_the_known():
    with pytest.raises(ValueError, match="adam, adamw, sgd"):
        Phase("p", 1, 0.1, optimizer="rms")
    with pytest.raises(ValueError, match="cosine, constant"):
        Phase("p", 1, 0.1, schedule="linear")
    with pytest.raises(ValueError, match="val_loss, val_accuracy"):
        Objective(monitor="loss")
    with pytest.raises(ValueError, match="expected 0 to 1"):
        Objective(label_smoothing=2.0)


def test_class_weights_as_keras_writes_them():
    assert Objective(class_weights={0: 3.0, 1: 5.0}).class_weights == [3.0, 5.0]


def test_float16_scales_the_loss(tiny_network):
    model = build_classifier(str(tiny_network), 2, precision="mixed_float16")
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(type(self.model.optimizer).__name__)

    fit_phases(
        model, [dataclasses.replace(HEAD, epochs=1)], data(), None,
        callbacks=[Look()], verbose=0,
    )  # fmt: skip
    assert seen == ["LossScaleOptimizer"]


def test_an_unknown_layer_is_told_before_training(model):
    with pytest.raises(ConfigError, match="near names"):
        fit_phases(
            model, [dataclasses.replace(TUNE, unfreeze_from="tow")], data()
        )


def test_data_made_from_the_epochs_number(model):
    seen = []

    def make(epoch):
        def note(pixels, labels):
            tf.py_function(lambda e: seen.append(int(e)), [epoch], [])
            return pixels, labels

        return data().map(note)

    fit_phases(model, [HEAD, TUNE], make, None, verbose=0)
    # Keras looks at the first batch of a fit before the fit begins.
    assert list(dict.fromkeys(seen)) == [0, 1, 2, 3, 4]


@dataclasses.dataclass(frozen=True)
class LowRankLogits:
    """A strategy of one's own: the head moves along a few directions."""

    rank: int

    def apply(self, model):
        for layer in model.layers:
            layer.trainable = False
        logits = model.get_layer(LOGITS)
        logits.trainable = True
        logits.enable_lora(self.rank)

    def cut(self, model):
        return cut_for(model, "none")

    def merge(self, model):
        logits = model.get_layer(LOGITS)
        whole = np.array(logits.kernel)
        logits.lora_enabled = False
        logits._tracker.unlock()
        for name in ("lora_kernel_a", "lora_kernel_b"):
            logits._untrack_variable(getattr(logits, name))
        logits._tracker.lock()
        logits.kernel.assign(whole)

    def describe(self):
        return f"the head, by rank {self.rank}"


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.usefixtures("plain_decoder")
def test_a_strategy_of_ones_own(model, tmp_path, capsys, stored, color_folder):
    before = {v.path: np.array(v) for v in model.variables}
    images = load_images(
        str(color_folder), image_size=16, val_fraction=0.25, test_fraction=0.25
    )
    with on_console():
        result = fit_phases(
            model,
            [Phase("low", 3, 0.05, strategy=LowRankLogits(1)), HEAD],
            TrainingBatches(images.train, 4), FixedBatches(images.val, 4),
            features=FeatureStore(tmp_path) if stored else None, verbose=0,
        )  # fmt: skip
    assert "train (the head, by rank 1)" in capsys.readouterr().out
    # The plain network again, with the same variables in the same order.
    assert [v.path for v in model.variables] == list(before)
    low = result.phases[0]
    moved = {
        path: value - before[path]
        for path, value in zip(before, low.best_variables, strict=True)
        if (value != before[path]).any()
    }
    assert set(moved) == {"head_logits/kernel", "head_logits/bias"}
    assert np.linalg.matrix_rank(moved["head_logits/kernel"], tol=1e-5) == 1
    # What the next phase begins with is what this one was kept for.
    set_variables(model, low.best_variables)
    logits = np.concatenate(
        [model(pixels).numpy() for pixels, _ in images.val.batches(4)]
    )
    right = (logits.argmax(-1) == images.val.labels).mean()
    assert right == pytest.approx(low.best_logs["val_accuracy"])


def test_a_strategy_and_a_layer_to_unfreeze_contradict_each_other():
    with pytest.raises(ValueError, match="received both"):
        Phase("p", 1, 1e-3, unfreeze_from="all", strategy=Freeze("none"))
