"""callbacks.AtomicBackup in plain Keras scripts that are killed."""

import json
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from warm import WarmPython

from tl_keras.callbacks import AtomicBackup
from tl_keras.callbacks.variables import variables_of
from tl_keras.checkpoints import Checkpoints
from tl_keras.console import on_console
from tl_keras.errors import MachineError

# Dropout, BatchNorm, a partial last batch, early stopping, two fits in a row.
SCRIPT = """
import os, signal, sys, hashlib, json
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np, tensorflow as tf
from tl_keras.callbacks import AtomicBackup

backup_dir, kill_at, save_freq = sys.argv[1], int(sys.argv[2]), sys.argv[3]
save_freq = int(save_freq) if save_freq.isdecimal() else save_freq
keras.utils.set_random_seed(3)
tf.config.experimental.enable_op_determinism()
random = np.random.default_rng(0)
x = random.normal(size=(50, 6)).astype("float32")
y = (x[:, 0] > 0).astype("int32")
model = keras.Sequential([
    keras.Input((6,)), keras.layers.Dense(8, activation="relu"),
    keras.layers.BatchNormalization(), keras.layers.Dropout(0.5),
    keras.layers.Dense(2),
])
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("adam", loss, metrics=["accuracy"])
epoch = tf.Variable(0, dtype=tf.int64)

def order(_):
    key = tf.stack([tf.constant(7, tf.int64), epoch])
    return tf.data.Dataset.from_tensor_slices(
        tf.argsort(tf.random.stateless_uniform([50], key)))

data = tf.data.Dataset.range(1).flat_map(order)
data = data.apply(tf.data.experimental.assert_cardinality(50))
data = data.map(lambda i: (tf.gather(x, i), tf.gather(y, i))).batch(8)
batches = 0

class Killer(keras.callbacks.Callback):
    def on_epoch_begin(self, number, logs=None):
        epoch.assign(number)
    def on_train_batch_end(self, batch, logs=None):
        global batches
        batches += 1
        if batches == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

backup = AtomicBackup(backup_dir, save_freq=save_freq)
histories = []
for patience in (2, 1):
    early = keras.callbacks.EarlyStopping(
        "val_loss", patience=patience, restore_best_weights=True)
    backup.callbacks = (early,)
    histories.append(model.fit(
        data, epochs=6, validation_data=(x[:20], y[:20]), verbose=0,
        shuffle=False, callbacks=[Killer(), early, backup]))
digest = hashlib.sha256()
for v in [*model.variables, *model.optimizer.variables]:
    digest.update(np.ascontiguousarray(v.numpy()).tobytes())
print(json.dumps([digest.hexdigest(), batches,
                  [[h.epoch, h.history] for h in histories]]))
"""


