"""AtomicBackup in a cell that is edited and run again, and in loops.

Each edit goes on or is refused with what differs, and says what it did. In
eager mode, as many small fits are traced longer than they train.
"""

import contextlib
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_keras.callbacks import AtomicBackup
from tl_keras.callbacks.variables import variables_of
from tl_keras.errors import ConfigError

L = keras.layers
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(24, 3)).astype(np.float32)
Y = (X[:, :1] > 0).astype(np.float32)


class Killed(BaseException):
    pass


class Kill(keras.callbacks.Callback):
    def __init__(self, at):
        super().__init__()
        self.left = at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise Killed


class Steps(keras.callbacks.Callback):
    """Counts what this process trains, outside the callback."""

    def __init__(self):
        super().__init__()
        self.seen = seen = []
        self.note = lambda: seen.append(1)

    def on_train_batch_begin(self, batch, logs=None):
        self.note()


def cell(
    folder, *callbacks, epochs=3, rate=1e-2, loss="mse", units=2,
    optimizer=keras.optimizers.Adam, x=X, y=Y, batch_size=8, seed=0,
    metrics=(), model=None, **arguments,
):  # fmt: skip
    """What a cell of a notebook says: a model, compiled and fitted."""
    keras.utils.set_random_seed(seed)
    model = model or keras.Sequential(
        [keras.Input((x.shape[1],)), L.Dense(units), L.Dense(1)]
    )
    model.compile(
        optimizer(rate), loss, metrics=list(metrics), run_eagerly=True
    )
    history = model.fit(
        x, y, batch_size=batch_size, epochs=epochs, verbose=0, shuffle=False,
        callbacks=[*callbacks, AtomicBackup(folder, "epoch")], **arguments,
    )  # fmt: skip
    return model, history.history["loss"]


def said(capsys):
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("AtomicBackup: ")]
    return line


def bits(model):
    return [v.numpy().tobytes() for v in variables_of(model)]


def test_the_same_again_trains_nothing_and_says_so(tmp_path, capsys):
    first, losses = cell(tmp_path)
    assert "fit_1: a fit of 3 epochs begins" in said(capsys)
    steps = Steps()
    again, same = cell(tmp_path, steps)
    assert not steps.seen
    assert same == losses
    assert bits(again) == bits(first)
    assert "all 3 epochs are trained, nothing is left" in said(capsys)


def test_more_epochs_are_trained(tmp_path, capsys):
    cell(tmp_path)
    capsys.readouterr()
    more, losses = cell(tmp_path, epochs=5)
    told = said(capsys)
    assert "goes on after epoch 3, up to epoch 5 (3 before)" in told
    straight, expected = cell(tmp_path / "straight", epochs=5)
    assert losses == expected
    assert bits(more) == bits(straight)


def test_more_epochs_go_on_from_the_last_one_not_from_the_best(tmp_path):
    """Though EarlyStopping's end gave the model its best weights."""

    def early():
        return keras.callbacks.EarlyStopping(
            "loss", mode="max", patience=9, restore_best_weights=True
        )

    cell(tmp_path, early())
    more, losses = cell(tmp_path, early(), epochs=5)
    straight, expected = cell(tmp_path / "straight", early(), epochs=5)
    assert losses == expected
    assert bits(more) == bits(straight)


def test_a_fit_that_a_callback_stopped_stays_stopped(tmp_path, capsys):
    def early():
        return keras.callbacks.EarlyStopping("loss", min_delta=9, patience=1)

    cell(tmp_path, early(), epochs=9)
    capsys.readouterr()
    _, losses = cell(tmp_path, early(), epochs=12)
    assert "stopped by a callback after epoch 2, nothing is" in said(capsys)
    assert len(losses) == 2


def weighted(truth, guess):
    return keras.ops.mean(2.0 * (truth - guess) ** 2)


def other_layers():
    return keras.Sequential(
        [keras.Input((3,)), L.Dense(2, activation="relu"), L.Dense(1)]
    )


