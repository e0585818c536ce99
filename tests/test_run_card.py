"""run_card: the files after a run, its statistics and its words."""

import csv
import json
import re
import warnings

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from tl_keras import run_card
from tl_keras.errors import DataError
from tl_keras.run_card import (
    curves_plot,
    figures,
    numbers,
    page,
    plot_files,
    plot_style,
    reason_words,
    statistics,
    words,
)
from tl_keras.run_card.confusion_plot import confusion_figure, confusion_side
from tl_keras.run_card.files import Predictions, read_run
from tl_keras.run_card.reliability_plot import reliability_figure
from tl_keras.tasks.multiclass import evaluation, pairing


def count(probabilities, labels, class_names):
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities)
    return evaluation.count(logs, labels, list(class_names))


HISTORY = [
    {
        "phase": "head" if epoch < 4 else "fine_tune",
        "epoch": epoch,
        "cross_entropy": 1 / epoch,
        "accuracy": 1 - 1 / (epoch + 1),
        "val_cross_entropy": 1.2 / epoch,
        "val_accuracy": 0.9 - 1 / (epoch + 1),
        "learning_rate": 1e-3 / epoch,
    }
    for epoch in range(1, 8)
]


def drawn(path) -> np.ndarray:
    picture = np.asarray(Image.open(path).convert("L"))
    assert (picture < 128).mean() > 0.002  # something is on it
    return picture


def test_predictions_have_one_row_an_example(tmp_path):
    evaluation = count(
        np.array([[0.25, 0.75], [0.9, 0.1]]), np.array([0, 0]), ["a,b", "c"]
    )
    path = tmp_path / "predictions.csv"
    run_card.write_predictions(path, evaluation, ["x/1", "x/2"], ["a,b", "c"])
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        "id",
        "label",
        "predicted",
        "score",
        "p:a,b",
        "p:c",
    ]
    assert list(rows[0].values()) == ["x/1", "a,b", "c", "0.75", "0.25", "0.75"]
    assert rows[1]["predicted"] == "a,b"


def test_more_ids_than_examples_is_an_error(tmp_path):
    evaluation = count(np.eye(2), np.array([0, 1]), "ab")
    with pytest.raises(ValueError, match="shorter"):
        run_card.write_predictions(
            tmp_path / "p.csv", evaluation, ["1", "2", "3"], "ab"
        )
    assert list(tmp_path.iterdir()) == []


def test_metrics_are_json_and_never_nan(tmp_path):
    path = tmp_path / "metrics.json"
    run_card.write_metrics(path, {"test": {"accuracy": 0.5}})
    assert json.loads(path.read_text()) == {"test": {"accuracy": 0.5}}
    with pytest.raises(ValueError, match="JSON compliant"):
        run_card.write_metrics(path, {"loss": float("nan")})
    assert json.loads(path.read_text()) == {"test": {"accuracy": 0.5}}


def test_curves_with_and_without_validation(tmp_path):
    run_card.plot_curves(tmp_path / "both.png", HISTORY)
    bare = [
        {k: v for k, v in row.items() if not k.startswith("val_")}
        for row in HISTORY
    ]
    run_card.plot_curves(tmp_path / "bare.png", bare)
    run_card.plot_curves(tmp_path / "one.png", HISTORY[:1])
    assert (drawn(tmp_path / "both.png") < 200).sum() > (
        drawn(tmp_path / "bare.png") < 200
    ).sum()
    drawn(tmp_path / "one.png")


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_confusion_at_any_number_of_classes(classes, tmp_path):
    names = [f"$class_{i}" for i in range(classes)]
    confusion = np.eye(classes, dtype=int) * 30
    confusion[0, 1] = 4
    run_card.plot_confusion(tmp_path / "c.png", confusion, names)
    assert max(drawn(tmp_path / "c.png").shape) < 2000


def test_versions_are_those_installed():
    import keras

    assert run_card.versions()["keras"] == keras.__version__


def test_a_plot_has_neither_mathematics_nor_controls_of_names():
    names = ["$\\frac{", "a\x1b[31m", "\u732b" * 40]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Of no room beside the names, too.
        light, dark = plot_files.in_both_themes(
            confusion_figure, np.eye(3, dtype=int), names
        )
    assert light != dark
    assert light.startswith("data:image/svg+xml;base64,")
    assert plot_style.short_name(names[1]) == "a\\x1b[31m"
    assert plot_style.short_name(names[2]) == "\u732b" * 9 + "\u2026"
    assert plot_style.short_name("a" * 21) == "a" * 19 + "\u2026"
    assert plot_style.short_name("a" * 20) == "a" * 20
    assert plot_style.short_name("") == ""


def test_a_dark_plot_is_the_light_one_in_other_colours():
    """As if it were drawn again, but for the ids that the library draws."""
    rows = HISTORY
    drawn = [
        curves_plot.curves_figure(rows, 3, t)
        for t in (plot_style.LIGHT, plot_style.DARK)
    ]
    light, dark = (
        re.sub('(id="|#)[a-z]*[0-9a-f]{8,}', r"\1", plot_files._svg(figure))
        for figure in drawn
    )
    assert light != dark
    assert plot_files._recolored(light) == dark


