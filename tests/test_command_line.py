"""command_line.py and train.py: flags, flag files, exit codes."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest
from conftest import CHECKOUT

from tl_keras import errors, log
from tl_keras.__main__ import main as all_commands
from tl_keras.config import TransferConfig
from tl_keras.config.arguments import read_arguments
from tl_keras.config.command_line import Command, help_text, run_command
from tl_keras.errors import DataError
from tl_keras.signals import one_line
from tl_keras.train import COMMAND, main


def errors_of(capsys, *arguments: str) -> tuple[int, list[str]]:
    """Exit code and the error lines of a command line."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert all(line.startswith("error: ") for line in lines), lines
    return code, [line.removeprefix("error: ") for line in lines]


WRONG = {
    "unknown flag": (["--epcohs=3", "--dataset=digits"], "no such flag"),
    "near flag": (["--batchsize=3", "--dataset=digits"], "--batch_size?"),
    "stray word": (["digits"], "a stray word"),
    "after two dashes": (["--dataset=digits", "--", "x"], "read after it"),
    "missing value": (["--dataset"], "received no value"),
    "bad boolean": (
        ["--dataset=digits", "--compare_scratch=maybe"],
        "true or false",
    ),
    "bad switch": (["--dataset=digits", "--dry_run=maybe"], "--dry_run=maybe"),
    "no with a value": (["--nocompare_scratch=1"], "expected no value"),
    "missing flag file": (["--flagfile=none.flags"], "--flagfile: "),
}


def test_a_folder_that_has_been_removed_is_told_in_one_line(
    tmp_path, monkeypatch, capsys
):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert errors_of(capsys, "--dataset=digits") == (
        2,
        ["the current folder has been removed - change to one that is there"],
    )