@pytest.fixture(scope="module")
def run_script():
    """Runs the script; gives its last line, or None where it was killed."""

    def run(folder, kill_at=0, save_freq="epoch"):
        process = python.start(
            [sys.executable, "-c", SCRIPT, str(folder), str(kill_at),
             save_freq],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        out, errors = process.communicate()
        if process.returncode == -signal.SIGKILL:
            return None
        assert process.returncode == 0, errors[-2000:]
        return json.loads(out.splitlines()[-1])

    with WarmPython("tensorflow", "keras", "tl_keras.callbacks") as python:
        yield run


@pytest.fixture(scope="module")
def straight(run_script, tmp_path_factory):
    return run_script(tmp_path_factory.mktemp("straight") / "backup")


@pytest.mark.parametrize(
    ("save_freq", "kills"), [("epoch", (10, 24)), ("2", (5, 17, 16))]
)
def test_a_killed_script_ends_with_the_same_bits(
    run_script, straight, tmp_path, save_freq, kills
):
    for kill_at in kills:
        assert run_script(tmp_path / "b", kill_at, save_freq) is None
    bits, trained, histories = run_script(tmp_path / "b", 0, save_freq)
    assert bits == straight[0]
    assert histories == straight[2]
    assert trained < straight[1]
    # All is done now: it trains nothing, and ends the same.
    again = run_script(tmp_path / "b", 0, save_freq)
    assert again[0] == straight[0]
    assert again[1] == 0
    assert again[2] == straight[2]


X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = X[:, :1]


def fitted(*callbacks, units=1, epochs=3, optimizer="adam", eager=True):
    """In eager mode, as so small a fit is traced longer than it trains."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
    model.compile(optimizer, "mse", run_eagerly=eager)
    model.fit(
        X, Y, batch_size=8, epochs=epochs, verbose=0, shuffle=False,
        callbacks=list(callbacks),
    )  # fmt: skip
    return model


class Stop(keras.callbacks.Callback):
    """Ends the process, as far as the folder can tell, at a batch."""

    def __init__(self, at):
        super().__init__()
        self.left = at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise InterruptedError


def test_what_other_callbacks_noted_goes_on(tmp_path):
    """The learning rate of a plateau, its patience, and its best value."""

    def plateau():
        return keras.callbacks.ReduceLROnPlateau(
            "loss", patience=2, min_delta=10, verbose=0
        )

    def rates(model):
        return [float(r) for r in model.history.history["learning_rate"]]

    straight = fitted(plateau(), epochs=7)
    early = plateau()
    with pytest.raises(InterruptedError):
        # After the fourth epoch, one short of the next fall.
        fitted(
            early, Stop(13),
            AtomicBackup(tmp_path, "epoch", callbacks=[early]), epochs=7,
        )  # fmt: skip
    again = plateau()
    model = fitted(
        again, AtomicBackup(tmp_path, "epoch", callbacks=[again]), epochs=7
    )
    assert rates(model) == rates(straight)
    assert len(set(rates(model))) > 2
    np.testing.assert_array_equal(
        model.get_weights()[0], straight.get_weights()[0]
    )


def test_metrics_of_a_half_epoch_count_all_of_it(tmp_path):
    straight = fitted(eager=False)
    with pytest.raises(InterruptedError):
        fitted(AtomicBackup(tmp_path, save_freq=1), Stop(5), eager=False)
    model = fitted(AtomicBackup(tmp_path, save_freq=1), eager=False)
    assert model.history.history == straight.history.history
    assert model.history.epoch == [0, 1, 2]


def test_delete_checkpoint_leaves_nothing(tmp_path):
    backup = AtomicBackup(tmp_path / "b", delete_checkpoint=True)
    fitted(backup)
    assert not (tmp_path / "b").exists()


def test_the_number_of_saves_that_stay_is_asked_for(tmp_path):
    for double, count in ((True, 2), (False, 1)):
        folder = tmp_path / str(double)
        fitted(AtomicBackup(folder, 1, double_checkpoint=double))
        assert len(list((folder / "fit_1").iterdir())) == count


def test_damaged_saves_are_not_begun_anew_in_silence(tmp_path):
    fitted(AtomicBackup(tmp_path, 1))
    for file in tmp_path.rglob("state.json"):
        file.write_text("{}")
    with pytest.raises(MachineError, match="no checkpoint is as it was"):
        fitted(AtomicBackup(tmp_path, 1))


def test_a_save_of_another_model_is_refused(tmp_path):
    fitted(AtomicBackup(tmp_path))
    with pytest.raises(ValueError, match="it is of another model"):
        fitted(AtomicBackup(tmp_path), units=2)


@pytest.mark.parametrize("save_freq", ["often", 0, -1, 1.5, True])
def test_a_wrong_save_freq_is_refused(tmp_path, save_freq):
    with pytest.raises(ValueError, match="save_freq="):
        AtomicBackup(tmp_path, save_freq)


def test_f14_weights_that_are_not_finite_are_never_saved(tmp_path, capsys):
    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 5:
                self.model.layers[0].kernel.assign(np.full((3, 1), np.nan))

    with on_console():
        fitted(Spoil(), AtomicBackup(tmp_path, 1))
    assert "not saved: a weight is not finite" in capsys.readouterr().err
    saved = Checkpoints(tmp_path / "fit_1").newest()
    assert (saved.state["epoch"], saved.state["batch"]) == (1, 1)
    assert all(np.isfinite(a).all() for a in saved.arrays.values())


def test_saves_are_as_rare_as_their_cost_asks(tmp_path, monkeypatch):
    """By a clock of our own: a save of 3 s, a batch of 1 s."""
    from tl_keras.callbacks import backup as room

    now = [0.0]
    monkeypatch.setattr(room.time, "monotonic", lambda: now[0])
    real, saves = Checkpoints.save, []

    def save(self, arrays, state):
        now[0] += 3.0
        saves.append(now[0])
        real(self, arrays, state)

    monkeypatch.setattr(Checkpoints, "save", save)

    class Tick(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            now[0] += 1.0

    one = AtomicBackup(tmp_path)
    fitted(Tick(), one, epochs=100, eager=False)  # 300 batches
    assert one.seconds_saving / now[0] <= 0.04
    assert 3 <= len(saves) <= 6


@pytest.mark.parametrize(("size", "seen"), [(4, [2, 3, 4]), (2, [4, 5, 6])])
def test_a_fit_goes_on_with_other_batches_after_the_same_examples(
    tmp_path, size, seen
):
    """Three of five batches of four are saved, one of them not trained."""
    from tl_keras.callbacks import TrainingBackup

    class Seen(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch >= first[0]:
                numbers.append(batch)

    def fit(size, *callbacks):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        backup = TrainingBackup(
            Checkpoints(tmp_path), save_freq=2, batch_size=size
        )
        model.fit(
            X, Y, batch_size=size, epochs=1, verbose=0, shuffle=False,
            callbacks=[*callbacks, backup],
        )  # fmt: skip

    numbers, first = [], [2 * 4 // size]
    with pytest.raises(InterruptedError):
        fit(4, Stop(3))
    fit(size, Seen())
    assert numbers[:3] == seen
    assert len(numbers) == (20 - 8) // size


class Subclassed(keras.Model):
    """Builds itself at its first call."""

    def __init__(self):
        super().__init__()
        self.hidden = keras.layers.Dense(4, activation="relu")
        self.drop = keras.layers.Dropout(0.5)
        self.out = keras.layers.Dense(1)

    def call(self, x, training=None):
        return self.out(self.drop(self.hidden(x), training=training))


class Adversarial(keras.Model):
    """Two networks, two optimizers and a counter, as in Keras's own GAN."""

    def __init__(self):
        super().__init__()
        self.maker = keras.Sequential([keras.layers.Dense(3)])
        self.judge = keras.Sequential([keras.layers.Dense(1)])
        self.steps = tf.Variable(0, trainable=False)
        self.noise = keras.random.SeedGenerator(1)
        self.tracker = keras.metrics.Mean(name="judge_loss")

    def compile(self, optimizers, **arguments):
        super().compile(**arguments)
        self.optimizers = optimizers

    def call(self, x):
        return self.judge(self.maker(x))

    def train_step(self, data):
        x, _ = data
        x = x + keras.random.normal((3,), seed=self.noise)
        for net, optimizer, sign in zip(
            (self.judge, self.maker), self.optimizers, (1, -1), strict=True
        ):
            with tf.GradientTape() as tape:
                loss = sign * keras.ops.mean(self(x) - self.judge(x))
            weights = net.trainable_weights
            optimizer.apply(tape.gradient(loss, weights), weights)
        self.steps.assign_add(1)
        self.tracker.update_state(loss)
        return {"judge_loss": self.tracker.result()}


def sequential(**compiled):
    model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], **compiled)
    return model