def test_a_matrix_of_long_names_is_a_large_one():
    """As large as twenty short ones, which half a page does not hold."""
    short, long = ["ab"] * 10, ["a" * 20] * 10
    assert confusion_side(short) < page.WIDE_FROM < confusion_side(long)
    figure = confusion_figure(np.eye(10, dtype=int), long)
    assert figure.get_size_inches()[0] == confusion_side(long)


def test_the_legend_of_reliability_stands_above_the_bars():
    bins = [
        {"low": n / 10, "high": (n + 1) / 10, "count": 5, "accuracy": 1.0,
         "confidence": n / 10 + 0.05}
        for n in range(10)
    ]  # fmt: skip
    figure = reliability_figure(bins)
    FigureCanvasAgg(figure).draw()
    axis = figure.axes[0]
    legend = axis.get_legend().get_window_extent()
    assert legend.y0 >= axis.bbox.y1
    assert legend.x1 <= figure.bbox.x1


def test_curves_of_what_is_not_finite_leave_gaps():
    rows = [{**row} for row in HISTORY[:3]]
    rows[1] |= {"cross_entropy": float("nan"), "accuracy": float("inf")}
    rows[2]["learning_rate"] = 0.0
    figure = curves_plot.curves_figure(rows)
    drawn = figure.axes[0].lines[0].get_ydata()
    np.testing.assert_array_equal(np.isnan(drawn), [False, True, False])
    assert np.isnan(figure.axes[2].lines[0].get_ydata()[2])


def test_a_single_learning_rate_has_no_panel_of_its_own():
    rows = [{**row, "learning_rate": 0.0} for row in HISTORY]
    assert len(curves_plot.curves_figure(rows).axes) == 2
    rows[-1]["learning_rate"] = 1e-3
    assert len(curves_plot.curves_figure(rows).axes) == 2
    rows[-2]["learning_rate"] = 1e-3
    assert len(curves_plot.curves_figure(rows).axes) == 3


def test_pairs_are_counted_on_the_same_pictures():
    labels = np.array([0, 0, 1, 1, 1])
    first, second = np.array([0, 1, 1, 0, 0]), np.array([0, 0, 0, 1, 0])
    assert pairing.paired_counts(labels, first, second) == {
        "both_right": 1, "first_only": 1, "second_only": 2, "both_wrong": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lost", "won", "p_value", "verdict"),
    [
        # Two-sided, by hand: 2 * P(X <= lost) for a fair coin.
        (0, 5, 2 / 2**5, "cannot tell"),
        (0, 6, 2 / 2**6, "better"),
        (6, 0, 2 / 2**6, "worse"),
        (1, 7, 2 * (1 + 8) / 2**8, "cannot tell"),
        (1, 8, 2 * (1 + 9) / 2**9, "better"),
        (3, 3, 1.0, "cannot tell"),
        (0, 0, 1.0, "cannot tell"),
    ],
)
def test_mcnemar_is_exact(lost, won, p_value, verdict):
    found = pairing.paired_comparison(
        {"both_right": 50, "first_only": lost, "second_only": won,
         "both_wrong": 9}
    )  # fmt: skip
    assert found["p_value"] == pytest.approx(p_value)
    assert found["verdict"] == verdict
    low, high = found["interval"]
    assert low <= found["difference"] <= high
    # A reader sees both, and they say the same.
    assert (low > 0 or high < 0) == (p_value < 0.05)
    assert found["difference"] == pytest.approx(
        (won - lost) / (59 + lost + won)
    )


def test_the_interval_of_a_difference_is_as_wide_as_theory_says():
    counts = {"both_right": 800, "first_only": 50, "second_only": 90,
              "both_wrong": 60}  # fmt: skip
    found = pairing.paired_comparison(counts)
    spread = np.sqrt(140 / 1000 - 0.04**2) / np.sqrt(1000)
    np.testing.assert_allclose(
        found["interval"], [0.04 - 1.96 * spread, 0.04 + 1.96 * spread],
        atol=1.5e-3,
    )  # fmt: skip
    assert found == pairing.paired_comparison(counts)


def test_thresholds_trade_coverage_for_accuracy():
    scores = np.array([0.55, 0.65, 0.92, 0.97])
    rows = statistics.thresholds(
        scores, np.array([0, 0, 0, 0]), np.array([1, 1, 0, 0])
    )
    of = {row["threshold"]: row for row in rows}
    assert (of[0.5]["coverage"], of[0.5]["accuracy"]) == (1, 0.5)
    assert (of[0.9]["coverage"], of[0.9]["accuracy"]) == (0.5, 1)
    assert of[0.99]["answered"] == 0
    assert of[0.99]["accuracy"] is None


