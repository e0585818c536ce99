"""`python -m tl_keras.evaluate`: training's numbers of an export."""

import csv
import errno
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from conftest import write_picture

from tl_keras import evaluate, io_watchdog, predict
from tl_keras.exports import Export, inspect_export
from tl_keras.serving.inference import Loaded
from tl_keras.serving.inference.asking import NO_NUMBER


@pytest.fixture
def trained(finished):
    """A run, and the folder that it was trained on."""
    return finished.result, finished.root / "colors"


def metrics_of(folder) -> dict:
    return json.loads((folder / "metrics.json").read_text())


def test_the_same_split_gives_the_runs_own_numbers(trained, tmp_path, capsys):
    """By the run's split.csv; the same keys under `test`."""
    result, colors = trained
    code = evaluate.main(
        [
            f"--model={result.version.parent}",
            f"--dataset={result.run_folder / 'split.csv'}",
            f"--data_dir={colors}",
            f"--output_dir={tmp_path}",
        ]
    )
    assert code == 0
    mine, own = metrics_of(tmp_path)["test"], result.metrics["test"]
    assert set(mine) | {"ece_before"} == set(own) | {"ece_before"}
    for name in ("examples", "accuracy", "macro_f1", "per_class"):
        assert mine[name] == own[name]
    for name in ("loss", "ece"):
        assert abs(mine[name] - own[name]) < 1e-5
    assert metrics_of(tmp_path)["data"]["split"] == "test"
    assert (tmp_path / "confusion.png").stat().st_size > 1000
    before = (result.run_folder / "predictions.csv").read_text().splitlines()
    after = (tmp_path / "predictions.csv").read_text().splitlines()
    assert after[0] == before[0]
    for one, two in zip(before[1:], after[1:], strict=True):
        one, two = one.split(","), two.split(",")
        assert one[:3] == two[:3]
        np.testing.assert_allclose(
            [float(x) for x in one[3:]], [float(x) for x in two[3:]], atol=1e-5
        )
    assert "6 pictures of test" in capsys.readouterr().out


