"""jobs.telling.estimate: how long a run takes, from one pass."""

import dataclasses

import pytest
import tiny

from tl_keras.jobs import preparation
from tl_keras.jobs.telling import estimate as told
from tl_keras.search import SearchPlan

ROUNDED = {0.2: "1 s", 7.4: "7 s", 43: "40 s", 89: "90 s", 95: "2 min",
           700: "12 min", 5400: "1 h 30 min"}  # fmt: skip
FORWARD = 0.01


@pytest.mark.parametrize("seconds", ROUNDED)
def test_an_estimate_has_no_more_digits_than_it_knows(seconds):
    assert told.rounded(seconds) == ROUNDED[seconds]


@pytest.fixture
def prepared(color_folder, tiny_network, tmp_path):
    config = tiny.config(
        color_folder, tiny_network, tmp_path / "out", unfreeze_from="all",
        fine_tune_epochs=4, compare_scratch=True,
    )  # fmt: skip
    return preparation.prepare(config)


def test_parts_are_reckoned_from_the_measured_pass(prepared, monkeypatch):
    monkeypatch.setattr(told, "_measure", lambda _: (0.001, FORWARD, 16))
    found = told.estimate(prepared)
    train, val, test = (
        len(part)
        for part in (
            prepared.labelled.train,
            prepared.labelled.val,
            prepared.labelled.test,
        )
    )
    # All layers train: forward and twice that backward, then validation.
    assert found.parts["fine_tune"] == pytest.approx(
        4 * FORWARD * (3 * train + val)
    )
    assert found.parts["reading"] == pytest.approx(
        2 * 0.001 * (train + val + test)
    )
    epochs = prepared.config.head_epochs + 4
    assert found.parts["from random weights"] == pytest.approx(
        epochs * FORWARD * (3 * train + val)
    )
    assert found.seconds == pytest.approx(sum(found.parts.values()))
    assert found.describe().startswith("time: about ")
    assert "an estimate from a pass of 16 that took 10.0 ms each" in (
        found.describe()
    )


def test_a_poor_head_may_cost_more_in_the_place_of_what_else_is_done(
    prepared, monkeypatch
):
    monkeypatch.setattr(told, "_measure", lambda _: (0.001, FORWARD, 16))
    little, much = (
        SearchPlan(("one",), 3, seconds, 99.0) for seconds in (10.0, 400.0)
    )
    fixed = told.estimate(prepared)
    assert "up to" not in fixed.describe()
    found = told.estimate(prepared, None, much)
    assert found.parts == fixed.parts
    assert found.if_poor == 400 - fixed.parts["fine_tune"]
    most = told.rounded(found.seconds + found.if_poor)
    assert f", up to {most} where the frozen head is poor," in found.describe()
    assert told.estimate(prepared, little, much).if_poor == 390
    assert told.estimate(prepared, much, little).if_poor == 0


def test_a_real_pass_is_measured_and_changes_no_weight(prepared):
    before = [value.numpy().copy() for value in prepared.model.variables]
    found = told.estimate(prepared)
    assert found.example > 0
    assert 1 <= found.measured <= 16
    for value, old in zip(prepared.model.variables, before, strict=True):
        assert (value.numpy() == old).all()


def test_settings_that_were_given_are_told_apart(prepared):
    lines = told.settings_given(prepared)
    assert "--compare_scratch=true" in lines
    assert "--fine_tune_epochs=4" in lines
    assert not any(line.startswith("--momentum=") for line in lines)
    again = dataclasses.replace(
        prepared,
        config=dataclasses.replace(prepared.config, compare_scratch=False),
    )
    assert "--compare_scratch=true" not in told.settings_given(again)
