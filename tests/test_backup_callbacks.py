"""AtomicBackup beside every callback of Keras, and others' most used ones.

A kill is an exception in the middle of `fit`; a fresh model and new callbacks
go on. In eager mode, as many small fits are traced longer than they train.
"""

import csv
import pathlib

import keras
import lookalikes
import numpy as np
import pytest
import tensorflow as tf

from tl_keras import callbacks as ours
from tl_keras.callbacks import AtomicBackup
from tl_keras.callbacks.variables import variables_of
from tl_keras.errors import ConfigError

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(20, 4)).astype(np.float32)
Y = keras.utils.to_categorical(X[:, 0] > 0, 2)
EPOCHS, BATCHES = 3, 4


class Killed(BaseException):
    """As KeyboardInterrupt: nothing in between catches it."""


class Kill(keras.callbacks.Callback):
    """Ends the process, as far as others can tell, at a batch of all."""

    def __init__(self, at):
        super().__init__()
        self.at, self.done = at, 0

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        if self.done == self.at:
            raise Killed


def model_of(**compiled):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    settings = {
        "optimizer": keras.optimizers.Adam(1e-2),
        "loss": "categorical_crossentropy",
        "metrics": [keras.metrics.F1Score()],
        "run_eagerly": True,
    }
    model.compile(**settings | compiled)
    return model


def fit(callbacks, epochs=EPOCHS, **compiled):
    model = model_of(**compiled)
    model.fit(
        X[:16], Y[:16], batch_size=4, epochs=epochs, verbose=0, shuffle=False,
        validation_data=(X[16:], Y[16:]), callbacks=callbacks,
    )  # fmt: skip
    return model


def plain(value):
    return np.asarray(value).tolist()


def end_of(model):
    """All that a fit leaves: bits, and what it returned."""
    history = model.history
    rows = {name: plain(values) for name, values in history.history.items()}
    return [v.numpy().tobytes() for v in variables_of(model)], [
        history.epoch,
        rows,
    ]


def csv_rows(folder):
    return [
        line
        for file in sorted(folder.glob("*.csv"))
        for line in csv.reader(file.open())
    ]


def events(folder):
    """(folder, tag, step, value) of all scalars in TensorBoard's files."""
    found = []
    for file in sorted(folder.rglob("events.out.tfevents.*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            found += [
                (file.parent.name, value.tag, event.step,
                 tf.make_ndarray(value.tensor).tolist())
                for value in event.summary.value
                if "per_second" not in value.tag
                and value.metadata.plugin_data.plugin_name == "scalars"
            ]  # fmt: skip
    return sorted(found)


def saved_models(folder):
    return [
        weight.tobytes()
        for file in sorted(folder.glob("*.keras"))
        for weight in keras.models.load_model(file).get_weights()
    ]


# What stands beside the backup -> callbacks in a folder, what they leave.
KERAS = {
    "CSVLogger": (
        lambda f: [keras.callbacks.CSVLogger(f / "a.csv")], csv_rows
    ),
    "CSVLogger append": (
        lambda f: [keras.callbacks.CSVLogger(f / "a.csv", ";", append=True)],
        csv_rows,
    ),
    "EarlyStopping": (
        lambda f: [
            keras.callbacks.EarlyStopping(
                "loss", patience=1, min_delta=1, restore_best_weights=True
            )
        ],
        None,
    ),
    "EarlyStopping not stopping": (
        lambda f: [
            keras.callbacks.EarlyStopping(
                "val_loss", patience=9, mode="max", restore_best_weights=True
            )
        ],
        None,
    ),
    "LambdaCallback": (
        lambda f: [
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda epoch, logs: None
            )
        ],
        None,
    ),
    "LearningRateScheduler": (
        lambda f: [
            keras.callbacks.LearningRateScheduler(lambda e, lr: lr * 0.6)
        ],
        None,
    ),
    "ModelCheckpoint": (
        lambda f: [
            keras.callbacks.ModelCheckpoint(
                f / "best.keras", save_best_only=True
            ),
            keras.callbacks.ModelCheckpoint(
                f / "at-{epoch}-{batch}.keras", save_freq=3
            ),
        ],
        saved_models,
    ),
    "ReduceLROnPlateau": (
        lambda f: [
            keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=9)
        ],
        None,
    ),
    "SwapEMAWeights": (
        lambda f: [keras.callbacks.SwapEMAWeights()], None
    ),
    "SwapEMAWeights on epoch": (
        lambda f: [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)], None
    ),
    "TensorBoard": (
        lambda f: [keras.callbacks.TensorBoard(f, update_freq=1)], events
    ),
    "TerminateOnNaN and History": (
        lambda f: [
            keras.callbacks.TerminateOnNaN(), keras.callbacks.History()
        ],
        None,
    ),
    "ProgbarLogger": (lambda f: [keras.callbacks.ProgbarLogger()], None),
}  # fmt: skip
OURS = {
    "HistoryLogger": (lambda f: [ours.HistoryLogger(f / "h.csv")], csv_rows),
    "KeepBestWeights": (lambda f: [ours.KeepBestWeights("val_loss")], None),
    "StopOnNonFinite": (lambda f: [ours.StopOnNonFinite(2)], None),
    "WarmupCosine": (lambda f: [ours.WarmupCosine(1e-2)], None),
}
OTHERS = {
    name: (lambda f, name=name: [getattr(lookalikes, name)()], None)
    for name in (
        "CyclicLR", "OneCycle", "SWA", "VariableEMA", "ModelEMA",
        "GradualUnclip", "NoiseSchedule", "WarmUp", "Metrics",
    )
}  # fmt: skip
ALL = KERAS | OURS | OTHERS