def test_confused_pairs_come_by_number_then_by_share():
    labels = np.array([0] * 10 + [1] * 4 + [2] * 5)
    predicted = np.array(
        [1] * 2 + [0] * 8 + [0] * 2 + [1] * 2 + [1] * 3 + [2] * 2
    )
    cells = statistics.confusion_cells(labels, predicted)
    assert sum(count for *_, count in cells) == 19
    pairs = statistics.confused_pairs(cells, {0: 10, 1: 4, 2: 5})
    assert [(p["true"], p["predicted"], p["count"]) for p in pairs] == [
        (2, 1, 3), (1, 0, 2), (0, 1, 2),
    ]  # fmt: skip
    assert pairs[0]["of"] == 5


def metrics_of(phases, **values):
    return {
        "kept_phase": phases[-1][0],
        "phases": [
            {"name": name, "at_best_epoch": logs} for name, logs in phases
        ],
        "card": {"comparisons": []},
    } | values  # fmt: skip


def test_the_verdict_says_why_weights_are_kept():
    two = [
        ("head", {"val_cross_entropy": 0.3, "val_accuracy": 0.9}),
        ("fine_tune", {"val_cross_entropy": 0.2, "val_accuracy": 0.95}),
    ]
    (line,) = reason_words.reasons(metrics_of(two))
    assert (
        "the lowest loss on validation (0.200; frozen backbone 0.300)" in line
    )
    calibrated = [
        (name, {**logs, "val_cross_entropy_calibrated": loss})
        for (name, logs), loss in zip(two, (0.25, 0.22), strict=True)
    ]
    told = metrics_of(calibrated, monitor="val_loss_calibrated")
    (line,) = reason_words.reasons(told)
    assert "after temperature (0.220; frozen backbone 0.250)" in line
    told["phases"][1] |= {"share": 0.6, "gain": {"p_value": 0.031}}
    (line,) = reason_words.reasons(told)
    assert "fine-tuned lie 60 % of the way" in line
    assert "p = 0.031 by a paired t-test on the validation" in line
    told["phases"][1] |= {"share": 0.0, "gain": {"p_value": 1.0}}
    (line,) = reason_words.reasons(told)
    assert "none were better on validation than where" in line
    (line,) = reason_words.reasons(metrics_of(two, monitor="val_accuracy"))
    assert "the highest accuracy on validation (95.0 %; " in line
    (line,) = reason_words.reasons(
        metrics_of([two[0], ("fine_tune", two[0][1])])
    )
    assert "the earlier of equals" in line
    (line,) = reason_words.reasons(
        metrics_of([("head", {}), ("fine_tune", {})])
    )
    assert "nothing to validate on" in line
    (line,) = reason_words.reasons(metrics_of(two[:1]))
    assert "There was only one phase" in line


@pytest.mark.parametrize(
    ("right", "phrase"),
    [(90, "against 50.0 %"), (52, "cannot tell from 50.0 %"),
     (20, "worse than 50.0 %")],
)  # fmt: skip
def test_the_headline_compares_with_the_most_frequent_class(right, phrase):
    test = {
        "accuracy": right / 100, "examples": 100,
        "accuracy_interval": evaluation.wilson_interval(right, 100),
    }  # fmt: skip
    card = {"majority": {"accuracy": 0.5, "class": "cat"}}
    line = words.headline({"test": test, "card": card})
    assert f"Right on {right}.0 % of 100 test pictures" in line
    assert phrase in line


def test_small_differences_have_no_sign_and_tiny_chances_no_digits():
    assert figures.points(-0.0001) == "0.0"
    assert figures.points(0.012) == "+1.2"
    assert figures.p_value(0.00001) == "p < 0.001"
    assert figures.p_value(0.0421) == "p = 0.042"


def test_a_batch_that_memory_made_smaller_is_told(tmp_path):
    from run_folders import make_run

    folder = make_run(tmp_path)
    metrics = json.loads((folder / "metrics.json").read_text())
    for used, shown in ((32, "32"), (8, "32, in the end 8 (--auto_batch)")):
        metrics["batch_size"] = used
        run_card.write_metrics(folder / "metrics.json", metrics)
        card = numbers.card_numbers(read_run(folder))
        assert card["settings"]["batch_size"] == shown


def test_a_folder_that_holds_no_run_is_said_to_hold_none(tmp_path):
    with pytest.raises(DataError, match=r"no metrics.json in it"):
        read_run(tmp_path)
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(DataError, match="do not fit together"):
        read_run(tmp_path)


def only_answer(predicted, labels) -> dict:
    found = Predictions((), np.array(labels), np.array(predicted), np.zeros(3))
    return numbers._only_answer(found, ["cat", "dog", "eel"])


def test_a_model_that_answers_one_class_alone_is_told():
    assert only_answer([1, 1, 1], [0, 1, 2]) == {"only_answer": "dog"}
    assert only_answer([1, 1, 0], [0, 1, 2]) == {}
    assert only_answer([1, 1], [1, 1]) == {}  # nothing else was asked
    metrics = metrics_of([("head", {})])
    metrics["test"] = {"examples": 3}
    metrics["card"]["only_answer"] = "dog"
    line, _ = reason_words.reasons(metrics)
    assert line.startswith("All 3 test pictures are answered with one class")
    assert "--class_weights=balanced" in line
