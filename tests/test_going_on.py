"""The same command once more: what it goes on with, and what it refuses."""

import csv
import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
import tiny
from conftest import write_picture
from killing import fingerprint

from tl_keras import TransferConfig, io_watchdog, jobs, run
from tl_keras.audit import reading
from tl_keras.errors import (
    ConfigError,
    DataError,
    DivergedError,
    MachineError,
    NotPublishedError,
    StoppedError,
)
from tl_keras.jobs import planning, stages
from tl_keras.train import main
from tl_keras.training import get_variables

pytestmark = pytest.mark.usefixtures("plain_decoder_throughout")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """The graph, its gate and the page are not what is asked."""
    tiny.use(monkeypatch, tiny.QUICK)


@pytest.fixture
def config(color_folder, tiny_network, tmp_path) -> TransferConfig:
    return tiny.config(
        color_folder, tiny_network, tmp_path / "out",
        feature_cache=str(tmp_path / "features"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def cut_run(plain_decoder_throughout, tiny_network, tmp_path_factory):
    """A folder with data, a network, and a run that ended when trained."""
    root = tmp_path_factory.mktemp("cut")
    shutil.copy(tiny_network, root / "mine.keras")
    config = tiny.config(
        tiny.write_colors(root / "colors"), root / "mine.keras", root / "out",
        feature_cache=str(root / "features"),
    )  # fmt: skip
    cut_short(config, stages.evaluate)
    return root, config


@pytest.fixture
def unfinished(cut_run, tmp_path) -> TransferConfig:
    """The settings of a run that ended when trained; in a copy of it."""
    root, config = cut_run
    return tiny.moved(config, root, tmp_path / "moved")


def folder_of(config: TransferConfig):
    return config.run_folder() / "run"


def changed(config: TransferConfig, **values) -> TransferConfig:
    return dataclasses.replace(config, **values)


def elsewhere(config: TransferConfig) -> TransferConfig:
    """The same run in another folder of the same name."""
    folder = config.run_folder()
    return changed(
        config, output_dir=str(folder.parent / "elsewhere" / folder.name)
    )


def cut_short(config, at, some=tiny.QUICK):
    """A run that ends before a stage; its folder."""
    with pytest.raises(tiny.CutShortError):
        run(config, stages=some.replacing(at, tiny.end))
    return folder_of(config)


def fits(monkeypatch) -> list:
    """Counts the fits from here on."""
    import keras

    counted, real = [], keras.Model.fit

    def fit(self, *arguments, **more):
        counted.append(more["epochs"])
        return real(self, *arguments, **more)

    monkeypatch.setattr(keras.Model, "fit", fit)
    return counted


def test_finished_phases_are_not_run_again(config, monkeypatch, capsys):
    straight = run(elsewhere(config))
    cut_short(config, stages.evaluate)
    counted = fits(monkeypatch)
    capsys.readouterr()
    result = run(config)
    printed = capsys.readouterr().out
    assert counted == []
    assert "phase head: finished before" in printed
    assert "going on with the run in " in printed
    assert result.history == straight.history
    for one, two in zip(
        get_variables(result.model), get_variables(straight.model), strict=True
    ):
        np.testing.assert_array_equal(one, two)
    out = config.run_folder()
    assert fingerprint(out) == fingerprint(elsewhere(config).run_folder())
    assert not (out / "run" / "saves").exists()


def test_a_finished_run_does_nothing(config, capsys):
    first = run(config, stages=tiny.UNTRAINED)
    before = {
        path: path.stat().st_mtime_ns
        for path in config.run_folder().rglob("*")
        if path.name != ".lock" and path.is_file() and path.name != "state.json"
    }
    never = tiny.QUICK._replace(
        training=(stages.Stage("train", tiny.end),), publishing=()
    )
    again = run(config, stages=never)
    assert "nothing is done" in capsys.readouterr().out
    assert again.version == first.version
    assert again.metrics == first.metrics
    for path, when in before.items():
        assert path.stat().st_mtime_ns == when, path
    for one, two in zip(again.model.weights, first.model.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_finished_run_is_told_without_reading_a_picture(
    unfinished, monkeypatch
):
    first = run(unfinished)

    def no_reading(*_):
        raise AssertionError("a picture is read")

    monkeypatch.setattr(io_watchdog, "read", no_reading)
    monkeypatch.setattr(reading, "_read", no_reading)
    again = run(unfinished, stages=tiny.QUICK._replace(prepare=tiny.end))
    assert again.metrics == first.metrics
    assert again.history == first.history
    assert again.class_names == first.class_names == tiny.NAMES
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3))
    logits = again.model.predict(pictures, verbose=0)
    np.testing.assert_array_equal(
        logits, first.model.predict(pictures, verbose=0)
    )
    assert (logits.sum(axis=-1) != 1).all()


def test_a_finished_run_of_other_names_is_told(unfinished, tmp_path):
    config, colors = unfinished, tmp_path / "moved" / "colors"
    run(config, stages=tiny.UNTRAINED)
    (colors / "green" / ".DS_Store").write_text("no picture")
    assert run(config).version.name == "1"
    write_picture(colors / "green" / "new.png", 5, 1)
    with pytest.raises(DataError, match="24 pictures were listed then, 25 now"):
        run(config)
    (colors / "green" / "1.png").unlink()
    with pytest.raises(DataError, match=r"1 removed \(green/1.png\)") as caught:
        run(config)
    assert "--restart" in "\n".join(caught.value.faults)
    (colors / "green" / "new.png").rename(colors / "green" / "1.png")
    # Its bytes are not looked at, since nothing is done with them.
    assert run(config).version.name == "1"


def test_a_finished_run_that_lost_its_version_is_told(unfinished):
    version = run(unfinished, stages=tiny.UNTRAINED).version
    shutil.rmtree(version)
    with pytest.raises(ConfigError, match=r"out/1 is gone since") as caught:
        run(unfinished)
    assert "--restart" in "\n".join(caught.value.faults)


def test_a_version_that_was_published_is_not_published_twice(config):
    """Killed between the export's rename and the run's own end."""
    without = tiny.UNTRAINED
    folder = cut_short(config, without.publishing[1].do, without)
    assert (folder.parent / "1").is_dir()
    result = run(config, stages=tiny.UNTRAINED)
    assert result.version == folder.parent / "1"
    assert not (folder.parent / "2").exists()
    assert result.metrics["export"]["version"] == 1


def test_an_export_that_failed_is_tried_again(unfinished, monkeypatch):
    def fail(_):
        raise NotPublishedError("export not published: no such luck")

    counted = fits(monkeypatch)
    with pytest.raises(NotPublishedError):
        run(
            unfinished,
            stages=tiny.QUICK.replacing(tiny.publish, fail),
        )
    assert run(unfinished).version.name == "1"
    assert counted == []


@pytest.mark.parametrize("finished", [False, True])
def test_f19_other_settings_are_refused_with_what_differs(
    unfinished, finished, capsys
):
    config = unfinished
    if finished:
        run(config, stages=tiny.UNTRAINED)
    other = changed(config, seed=4, head_learning_rate=0.5)
    with pytest.raises(ConfigError) as caught:
        run(other)
    rate, seed, remedy = caught.value.faults
    assert rate == "--head_learning_rate: the run has 0.001, received 0.5"
    assert seed == "--seed: the run has 0, received 4"
    assert "--restart" in remedy
    assert "--output_dir" in remedy
    flags = [*other.to_flags().splitlines()]
    assert main(flags) == 2
    assert "--seed: the run has 0, received 4" in capsys.readouterr().err
    # What changes no result may be given anew.
    run(changed(config, feature_memory_gb=1.0), stages=tiny.UNTRAINED)


def test_f20_other_data_is_refused_with_counts(unfinished, tmp_path):
    config, colors = unfinished, tmp_path / "moved" / "colors"
    for number in (1, 3):
        write_picture(colors / "green" / f"{number}.png", 990 + number, 2)
    with pytest.raises(DataError, match=r"2 with other bytes \(green/"):
        run(config)
    write_picture(colors / "green" / "new.png", 5, 1)
    with pytest.raises(DataError, match="added") as caught:
        run(config)
    assert "--restart" in "\n".join(caught.value.faults)
    begun_anew = run(config, restart=True, stages=tiny.UNTRAINED)
    assert begun_anew.version.name == "1"
    assert (config.run_folder() / "run.1" / "saves").is_dir()


def test_other_weights_are_refused(unfinished):
    import keras

    network = keras.models.load_model(unfinished.backbone)
    network.get_layer("two_conv").bias.assign([1.0] * 6)
    network.save(unfinished.backbone)
    with pytest.raises(ConfigError, match="began with other weights"):
        run(unfinished)


def test_f21_other_versions_are_told_and_it_goes_on(unfinished, capsys):
    folder = folder_of(unfinished)
    state = json.loads((folder / "state.json").read_text())
    state["versions"]["keras"] = "3.0"
    (folder / "state.json").write_text(json.dumps(state))
    run(unfinished)
    printed = capsys.readouterr().out
    assert "began with keras 3.0: it goes on, but not to the same" in printed


def test_f13_saves_that_are_all_damaged_end_the_command(unfinished, capsys):
    for file in (folder_of(unfinished) / "saves").rglob("arrays.bin"):
        file.write_bytes(b"")
    assert main(unfinished.to_flags().splitlines()) == 4
    told = capsys.readouterr().err
    assert "no checkpoint is as it was written" in told
    assert "arrays.bin is not as it was written" in told
    assert "--restart" in told


def test_a_damaged_result_is_made_again_from_the_save_before(
    config, monkeypatch, capsys
):
    config = changed(config, calibrate=False)
    expected = run(elsewhere(config))
    # So that there is a save before the phase's result.
    from tl_keras.callbacks import pace

    monkeypatch.setattr(pace, "SHARE", 1e9)
    folder = cut_short(config, stages.evaluate)
    newest = max((folder / "saves" / "fine_tune").iterdir())
    (newest / "arrays.bin").write_bytes(b"no")
    result = run(config)
    assert (
        f"going on from {int(newest.name) - 1:08d}" in capsys.readouterr().err
    )
    assert result.history == expected.history


def test_a_folder_that_is_no_run_is_refused(config, tmp_path):
    (tmp_path / "out" / "run").mkdir(parents=True)
    with pytest.raises(ConfigError, match="not a run that can be gone on"):
        run(config)


def test_f14_a_run_that_diverged_says_so_and_left_nothing_bad(
    config, monkeypatch
):
    real = planning.plan_phases

    def wild(config):
        head, tune = real(config)
        # Steps of this size overflow, and no flag takes it.
        tune = dataclasses.replace(
            tune, learning_rate=1e38, optimizer="sgd", warmup_epochs=0
        )
        return [head, tune]

    monkeypatch.setattr(planning, "plan_phases", wild)
    from tl_keras.callbacks import pace

    monkeypatch.setattr(pace, "SHARE", 1e9)  # A save after each batch.
    with pytest.raises(DivergedError, match=r"phase fine_tune: .* became|not "):
        run(config)
    from tl_keras.checkpoints import Checkpoints

    saves = config.run_folder() / "run" / "saves"
    assert {path.name for path in saves.iterdir()} >= {"head"}
    for folder in saves.iterdir():
        for array in Checkpoints(folder).newest().arrays.values():
            assert array.dtype.kind != "f" or np.isfinite(array).all()
    assert not (config.run_folder() / "1").exists()
    with pytest.raises(DivergedError, match=r"this run diverged .* restart"):
        run(config)


def test_a_stop_is_taken_at_the_next_batch(config, monkeypatch):
    """And what was trained until then is not trained again."""
    from tl_keras import signals

    straight = run(elsewhere(config))
    asked = []

    def requested():
        asked.append(True)
        return len(asked) == 4

    with monkeypatch.context() as patch:
        patch.setattr(signals, "requested", requested)
        with pytest.raises(StoppedError, match="run the same command"):
            run(config)
    # 12 pictures of 5: three batches and a validation batch an epoch.
    result = run(config)
    assert result.history == straight.history
    out = config.run_folder()
    assert fingerprint(out) == fingerprint(elsewhere(config).run_folder())


def test_warm_start_begins_with_the_weights_of_a_run(config, capsys, tmp_path):
    jobs_own = tiny.UNTRAINED
    # Other random weights than the run that begins with them would have.
    first = run(changed(config, seed=3), stages=jobs_own)
    file = first.run_folder / "model.keras"
    warm = changed(
        config, warm_start=str(file), output_dir=str(tmp_path / "warm")
    )
    result = run(warm, stages=jobs_own)
    assert f"backbone and head of {file}" in capsys.readouterr().out
    np.testing.assert_array_equal(
        result.model.get_layer("head_logits").kernel,
        first.model.get_layer("head_logits").kernel,
    )
    (first.run_folder / "labels.txt").write_text("other\nnames\n")
    other = changed(warm, output_dir=str(tmp_path / "other"))
    jobs.plan(other)
    assert "its head is for other classes" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"^warm_start=.* expected"):
        run(changed(warm, warm_start=str(file) + "x"))
    file.write_bytes(b"PK no")
    with pytest.raises(ConfigError, match=r"not readable as the model\.keras"):
        run(changed(warm, output_dir=str(tmp_path / "bad")))