def compiled_for(name):
    ema = {"use_ema": True, "ema_momentum": 0.5} if "EMAW" in name else {}
    found = {"optimizer": keras.optimizers.Adam(1e-2, **ema)}
    # TensorBoard takes no metric of several values.
    return found | ({"metrics": []} if name == "TensorBoard" else {})


def fit_beside(callbacks, name, **arguments):
    """As `fit`; what a killed process had written is on the disk."""
    try:
        return fit(callbacks, **arguments, **compiled_for(name))
    except Killed:
        for callback in callbacks:
            if isinstance(callback, keras.callbacks.TensorBoard):
                while callback._prev_summary_state:
                    callback._pop_writer()
                callback._close_writers()
        raise


def notes_of(callback):
    """Its numbers and lists, as a user would look at them afterwards."""
    return {
        name: keras.tree.map_structure(plain, value)
        for name, value in vars(callback).items()
        if isinstance(value, (int, float, list))
        and "time" not in name
        and not name.startswith("_")
        and name not in ("shadows", "inner", "rows", "weights")
    }


# One of each kind of state: rows of a file, a best value, a rate, weights.
ALWAYS = ("CSVLogger", "EarlyStopping", "LearningRateScheduler",
          "SwapEMAWeights", "HistoryLogger", *list(OTHERS)[:1])  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ALWAYS else pytest.mark.nightly)
        for name in ALL
    ],
)
def test_a_kill_changes_nothing(name, tmp_path):
    """At an epoch's end, and batches after a save in an epoch's middle."""
    make, left_in = ALL[name]

    def run(folder, *kill, save_freq="epoch"):
        (tmp_path / folder).mkdir(exist_ok=True)
        beside = make(tmp_path / folder)
        # Neither first nor last: where it stands shall not matter.
        backup = AtomicBackup(
            tmp_path / f"{folder}_backup", save_freq, verbose=0, without=kill
        )
        model = fit_beside([*kill, backup, *beside], name)
        return (
            end_of(model),
            left_in and left_in(tmp_path / folder),
            [] if name in KERAS else [notes_of(c) for c in beside],
        )

    straight = run("straight")
    for folder, save_freq, at in (("end", "epoch", 6), ("middle", 3, 8)):
        with pytest.raises(Killed):
            run(folder, Kill(at), save_freq=save_freq)
        assert run(folder, save_freq=save_freq) == straight
    # Once more: nothing is left, and all is as it was.
    assert run("end")[:2] == straight[:2]


def test_each_callback_of_keras_is_tried_or_refused():
    """A new one in a new Keras shall not be overlooked."""
    tried = {word for name in KERAS for word in name.split()}
    bases = {"Callback", "CallbackList"}
    alone = {"BackupAndRestore", "OrbaxCheckpoint", "RemoteMonitor"}
    named = {n for n in dir(keras.callbacks) if n[0].isupper()}
    assert named - bases - alone <= tried
    table = ours.__doc__
    assert all(name in table for name in named - bases)


