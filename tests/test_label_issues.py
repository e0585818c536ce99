"""label_issues.py: doubted labels are shown, and never taken out."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest

from tl_keras import TransferConfig, run
from tl_keras.data import Examples
from tl_keras.tasks.multiclass import find_suspects


def test_the_worst_come_first_and_only_the_doubted():
    examples = Examples(("a", "b", "c", "d"), np.array([0, 1, 1, 0]))
    likely = np.array([[0.9, 0.1], [0.7, 0.3], [0.95, 0.05], [0.5, 0.5]])
    found = find_suspects(examples, likely, ["cat", "dog"])
    assert [(s.id, s.label, s.guess) for s in found] == [
        ("c", "dog", "cat"),
        ("b", "dog", "cat"),
    ]
    assert (found[0].own, found[0].other) == (0.05, 0.95)
    assert len(find_suspects(examples, likely, ["cat", "dog"], most=1)) == 1


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
    (suspect,) = report["label_suspects"]
    assert pathlib.Path(suspect["id"]).name == moved.name
    assert (suspect["label"], suspect["guess"]) == ("blue_not", "green")
    page = (result.run_folder / "data_report.html").read_text()
    assert "Labels to look at" in page
    assert moved.name in page
    # It is trained on all the same.
    assert result.metrics["data"]["used"]["train"] == 20
    again = run(dataclasses.replace(config, head_solver="adam"), restart=True)
    report = json.loads((again.run_folder / "data_report.json").read_text())
    assert report["label_suspects"] == []
