"""The same command once more: what it goes on with, and what it refuses."""

import csv
import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from conftest import write_picture
from killing import fingerprint

from tl_keras import TransferConfig, job, run, servable
from tl_keras.errors import (
    ConfigError,
    DataError,
    DivergedError,
    MachineError,
    NotPublishedError,
    StoppedError,
)
from tl_keras.phases import get_variables
from tl_keras.servable.gate import Passed
from tl_keras.train import main


@pytest.fixture(autouse=True)
def _no_gate(monkeypatch):
    """The gate takes two more processes a run, and is not what is asked."""

    def passed(folder, model, names, decoding, golden, evaluated):
        return Passed(0.0, evaluated.probabilities, 0)

    monkeypatch.setattr(servable, "check_export", passed)


@pytest.fixture
def config(color_folder, tiny_network, tmp_path) -> TransferConfig:
    return TransferConfig(
        dataset=str(color_folder), backbone=str(tiny_network),
        output_dir=str(tmp_path / "out"), head_epochs=2, dropout=0.2,
        fine_tune_epochs=2, unfreeze_from="two", batch_size=5,
        val_fraction=0.25, test_fraction=0.25,
        feature_cache=str(tmp_path / "features"),
    )  # fmt: skip


def changed(config: TransferConfig, **values) -> TransferConfig:
    return dataclasses.replace(config, **values)


def elsewhere(config: TransferConfig) -> TransferConfig:
    """The same run in another folder of the same name."""
    folder = config.run_folder()
    return changed(
        config, output_dir=str(folder.parent / "elsewhere" / folder.name)
    )


class CutShortError(Exception):
    """A process that ends here, as far as the folder can tell."""


def cut_short(config, monkeypatch, at="evaluate_phases"):
    """A run that ends before a stage; its folder."""

    def end(*_, **__):
        raise CutShortError

    with monkeypatch.context() as patch:
        patch.setattr(job, at, end)
        with pytest.raises(CutShortError):
            run(config)
    return config.run_folder() / "run"


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
    cut_short(config, monkeypatch)
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


