"""What an object says of itself: a line, and a small table in a notebook."""

import dataclasses
import pathlib

import numpy as np
import pytest

from tl_keras import RunResult, load_images
from tl_keras.run_card.page_view import PageView
from tl_keras.summaries import MAX_ROWS, Summarized, some_names, table
from tl_keras.tasks.multiclass import evaluation
from tl_keras.tasks.multilabel.evaluation import count as count_labels
from tl_keras.tasks.regression.evaluation import count as count_values
from tl_keras.training import FitResult, Phase, PhaseResult

RIGHT = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]))
LABELS = np.array([0, 1, 1])


def a_fit() -> FitResult:
    logs = {"loss": 0.25, "val_loss": 0.5, "val_accuracy": 0.75}
    weights = [np.zeros((1000, 1000), np.float32)]
    phase = PhaseResult(Phase("head", 3, 1e-3), 1, 3, 2, logs, weights)
    rows = [{"phase": "head", "epoch": n, **logs} for n in (1, 2, 3)]
    return FitResult([phase], 0, rows)


def test_a_fit():
    fit = a_fit()
    assert repr(fit) == (
        "FitResult('head', epochs 1 to 3, best 2, val_loss 0.5000, "
        "val_accuracy 0.7500; kept 'head')"
    )
    assert repr(fit.phases[0]) == (
        "PhaseResult('head', epochs 1 to 3, best 2, val_loss 0.5000, "
        "val_accuracy 0.7500)"
    )
    shown = fit._repr_html_()
    assert shown.count("<tr>") == 2
    assert "<td>2</td><td>0.2500</td>" in shown


def test_evaluations():
    found = evaluation.count(RIGHT, LABELS, ["cats", "dogs"])
    assert repr(found).startswith(
        "Evaluation(3 examples, accuracy 0.667 (0.208 to 0.939), macro_f1 "
    )
    assert found._repr_html_().count("<tr>") == 3
    assert "<td>dogs</td><td>1.000</td><td>0.500</td>" in found._repr_html_()
    marks = np.array([[1, 0], [0, 1], [1, 1]])
    several = count_labels(
        np.exp(RIGHT), marks, ["a", "b"], np.array([0.5, 0.5])
    )
    assert repr(several).startswith("LabelEvaluation(3 examples, map ")
    values = count_values(np.array([[1.0], [2.0]]), [[1.5], [2.5]], ["age"])
    assert repr(values).startswith("ValueEvaluation(2 examples, mae 0.500 ")
    assert "macro_f1 " in repr(several)
    assert "r2 " in repr(values)


def test_splits(color_folder):
    images = load_images(str(color_folder), image_size=16)
    assert repr(images) == (
        "LabelledSplits(16 train, 4 val, 4 test; 2: 'blue_not', 'green')"
    )
    assert repr(images.train).startswith(
        "LabelledExamples(16 examples, Decoding(image_size=16"
    )
    assert images._repr_html_().startswith("<p>LabelledSplits(16 train")


@pytest.fixture
def result(tmp_path) -> RunResult:
    found = evaluation.count(RIGHT, LABELS, ["cats", "dogs"])
    test = {**found.metrics}
    phases = [
        {"name": "head", "test": test},
        {"name": "fine_tune", "test": test},
    ]
    metrics = {"test": test, "kept_phase": "head", "phases": phases}
    run = tmp_path / "run"
    run.mkdir()
    (run / "report.html").write_text('<p class="x">a & b</p>')
    version = tmp_path / "1"
    return RunResult(metrics, version, run, None, ("cats", "dogs"), [])


def test_a_run(result):
    folder = result.run_folder
    assert repr(result) == (
        "RunResult(accuracy 0.667 (0.208 to 0.939) on 3 examples of test, "
        f"{result.version}, page: {folder / 'report.html'})"
    )
    shown = result._repr_html_()
    assert shown.count("<tr>") == 3
    assert shown.count("<td>kept</td>") == 1


def test_its_page_is_framed_and_runs_nothing(result):
    page = result.show(height=300)
    assert isinstance(page, PageView)
    assert repr(page) == f"PageView('{result.run_folder / 'report.html'}')"
    framed = page._repr_html_()
    assert ' sandbox width="100%" height="300"' in framed
    assert 'srcdoc="&lt;p class=&quot;x&quot;&gt;a &amp; b' in framed


def test_what_is_named_oddly_is_escaped():
    assert some_names(["a\x1b[2J"]) == "1: 'a\\x1b[2J'"
    assert some_names([str(n) for n in range(9)]).endswith("'7', ...")
    assert "&lt;b&gt;" in table([("<b>",), ("1",)])

    @dataclasses.dataclass(repr=False)
    class Odd(Summarized):
        def summary(self):
            return "<script>"

    assert Odd()._repr_html_() == "<p>Odd(&lt;script&gt;)</p>"


def test_of_many_rows_the_others_are_counted():
    shown = table([("n",), *((n,) for n in range(MAX_ROWS + 5))])
    assert shown.count("<tr>") == 1 + MAX_ROWS + 1
    assert "and 5 more" in shown


def test_an_earlier_page_that_is_gone_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        PageView(pathlib.Path(tmp_path, "report.html"))._repr_html_()
