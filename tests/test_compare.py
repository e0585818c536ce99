"""compare: several runs on one page."""

import errno
import json
import os

import pytest
from run_folders import Page, make_run

from tl_keras.compare import main
from tl_keras.config import CompareConfig
from tl_keras.errors import ConfigError, DataError, MachineError
from tl_keras.jobs.comparing import compare_with
from tl_keras.run_card import read_run
from tl_keras.run_card.comparison import compare_records, render_comparison
from tl_keras.run_card.comparison_plot import (
    comparison_figure,
    comparison_panels,
)


@pytest.fixture
def runs(tmp_path):
    one = make_run(tmp_path / "a", count=400)
    other = make_run(tmp_path / "b", count=400, phases=("head",))
    (other / "run.flags").write_text(
        "--dataset=/home/somebody/flowers\n--batch_size=64\n--seed=1\n"
    )
    return one, other


def test_what_differs_is_told_and_what_does_not_is_not(runs):
    numbers = compare_records([read_run(run) for run in runs])
    assert numbers["settings"] == {
        "batch_size": ["32", "64"], "seed": ["not set", "1"],
    }  # fmt: skip
    assert [run["name"] for run in numbers["runs"]] == [
        "flowers (1)", "flowers (2)",
    ]  # fmt: skip


def test_the_same_test_examples_are_compared_in_pairs(runs):
    (pair,) = compare_records([read_run(run) for run in runs])["pairs"]
    records = [read_run(run) for run in runs]
    right = [r.predictions.predicted == r.predictions.labels for r in records]
    won = int((right[1] & ~right[0]).sum())
    lost = int((right[0] & ~right[1]).sum())
    assert (pair["second_only"], pair["first_only"]) == (won, lost)
    assert pair["difference"] == pytest.approx((won - lost) / 400)
    assert f"{won} won, {lost} lost of 400" in pair["sentence"]


def test_a_run_beside_itself_differs_in_nothing(runs):
    record = read_run(runs[0])
    numbers = compare_records([record, record])
    assert numbers["settings"] == {}
    assert "right and wrong on the same 400" in numbers["pairs"][0]["sentence"]


def test_other_examples_are_not_compared_in_pairs(tmp_path, runs):
    ids = [f"elsewhere/{n}.jpg" for n in range(60)]
    far = make_run(tmp_path / "c", ids=ids)
    (pair,) = compare_records([read_run(runs[0]), read_run(far)])["pairs"]
    assert "no paired test, since they share 0" in pair["sentence"]
    assert "p_value" not in pair


def test_classes_in_another_order_are_the_same_classes(tmp_path):
    ids = [f"{n}.jpg" for n in range(60)]
    one = make_run(tmp_path / "a", ("cat", "dog"), ids=ids)
    record = read_run(one)
    turned = {**record.metrics, "class_names": ["dog", "cat"]}
    import dataclasses

    rows = record.predictions
    other = dataclasses.replace(
        record,
        metrics=turned,
        predictions=dataclasses.replace(
            rows, labels=1 - rows.labels, predicted=1 - rows.predicted
        ),
    )
    (pair,) = compare_records([record, other])["pairs"]
    assert pair["first_only"] == pair["second_only"] == 0


def test_a_curve_joins_what_is_there_and_a_dot_is_none():
    nothing = float("nan")
    rows = [
        {"epoch": n, "accuracy": 0.5, "cross_entropy": nothing,
         "val_accuracy": value, "val_cross_entropy": loss}
        for n, value, loss in ((1, 0.5, 0.3), (2, nothing, nothing),
                               (3, 0.7, nothing))
    ]  # fmt: skip
    panels = comparison_panels({"one": rows})
    assert [key for key, _ in panels] == ["accuracy"]
    figure = comparison_figure({"one": rows}, *panels[0])
    (line,) = figure.axes[0].lines
    assert line.get_xdata().tolist() == [1, 3]
    assert line.get_ydata().tolist() == [0.5, 0.7]


def test_a_run_without_curves_or_validation_is_told(tmp_path):
    folders = [
        make_run(tmp_path / "a"), make_run(tmp_path / "b", epochs=1),
        make_run(tmp_path / "c", val=False),
    ]  # fmt: skip
    records = [read_run(folder) for folder in folders]

    def told(some) -> str:
        return render_comparison(compare_records(some), some, [""] * len(some))

    page = told(records)
    assert "No curves of flowers (2): too few epochs." in page
    assert "Dotted: a run without validation" in page
    page = told([records[0], records[0]])
    assert "No curves" not in page
    assert "Dotted" not in page


def test_runs_of_other_tasks_are_refused(runs):
    records = [read_run(run) for run in runs]
    records[1].metrics["task"] = {"task": "regression"}
    with pytest.raises(DataError, match="runs of one task"):
        compare_records(records)


def test_a_page_a_file_and_lines(runs, tmp_path, capsys):
    config = CompareConfig(
        runs=tuple(str(run) for run in runs), output_dir=str(tmp_path / "out")
    )
    numbers = compare_with(config)
    text = (tmp_path / "out" / "comparison.html").read_text()
    page = Page(text)
    assert "--batch_size" in text
    assert "Over the epochs" in page.text
    assert "/home/somebody" not in text
    assert "<script" not in text
    stored = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert {**stored, "page": numbers["page"]} == numbers
    printed = capsys.readouterr().out
    assert "flowers (2)  accuracy 0." in printed
    assert f"page: {tmp_path / 'out' / 'comparison.html'}" in printed


REFUSED = {
    "one": (["a/flowers"], "received 1 runs; expected 2 to 8"),
    "twice the same": (["a/flowers", "a/flowers/run"], "received 1 runs"),
    "no run": (["a/flowers", "b"], "b: no training run there"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_two_runs_is_refused(case, runs, tmp_path):
    given, expected = REFUSED[case]
    config = CompareConfig(runs=tuple(str(tmp_path / name) for name in given))
    with pytest.raises(ConfigError, match=expected):
        config.validate()


def test_words_are_runs_and_stray_ones_are_told(runs, tmp_path, capsys):
    code = main([str(runs[0]), str(tmp_path / "nowhere")])
    assert code == 2
    lines = capsys.readouterr().err
    assert f"{tmp_path / 'nowhere'}: a stray word" in lines


def test_a_folder_that_cannot_be_written_leaves_nothing(
    runs, tmp_path, monkeypatch
):
    def full(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tl_keras.atomic.rename_fault", full)
    output = tmp_path / "new" / "beside"
    config = CompareConfig(runs=tuple(map(str, runs)), output_dir=str(output))
    with pytest.raises(MachineError, match="No space left"):
        compare_with(config)
    assert not (tmp_path / "new").exists()