def test_leftovers_of_a_killed_run_are_removed(config, tmp_path):
    left = tmp_path / "out" / ".tmp-abc"
    left.mkdir(parents=True)
    (left / "half").write_text("")
    run(config, stages=tiny.UNTRAINED)
    assert not left.exists()


def test_history_holds_each_epoch_once(unfinished):
    folder = folder_of(unfinished)
    # As a run leaves it that was killed after an epoch it had not saved.
    with open(folder / "history.csv", "a", newline="") as stream:
        csv.writer(stream).writerow(["fine_tune", "9"])
    for save in (folder / "saves" / "fine_tune").iterdir():
        shutil.rmtree(save)
    os.rmdir(folder / "saves" / "fine_tune")
    result = run(unfinished)
    with open(folder / "history.csv", newline="") as stream:
        epochs = [row["epoch"] for row in csv.DictReader(stream)]
    assert (
        epochs
        == ["1", "2", "3", "4"]
        == [str(row["epoch"]) for row in result.history]
    )


def test_a_save_that_is_required_and_fails_ends_the_run(config, monkeypatch):
    from tl_keras.checkpoints import Checkpoints

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoints, "save", full)
    with pytest.raises(MachineError, match=r"No space left .* make room"):
        run(changed(config, checkpoint_required=True))


