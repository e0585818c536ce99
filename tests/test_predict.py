"""`python -m tl_keras.predict`: the command, from its flags to its files."""

import csv
import json
import pathlib
import signal
import subprocess
import sys
import time

import hostile
import numpy as np
import pytest
import tensorflow as tf
from conftest import CHECKOUT, write_picture
from pictures import animated_webp

from tl_keras import predict

RESULTS = ("predictions.jsonl", "predictions.csv", "gallery.html")


def photographs(root: pathlib.Path, count: int) -> pathlib.Path:
    for number in range(count):
        suffix = ".png" if number % 2 else ".jpg"
        write_picture(
            root / f"s{number % 3}" / f"{number:04}{suffix}", number, number % 3
        )
    return root


def command(model, root, folder, *more: str) -> list[str]:
    return [
        f"--model={model}", f"--input={root}", f"--output_dir={folder}", *more,
    ]  # fmt: skip


def rows_of(folder: pathlib.Path) -> list[dict]:
    lines = (folder / "predictions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_rows_are_what_the_export_says(tiny_export, tmp_path, capsys):
    root = photographs(tmp_path / "photos", 7)
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (root / "page.jpg").write_bytes(b"<!doctype html><html>")
    (root / "moving.webp").write_bytes(animated_webp())
    assert predict.main(command(tiny_export, root, tmp_path / "out")) == 0
    rows = {row["id"]: row for row in rows_of(tmp_path / "out")}
    assert len(rows) == 10
    serve = tf.saved_model.load(tiny_export / "1").signatures
    good = sorted(id_ for id_ in rows if id_.startswith("s"))
    told = serve["serving_default"](
        image_bytes=tf.constant([(root / id_).read_bytes() for id_ in good])
    )
    for row, id_ in enumerate(good):
        found = rows[id_]
        assert found["status"] == "ok"
        assert found["label"] == told["classes"][row, 0].numpy().decode()
        np.testing.assert_allclose(
            [best["score"] for best in found["top"]],
            told["scores"][row], atol=1e-6,
        )  # fmt: skip
    assert "fetch it again" in rows["broken.jpg"]["reason"]
    assert "HTML page" in rows["page.jpg"]["reason"]
    # As training does, what Pillow reads is mended first.
    assert rows["moving.webp"]["status"] == "ok"
    shown = capsys.readouterr().out
    assert "10 found = 8 predicted + 2 unreadable + 0 ignored" in shown
    with open(tmp_path / "out" / "predictions.csv", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["id"] for row in table] == sorted(rows)
    for row in table:
        assert row["label"] == rows[row["id"]].get("label", "")
        assert float(row["score"] or 0) == rows[row["id"]].get("score", 0)


def test_top_k_and_one_picture_at_a_time_change_nothing_else(
    tiny_export, tmp_path
):
    root = photographs(tmp_path / "photos", 5)
    predict.main(command(tiny_export, root, tmp_path / "a"))
    more = ("--top_k=1", "--batch_size=1")
    predict.main(command(tiny_export / "1", root, tmp_path / "b", *more))
    many, one = rows_of(tmp_path / "a"), rows_of(tmp_path / "b")
    assert [len(row["top"]) for row in many] == [2] * 5
    assert [len(row["top"]) for row in one] == [1] * 5
    for first, second in zip(many, one, strict=True):
        assert first["label"] == second["label"]
        assert abs(first["score"] - second["score"]) < 1e-6


@pytest.fixture
def child(warm_keras):
    """Starts the command in a process of its own."""

    def start(arguments: list[str]) -> subprocess.Popen:
        return warm_keras.start(
            [sys.executable, "-m", "tl_keras.predict", *arguments],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def end_at(process, folder: pathlib.Path, parts: int, how: int) -> int:
    """Sends a signal when so many parts are there; gives the exit code."""
    place = folder / "work" / "parts"
    while process.poll() is None:
        if place.exists() and len(list(place.glob("*.jsonl"))) >= parts:
            process.send_signal(how)
            break
        time.sleep(0.001)
    return process.wait()


def killed_twice(child, model, root, tmp_path, count, at, *more: str) -> None:
    """Kills a run twice, ends it, compares with one that was left alone."""
    folder = tmp_path / "out"
    arguments = command(model, root, folder, *more)
    parts_there = []
    for parts in at:
        # Later than the kill before, however slow that was.
        parts = max(parts, *(there + 1 for there in parts_there), 0)
        assert end_at(child(arguments), folder, parts, signal.SIGKILL) == -9
        parts_there.append(len(list((folder / "work/parts").glob("*.jsonl"))))
    assert parts_there[0] < parts_there[1]
    assert predict.main(arguments) == 0
    rows = rows_of(folder)
    assert len(rows) == len({row["id"] for row in rows}) == count
    assert predict.main(command(model, root, tmp_path / "whole", *more)) == 0
    for name in RESULTS:
        again = (tmp_path / "whole" / name).read_bytes()
        assert (folder / name).read_bytes() == again, name
    print(f"parts at the kills: {parts_there}; rows: {len(rows)}")


def test_killed_twice_each_picture_is_there_once(child, tiny_export, tmp_path):
    root = photographs(tmp_path / "photos", 120)
    killed_twice(
        child, tiny_export, root, tmp_path, 120, (2, 7), "--batch_size=1"
    )


@pytest.mark.acceptance
def test_2000_pictures_killed_twice(child, tiny_export, tmp_path):
    root = photographs(tmp_path / "photos", 2000)
    killed_twice(
        child, tiny_export, root, tmp_path, 2000, (20, 120), "--batch_size=1"
    )


def test_a_signal_stops_it_with_75_and_no_traceback(
    child, tiny_export, tmp_path
):
    how = signal.SIGTERM
    root = photographs(tmp_path / "photos", 120)
    arguments = command(tiny_export, root, tmp_path / "out", "--batch_size=1")
    process = child(arguments)
    assert end_at(process, tmp_path / "out", 2, how) == 75
    first, line = process.stderr.read().splitlines()
    assert first == f"{how.name}: saving; once more stops at once"
    assert line.startswith("stopped after ")
    assert line.endswith(" of 120 pictures - run the same command to go on")
    assert predict.main(arguments) == 0
    assert len(rows_of(tmp_path / "out")) == 120


def test_a_hostile_model_is_one_line_and_is_not_loaded(
    tiny_export, tmp_path, capsys
):
    folder = hostile.copied(tiny_export / "1", tmp_path / "1")
    made = tmp_path / "made"
    hostile.rewrite(
        folder, lambda s: hostile.init_op_writes(s.meta_graphs[0], made)
    )
    root = photographs(tmp_path / "photos", 1)
    assert predict.main(command(folder, root, tmp_path / "out")) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "WriteFile (at write)" in line
    assert not made.exists()
    assert not (tmp_path / "out").exists()


def test_trust_runs_what_the_model_does_and_says_so(
    tiny_export, tmp_path, capsys
):
    folder = hostile.copied(tiny_export / "1", tmp_path / "1")
    made = tmp_path / "made"
    hostile.rewrite(
        folder, lambda s: hostile.init_op_writes(s.meta_graphs[0], made)
    )
    root = photographs(tmp_path / "photos", 1)
    more = ("--trust_model",)
    assert predict.main(command(folder, root, tmp_path / "out", *more)) == 0
    assert "warning: " in capsys.readouterr().err
    assert made.read_text() == "pwned"


FAULTS = {
    "--output_dir={}/photos/out": "expected a folder outside --input",
    "--input={}/none": "expected a folder, a table (.csv) or a picture, found",
    "--model={}/none": "expected a run's folder or one of its versions",
    "--data_dir={}": "only a table has one",
    "--path_column=x": "only a table has columns",
    "--model_name=x": "there is no --server",
    "--timeout=3": "there is no --server",
    "--top_k=0": "expected a whole number, 1 to 100,000",
}


@pytest.mark.parametrize("flag", FAULTS)
def test_wrong_flags_are_one_line_and_2(flag, tiny_export, tmp_path, capsys):
    root = photographs(tmp_path / "photos", 1)
    arguments = command(tiny_export, root, tmp_path / "out")
    assert predict.main([*arguments, flag.format(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert FAULTS[flag] in line


SERVER_FAULTS = {
    "--server=127.0.0.1:8501": "expected http://HOST:PORT",
    "--server=http://user:word@host:1": "expected http://HOST:PORT",
    "--server=http://host:1/v1/models/x": "expected http://HOST:PORT",
    "--server=http://host:99999": "expected http://HOST:PORT",
    "--model_name=../x": "expected the model's name",
    "--top_k=6": "expected 5 or less with --server",
    "--trust_model": "--server has its own model",
}


@pytest.mark.parametrize("flag", SERVER_FAULTS)
def test_wrong_flags_with_a_server(flag, tmp_path, capsys):
    root = photographs(tmp_path / "photos", 1)
    arguments = [
        "--server=http://127.0.0.1:9", "--model_name=m", f"--input={root}",
        f"--output_dir={tmp_path}/out", flag,
    ]  # fmt: skip
    assert predict.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert SERVER_FAULTS[flag] in line


def test_one_picture_prints_its_label_and_probability(
    tiny_export, tmp_path, capsys
):
    """Without a flag for it, and without a folder for the answers."""
    root = photographs(tmp_path / "photos", 3)
    arguments = [f"--model={tiny_export}", f"{root}/s1/0001.png"]
    assert predict.main(arguments) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    name, label, score, other, less = first.replace(",", "").split()
    assert name == "0001.png:"
    assert {label, other} == {"blue_not", "green"}
    assert float(score) + float(less) == pytest.approx(1, abs=2e-4)
    assert not any("predictions" in line for line in rest)
    assert predict.main([f"--model={tiny_export}", f"--input={root}"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in shown[:3]] == [
        "s0/0000.jpg", "s1/0001.png", "s2/0002.jpg",
    ]  # fmt: skip
