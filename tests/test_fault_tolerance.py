"""jobs/fault_tolerance.py: runs that lose pictures or memory on their way."""

import csv
import dataclasses
import json
import os
import shutil
import threading
import time

import pytest
import tensorflow as tf
import tiny
from conftest import write_picture
from killing import QUICK, fingerprint, running

from tl_keras import TransferConfig, io_watchdog, run
from tl_keras.errors import ConfigError, DataError, MachineError
from tl_keras.jobs import stages, training
from tl_keras.sources import LabelledExamples

# Files are read in each pass; what is in them does not matter.
pytestmark = pytest.mark.usefixtures("plain_decoder_throughout")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """The graph, its gate and the page are not what is asked."""
    tiny.use(monkeypatch, tiny.QUICK)
    monkeypatch.setattr(io_watchdog, "PAUSES", (0, 0))


def make_folder(root):
    """Two classes with splits of their own: 11 to train, 4, 4 a class."""
    for split, count in (("train", 11), ("val", 4), ("test", 4)):
        for color, name in enumerate(("blue_not", "green")):
            for number in range(count):
                seed = 1000 * len(split) + 100 * color + number
                file = root / split / name / f"{number}.png"
                write_picture(file, seed, color)
    return root


@pytest.fixture
def folder(tmp_path):
    return make_folder(tmp_path / "colors")


def config_of(folder, network, out) -> TransferConfig:
    """A head that is solved, then two epochs; each reads every file, as
    nothing is kept."""
    return TransferConfig(
        dataset=str(folder), backbone=str(network), output_dir=str(out),
        head_epochs=1, fine_tune_epochs=2, unfreeze_from="two",
        batch_size=5, feature_cache="off", feature_memory_gb=0,
        max_bad_fraction=0.1,
    )  # fmt: skip


@pytest.fixture
def config(folder, tiny_network, tmp_path) -> TransferConfig:
    return config_of(folder, tiny_network, tmp_path / "out")


def changed(config: TransferConfig, **values) -> TransferConfig:
    return dataclasses.replace(config, **values)


@pytest.fixture(scope="module")
def straight(
    plain_decoder_throughout, tiny_network, tmp_path_factory
) -> dict[str, str]:
    """What the run gives when nothing happens to it."""
    root = tmp_path_factory.mktemp("straight")
    folder = make_folder(root / "colors")
    run(config_of(folder, tiny_network, root / "out"), stages=tiny.QUICK)
    return fingerprint(root / "out")


def at_the_end_of(epoch, do, monkeypatch):
    """Does something once, at the end of an epoch (from 0)."""

    class Then(training.Answered):
        def on_epoch_end(self, number, logs=None):
            if number == epoch and not done:
                done.append(number)
                do()

    done = []
    monkeypatch.setattr(training, "Answered", Then)


def gone(file):
    """Moves a file away; a function that puts it back."""
    aside = file.parent.parent.parent.parent / f"aside_{file.name}"
    file.rename(aside)
    return lambda: aside.exists() and aside.rename(file)


def test_f10_a_fault_that_passes_changes_nothing(
    config, folder, straight, monkeypatch, capfd
):
    file = folder / "train" / "green" / "3.png"
    back = []
    at_the_end_of(1, lambda: back.append(gone(file)), monkeypatch)
    real = LabelledExamples.unreadable

    def after_a_moment(images):
        back[0]()
        return real(images)

    monkeypatch.setattr(LabelledExamples, "unreadable", after_a_moment)
    capfd.readouterr()
    run(config)
    assert "a read failed, and now succeeds" in capfd.readouterr().out
    assert fingerprint(config.run_folder()) == straight


@pytest.mark.parametrize("kept", ["off", "pixels", "features"])
def test_f10_f25_a_picture_to_train_on_is_left_out_and_counted(
    config, folder, monkeypatch, capfd, tmp_path, kept
):
    file = folder / "train" / "green" / "3.png"
    if kept == "off":
        at_the_end_of(1, lambda: gone(file), monkeypatch)
    else:
        # Read once, when training begins.
        config = changed(
            config, feature_memory_gb=1.0,
            feature_cache="off" if kept == "pixels" else str(tmp_path / "f"),
        )  # fmt: skip
        lost = []

        def fit(run):
            if not lost:
                lost.append(gone(file))
            return stages.fit(run)

        tiny.use(monkeypatch, tiny.QUICK.replacing(stages.fit, fit))
    result = run(config)
    id_ = "train/green/3.png"
    line = f"skip: {id_}: could not be read while training (cannot be read (No"
    assert capfd.readouterr().out.count(line) == 1
    data = result.metrics["data"]
    assert data["used"] == {"train": 21, "val": 8, "test": 8}
    assert (data["found"], data["skipped"]) == (38, 1)
    report = json.loads((result.run_folder / "data_report.json").read_text())
    assert [skip["id"] for skip in report["skipped"]] == [id_]
    assert report["books"]["used"] == 37
    assert id_ not in (result.run_folder / "split.csv").read_text()
    # All epochs were trained, each once.
    with open(result.run_folder / "history.csv", newline="") as stream:
        epochs = [row["epoch"] for row in csv.DictReader(stream)]
    assert epochs == ["1", "2", "3"]


CUT_SHORT = tiny.QUICK.replacing(stages.evaluate, tiny.end)