def test_f07_a_disk_too_full_to_save_does_not_end_the_run(
    config, monkeypatch, capsys
):
    from tl_keras.checkpoints import Checkpoints

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoints, "save", full)
    run(config)
    assert "not saved (No space left on device)" in capsys.readouterr().err


def test_f08_a_disk_too_full_for_the_page_costs_no_training(
    unfinished, monkeypatch, capsys
):
    from tl_keras import run_card

    tiny.use(
        monkeypatch,
        tiny.QUICK.replacing(tiny.record, stages.record),
    )
    counted = fits(monkeypatch)

    def full(*_):
        raise OSError(28, "No space left on device", "report.html")

    with monkeypatch.context() as patch:
        patch.setattr(run_card, "write_card", full)
        assert main(unfinished.to_flags().splitlines()) == 4
    assert "No space left on device" in capsys.readouterr().err
    folder = folder_of(unfinished)
    assert {"metrics.json", "model.keras"} <= {p.name for p in folder.iterdir()}
    assert main(unfinished.to_flags().splitlines()) == 0
    assert counted == []
    assert (folder / "report.html").exists()
    assert not (folder.parent / "2").exists()


def test_f25_a_picture_that_is_gone_stops_it_until_it_is_back(
    unfinished, tmp_path, monkeypatch
):
    file = tmp_path / "moved" / "colors" / "green" / "3.png"
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(DataError, match=r"removed \("):
        run(unfinished)
    file.write_bytes(content)
    counted = fits(monkeypatch)
    run(unfinished)
    assert counted == []
