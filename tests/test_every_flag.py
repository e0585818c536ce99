"""Every flag of every command with every kind of nonsense: one line, 2."""

import dataclasses
import json
import re
import subprocess
import sys
import types

import pytest
from spoiling import good_folder

from tl_keras import check, evaluate, predict, report, train
from tl_keras.config.command_line import run_command
from tl_keras.config.fields import allowed_types

COMMANDS = {
    "train": train.COMMAND,
    "check": check.COMMAND,
    "report": report.COMMAND,
    "predict": predict.COMMAND,
    "evaluate": evaluate.COMMAND,
}
# Command -> the flags that it cannot do without, each of a folder.
NEEDED = {
    "train": ("dataset",),
    "check": ("dataset",),
    "report": ("run",),
    "predict": ("input", "model"),
    "evaluate": ("dataset", "model"),
}
HUGE = "1" + "0" * 400


def nonsense(field: dataclasses.Field, folder, file) -> list[str]:
    """Values that this flag cannot mean, whatever the others say."""
    kinds, about = allowed_types(field), field.metadata
    if about["choices"]:
        return ["", "nonsense", "-1", about["choices"][0].upper()]
    if bool in kinds:
        return ["maybe", "2", "-1"]
    if int in kinds or float in kinds or tuple in kinds:
        values = ["x", "1,5x", "-1", f"-{HUGE}", HUGE, "nan", "1 # one"]
        values += [] if types.NoneType in kinds or tuple in kinds else [""]
        values += ["0.5"] if float not in kinds else ["inf", "1e999"]
        return values
    values = ["two\nlines", " blanks "]
    if about["path"] and field.name not in ("output_dir", "feature_cache"):
        values += [f"{folder}/missing"]
        wants_folder = field.name in (
            "val_dataset", "test_dataset", "data_dir", "unlabelled",
        )  # fmt: skip
        values += [str(file) if wants_folder else str(folder / "empty")]
    if field.name in ("input", "model"):
        values = values[:-1]  # any folder may be one
    if field.name == "dataset":
        values = ["", f"{folder}/none.csv", "nowhere", str(file)]
    return values


def rounds(folder, file) -> list[tuple[str, dict[str, str]]]:
    """Command lines in which every flag is nonsense, each in another way."""
    lines = []
    for command, about in COMMANDS.items():
        values = {
            field.name: nonsense(field, folder, file)
            for field in dataclasses.fields(about.settings)
        }
        for number in range(max(map(len, values.values()))):
            lines.append(
                (command, {n: v[number % len(v)] for n, v in values.items()})
            )
    return lines


@pytest.fixture
def places(tmp_path):
    folder = good_folder(tmp_path / "pets", 2)
    (tmp_path / "pets" / "empty").mkdir()
    # What makes a folder a run's, and is no picture.
    (tmp_path / "pets" / "metrics.json").write_text("{}")
    file = tmp_path / "file.md"
    file.write_text("text")
    return folder, file


def run_flags(command: str, folder, *flags: str) -> tuple[int, bool]:
    """Exit code, and whether the command's body was reached."""
    needed = [f"--{name}={folder}" for name in NEEDED[command]]
    reached = []
    about = dataclasses.replace(
        COMMANDS[command],
        first=lambda *_: None,
        body=lambda *_: reached.append(True),
    )
    code = run_command(about, [*needed, *flags])
    return code, bool(reached)