@pytest.mark.parametrize("restored", [True, False])
def test_f25_a_killed_run_goes_on_without_what_it_lost(
    config, folder, monkeypatch, restored
):
    file, back = folder / "train" / "green" / "3.png", []
    with monkeypatch.context() as patch:
        at_the_end_of(1, lambda: back.append(gone(file)), patch)
        with pytest.raises(tiny.CutShortError):
            run(config, stages=CUT_SHORT)
    if restored:
        back[0]()
    result = run(config)
    assert result.metrics["data"]["used"]["train"] == 21
    assert result.metrics["data"]["skipped"] == 1
    assert run(config).metrics == result.metrics  # finished before


@pytest.mark.parametrize("split", ["val", "test"])
def test_f25_a_picture_to_validate_or_test_on_stops_it_until_it_is_back(
    config, folder, straight, monkeypatch, split
):
    file, back = folder / split / "green" / "2.png", []
    with monkeypatch.context() as patch:
        at_the_end_of(1, lambda: back.append(gone(file)), patch)
        with pytest.raises(DataError) as caught:
            run(config)
    assert "\n".join(caught.value.faults) == (
        f"{split}/green/2.png: cannot be read (No such file or directory) - "
        "mend or restore the file, and the same command goes on; --restart "
        "begins anew without it"
    )
    back[0]()
    run(config)
    assert fingerprint(config.run_folder()) == straight


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bad_input": "fail"}, "--bad_input=fail allows none"),
        ({}, "--max_bad_fraction=0.01 allows fewer"),
    ],
)
def test_f10_more_than_is_allowed_stops_it(
    config, folder, monkeypatch, settings, words
):
    config = changed(config, max_bad_fraction=0.01, **settings)
    file = folder / "train" / "green" / "3.png"
    at_the_end_of(1, lambda: gone(file), monkeypatch)
    with pytest.raises(DataError, match="could not be read") as caught:
        run(config)
    assert words in "\n".join(caught.value.faults)


def test_f25_a_class_that_is_lost_stops_it(config, folder, monkeypatch):
    def lose():
        for file in (folder / "train" / "green").iterdir():
            file.unlink()

    at_the_end_of(1, lose, monkeypatch)
    config = changed(config, max_bad_fraction=1)
    with pytest.raises(DataError, match=r"'green'.*no picture to train on"):
        run(config)


def test_f25_a_picture_cut_short_is_left_out(config, folder, monkeypatch):
    file = folder / "train" / "green" / "3.png"

    def cut():
        file.write_bytes(file.read_bytes()[:200])

    at_the_end_of(1, cut, monkeypatch)
    result = run(config)
    assert result.metrics["data"]["used"]["train"] == 21
    (skip,) = json.loads(
        (result.run_folder / "data_report.json").read_text()
    )["skipped"]  # fmt: skip
    assert "does not decode" in skip["reason"]


def too_large_for(sizes, monkeypatch):
    """Memory runs out in the second batch of an epoch of the fine-tune."""

    class Full(training.Answered):
        def on_train_batch_end(self, batch, logs=None):
            size = -(-22 // self.params["steps"])
            if self.params["epochs"] == 3 and batch == 1 and size in sizes:
                raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr(training, "Answered", Full)


def test_f15_auto_batch_halves_and_goes_on(config, monkeypatch, capfd):
    config = changed(config, feature_memory_gb=1.0)
    with monkeypatch.context() as patch:
        too_large_for({5, 3}, patch)
        with pytest.raises(MachineError) as caught:
            run(config)
        assert "\n".join(caught.value.faults) == (
            "out of memory - give --batch_size=2 or --auto_batch, lower "
            "--image_size or --head_units, or choose a smaller --backbone"
        )
        # The same run, once it may.
        result = run(changed(config, auto_batch=True))
    out = capfd.readouterr().out
    assert "with batches of 5: going on with 2 (--auto_batch)" in out
    assert "phase head: finished before" in out
    assert result.metrics["batch_size"] == 2
    assert [row["epoch"] for row in result.history] == [1, 2, 3]


def test_f15_the_batch_of_a_killed_run_holds(config, monkeypatch, capfd):
    config = changed(config, auto_batch=True, feature_memory_gb=1.0)
    with monkeypatch.context() as patch:
        too_large_for({5}, patch)
        with pytest.raises(tiny.CutShortError):
            run(config, stages=CUT_SHORT)
    result = run(config)
    assert result.metrics["batch_size"] == 2
    with pytest.raises(ConfigError, match="batch_size: the run has 5"):
        run(changed(config, batch_size=4))


def test_f15_one_picture_that_is_too_large_is_told(config, monkeypatch):
    too_large_for({5, 4, 3, 2, 1}, monkeypatch)
    with pytest.raises(MachineError, match="out of memory - halve"):
        run(changed(config, auto_batch=True))


def test_f24_a_picture_that_hangs_ends_a_run_that_goes_on_later(
    config, folder, straight, tmp_path
):
    config = changed(config, io_timeout=2)
    file, log = folder / "train" / "green" / "3.png", tmp_path / "log"
    aside = tmp_path / "aside.png"
    shutil.copy(file, aside)
    os.mkfifo(tmp_path / "pipe")

    def swap():
        while not log.exists() or "phase fine_tune" not in log.read_text():
            time.sleep(0.01)
        (tmp_path / "pipe").replace(file)

    arguments = config.to_flags().splitlines()
    swapping = threading.Thread(target=swap, daemon=True)
    swapping.start()
    with running() as runs:
        assert runs.run(arguments, log, real=QUICK) == 4, log.read_text()
        assert f"error: {file}: no answer for 2 s" in log.read_text()
        aside.replace(file)
        assert runs.run(arguments, log, real=QUICK) == 0
    found = fingerprint(config.run_folder())
    # Its card shows the settings, which are others.
    assert {**found, "metrics": ""} == {**straight, "metrics": ""}
