"""What is refused before TensorFlow loads, and leaves nothing behind.

The commands run in this process; loading TensorFlow would fail the test.
"""

import json

import pytest

from tl_keras import TransferConfig, check, evaluate, predict, report, train
from tl_keras.config import command_line
from tl_keras.config.paths import output_folder, saved_model_file
from tl_keras.runs import RunFolder
from tl_keras.runs.state import FORMAT

JPEG = b"\xff\xd8\xff\xe0"


@pytest.fixture(autouse=True)
def no_tensorflow(monkeypatch):
    def loads(command, switches):
        raise AssertionError("TensorFlow would be loaded")

    monkeypatch.setattr(command_line, "_load_tensorflow", loads)


@pytest.fixture
def pets(tmp_path):
    for i in range(8):
        for name in ("cat", "dog"):
            file = tmp_path / "pets" / name / f"{i}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(JPEG + f"{name}{i}".encode())
    return tmp_path / "pets"


def lines_of(capsys, command, *flags) -> tuple[int, list[str]]:
    code = command.main([str(flag) for flag in flags])
    return code, capsys.readouterr().err.splitlines()


def trained(capsys, pets, *flags) -> tuple[int, list[str]]:
    out = pets.parent / "out"
    result = lines_of(capsys, train, f"--output_dir={out}", *flags)
    assert not out.exists() or (out / "run").exists()
    return result


def test_a_wrong_header(pets, capsys):
    file = pets.parent / "t.csv"
    file.write_text("path,color\n")
    for command in (train, check, evaluate):
        flags = [f"--dataset={file}"]
        flags += [f"--model={pets}"] if command is evaluate else []
        flags += [f"--output_dir={pets.parent}/out"]
        code, (line,) = lines_of(capsys, command, *flags)
        assert code == 3
        assert "t.csv:1: expected the header path,label" in line
        assert not (pets.parent / "out").exists()
    file.write_text("name,breed\n")
    code, (line,) = lines_of(
        capsys, predict, f"--input={file}", f"--model={pets}"
    )
    assert (code, "expected the header path" in line) == (3, True)


def test_one_class(pets, capsys):
    code, lines = trained(capsys, pets, f"--dataset={pets / 'cat'}")
    assert code == 3
    assert f"--dataset={pets}" in lines[0]
    (pets / "dog").rename(pets.parent / "dog")
    code, lines = trained(capsys, pets, f"--dataset={pets}")
    assert (code, "one class only" in lines[0]) == (3, True)


def test_classes_too_small_to_cut(pets, capsys):
    code, (line,) = trained(
        capsys, pets, f"--dataset={pets}", "--train_examples_per_class=9"
    )
    assert code == 3
    assert "2 of 2 classes have too few examples to cut" in line
    assert "--train_examples_per_class=6" in line


def test_paths_that_are_not_there(pets, capsys):
    file = pets.parent / "t.csv"
    rows = [f"pets/{c}/{i}.png,{c}" for c in ("cat", "dog") for i in range(8)]
    file.write_text("path,label\n" + "\n".join(rows))
    code, lines = trained(capsys, pets, f"--dataset={file}")
    assert code == 3
    assert "16 of 16 paths end in .png, their files have .jpg" in lines[-1]


def begun(pets, **state) -> TransferConfig:
    """The folder of a run of these settings."""
    config = TransferConfig(
        dataset=str(pets), output_dir=str(pets.parent / "out")
    )
    run = pets.parent / "out" / "run"
    run.mkdir(parents=True)
    (run / "run.flags").write_text(config.resolved().to_flags())
    state = {"id": "x", "state": "unfinished", "weights": "", "versions": {},
             "format": FORMAT, **state}  # fmt: skip
    (run / "state.json").write_text(json.dumps(state))
    return config


def test_another_seed(pets, capsys):
    begun(pets)
    code, lines = trained(capsys, pets, f"--dataset={pets}", "--seed=5")
    assert code == 2
    assert lines[0] == "error: --seed: the run has 0, received 5"
    assert "--restart begins anew" in lines[1]


def test_a_model_that_was_refused_is_not_trained_again(pets, capsys):
    """Until it is judged by another standard."""
    refused = {
        "why": ["not published: worse than other/1"],
        "by": {"min_accuracy": None, "not_worse_than": ""},
    }
    begun(pets, refused=refused)
    code, lines = trained(capsys, pets, f"--dataset={pets}")
    assert code == 6
    assert lines[0] == "error: not published: worse than other/1"
    assert "nothing is done again" in lines[1]
    with pytest.raises(AssertionError, match="would be loaded"):
        trained(capsys, pets, f"--dataset={pets}", "--min_accuracy=0.1")


