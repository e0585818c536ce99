"""label_issues.py: doubted labels are shown, and never taken out."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest

from tl_keras import TransferConfig, run
from tl_keras.data import Examples
from tl_keras.tasks.multiclass import find_label_issues
from tl_keras.tasks.multilabel import find_label_issues as find_missing_or_extra
from tl_keras.tasks.multilabel import solve_labels


def test_the_worst_come_first_and_only_the_doubted():
    examples = Examples(("a", "b", "c", "d"), np.array([0, 1, 1, 0]))
    likely = np.array([[0.9, 0.1], [0.7, 0.3], [0.95, 0.05], [0.5, 0.5]])
    found = find_label_issues(examples, likely, ["cat", "dog"])
    assert [(s.id, s.label, s.guess) for s in found] == [
        ("c", "dog", "cat"),
        ("b", "dog", "cat"),
    ]
    assert (found[0].own, found[0].other) == (0.05, 0.95)
    assert len(find_label_issues(examples, likely, ["cat", "dog"], most=1)) == 1


def test_no_more_are_shown_than_a_person_looks_at():
    ids = tuple(map(str, range(60)))
    examples = Examples(ids, np.zeros(60, np.int32))
    likely = np.tile([0.05, 0.95], (60, 1))
    assert len(find_label_issues(examples, likely, ["cat", "dog"])) == 24


@pytest.mark.usefixtures("plain_decoder")
def test_a_planted_wrong_label_is_on_the_page_of_a_run(
    color_folder, tiny_network, tmp_path
):
    data = tmp_path / "data"
    for name in ("blue_not", "green"):
        files = sorted((color_folder / name).iterdir())
        for number, file in enumerate(files):
            split = ("val", "test", "train")[min(number, 2)]
            place = data / split / name
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place / file.name)
    (wrong, *_) = sorted((data / "train" / "green").iterdir())
    moved = data / "train" / "blue_not" / f"moved{wrong.suffix}"
    wrong.rename(moved)
    config = TransferConfig(
        dataset=str(data), backbone=str(tiny_network),
        fine_tune_epochs=0, output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    result = run(config)
    report = json.loads((result.run_folder / "data_report.json").read_text())
    (label_issue,) = report["label_suspects"]
    assert pathlib.Path(label_issue["id"]).name == moved.name
    assert (label_issue["label"], label_issue["guess"]) == ("blue_not", "green")
    page = (result.run_folder / "data_report.html").read_text()
    assert "Labels to look at" in page
    assert moved.name in page
    # It is trained on all the same.
    assert result.metrics["data"]["used"]["train"] == 20
    again = run(dataclasses.replace(config, head_solver="adam"), restart=True)
    report = json.loads((again.run_folder / "data_report.json").read_text())
    assert report["label_suspects"] == []


def test_a_label_may_be_missing_or_one_too_many():
    targets = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
    examples = Examples(("a", "b", "c", "d"), targets, ("A", "B", "C", "D"))
    likely = np.array([[0.9, 0.2], [0.1, 0.3], [0.6, 0.97], [0.2, 0.51]])
    found = find_missing_or_extra(examples, likely, ["cat", "dog"])
    assert [(s.id, s.label, s.guess) for s in found] == [
        # Of two that are doubted of one picture the worse.
        ("c", "no dog", "dog"),
        ("b", "cat", "no cat"),
    ]
    assert [round(s.own, 3) for s in found] == [0.03, 0.1]
    assert [s.file for s in found] == ["C", "B"]


def test_what_one_way_leaves_over_the_other_takes():
    examples = Examples(tuple("abcd"), np.array([[0], [0], [0], [1]]))
    likely = np.array([[0.7], [0.9], [0.8], [0.1]])
    for most, ids in ((2, "bd"), (3, "bdc"), (9, "bdca")):
        found = find_missing_or_extra(examples, likely, ["cat"], most)
        assert "".join(s.id for s in found) == ids


def test_planted_wrong_labels_are_found_by_the_solved_head():
    """Each judged by folds that it is not in; weights move no doubt."""
    random = np.random.default_rng(0)
    features = random.normal(size=(150, 5)).astype(np.float32)
    targets = (features[:, :3] > 0.6).astype(int)
    targets[7] ^= [1, 0, 0]
    targets[30] ^= [0, 1, 0]
    examples = Examples(tuple(map(str, range(150))), targets)
    for weights in (None, [3.0, 3.0, 3.0]):
        head = solve_labels(features, targets, positive_weights=weights)
        assert head.out_of_fold.shape == (150, 3)
        found = find_missing_or_extra(
            examples, head.out_of_fold, ["a", "b", "c"]
        )
        assert {"7", "30"} <= {s.id for s in found}
        assert len(found) < 25
    two = solve_labels(features[:1], targets[:1])
    assert two.out_of_fold is None


def test_views_of_an_example_are_judged_as_one():
    random = np.random.default_rng(0)
    features = np.repeat(random.normal(size=(40, 4)), 2, axis=0)
    targets = (features[:, :2] > 0).astype(int)
    assert solve_labels(features, targets, views=2).out_of_fold.shape == (40, 2)
