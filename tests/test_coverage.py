"""Sets and intervals for a share that is asked for after training."""

import csv

import numpy as np
import pytest
import scipy.special

from tl_keras.config import PredictConfig
from tl_keras.errors import ConfigError
from tl_keras.serving.inference import results, work
from tl_keras.serving.server_client.answers import answer_of, outputs_to_ask
from tl_keras.serving.server_client.client import Answered
from tl_keras.tasks import conformal, stored_task
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.multilabel.task import Multilabel
from tl_keras.tasks.regression.task import Regression

NAMES = ["ape", "bee", "cow"]
RANDOM = np.random.default_rng(0)
LABELS = RANDOM.integers(0, 3, 400)
LOGITS = RANDOM.normal(size=(400, 3)) + 2 * np.eye(3)[LABELS]


def calibrated(**options) -> Multiclass:
    found = Multiclass(**options).calibrate(LOGITS, LABELS, confidence=False)
    return found.task


@pytest.mark.parametrize("share", [0.5, 0.635, 0.9, 0.95, 0.999])
def test_a_share_is_that_of_training_or_the_next_above(share):
    likely = scipy.special.softmax(LOGITS, axis=-1)
    task = calibrated().covering(share)
    asked = min(s for s in conformal.SHARES if s >= share)
    assert task.floor == conformal.set_floor(likely, LABELS, asked)
    assert task.coverage == share
    held = (likely >= task.floor)[np.arange(400), LABELS].mean()
    assert held >= share
    numbers = task.trust(task.count(LOGITS, LABELS, NAMES), None)
    assert numbers["coverage"] == pytest.approx(held)
    assert numbers["coverage_asked"] == share


def test_an_export_keeps_what_other_shares_take():
    task = calibrated()
    assert task.floor is None
    assert stored_task(task.stored()).covering(0.8) == task.covering(0.8)
    regression = Regression().calibrate(LOGITS[:, :1], LABELS).task
    again = stored_task(regression.stored())
    assert again == regression
    margins = [again.covering(s).margins[0] for s in (0.5, 0.8, 0.95)]
    assert margins == sorted(margins)
    assert again.covering(0.9).margins == regression.margins


def test_what_is_not_known_is_no_share():
    for task, words in (
        (Multiclass(), "trained without calibration"),
        (Regression(), "trained without intervals"),
        (Multilabel(), "multilabel has neither sets nor intervals"),
        (Regression().calibrate(LOGITS[:9, :1], LABELS[:9]).task, "too few"),
    ):
        with pytest.raises(ValueError, match=words):
            task.covering(0.95)
    with pytest.raises(ValueError, match=r"expected 0\.999 or less"):
        calibrated().covering(0.9999)


@pytest.mark.parametrize(
    "stored",
    [
        {"floors": [0.1]},
        {"floors": [-1.0] * len(conformal.SHARES)},
        {"floors": ["x"] * len(conformal.SHARES)},
        {"task": "regression", "levels": [[0.1]]},
        {"task": "regression", "levels": [[1.0] * len(conformal.SHARES)] * 2},
    ],
)
def test_a_file_that_holds_other_numbers_is_refused(stored):
    with pytest.raises(ValueError, match=r"expected|convert"):
        stored_task({"task": "multiclass", **stored})


def test_a_set_stands_beside_the_best_names():
    task = Multiclass(floor=0.2)
    rows = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]], np.float32)
    first, second = task.say(rows, NAMES, top_k=2)
    assert first.labels == ("ape", "bee")
    assert first.in_set == ("ape", "bee", "cow")
    assert second.in_set == ("cow",)
    # None would be above it: the best alone is told.
    (alone,) = Multiclass(floor=0.9).say(rows[:1], NAMES, top_k=2)
    assert alone.in_set == ("ape",)
    assert Multiclass().say(rows[:1], NAMES, 2)[0].in_set == ()


def test_a_servers_set_is_read_too():
    row = {
        "classes": ["cow", "ape"], "scores": [0.6, 0.3], "status": "",
        "set": ["ape", "", "cow"], "probabilities": [0.3, 0.1, 0.6],
    }  # fmt: skip
    found = answer_of(row)
    assert found.labels == ("cow", "ape")
    assert found.more == {"set": ["cow", "ape"]}
    assert answer_of(row | {"set": ["", "", ""]}).more == {"set": ["cow"]}
    assert answer_of(row | {"status": "no"}) == Answered((), (), "no")
    assert outputs_to_ask(row) == [
        "classes", "scores", "set", "probabilities", "status",
    ]  # fmt: skip
    assert outputs_to_ask(["values", "columns"]) == ["columns", "values"]
    assert outputs_to_ask([]) == ["classes", "scores"]
    for broken in ({"set": ["ape"]}, {"scores": [1]}, {"status": 3}):
        with pytest.raises(ValueError, match=r"^$|than argument"):
            answer_of(row | broken)


def test_the_column_of_a_table_holds_the_set(tmp_path):
    class Whole:
        folder = tmp_path

        def rows(self):
            best = {"label": "ape", "score": 0.5}
            yield {"id": "a.png", "status": "unreadable", "reason": "broken"}
            yield {
                "id": "b.png", "status": "ok", **best,
                "top": [best, {"label": "bee", "score": 0.3}],
                "set": ["ape", "=cow"],
            }  # fmt: skip

    results._write_csv(Whole(), 2, [], sets=True)
    with open(tmp_path / work.RESULTS[1], newline="") as stream:
        bad, good = csv.DictReader(stream)
    assert list(good) == [
        "id", "label", "score", "label_2", "score_2", "set", "status", "reason",
    ]  # fmt: skip
    assert (good["set"], good["status"]) == ("ape|=cow", "ok")
    assert (bad["set"], bad["reason"]) == ("", "broken")


def test_a_server_has_the_share_of_its_model(tmp_path):
    config = PredictConfig(
        server="http://127.0.0.1:8501", model_name="x", input=str(tmp_path),
        coverage=0.9,
    )  # fmt: skip
    with pytest.raises(
        ConfigError, match="server gives what its model was trained"
    ):
        config.validate()