def subclassed(**compiled):
    model = Subclassed()
    model.compile("adam", "mse", **compiled)
    return model


def adversarial(**compiled):
    model = Adversarial()
    adam = keras.optimizers.Adam
    model.compile([adam(1e-2), adam(1e-3)], **compiled)
    return model


@pytest.mark.parametrize(
    "eager", [False, pytest.param(True, marks=pytest.mark.nightly)]
)
@pytest.mark.parametrize("make", [sequential, subclassed, adversarial])
def test_models_that_fit_builds_and_all_their_optimizers(make, eager, tmp_path):
    """A fresh model holds no variable yet when its save is there."""

    def fit(*callbacks, at_once=1):
        keras.utils.set_random_seed(0)
        model = make(run_eagerly=eager)
        model.fit(
            X, Y, batch_size=5, epochs=3, verbose=0, shuffle=False,
            callbacks=list(callbacks),
        )  # fmt: skip
        return model

    def end(model):
        return [np.asarray(v).tobytes() for v in variables_of(model)], (
            model.history.history
        )

    straight = end(fit(AtomicBackup(tmp_path / "straight")))
    for stop, save_freq in ((7, "epoch"),) if eager else ((6, 1), (7, "epoch")):
        folder = tmp_path / f"{stop}"
        with pytest.raises(InterruptedError):
            fit(Stop(stop), AtomicBackup(folder, save_freq, callbacks=[]))
        backup = AtomicBackup(folder, save_freq, callbacks=[])
        assert end(fit(backup)) == straight


def test_several_steps_at_once_go_on(tmp_path):
    def fit(*callbacks):
        keras.utils.set_random_seed(0)
        model = sequential(steps_per_execution=2)
        model.fit(
            X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False,
            callbacks=list(callbacks),
        )  # fmt: skip
        return model.history.history, [v.numpy() for v in model.variables]

    straight = fit()
    with pytest.raises(InterruptedError):
        fit(Stop(5), AtomicBackup(tmp_path, 1))  # Of six, the fourth saved.
    gone_on = fit(AtomicBackup(tmp_path, 1))
    assert gone_on[0] == straight[0]
    for one, other in zip(gone_on[1], straight[1], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("place", [0, 1])
def test_it_sees_what_others_do_wherever_it_stands(place, tmp_path):
    """Early stopping sets the best weights when the fit ends."""

    def run():
        beside = [
            keras.callbacks.EarlyStopping(
                "loss", mode="max", patience=9, restore_best_weights=True
            )
        ]
        beside.insert(place, AtomicBackup(tmp_path))
        return fitted(*beside).get_weights()

    first, again = run(), run()
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_next_fit_of_a_model_begins_at_its_own_epoch(tmp_path):
    fitted(AtomicBackup(tmp_path))
    model = fitted(AtomicBackup(tmp_path))  # Nothing was left to train.
    model.fit(X, Y, epochs=2, verbose=0)
    assert model.history.epoch == [0, 1]
