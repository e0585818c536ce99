"""The page of a real run: made at its end, and again by the command."""

import dataclasses
import getpass
import json
import pathlib
import re
import shutil
import socket

import pytest
import tiny
from run_folders import NUMBER, Page
from test_run_card_page import SECTIONS, assert_safe, numbers_in

from tl_keras import TransferConfig, run
from tl_keras.errors import DivergedError
from tl_keras.jobs import stages
from tl_keras.report import main


@pytest.fixture
def config(color_folder, tiny_network, tmp_path) -> TransferConfig:
    return tiny.config(
        color_folder, tiny_network, tmp_path / "out",
        dropout=0.0, fine_tune_epochs=1, batch_size=6,
    )  # fmt: skip


@pytest.fixture
def folder(finished, tmp_path) -> pathlib.Path:
    """The run/ of a whole run, to change."""
    config = tiny.moved(finished.config, finished.root, tmp_path / "moved")
    return config.run_folder() / "run"


def test_a_run_ends_with_its_page_and_the_command_makes_it_again(
    folder, finished, tmp_path, capsys
):
    result = finished.result
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert_safe(page, text)
    for title in SECTIONS:
        assert f"<h2>{title}</h2>" in text
    known = numbers_in(result.metrics, {"0", "100"})
    shown = NUMBER.findall(page.text.replace("\xa0", " "))
    assert [n for n in shown if n not in known] == []
    cost = result.metrics["cost"]
    assert 0 < cost["latency_seconds"] < 60
    assert cost["pictures_per_second"] > 0
    assert cost["peak_memory_bytes"] > 1e8
    assert cost["model_bytes"] == (folder / "model.keras").stat().st_size
    assert cost["export_bytes"] == sum(
        f.stat().st_size for f in result.version.rglob("*") if f.is_file()
    )
    pairs = [(c["first"], c["second"]) for c in result.metrics["comparisons"]]
    assert pairs[0] == ("head", "fine_tune")
    assert pairs[1] == ("scratch", result.metrics["kept_phase"])
    signatures = result.metrics["export"]["signatures"]
    taken = signatures["serving_default"]["inputs"]
    assert taken["image_bytes"] == "string (batch,)"

    before = {
        n: (folder / n).read_bytes() for n in ("report.html", "report.md")
    }
    numbers = (folder / "metrics.json").read_bytes()
    capsys.readouterr()
    for name in before:
        (folder / name).unlink()
    assert main([f"--run={folder}"]) == 0
    assert "report.html" in capsys.readouterr().out
    assert (folder / "metrics.json").read_bytes() == numbers
    for name, content in before.items():
        again = (folder / name).read_bytes()
        assert len(again) == len(content)
        assert again.count(b"<img") == content.count(b"<img")
    assert (folder / "report.md").read_bytes() == before["report.md"]

    for file in (
        "report.html",
        "report.md",
        "metrics.json",
        "data_report.html",
    ):
        shown = (folder / file).read_text(encoding="utf-8")
        secrets = (str(finished.root), "/home/", f"/{getpass.getuser()}/")
        for secret in (*secrets, str(tmp_path)):
            assert secret not in shown, file
        if file.endswith("html"):  # Without pictures, which are any letters.
            shown = re.sub(r"base64,[\w+/=]+", "", shown)
        host = re.escape(socket.gethostname())
        assert not re.search(rf"\b{host}\b", shown), file


def test_the_page_of_a_run_whose_pictures_are_gone(folder, tmp_path):
    shutil.rmtree(tmp_path / "moved" / "colors")
    (folder / "model.keras").unlink()
    assert main([f"--run={folder}"]) == 0
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "no longer there as it was" in text
    assert "data:image/jpeg" not in text
    assert_safe(Page(text), text)


@pytest.mark.usefixtures("plain_decoder")
def test_frozen_work_that_was_not_done_again_is_counted(config, tmp_path):
    config = dataclasses.replace(config, feature_cache=str(tmp_path / "store"))
    some = tiny.QUICK.replacing(tiny.measure, stages.measure)
    first = run(config, stages=some).metrics
    second = run(config, stages=some, restart=True).metrics
    passes = first["cost"]["trunk_passes"]
    # A solved head is an epoch of 12 + 6 pictures, as is the fine-tuning; 6
    # tests a phase.
    assert passes["needed"] == 18 + 18 + 2 * 6
    assert passes["computed"] == 24
    assert passes["saved"] == passes["needed"] - 24
    assert second["cost"]["trunk_passes"]["computed"] == 0


def test_a_run_that_diverges_leaves_a_page(config):
    def diverge(_):
        raise DivergedError("phase fine_tune: loss became nan - lower it")

    # With its real page.
    with pytest.raises(DivergedError):
        run(config, stages=stages.STAGES.replacing(stages.fit, diverge))
    folder = config.run_folder() / "run"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["stopped"].startswith("phase fine_tune: ")
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "diverged" in Page(text).text
    assert main([f"--run={folder}"]) == 0


def test_a_wrong_folder_is_one_line(tmp_path, capsys):
    assert main([f"--run={tmp_path}"]) == 2
    assert main([]) == 2
    (tmp_path / "metrics.json").write_text('{"test": {}}')
    assert main([f"--run={tmp_path}"]) == 3
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "expected the run/ folder that a training run leaves" in lines[0]
    assert "do not fit together" in lines[2]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("predictions.csv", "id,label,predicted,score\na,no such class,b,1\n"),
        ("predictions.csv", "one,two\n1,2\n"),
        ("data_report.json", "[]"), ("metrics.json", "[1]"),
        ("history.csv", "phase,epoch\nhead,many\n"), ("split.csv", "a\nb\n"),
    ],
)  # fmt: skip
def test_files_that_were_changed_are_one_line(name, content, tmp_path, capsys):
    from run_folders import make_run

    folder = make_run(tmp_path)
    (folder / name).write_text(content)
    assert main([f"--run={folder}"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "do not fit together" in line
