"""run_card.py: the files after a run."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tl_keras import evaluation, run_card


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
