"""Where nothing is written, since it would spoil what is there."""

import json

import pytest

from tl_keras.config import (
    CheckConfig,
    CompareConfig,
    EvaluateConfig,
    PredictConfig,
    TransferConfig,
)
from tl_keras.errors import ConfigError, DataError
from tl_keras.run_card import read_run
from tl_keras.runs import RunFolder


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A dataset, and a run that has published a version."""
    for name in ("pets/cat", "pets/dog", "out/1", "out/run"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "out/1/saved_model.pb").write_bytes(b"")
    (tmp_path / "out/run/run.flags").write_text("--seed=0\n")
    (tmp_path / "out/run/metrics.json").write_text("{}")
    (tmp_path / "pets2").mkdir()
    (tmp_path / "link").symlink_to("pets")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_command(command: str, output: str, **more):
    if command == "train":
        return TransferConfig(dataset="pets", output_dir=output, **more)
    if command == "check":
        return CheckConfig(dataset="pets", output_dir=output, **more)
    if command == "evaluate":
        return EvaluateConfig(
            model="out", dataset="pets", output_dir=output, **more
        )
    return PredictConfig(model="out", input="pets", output_dir=output, **more)


COMMANDS = ("train", "check", "evaluate", "predict")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("output", ["pets", "pets/cat", "pets/new", "link/a/b"])
def test_what_is_written_would_be_its_own_input(places, command, output):
    with pytest.raises(ConfigError, match="expected a folder outside "):
        of_command(command, output).validate()


def test_what_is_kept_of_frozen_layers_is_no_input_either(places):
    def cached(folder, **more):
        return TransferConfig(
            dataset="pets", output_dir="new", feature_cache=folder, **more
        )

    with pytest.raises(ConfigError, match="feature_cache=pets/kept: expected "):
        cached("pets/kept").validate()
    for folder in ("off", "auto", "kept", "pets/.kept"):
        cached(folder).validate()
    with pytest.raises(ConfigError, match="outside unlabelled"):
        cached("pets2/kept", unlabelled="pets2").validate()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_not_read_is_no_input(places, command):
    of_command(command, "pets2").validate()
    of_command(command, "pets/.runs/one").validate()
    of_command(command, "pets/made/one", exclude="made").validate()
    of_command(command, "pets/made/one", exclude="x, made/o*").validate()
    with pytest.raises(ConfigError, match="outside"):
        of_command(command, "pets/made/one", exclude="mad").validate()


def test_the_usual_place_may_lie_in_the_dataset_too(places, monkeypatch):
    monkeypatch.chdir(places / "pets")
    with pytest.raises(ConfigError, match="output_dir=saved_models/pets: "):
        TransferConfig(dataset=".").validate()
    TransferConfig(dataset=".", exclude="saved_models").validate()


def test_a_folder_to_test_on_is_read_too(places):
    config = TransferConfig(
        dataset="pets", test_dataset="pets2", output_dir="pets2/out"
    )
    with pytest.raises(ConfigError, match="outside test_dataset"):
        config.validate()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("output", ["out/1", "out/1/answers"])
def test_a_version_has_the_files_of_its_manifest(places, command, output):
    with pytest.raises(ConfigError, match=r"lies in .*out/1, a version"):
        of_command(command, output).validate()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_runs_own_folder_keeps_what_is_in_it(places, command):
    with pytest.raises(ConfigError, match="a training run's own folder"):
        of_command(command, "out/run").validate()
    of_command(command, "out").validate()


def test_train_is_told_the_folder_that_holds_the_run(places):
    with pytest.raises(ConfigError, match="give the one that holds it, out, "):
        TransferConfig(dataset="pets", output_dir="out/run/").validate()


def test_numbers_beside_a_run_do_not_hide_it(places):
    (places / "out/metrics.json").write_text('{"rounding": null}')
    assert RunFolder.named("out") == RunFolder.of("out")
    assert RunFolder.named("out/1") == RunFolder.of("out")
    assert RunFolder.named("out/run") == RunFolder.of("out")
    fault = CompareConfig(runs=("out", "out/run")).faults()[0]
    assert "received 1 runs" in fault.message


def test_an_evaluation_is_no_run(tmp_path):
    numbers = {"test": {}, "rounding": None}
    (tmp_path / "metrics.json").write_text(json.dumps(numbers))
    with pytest.raises(DataError, match=f"^run={tmp_path}: the numbers of an "):
        read_run(tmp_path)
