"""docs/metrics.schema.json: what runs write is what it describes."""

import json

import jsonschema
import pytest
from documents import metrics_validator

MADE = {"test", "phases", "export", "card", "scratch", "comparisons", "cost"}


def test_the_schema_is_one():
    validator = metrics_validator()
    jsonschema.Draft202012Validator.check_schema(validator.schema)


def test_a_finished_run_is_as_described(finished):
    file = finished.result.run_folder / "metrics.json"
    metrics = json.loads(file.read_text(encoding="utf-8"))
    assert set(metrics) >= MADE
    metrics_validator().validate(metrics)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("unheard_of",), 1),
        (("test", "accuracy"), 1.5),
        (("test", "accuracy_interval"), [0.5]),
        (("phases", 0, "seconds"), "long"),
        (("export", "version"), None),
        (("data", "used"), {"train": -1}),
        (("cost", "unheard_of"), 1),
    ],
)
def test_what_is_not_described_is_found(finished, path, value):
    file = finished.result.run_folder / "metrics.json"
    metrics = json.loads(file.read_text(encoding="utf-8"))
    *outer, name = path
    place = metrics
    for step in outer:
        place = place[step]
    place[name] = value
    with pytest.raises(jsonschema.ValidationError):
        metrics_validator().validate(metrics)


def test_what_is_missing_is_found(finished):
    file = finished.result.run_folder / "metrics.json"
    metrics = json.loads(file.read_text(encoding="utf-8"))
    del metrics["phases"]
    with pytest.raises(jsonschema.ValidationError):
        metrics_validator().validate(metrics)
    metrics_validator().validate({**metrics, "stopped": "a loss of NaN"})