@pytest.mark.parametrize("make", [
    lambda: lookalikes.WandbLike(), lambda: keras.callbacks.RemoteMonitor()
])  # fmt: skip
def test_rows_that_are_sent_away_arrive_again_with_the_same_values(
    make, tmp_path, monkeypatch
):
    from keras.src.callbacks import remote_monitor

    class Requests:
        def post(self, url, json=None, **_):
            SENT.append([json["epoch"], dict(json)])

    monkeypatch.setattr(remote_monitor, "requests", Requests())
    callback = make()
    if isinstance(callback, keras.callbacks.RemoteMonitor):
        callback.send_as_json = True
    SENT = lookalikes.SentRows.rows = []

    def run(folder, *kill, save_freq):
        SENT.clear()
        new = make()
        new.send_as_json = True
        fit(
            [*kill, new, AtomicBackup(tmp_path / folder, save_freq)],
            epochs=3, metrics=[],
        )  # fmt: skip
        return list(SENT)

    straight = run("straight", save_freq="epoch")
    with pytest.raises(Killed):
        run("at_end", Kill(6), save_freq="epoch")
    before = list(SENT)
    assert before + run("at_end", save_freq="epoch") == straight
    with pytest.raises(Killed):
        run("late", Kill(9), save_freq=3)  # The save is of the sixth.
    before = list(SENT)
    after = run("late", save_freq=3)
    assert before[1] == after[0]
    assert [before[0], *after] == straight


@pytest.mark.parametrize(
    "name",
    [
        "CSVLogger append", "HistoryLogger",
        pytest.param("TensorBoard", marks=pytest.mark.nightly),
    ],
)  # fmt: skip
def test_rows_written_before_the_first_save_stand_there_once(name, tmp_path):
    make, left_in = ALL[name]

    def run(folder, *kill):
        (tmp_path / folder).mkdir(exist_ok=True)
        backup = AtomicBackup(f"{tmp_path}/{folder}_backup", 99, without=kill)
        fit_beside([*make(tmp_path / folder), *kill, backup], name, epochs=2)
        return left_in(tmp_path / folder)

    straight = run("straight")
    for at in (6, 5):
        with pytest.raises(Killed):
            run("killed", Kill(at))
    assert run("killed") == straight


class Streams(keras.callbacks.Callback):
    """Takes its rates from an iterator, which nobody can look at."""

    def __init__(self):
        super().__init__()
        self.rates = iter([1e-2, 1e-3, 1e-4, 1e-5])


class Frame:
    """As a table of another library's, made anew for each row."""

    __module__ = "pandas_like"


class Tables(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.table = Frame()


class LateModel(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.average = keras.models.clone_model(self.model)


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        (Streams(), "Streams.rates: a list_iterator that cannot be saved"),
        (Tables(), "Tables.table: a Frame that cannot be saved"),
        (LateModel(), "LateModel.average: a Sequential that cannot be saved"),
        (
            keras.callbacks.BackupAndRestore("elsewhere"),
            "BackupAndRestore: .* take one of them",
        ),
    ],
)
def test_what_cannot_go_on_is_refused_by_name(tmp_path, callback, expected):
    kill = Kill(EPOCHS * BATCHES)  # Refused long before.
    with pytest.raises(ConfigError, match=expected):
        fit([callback, kill, AtomicBackup(tmp_path)])


def test_a_callback_that_is_left_out_begins_anew(tmp_path):
    tables = Tables()
    backup = AtomicBackup(tmp_path, without=[tables])
    assert len(fit([tables, backup]).history.epoch) == EPOCHS


class Holder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.thing = Frame()


def test_what_is_not_known_is_told(tmp_path, capsys):
    fit([Holder(), AtomicBackup(tmp_path)], epochs=1)
    assert "not known how to keep Holder.thing (Frame)" in (
        capsys.readouterr().out
    )


def test_a_list_that_others_hold_stays_theirs(tmp_path):
    rows = []

    class Rows(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.rows = rows

        def on_epoch_end(self, epoch, logs=None):
            self.rows.append(epoch)

    with pytest.raises(Killed):
        fit([Rows(), AtomicBackup(tmp_path, "epoch"), Kill(10)])
    rows = []
    fit([Rows(), AtomicBackup(tmp_path, "epoch")])
    assert rows == list(range(EPOCHS))


def test_events_of_a_process_that_saved_nothing_are_put_aside(tmp_path):
    """The second of three processes dies before its first save."""

    def run(*kill):
        board = keras.callbacks.TensorBoard(tmp_path / "logs")
        backup = AtomicBackup(tmp_path / "b", 6, verbose=0, without=kill)
        fit_beside([board, *kill, backup], "TensorBoard")

    for at in (7, 3, 4):
        with pytest.raises(Killed):
            run(Kill(at))
    run()
    steps = [step for place, tag, step, _ in events(tmp_path / "logs")
             if (place, tag) == ("train", "epoch_loss")]  # fmt: skip
    assert steps == list(range(EPOCHS))
    assert pathlib.Path(tmp_path, "logs").is_dir()