def test_sets_of_classes_can_be_asked_for_afterwards(trained, tmp_path, capsys):
    """Of a run that was trained without --coverage."""
    result, colors = trained
    model = f"--model={result.version.parent}"
    code = evaluate.main(
        [model, f"--dataset={colors}", "--coverage=0.9",
         f"--output_dir={tmp_path / 'e'}"]
    )  # fmt: skip
    assert code == 0
    test = metrics_of(tmp_path / "e")["test"]
    assert test["coverage_asked"] == 0.9
    assert 1 <= test["set_size"] <= 2
    assert "by sets of " in capsys.readouterr().out
    code = predict.main(
        [model, f"--input={colors}", "--coverage=0.9",
         f"--output_dir={tmp_path / 'p'}"]
    )  # fmt: skip
    assert code == 0
    with open(tmp_path / "p" / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[-3:] == ["set", "status", "reason"]
    held = sum(row["id"].split("/")[0] in row["set"].split("|") for row in rows)
    assert held / len(rows) == test["coverage"]
    picture = f"--input={colors / rows[0]['id']}"
    assert predict.main([model, picture, "--coverage=0.9"]) == 0
    assert f", set {rows[0]['set']}" in capsys.readouterr().out


@pytest.mark.parametrize(("split", "count"), [("auto", 24), ("train", 24)])
def test_without_a_split_of_its_own_all_of_it_is_asked(
    split, count, trained, capsys
):
    result, colors = trained
    model = f"--model={result.version}"
    assert (
        evaluate.main([model, f"--dataset={colors}", f"--split={split}"]) == 0
    )
    assert f"on {count} pictures of" in capsys.readouterr().out


def test_what_the_model_has_learnt_from_is_told(trained, tmp_path, capsys):
    """By the bytes: neither another folder nor other names hide it."""
    result, colors = trained
    elsewhere = tmp_path / "more"
    for file in sorted(colors.glob("*/*")):
        copy = elsewhere / file.parent.name / f"copy_{file.name}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    model = f"--model={result.version}"
    assert evaluate.main([model, f"--dataset={elsewhere}"]) == 0
    own = result.metrics
    used = own["data"]["used"]
    learnt = used["train"] + used["val"]
    told = capsys.readouterr().err
    assert f"warning: {learnt} of 24 pictures are those that this" in told
    number = f"accuracy {own['test']['accuracy']:.4f} on {used['test']}"
    assert f"without them {number}" in told
    # Who asks for them by name knows it, and new ones are no news.
    flags = [model, f"--dataset={colors}", "--split=train"]
    assert evaluate.main(flags) == 0
    assert "warning" not in capsys.readouterr().err
    for number, file in enumerate(sorted(elsewhere.glob("*/*"))):
        file.write_bytes(file.read_bytes() + bytes([number]))
    assert evaluate.main([model, f"--dataset={elsewhere}"]) == 0
    assert "warning" not in capsys.readouterr().err
    moved = tmp_path / "1"
    shutil.copytree(result.version, moved)
    assert evaluate.main([f"--model={moved}", f"--dataset={colors}"]) == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.usefixtures("plain_decoder")
def test_order_of_the_labels_is_the_models(tiny_export, tmp_path, capsys):
    """Its classes have another order than the names: nothing shifts."""
    import hostile

    folder = hostile.copied(tiny_export / "1", tmp_path / "1")
    hostile.rename_classes(folder, ["blue_not", "green"], ["green", "blue_not"])
    assert inspect_export(folder).labels == ("green", "blue_not")
    for color, name in enumerate(("blue_not", "green")):
        for number in range(3):
            file = tmp_path / "colors" / name / f"{number}.png"
            write_picture(file, 10 * color + number, color)
    rights = []
    for model in (folder, tiny_export):
        out = tmp_path / f"out{len(rights)}"
        code = evaluate.main(
            [
                f"--model={model}", f"--dataset={tmp_path / 'colors'}",
                f"--output_dir={out}",
            ]
        )  # fmt: skip
        assert code == 0
        rights.append(metrics_of(out)["test"]["accuracy"])
    # The same probabilities under swapped names: right becomes wrong.
    assert rights[0] == pytest.approx(1 - rights[1])


def test_other_classes_are_refused_with_the_difference(
    trained, tmp_path, capsys
):
    result, colors = trained
    other = tmp_path / "colors"
    shutil.copytree(colors, other)
    (other / "green").rename(other / "red")
    model = f"--model={result.version}"
    assert evaluate.main([model, f"--dataset={other}"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "only in the dataset ['red'], only in the model ['green']" in line


def test_unreadable_pictures_are_named_and_counted(trained, tmp_path, capsys):
    result, colors = trained
    other = tmp_path / "colors"
    shutil.copytree(colors, other)
    (other / "green" / "bad.jpg").write_bytes(b"<html>")
    arguments = [f"--model={result.version}", f"--dataset={other}"]
    assert evaluate.main(arguments) == 3
    lines = capsys.readouterr().err.splitlines()
    assert "green/bad.jpg: HTML page" in lines[0]
    assert "1 of 25 pictures cannot be used" in lines[1]
    assert evaluate.main([*arguments, "--max_bad_fraction=0.1"]) == 0
    shown = capsys.readouterr().out
    assert "skip: green/bad.jpg: HTML page" in shown
    assert "25 found = 24 used + 1 skipped + 0 ignored" in shown


FAULTS = {
    "--split=test": (3, "has train - give one of these, or all"),
    "--model=": (2, "--model: nothing received"),
    "--dataset=": (2, "--dataset: nothing received"),
    "--data_dir=.": (2, "only a table or tfds: dataset has one"),
    "--split=best": (2, "expected one of auto, all, train, val, test"),
}


def test_a_picture_without_a_number_costs_itself_alone(
    trained, tmp_path, monkeypatch, capsys
):
    """It is named, by evaluate and by predict, and the others are answered."""
    result, colors = trained
    asked = Loaded._run

    def ask(self, encoded):
        found, told = asked(self, encoded)
        found[encoded.index(odd), 0] = np.nan
        return found, told

    odd = (colors / "green" / "0.jpg").read_bytes()
    monkeypatch.setattr(Loaded, "_run", ask)
    where = [f"--model={result.version.parent}", "--batch_size=100"]
    code = evaluate.main(
        [*where, f"--dataset={colors}", "--max_bad_fraction=0.1",
         f"--output_dir={tmp_path / 'e'}"]
    )  # fmt: skip
    assert code == 0
    data = metrics_of(tmp_path / "e")["data"]
    assert (data["found"], data["skipped"]) == (24, 1)
    assert "green/0.jpg" in capsys.readouterr().out
    folder = tmp_path / "p"
    code = predict.main([*where, f"--input={colors}", f"--output_dir={folder}"])
    assert code == 0
    with open(folder / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    (row,) = [row for row in rows if row["status"] != "ok"]
    assert (row["id"], row["reason"]) == ("green/0.jpg", NO_NUMBER)
    assert len(rows) == 24


def test_no_memory_for_a_model_is_the_machines_fault(
    trained, monkeypatch, capsys
):
    result, colors = trained

    def full(*_, **__):
        raise tf.errors.InternalError(None, None, "GPU:0: out of memory")

    monkeypatch.setattr(tf.compat.v1, "Session", full)
    model = result.version.parent
    code = evaluate.main([f"--model={model}", f"--dataset={colors}"])
    assert code == 4
    assert "out of memory as " in capsys.readouterr().err


def test_f10_a_picture_that_the_disk_does_not_give_fails_it(
    trained, tmp_path, capsys, monkeypatch
):
    """Three tries, and then not a number without it."""
    result, colors = trained
    file = str(colors / "green" / "3.png")
    real, tries = os.open, []

    def broken(path, *rest, **more):
        if str(path) == file:
            tries.append(path)
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return real(path, *rest, **more)

    monkeypatch.setattr(io_watchdog, "PAUSES", (0, 0))
    monkeypatch.setattr(os, "open", broken)
    code = evaluate.main(
        [
            f"--model={result.version.parent}",
            f"--dataset={colors}",
            f"--output_dir={tmp_path / 'out'}",
            "--max_bad_fraction=1",
        ]
    )
    assert code == 4
    assert len(tries) == 3
    line = "error: green/3.png: cannot be read (Input/output error) - check the"
    assert line in capsys.readouterr().err
    assert not (tmp_path / "out" / "metrics.json").exists()


@pytest.mark.parametrize("flag", FAULTS)
def test_what_cannot_be_is_one_line(flag, trained, capsys):
    result, colors = trained
    arguments = [f"--model={result.version}", f"--dataset={colors}", flag]
    code, words = FAULTS[flag]
    assert evaluate.main(arguments) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_what_rounding_decides_is_told(trained, tmp_path, monkeypatch, capsys):
    """As on a device on which answers move by half a nat."""
    result, colors = trained
    monkeypatch.setattr(Export, "movement", lambda *_: 0.5)
    arguments = [f"--model={result.version}", f"--dataset={colors}"]
    assert evaluate.main([*arguments, f"--output_dir={tmp_path}"]) == 0
    found = metrics_of(tmp_path)["rounding"]
    with open(tmp_path / "predictions.csv", encoding="utf-8") as stream:
        ids = [row.split(",")[0] for row in stream][1:]
    assert found["movement"] == 0.5
    # Two classes within a nat: between 0.27 and 0.73.
    assert 0 < found["ties"] <= 24
    assert set(found["tied_pictures"]) <= set(ids)
    printed = capsys.readouterr().out
    assert f"here; {found['ties']} pictures are right or wrong by" in printed


def test_where_answers_are_exact_nothing_is_told(trained, tmp_path, capsys):
    result, colors = trained
    arguments = [f"--model={result.version}", f"--dataset={colors}"]
    assert evaluate.main([*arguments, f"--output_dir={tmp_path}"]) == 0
    assert metrics_of(tmp_path)["rounding"] is None
    assert "rounding" not in capsys.readouterr().out


def test_a_runs_own_record_is_not_overwritten(trained, capsys):
    result, colors = trained
    before = (result.run_folder / "metrics.json").read_bytes()
    arguments = [
        f"--model={result.version}", f"--dataset={colors}",
        f"--output_dir={result.run_folder}",
    ]  # fmt: skip
    assert evaluate.main(arguments) == 2
    assert "a training run's own folder" in capsys.readouterr().err
    assert (result.run_folder / "metrics.json").read_bytes() == before