def test_a_name_that_is_too_long_is_told_in_one_line(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    code, (line,) = errors_of(
        capsys, "--dataset=digits", f"--output_dir={'x' * 300}"
    )
    assert (code, "xxx: File name too long - " in line) == (4, True)
    assert not list(tmp_path.iterdir())


def test_windows_is_told_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    assert errors_of(capsys, "--dataset=digits") == (
        4,
        ["this is Windows; expected Linux or macOS - run it in WSL (Windows "
         "Subsystem for Linux)"],
    )  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_flags_end_with_2_and_a_line(case, capsys):
    arguments, expected = WRONG[case]
    code, lines = errors_of(capsys, *arguments)
    assert code == 2
    assert any(expected in line for line in lines), lines


def test_all_faults_of_a_flag_file_at_once(tmp_path, capsys):
    file = tmp_path / "bad.flags"
    file.write_text(
        "# a comment\n--dataset=nowhere\n--batch_size=many\nstray\n"
        "--head_epochs 7\n--learning_rate=1\n--dropout=0.5 # half\n"
    )
    code, lines = errors_of(capsys, f"--flagfile={file}")
    assert code == 2
    told = "\n".join(lines)
    for part in (
        "--dataset=nowhere", "--batch_size=many", "stray: a stray word",
        "--head_epochs 7: in a flag file write --name=value",
        "--learning_rate: no such flag", "--dropout=0.5 # half",
    ):  # fmt: skip
        assert part in told, (part, told)
    assert len(lines) == 6


def read(*arguments: str) -> dict[str, str]:
    texts, _, faults = read_arguments(COMMAND, arguments)
    assert faults == []
    return texts


def test_a_flag_file_may_begin_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "notepad.flags"
    for first in ("", "# a remark\r\n"):
        text = f"\ufeff{first}--seed=3\r\n--dataset=digits\r\n"
        file.write_bytes(text.encode())
        texts, _, faults = read_arguments(COMMAND, [f"--flagfile={file}"])
        assert (texts, faults) == ({"seed": "3", "dataset": "digits"}, [])


def test_flag_files_nest_and_later_lines_win(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.flags").write_text("--seed=1\n--batch_size=8\n")
    (tmp_path / "sub").mkdir()
    # An included file is found from the current folder, not from this one's.
    (tmp_path / "sub" / "top.flags").write_text(
        "--flagfile=base.flags\n--seed=2\n"
    )
    file = "--flagfile=sub/top.flags"
    assert read(file) == {"seed": "2", "batch_size": "8"}
    assert read(file, "--seed=3")["seed"] == "3"
    assert read("--seed=3", file)["seed"] == "2"


def test_booleans_need_no_value():
    assert read("--compare_scratch") == {"compare_scratch": "true"}
    assert read("--nocompare_scratch") == {"compare_scratch": "false"}
    assert read("--compare_scratch=false") == {"compare_scratch": "false"}


def test_no_setting_takes_a_name_of_absl():
    names = {field.name for field in dataclasses.fields(TransferConfig)}
    reserved = {"flagfile", "undefok", "help", "log_dir", "verbosity", "v"}
    assert names.isdisjoint(reserved | set(COMMAND.switches))


def test_help_shows_every_flag_of_ours_and_no_other(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for field in dataclasses.fields(TransferConfig):
        assert f"--{field.name}\n" in shown
    for other in ("--logtostderr", "--pdb", "--test_srcdir"):
        assert other not in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def run_body(body, *more: str) -> int:
    command = Command("tl_keras.train", "Tests.", TransferConfig, body)
    return run_command(command, ["--dataset=digits", *more])


def test_a_fault_becomes_its_line_and_exit_code(capsys):
    def body(config, switches):
        raise DataError(["a: one", "b\n\x1b[31m: two"])

    assert run_body(body) == 3
    assert capsys.readouterr().err.splitlines() == [
        "error: a: one", "error: b\\n\\x1b[31m: two",
    ]  # fmt: skip


def test_an_empty_word_is_a_value():
    assert read("--exclude", "", "--name", "#1") == {
        "exclude": "", "name": "#1",
    }  # fmt: skip


def test_a_full_disk_is_the_machines_fault(capsys):
    def body(config, switches):
        raise OSError(28, "No space left on device", "out/1")

    assert run_body(body) == 4
    assert "out/1: No space left" in capsys.readouterr().err


# What others call a flag -> ours.
MEANT = {
    "lr": "--head_learning_rate or --fine_tune_learning_rate",
    "epochs": "--head_epochs or --fine_tune_epochs",
    "epcohs": "--head_epochs or --fine_tune_epochs",
    "pretrained": "--weights",
    "model": "--backbone",
    "img-size": "--image_size",
    "batchsize": "--batch_size",
    "batch-size": "--batch_size",
    "gpu": "--device",
    "verbose": "--verbosity",
}


@pytest.mark.parametrize("name", MEANT)
def test_a_flag_that_others_have_names_ours(name, capsys):
    code, lines = errors_of(capsys, "--dataset=digits", f"--{name}=1")
    assert code == 2
    assert f"--{name}: no such flag - did you mean {MEANT[name]}?" in lines


def test_every_flag_that_is_named_is_there():
    from tl_keras import evaluate, predict, report, train
    from tl_keras.config.command import COMMON_SWITCHES
    from tl_keras.config.suggestions import MEANT as ALL

    known = {
        field.name
        for module in (train, predict, evaluate, report)
        for field in dataclasses.fields(module.COMMAND.settings)
    } | {*COMMON_SWITCHES, *COMMAND.switches}
    assert {flag for meant in ALL.values() for flag in meant} <= known


def test_a_bare_folder_as_the_first_word_is_the_dataset(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pets").mkdir()
    texts, _, faults = read_arguments(COMMAND, ["~/pets", "--seed=1"])
    assert (texts, faults) == (
        {"dataset": f"{tmp_path}/pets", "seed": "1"}, [],
    )  # fmt: skip
    # Further on it is more likely a value that lost its flag.
    _, _, faults = read_arguments(COMMAND, ["--seed=1", f"{tmp_path}/pets"])
    assert [f"{tmp_path}/pets: a stray word" in line for line in faults] == [
        True
    ]
    _, _, faults = read_arguments(
        COMMAND, [f"{tmp_path}/pets", "--dataset=digits"]
    )
    assert len(faults) == 1


def json_of(capsys) -> tuple[dict, str]:
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    return json.loads(line), printed.err


def test_json_is_one_line_and_all_else_is_on_stderr(capsys):
    def body(config, switches):
        log.info("on the way")
        print("a library's own words")
        return {"version": pathlib.Path("a/1"), "test": {"accuracy": 0.9}}

    assert run_body(body, "--json") == 0
    told, beside = json_of(capsys)
    assert told == {
        "exit_code": 0, "version": "a/1", "test": {"accuracy": 0.9},
    }  # fmt: skip
    assert beside == "on the way\na library's own words\n"


def test_json_of_a_fault_has_its_lines(capsys):
    def body(config, switches):
        raise DataError(["a: one", "b: two"])

    assert run_body(body, "--json") == 3
    told, beside = json_of(capsys)
    assert told == {"exit_code": 3, "errors": ["a: one", "b: two"]}
    assert beside == "error: a: one\nerror: b: two\n"


def test_json_of_a_flag_that_is_none(capsys):
    assert main(["--lr=1", "--json"]) == 2
    told, _ = json_of(capsys)
    assert told["exit_code"] == 2
    assert any("--lr: no such flag" in line for line in told["errors"])


def test_quiet_prints_the_result_alone(capsys):
    def body(config, switches):
        log.info("on the way")
        log.result("test accuracy: 0.9")

    assert run_body(body, "--quiet") == 0
    assert capsys.readouterr() == ("test accuracy: 0.9\n", "")


def test_switches_of_every_command_are_not_the_bodys():
    seen = []
    run_body(lambda config, switches: seen.append(switches), "--quiet")
    assert seen == [set()]


def test_our_own_faults_are_not_hidden():
    def body(config, switches):
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        run_body(body)


def test_control_characters_are_escaped():
    assert one_line("a\tb\u202ec é") == "a\\tb\\u202ec é"


def test_faults_are_told_before_tensorflow_loads():
    """The child dies if anything imports TensorFlow or Keras."""
    code = (
        "import sys\nsys.modules['tensorflow'] = None\n"
        "sys.modules['keras'] = None\nfrom tl_keras.train import main\n"
        "sys.exit(main(['--dataset=nowhere']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith("error: --dataset=nowhere")


def test_f06_a_closed_pipe_ends_quietly():
    command = f"{sys.executable} -m tl_keras.train --help | head -1"
    ran = subprocess.run(
        command, shell=True, capture_output=True, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert ran.stdout.startswith("usage:")
    assert ran.stderr == ""


COMMANDS = ("train", "check", "predict", "evaluate", "report", "compare")


def test_one_word_lists_all_commands_with_an_example_of_each(capsys):
    assert all_commands([]) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  tl_keras {name} " in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_by_its_name_is_the_command(name, capsys):
    assert all_commands([name, "--help"]) == 0
    by_name = capsys.readouterr().out
    assert by_name.startswith(f"usage: python -m tl_keras.{name} ")
    assert all_commands([name, "--no_such"]) == 2
    assert "--no_such: no such flag" in capsys.readouterr().err


def test_a_command_that_is_none_names_those_that_are(capsys):
    assert all_commands(["trian"]) == 2
    line = capsys.readouterr().err
    assert "'trian': no such command; expected train, check" in line
    assert line.endswith("did you mean train?\n")


def test_the_list_of_commands_loads_no_tensorflow():
    code = (
        "import sys\nfrom tl_keras.__main__ import main\nmain([])\n"
        "main(['train', '--help'])\nmain(['check', '--nothing'])\n"
        "loaded = {'tensorflow', 'keras', 'numpy', 'sklearn', 'matplotlib'}\n"
        "sys.exit(bool(loaded & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert ran.returncode == 0, ran.stderr


def test_the_console_script_is_this_one():
    text = (CHECKOUT / "pyproject.toml").read_text()
    assert 'tl_keras = "tl_keras.__main__:main"' in text


def test_help_text_wraps_long_purposes():
    assert "verified SavedModel" in help_text(COMMAND)


def test_ill_formed_flags_hide_no_other_fault(capsys):
    arguments = ["--dataset=digits", "--batch_size", "--seed=-1",
                 "--nodry_run=3", "--dropout"]  # fmt: skip
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    for words in (
        "--batch_size: received no value; expected --batch_size=VALUE",
        "--seed=-1: expected a whole number",
        "--nodry_run=3: expected no value - write --nodry_run",
        "--dropout: received no value",
    ):
        assert any(words in line for line in lines), words


def test_what_stands_after_two_dashes_is_told(capsys):
    assert main(["--dataset=digits", "--", "--batch_size=3"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --: nothing is read after it")


def test_a_value_may_stand_on_its_own(tmp_path):
    texts, _, faults = read_arguments(COMMAND, ["--dataset", "digits"])
    assert texts["dataset"] == "digits"
    assert faults == []


def test_scripts_can_rely_on_exit_codes():
    """They are written into other people's scripts: none may change."""
    assert {
        error.__name__: error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.TlKerasError)
    } == {
        "TlKerasError": 1, "ConfigError": 2, "DataError": 3, "MachineError": 4,
        "DivergedError": 5, "NotPublishedError": 6, "StoppedError": 75,
    }  # fmt: skip
