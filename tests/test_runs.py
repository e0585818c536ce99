"""The runs room: one owner of a run's paths, settings, lock and state."""

import ast
import dataclasses
import json
import os
import pathlib

import pytest

import tl_keras
from tl_keras import TransferConfig
from tl_keras.config.arguments import read_arguments
from tl_keras.errors import ConfigError, MachineError
from tl_keras.jobs.same_run import differences, same_run, stored_run
from tl_keras.runs import (
    RunFolder,
    RunState,
    parse_flags,
    read_flags,
    read_state,
    run_lock,
    write_state,
)
from tl_keras.runs.folder import INNER
from tl_keras.train import COMMAND

PACKAGE = pathlib.Path(tl_keras.__file__).parent
NAMES = {
    getattr(RunFolder(pathlib.Path()), name).name
    for name, value in vars(RunFolder).items()
    if isinstance(value, property) and name not in ("output", "is_trainings")
}
# Files of those names that are not a run's, or may be of another folder too.
OTHERS = {
    "pages.py": "names of templates, which are filled with any report",
    "audit/reports.py": "a check writes them without a run",
    "checkpoints.py": "of a save",
    "versions.py": "of a version",
    "networks/initial_weights.py": "beside a model.keras, wherever it lies",
    "run_card/page.py": "the name of a template",
    "jobs/predicting.py": "of a prediction's folder",
    "serving/inference/work.py": "of a prediction's folder",
    "callbacks/backup.py": "the logs of an epoch",
}


def literals(tree: ast.AST) -> list[str]:
    """The texts in a module, but for its docstrings."""
    said = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in said
    ]


def joined_with(tree: ast.AST) -> list[str]:
    """The texts that paths are joined with, by `/` or by a call."""
    parts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts += [node.left, node.right]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in ("join", "Path", "joinpath"):
                parts += node.args
    return [
        part.value
        for part in parts
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


def test_nobody_else_joins_the_paths_of_a_run():
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        room = file.relative_to(PACKAGE)
        if room.parts[0] == "runs":
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        # Some names are words too; those are only looked for in paths.
        said = {name for name in literals(tree) if "." in name}
        said |= set(joined_with(tree))
        if said & (NAMES | {INNER, ".lock"}):
            found[room.as_posix()] = said & (NAMES | {INNER, ".lock"})
    assert {"run.flags", "metrics.json", "saves", "serving"} <= NAMES
    assert set(found) <= set(OTHERS), found
    assert not any(INNER in names for names in found.values())
    assert not any("run.flags" in names for names in found.values())


def test_either_folder_of_a_run_may_be_named(tmp_path):
    folder = RunFolder.of(tmp_path)
    folder.path.mkdir()
    assert RunFolder.named(tmp_path) == folder
    folder.metrics.write_text("{}")
    assert RunFolder.named(tmp_path) == folder
    assert RunFolder.named(folder.path) == folder
    assert RunFolder.named(tmp_path / "none").path == tmp_path / "none"
    assert folder.output == tmp_path
    assert folder.version(3) == tmp_path / "3"


def test_a_run_is_set_aside_under_the_first_free_number(tmp_path):
    folder = RunFolder.of(tmp_path)
    for number in (1, 2):
        folder.path.mkdir()
        assert folder.set_aside() == tmp_path / f"run.{number}"
    assert not folder.path.exists()


@pytest.mark.parametrize(
    "name", ["pets", "two words", "a=b", "ü", "#1", "a\u2028b", "x\x0cy", "--z"]
)
def test_both_readers_of_a_flag_file_read_the_same(tmp_path, name):
    """Ours, and absl's of what people write."""
    config = TransferConfig(dataset=f"/data/{name}", alpha_background=(1, 2, 3))
    file = tmp_path / "run.flags"
    file.write_text(config.to_flags(), encoding="utf-8")
    texts, _, faults = read_arguments(COMMAND, [f"--flagfile={file}"])
    assert faults == []
    assert read_flags(file) == texts == parse_flags(config.to_flags())
    assert texts["dataset"] == f"/data/{name}"
    file.write_bytes(config.to_flags().encode().replace(b"\n", b"\r\n"))
    assert read_flags(file) == texts


def begun(tmp_path, config: TransferConfig, **state) -> RunFolder:
    folder = RunFolder.of(tmp_path)
    folder.path.mkdir()
    folder.flags.write_text(config.to_flags())
    made = dataclasses.replace(RunState.new("w", {"keras": "3"}), **state)
    write_state(folder, made)
    assert read_state(folder) == made
    return folder


def test_the_state_says_nothing_of_what_did_not_happen(tmp_path):
    folder = begun(tmp_path, TransferConfig(dataset="digits"))
    assert set(json.loads(folder.state.read_text())) == {
        "id", "weights", "versions", "state", "format",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": "x"}', "{"])
def test_a_state_that_is_none_is_refused_in_a_line(tmp_path, text):
    folder = begun(tmp_path, TransferConfig(dataset="digits"))
    folder.state.write_text(text)
    with pytest.raises(ConfigError, match="not a run that can be gone on"):
        stored_run(folder)


def test_an_unfinished_run_of_the_older_version_is_refused(tmp_path):
    config = TransferConfig(dataset="digits")
    folder = begun(tmp_path, config, format=1)
    with pytest.raises(ConfigError, match="run of an older version") as caught:
        same_run(config, stored_run(folder))
    assert len(caught.value.faults) == 1
    assert "--restart" in "\n".join(caught.value.faults)


def test_a_finished_run_of_the_older_version_has_the_newer_defaults(tmp_path):
    """A setting that it did not know is as its default; no other is."""
    config = TransferConfig(dataset="digits")
    folder = begun(tmp_path, config, format=1, state="finished", version=1)
    lines = folder.flags.read_text().splitlines()
    older = [line for line in lines if not line.startswith("--jit=")]
    folder.flags.write_text("\n".join(older) + "\n")
    stored = stored_run(folder)
    assert len(older) == len(lines) - 1
    assert differences(config, stored) == []
    assert differences(dataclasses.replace(config, jit="on"), stored) == [
        "--jit: the run has none, received on"
    ]
    assert same_run(config, stored) == dataclasses.replace(
        config, precision="auto"
    )
    now = stored._replace(state=dataclasses.replace(stored.state, format=2))
    assert differences(config, now) == [
        "--jit: the run has none, received auto"
    ]


def test_a_lock_names_who_has_it(tmp_path):
    with (
        run_lock(tmp_path),
        pytest.raises(MachineError, match=f"process {os.getpid()} on "),
        run_lock(tmp_path),
    ):
        pass
    with run_lock(tmp_path):  # It went with its owner.
        pass
