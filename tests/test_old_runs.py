"""A run of the first version: its version, record and network still open."""

import csv
import json
import pathlib
import tarfile

import numpy as np
import pytest
from conftest import CHECKOUT

from tl_keras import TransferConfig, evaluate, predict, report
from tl_keras.console import on_console
from tl_keras.data import Examples
from tl_keras.errors import NotPublishedError
from tl_keras.exports import inspect_export
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.jobs.acceptance import Acceptance
from tl_keras.networks import build_classifier, warm_start
from tl_keras.sources import LabelledExamples, LabelledSplits

ARCHIVE = CHECKOUT / "tests" / "old_runs" / "7682d3a.tar.xz"
WAS_IN = "/home/somebody/first"
NAMES = ("blue_not", "green")


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> pathlib.Path:
    """The folder with out/, colors/ and tiny.keras; it is read."""
    root = tmp_path_factory.mktemp("first")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(root, filter="data")
    flags = root / "out" / "run" / "run.flags"
    flags.write_text(flags.read_text().replace(WAS_IN, str(root)))
    return root


def table(path: pathlib.Path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def said(first) -> dict[str, float]:
    """Probability of blue_not that the run wrote down, by id."""
    rows = table(first / "out" / "run" / "predictions.csv")
    return {row["id"]: float(row["p:blue_not"]) for row in rows}


def test_the_archive_is_small():
    assert ARCHIVE.stat().st_size < 300_000


def test_its_version_needs_no_trust(first):
    export = inspect_export(first / "out")
    assert export.folder == first / "out" / "1"
    assert export.labels == NAMES
    assert export.warnings == ()


def test_predict_gives_its_own_answers(first, tmp_path):
    arguments = [
        f"--model={first / 'out'}", f"--input={first / 'colors'}",
        f"--output_dir={tmp_path}",
    ]  # fmt: skip
    assert predict.main(arguments) == 0
    lines = (tmp_path / "predictions.jsonl").read_text().splitlines()
    rows = {row["id"]: row for row in map(json.loads, lines)}
    assert len(rows) == 16
    for id_, probability in said(first).items():
        scores = {b["label"]: b["score"] for b in rows[id_]["top"]}
        assert scores["blue_not"] == pytest.approx(probability, abs=1e-5)


def test_evaluate_gives_its_own_numbers(first, tmp_path):
    """By the split.csv that it left."""
    arguments = [
        f"--model={first / 'out' / 'run'}",
        f"--dataset={first / 'out' / 'run' / 'split.csv'}",
        f"--data_dir={first / 'colors'}", f"--output_dir={tmp_path}",
    ]  # fmt: skip
    assert evaluate.main(arguments) == 0
    own = json.loads((first / "out" / "run" / "metrics.json").read_text())
    mine = json.loads((tmp_path / "metrics.json").read_text())
    for name in ("examples", "accuracy", "macro_f1", "per_class"):
        assert mine["test"][name] == own["test"][name]
    assert mine["test"]["loss"] == pytest.approx(own["test"]["loss"], abs=1e-5)


def test_report_makes_its_page(first, capsys):
    run = first / "out" / "run"
    assert report.main([f"--run={first / 'out'}"]) == 0
    assert f"report: {run / 'report.html'}" in capsys.readouterr().out
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "no longer there as it was" not in page
    assert "<h2>" in page
    assert "green/5.png" in page
    assert (run / "report.md").read_text().count("blue_not") > 1


def images_of(first) -> LabelledSplits:
    """The run's own test split."""
    ids = tuple(said(first))
    encoded = tuple((first / "colors" / id_).read_bytes() for id_ in ids)
    labels = [NAMES.index(id_.split("/")[0]) for id_ in ids]
    examples = Examples(ids, np.array(labels, np.int32), None, encoded)
    test = LabelledExamples(examples, Decoding(8))
    return LabelledSplits(test, test, test, NAMES, (), {}, "")


def test_not_worse_than_asks_it(first, tmp_path, capsys):
    """It has all four right: as good passes, one wrong does not."""
    accept = Acceptance(
        TransferConfig(
            dataset="digits", output_dir=str(tmp_path / "out"),
            not_worse_than=str(first / "out"),
        )
    )  # fmt: skip
    images = images_of(first)
    accept.check(images)
    right = np.eye(2, dtype=np.float32)[images.test.labels] * 0.8 + 0.1
    with on_console():
        found = accept(images, right)["regression"]
    assert "not worse than" in capsys.readouterr().out
    assert (found["accuracy"], found["unread"]) == (1.0, 0)
    right[0] = right[0][::-1]
    with pytest.raises(NotPublishedError, match=r"1 lost.*: blue_not/1\.png"):
        accept(images, right)


def test_training_may_begin_with_its_weights(first):
    model = build_classifier(str(first / "tiny.keras"), 2)
    file = str(first / "out" / "run" / "model.keras")
    told = warm_start(model, file, NAMES)
    assert told == f"warm start: backbone and head of {file}"
    assert warm_start(model, file, NAMES[::-1]).endswith("for other classes")