def test_nonsense_is_named_flag_by_flag_and_exits_with_2(places, capsys):
    for command, values in rounds(*places):
        flags = [f"--{name}={value}" for name, value in values.items()]
        code, reached = run_flags(command, "x", *flags)
        lines = capsys.readouterr().err.splitlines()
        assert (code, reached) == (2, False)
        assert all(line.startswith("error: --") for line in lines), lines
        told = {re.match(r"error: --(\w+)", line)[1] for line in lines}
        assert told == set(values), command
        assert all(len(line) < 700 for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_one_wrong_flag_alone_is_named_alone(command, places, capsys):
    """The other flags are good: nothing else may be told, or reached."""
    folder, file = places
    for field in dataclasses.fields(COMMANDS[command].settings):
        value = nonsense(field, folder, file)[-1]
        code, reached = run_flags(command, folder, f"--{field.name}={value}")
        lines = capsys.readouterr().err.splitlines()
        assert (code, reached) == (2, False)
        assert lines
        assert all(line.startswith(f"error: --{field.name}") for line in lines)


def test_nonsense_is_told_before_tensorflow_loads(places):
    """The child has no TensorFlow, no Keras and no NumPy to load."""
    code = (
        "import json, sys\n"
        "for name in ('tensorflow', 'keras', 'numpy', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        "from tl_keras import check, evaluate, predict, report, train\n"
        "mains = {'train': train.main, 'check': check.main,\n"
        "         'report': report.main, 'predict': predict.main,\n"
        "         'evaluate': evaluate.main}\n"
        "for command, values in json.loads(sys.stdin.read()):\n"
        "    flags = ['--' + n + '=' + v for n, v in values.items()]\n"
        "    print(mains[command](flags))\n"
    )
    given = rounds(*places)
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(given), capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.split() == ["2"] * len(given)


@pytest.mark.parametrize("command", COMMANDS)
def test_defaults_and_empty_texts_are_no_nonsense(command, places, capsys):
    folder, _ = places
    assert run_flags(command, folder) == (0, True)
    for field in dataclasses.fields(COMMANDS[command].settings):
        if allowed_types(field) != (str,) or field.metadata["choices"]:
            continue
        needed = ("backbone", "weights", "feature_cache")
        if field.name in (*needed, *NEEDED[command]):
            continue
        code, _ = run_flags(command, folder, f"--{field.name}=")
        assert code == 0 or field.default, field.name
    capsys.readouterr()


IMPOSSIBLE = {
    "label_from of a csv": ("csv", "--label_from=leaf"),
    "empty classes of a csv": ("csv", "--allow_empty_class"),
    "links of digits": ("digits", "--follow_links"),
    "manifest of digits": ("digits", "--data_manifest=FILE"),
    "links of tfds": ("tfds:mnist", "--follow_links"),
    "both kinds of bad input": (
        "folder", "--bad_input=fail", "--max_bad_fraction=0.5",
    ),
    "near-duplicates of headers": (
        "folder", "--check=fast", "--nonear_duplicates",
    ),
    "val folder of a csv": ("csv", "--val_dataset=FOLDER"),
    "data_dir of a folder": ("folder", "--data_dir=FOLDER"),
    "two shares above all": (
        "folder", "--val_fraction=0.6", "--test_fraction=0.5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", IMPOSSIBLE)
@pytest.mark.parametrize("command", ["train", "check"])
def test_impossible_combinations(case, command, places, capsys):
    folder, file = places
    table = folder.parent / "t.csv"
    table.write_text("path,label\n")
    kind, *flags = IMPOSSIBLE[case]
    dataset = {"csv": table, "folder": folder}.get(kind, kind)
    flags = [f.replace("FILE", str(file)) for f in flags]
    flags = [f.replace("FOLDER", str(folder)) for f in flags]
    assert run_flags(command, dataset, *flags) == (2, False)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert " - " in lines[0]


def test_what_only_one_command_refuses(places, capsys):
    folder, _ = places
    assert run_flags("check", folder, "--check=off") == (2, False)
    assert "nothing else to do" in capsys.readouterr().err
    assert run_flags("train", folder, "--check=off") == (0, True)
    for flag in ("--min_side=9", "--max_aspect=3"):
        assert run_flags("train", folder, "--check=off", flag)[0] == 2
    assert "reads no picture" in capsys.readouterr().err


def test_an_output_that_cannot_be_written(places, capsys):
    folder, file = places
    code = check.main([f"--dataset={folder}", f"--output_dir={file}/out"])
    assert code == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --output_dir={file}/out: cannot be writ")


def test_flags_of_other_commands_are_named(places, capsys):
    folder, _ = places
    assert run_flags("check", folder, "--epochs=3") == (2, False)
    assert "--epochs: no such flag" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "room"),
    [
        ("check", "checking"),
        ("predict", "predicting"),
        ("evaluate", "evaluating"),
    ],
)
def test_every_setting_of_a_command_is_read(command, room):
    from conftest import CHECKOUT

    code = (CHECKOUT / f"tl_keras/jobs/{room}.py").read_text(encoding="utf-8")
    # What each command reads alike:
    for common in (
        "config/command_line", "jobs/first_look", "jobs/listing",
    ):  # fmt: skip
        file = CHECKOUT / f"tl_keras/{common}.py"
        code += file.read_text(encoding="utf-8")
    unread = [
        field.name
        for field in dataclasses.fields(COMMANDS[command].settings)
        if f"config.{field.name}" not in code
    ]
    assert unread == []


@pytest.mark.parametrize("command", [check, evaluate, predict])
def test_help_of_a_command(command, capsys):
    assert command.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for field in dataclasses.fields(command.COMMAND.settings):
        assert f"--{field.name}\n" in shown
    assert max(map(len, shown.splitlines())) <= 80