def test_a_finished_run_does_nothing(config, monkeypatch, capsys):
    first = run(config)
    before = {
        path: path.stat().st_mtime_ns
        for path in config.run_folder().rglob("*")
        if path.name != ".lock" and path.is_file() and path.name != "state.json"
    }
    counted = fits(monkeypatch)
    again = run(config)
    assert "nothing is done" in capsys.readouterr().out
    assert counted == []
    assert again.version == first.version
    assert again.metrics == first.metrics
    for path, when in before.items():
        assert path.stat().st_mtime_ns == when, path
    for one, two in zip(again.model.weights, first.model.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_version_that_was_published_is_not_published_twice(
    config, monkeypatch
):
    """Killed between the export's rename and the run's own end."""
    folder = cut_short(config, monkeypatch, at="write_server_files")
    assert (folder.parent / "1").is_dir()
    result = run(config)
    assert result.version == folder.parent / "1"
    assert not (folder.parent / "2").exists()
    assert result.metrics["export"]["version"] == 1


def test_an_export_that_failed_is_tried_again(config, monkeypatch):
    def fail(*_):
        raise NotPublishedError("export not published: no such luck")

    with monkeypatch.context() as patch:
        patch.setattr(job, "export", fail)
        with pytest.raises(NotPublishedError):
            run(config)
    counted = fits(monkeypatch)
    assert run(config).version.name == "1"
    assert counted == []


@pytest.mark.parametrize("finished", [False, True])
def test_f19_other_settings_are_refused_with_what_differs(
    config, monkeypatch, finished, capsys
):
    if finished:
        run(config)
    else:
        cut_short(config, monkeypatch)
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
    run(changed(config, feature_memory_gb=1.0))


def test_f20_other_data_is_refused_with_counts(
    config, color_folder, monkeypatch
):
    cut_short(config, monkeypatch)
    for number in (1, 3):
        write_picture(color_folder / "green" / f"{number}.png", 990 + number, 2)
    with pytest.raises(DataError, match=r"2 with other bytes \(green/"):
        run(config)
    write_picture(color_folder / "green" / "new.png", 5, 1)
    with pytest.raises(DataError, match="added") as caught:
        run(config)
    assert "--restart" in str(caught.value)
    assert run(config, restart=True).version.name == "1"
    assert (config.run_folder() / "run.1" / "saves").is_dir()


def test_other_weights_are_refused(config, tiny_network, tmp_path, monkeypatch):
    import keras

    mine = tmp_path / "mine.keras"
    shutil.copy(tiny_network, mine)
    config = changed(config, backbone=str(mine))
    cut_short(config, monkeypatch)
    network = keras.models.load_model(mine)
    network.get_layer("two_conv").bias.assign([1.0] * 6)
    network.save(mine)
    with pytest.raises(ConfigError, match="began with other weights"):
        run(config)


def test_f21_other_versions_are_told_and_it_goes_on(
    config, monkeypatch, capsys
):
    folder = cut_short(config, monkeypatch)
    state = json.loads((folder / "state.json").read_text())
    state["versions"]["keras"] = "3.0"
    (folder / "state.json").write_text(json.dumps(state))
    run(config)
    printed = capsys.readouterr().out
    assert "began with keras 3.0: it goes on, but not to the same" in printed


def test_f13_saves_that_are_all_damaged_end_the_command(
    config, monkeypatch, capsys
):
    folder = cut_short(config, monkeypatch)
    for file in (folder / "saves").rglob("arrays.bin"):
        file.write_bytes(b"")
    assert main(config.to_flags().splitlines()) == 4
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
    from tl_keras.callbacks import backup

    monkeypatch.setattr(backup, "SHARE", 1e9)
    folder = cut_short(config, monkeypatch)
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
    real = job.preparation.plan_phases

    def wild(config):
        head, tune = real(config)
        # Steps of this size overflow, and no flag takes it.
        tune = dataclasses.replace(
            tune, learning_rate=1e38, optimizer="sgd", warmup_epochs=0
        )
        return [head, tune]

    monkeypatch.setattr(job.preparation, "plan_phases", wild)
    from tl_keras.callbacks import backup

    monkeypatch.setattr(backup, "SHARE", 1e9)  # A save after each batch.
    with pytest.raises(DivergedError, match=r"phase fine_tune: .* became|not "):
        run(config)
    from tl_keras.checkpoints import Checkpoints

    saves = config.run_folder() / "run" / "saves"
    assert {path.name for path in saves.iterdir()} >= {"head"}
    for folder in saves.iterdir():
        for array in Checkpoints(folder).newest().arrays.values():
            assert array.dtype.kind != "f" or np.isfinite(array).all()
    assert not (config.run_folder() / "1").exists()
    with pytest.raises(DivergedError, match=r"this run diverged .* --restart"):
        run(config)


def test_a_stop_is_taken_at_the_next_batch(config, monkeypatch):
    """And what was trained until then is not trained again."""
    from tl_keras import stopping

    straight = run(elsewhere(config))
    asked = []

    def requested():
        asked.append(True)
        return len(asked) == 4

    with monkeypatch.context() as patch:
        patch.setattr(stopping, "requested", requested)
        with pytest.raises(StoppedError, match="run the same command"):
            run(config)
    # 12 pictures of 5: three batches and a validation batch an epoch.
    result = run(config)
    assert result.history == straight.history
    out = config.run_folder()
    assert fingerprint(out) == fingerprint(elsewhere(config).run_folder())


def test_warm_start_begins_with_the_weights_of_a_run(config, capsys, tmp_path):
    first = run(changed(config, dropout=0.0, head_solver="adam"))
    file = first.run_folder / "model.keras"
    warm = changed(
        config, warm_start=str(file), head_epochs=1, fine_tune_epochs=0,
        head_learning_rate=1e-7, output_dir=str(tmp_path / "warm"),
    )  # fmt: skip
    result = run(warm)
    assert f"backbone and head of {file}" in capsys.readouterr().out
    np.testing.assert_allclose(
        result.model.get_layer("head_logits").kernel,
        first.model.get_layer("head_logits").kernel,
        atol=1e-4,
    )
    (first.run_folder / "labels.txt").write_text("other\nnames\n")
    run(changed(warm, output_dir=str(tmp_path / "other")))
    assert "its head is for other classes" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"--warm_start=.* expected"):
        run(changed(warm, warm_start=str(file) + "x"))
    file.write_bytes(b"PK no")
    with pytest.raises(ConfigError, match=r"not readable as the model\.keras"):
        run(changed(warm, output_dir=str(tmp_path / "bad")))


def test_leftovers_of_a_killed_run_are_removed(config, tmp_path):
    left = tmp_path / "out" / ".tmp-abc"
    left.mkdir(parents=True)
    (left / "half").write_text("")
    run(config)
    assert not left.exists()


def test_history_holds_each_epoch_once(config, monkeypatch):
    folder = cut_short(config, monkeypatch)
    # As a run leaves it that was killed after an epoch it had not saved.
    with open(folder / "history.csv", "a", newline="") as stream:
        csv.writer(stream).writerow(["fine_tune", "9"])
    for save in (folder / "saves" / "fine_tune").iterdir():
        shutil.rmtree(save)
    os.rmdir(folder / "saves" / "fine_tune")
    result = run(config)
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
    config, monkeypatch, capsys
):
    from tl_keras import run_card

    def full(*_):
        raise OSError(28, "No space left on device", "report.html")

    with monkeypatch.context() as patch:
        patch.setattr(run_card, "write_card", full)
        assert main(config.to_flags().splitlines()) == 4
    assert "No space left on device" in capsys.readouterr().err
    folder = config.run_folder() / "run"
    assert {"metrics.json", "model.keras"} <= {p.name for p in folder.iterdir()}
    counted = fits(monkeypatch)
    assert main(config.to_flags().splitlines()) == 0
    assert counted == []
    assert (folder / "report.html").exists()
    assert not (folder.parent / "2").exists()


def test_f25_a_picture_that_is_gone_stops_it_until_it_is_back(
    config, color_folder, monkeypatch
):
    cut_short(config, monkeypatch)
    file = color_folder / "green" / "3.png"
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(DataError, match=r"removed \("):
        run(config)
    file.write_bytes(content)
    counted = fits(monkeypatch)
    run(config)
    assert counted == []