EDITS = {
    "learning rate": (
        {"rate": 0.1},
        r"another optimizer \(optimizer.learning_rate: 0.0099\d* before, 0.1",
    ),
    "optimizer": (
        {"optimizer": keras.optimizers.SGD},
        "optimizer.class: Adam before, SGD now",
    ),
    "labels": ({"y": 1 - Y}, r"of another data \(data.first targets differs"),
    "inputs": ({"x": X + 1}, "data.first inputs differs"),
    "fewer examples": (
        {"x": X[:16], "y": Y[:16]}, "data.batches: 3 before, 2 now"
    ),
    "batch size": ({"batch_size": 6}, "data.batch_size: 8 before, 6 now"),
    "element spec": (
        {"y": Y.astype(np.float64)[:, 0]}, "data.element_spec"
    ),
    "class weights": (
        {"class_weight": {0: 1.0, 1: 2.0}}, "class_weight"
    ),
    "units": ({"units": 4}, r"another model \(model.layers.* before, 4 now"),
    "activation": (
        {"model": other_layers}, "activation: linear before, relu now"
    ),
    "loss": ({"loss": "mae"}, "loss: mse before, mae now"),
    "own loss": ({"loss": weighted}, "another loss"),
    "metrics": ({"metrics": ["mae"]}, "metrics: 0 before, 1 now"),
    "fewer epochs": (
        {"epochs": 2}, "3 epochs are trained, epochs=2 is fewer"
    ),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_another_fit_is_refused_with_what_differs(edit, tmp_path):
    changed, expected = EDITS[edit]
    changed = dict(changed)
    if "model" in changed:
        changed["model"] = changed["model"]()
    cell(tmp_path)
    rows = tmp_path / "rows.csv"
    rows.write_text("epoch,loss\n0,1\n")
    with pytest.raises(ConfigError, match=expected) as refused:
        cell(tmp_path, keras.callbacks.CSVLogger(rows), **changed)
    assert "give another backup_dir, or remove that folder" in str(refused)
    assert len(str(refused.value).splitlines()) == 1
    # Refused before another callback could begin its files anew.
    assert rows.read_text() == "epoch,loss\n0,1\n"
    cell(tmp_path)  # What is there is untouched.


def test_what_differs_is_told_of_a_killed_fit_too(tmp_path):
    with pytest.raises(Killed):
        cell(tmp_path, Kill(5))
    with pytest.raises(ConfigError, match="first targets differs"):
        cell(tmp_path, y=1 - Y)


def test_new_settings_of_a_callback_hold_and_its_notes_go_on(tmp_path, capsys):
    early = keras.callbacks.EarlyStopping
    cell(tmp_path, early("loss", min_delta=9, patience=4))
    capsys.readouterr()
    other = early("loss", min_delta=9, patience=5)
    _, losses = cell(
        tmp_path, other, keras.callbacks.TerminateOnNaN(), epochs=9
    )
    assert len(losses) == 6  # Epoch 1, and five of patience.
    assert "begins with TerminateOnNaN" in said(capsys)


def test_a_rate_that_callbacks_moved_is_no_other_rate(tmp_path):
    """The cell with `fit` alone run again, after a stop by the keyboard."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), L.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    halve = keras.callbacks.LearningRateScheduler(lambda e, lr: lr / 2)

    def fit(*callbacks):
        return model.fit(
            X, Y, batch_size=8, epochs=4, verbose=0, shuffle=False,
            callbacks=[halve, AtomicBackup(tmp_path, 1), *callbacks],
        ).history["learning_rate"]  # fmt: skip

    with pytest.raises(Killed):
        fit(Kill(8))
    np.testing.assert_allclose(fit(), [0.05, 0.025, 0.0125, 0.00625])


def folds(folder, *callbacks):
    for fold in range(3):
        chosen = np.arange(24) % 3 != fold
        keras.utils.set_random_seed(fold)
        model = keras.Sequential([keras.Input((3,)), L.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        model.fit(
            X[chosen], Y[chosen], batch_size=8, epochs=3, verbose=0,
            callbacks=[*callbacks, AtomicBackup(folder, "epoch")],
            shuffle=False,
        )  # fmt: skip
        yield bits(model)


def test_each_fold_of_a_loop_is_a_fit_of_its_own(tmp_path, capsys):
    straight = list(folds(tmp_path / "a"))
    assert len({tuple(fold) for fold in straight}) == 3
    told = capsys.readouterr().out
    for fold in (1, 2, 3):
        assert f"fit_{fold}: a fit of 3 epochs begins" in told
    with pytest.raises(Killed):
        list(folds(tmp_path / "b", Kill(9)))  # In the second fold.
    capsys.readouterr()
    assert list(folds(tmp_path / "b")) == straight
    told = capsys.readouterr().out.splitlines()
    assert "fit_1: all 3 epochs are trained" in told[0]
    assert "fit_2: goes on after epoch" in told[1]
    assert "fit_3: a fit of 3 epochs begins" in told[2]


def test_a_cell_that_runs_again_is_no_turn_of_a_loop(monkeypatch, tmp_path):
    """Though the same line calls again, in the same process."""
    shell = types.SimpleNamespace(execution_count=0)
    notebook = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    refused = pytest.raises(ConfigError, match="first targets differs")
    for y, expected in ((Y, contextlib.nullcontext()), (1 - Y, refused)):
        shell.execution_count += 1
        with expected:
            cell(tmp_path, y=y)


def test_fits_of_one_object_are_numbered_as_they_end(tmp_path, capsys):
    backup = AtomicBackup(tmp_path, "epoch")

    def fit(*callbacks):
        model = keras.Sequential([keras.Input((3,)), L.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        callbacks = [*callbacks, backup]
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=callbacks)

    with pytest.raises(Killed):
        fit(Kill(5))
    for _ in range(2):
        fit()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("fit_")[1][:10] for line in lines] == [
        "1: a fit o", "1: goes on", "2: a fit o"
    ]  # fmt: skip


def test_folds_that_differ_in_their_first_weights_alone(tmp_path):
    losses = [cell(tmp_path, seed=seed)[1][-1] for seed in range(3)]
    assert len(set(losses)) == 3


def test_a_folder_for_each_fold(tmp_path):
    ends = []
    for fold in range(2):
        chosen = np.arange(24) % 2 != fold
        ends.append(cell(tmp_path / str(fold), x=X[chosen], y=Y[chosen])[1])
    assert ends[0] != ends[1]


def test_a_dataset_is_known_by_what_it_shuffles(tmp_path):
    def fit(y):
        source = tf.data.Dataset.from_tensor_slices((X, y))
        data = source.shuffle(24, seed=1).map(lambda a, b: (a, b)).batch(8)
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), L.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        callbacks = [AtomicBackup(tmp_path)] if tmp_path else []
        model.fit(data, epochs=2, verbose=0, callbacks=callbacks)
        return bits(model)

    kept = fit(Y)
    fit(Y)
    with pytest.raises(ConfigError, match=r"data.first examples differs"):
        fit(1 - Y)
    # Looking at it has not changed the order of the shuffle.
    tmp_path = None
    assert fit(Y) == kept


def test_data_that_cannot_be_looked_at_are_not_touched(tmp_path):
    taken = []

    def batches():
        for number in range(6):
            taken.append(number)
            yield X[:8], Y[:8]

    def fit(*callbacks):
        taken.clear()
        model = keras.Sequential([keras.Input((3,)), L.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
        model.fit(
            batches(), epochs=2, steps_per_epoch=3, verbose=0,
            callbacks=list(callbacks),
        )  # fmt: skip
        return len(taken)

    assert fit(AtomicBackup(tmp_path)) == fit()