def test_both_folders_of_a_run_are_taken(tmp_path, capsys):
    run = tmp_path / "X" / "run"
    run.mkdir(parents=True)
    for name in ("run.flags", "metrics.json", "model.keras"):
        (run / name).write_text("")
    for given in (tmp_path / "X", run, f"{run}/"):
        assert output_folder(str(given)).rstrip("/") == str(tmp_path / "X")
        assert str(RunFolder.named(str(given)).path).rstrip("/") == str(run)
        assert saved_model_file(str(given)) == str(run / "model.keras")
        with pytest.raises(AssertionError, match="would be loaded"):
            report.main([f"--run={given}"])
    assert output_folder(str(tmp_path)) == str(tmp_path)
    assert saved_model_file("x.keras") == "x.keras"
    code, (line,) = lines_of(capsys, report, f"--run={tmp_path}")
    assert (code, "expected the run/ folder" in line) == (2, True)


# What is given -> what the line says; {} is the folder.
HINTS = {
    "images.xlsx": "write it as a .csv with the header path,label",
    "pets.zip": "unpack it, and give the folder",
    "1.jpg": "give the folder in which the class folders are",
    "Pets": "did you mean pets?",
    "pest": "did you mean pets?",
    "none.csv": "expected a table's file, found nothing",
}


@pytest.mark.parametrize("name", HINTS)
def test_a_path_that_is_something_else_says_what_to_do(name, pets, capsys):
    for file in ("images.xlsx", "pets.zip", "1.jpg"):
        (pets.parent / file).write_text("x")
    code, (line,) = lines_of(capsys, train, f"--dataset={pets.parent / name}")
    assert code == 2
    assert HINTS[name] in line
    assert f"did you mean {name}" not in line


def test_a_tilde_is_the_home_folder(pets, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(pets.parent))
    with pytest.raises(AssertionError, match="would be loaded"):
        check.main(["--dataset=~/pets"])
    code, (line,) = lines_of(capsys, check, "--dataset=~/pest")
    assert code == 2
    assert f"--dataset={pets.parent}/pest" in line


def test_predict_takes_links_and_a_word(pets, capsys):
    common = f"--model={pets}"
    for flags in (
        [f"--input={pets}", "--follow_links", "--exclude=dog"],
        [str(pets / "cat" / "1.jpg")],
    ):
        with pytest.raises(AssertionError, match="would be loaded"):
            predict.main([common, *flags])
    for flags in (
        ["a.jpg", "b.jpg"],
        [f"--input={pets}", "b.jpg"],
    ):
        code, lines = lines_of(capsys, predict, common, *flags)
        assert code == 2
        assert any("a stray word" in line for line in lines)
    code, (line,) = lines_of(
        capsys, predict, common, str(pets / "cat" / "1.jpg"), "--exclude=x"
    )
    assert "--input is one picture" in line
    with pytest.raises(AssertionError):
        train.main(["--dataset=digits"])
    code, (line,) = lines_of(capsys, train, f"--dataset={pets}", "word")
    assert "a stray word" in line


IMPOSSIBLE = {
    "--skip_unlabelled": "only a table has rows",
    "--group_column=patient": "only a table has columns",
    "--path_column=file": "only a table has columns",
    "--label_column=breed": "only a table has columns",
    "--split_file=x.csv": "only a table has rows",
    "--label_regex=cat": "expected a group that is the class",
    "--label_regex=(cat": "expected a Python pattern",
}


@pytest.mark.parametrize("flag", IMPOSSIBLE)
def test_what_a_folder_has_not(flag, pets, capsys):
    code, (line,) = lines_of(capsys, check, f"--dataset={pets}", flag)
    assert (code, IMPOSSIBLE[flag] in line) == (2, True)


def test_groups_and_counts_do_not_go_together(pets, capsys):
    file = pets.parent / "t.csv"
    file.write_text("path,label,patient\n")
    code, (line,) = lines_of(
        capsys, train, f"--dataset={file}", "--group_column=patient",
        "--train_examples_per_class=3",
    )  # fmt: skip
    assert code == 2
    assert "--group_column cuts whole groups" in line
