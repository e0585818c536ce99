"""run_card.next_words, counting and axis: what a page says in plain words."""

import pytest

from tl_keras.inputs.counting import counted, how_often, one_in
from tl_keras.run_card import next_words
from tl_keras.run_card.axis import Axis

AXES = {
    "shares": ([(0.93, 0.97), (0.95, 0.99)], (0.0, 1.0), (0.92, 1.0)),
    "near the end": ([(0.985, 1.0)], (0.0, 1.0), (0.98, 1.0)),
    "one number": ([(5.0, 5.0)], (), (4.0, 6.0)),
    "wide": ([(0.0, 1.0)], (0.0, 1.0), (0.0, 1.0)),
    "none": ([], (), (0.0, 1.0)),
}


@pytest.mark.parametrize("case", AXES)
def test_an_axis_ends_just_outside_of_what_it_shows(case):
    intervals, ends, expected = AXES[case]
    axis = Axis.around(intervals, *ends)
    assert axis.low <= min((low for low, _ in intervals), default=0)
    assert axis.high >= max((high for _, high in intervals), default=0)
    if case in ("wide", "none"):
        assert tuple(axis) == expected
    for interval in intervals:
        left, width = axis.bar(interval)
        assert 0 <= left <= left + width <= 100.01
        if interval[0] < interval[1]:
            assert width > 15


def test_counts_are_singular_and_plural():
    assert counted(1, "picture", "pictures") == "1 picture"
    assert counted(1200, "picture", "pictures") == "1,200 pictures"
    assert counted(0, "picture", "pictures") == "0 pictures"
    assert [one_in(x) for x in (29.94, 2.5, 2.0, None)] == [
        "30", "2.5", "2", "very many",
    ]  # fmt: skip


def test_what_is_wrong_often_is_told_in_hundreds():
    words = "picture", "pictures", "is wrong", "are wrong"
    assert how_often(0.95, (0.94, 0.96), *words) == (
        "About one picture in 20 is wrong; in the long run between one in 17 "
        "and one in 25."
    )
    assert how_often(0.3, (0.2, 0.45), *words) == (
        "Of 100 pictures about 70 are wrong; in the long run 55 to 80."
    )
    assert "one in very many" in how_often(0.99, (0.9, 1.0), *words)


def row(threshold, coverage, accuracy, low) -> dict:
    return {
        "threshold": threshold, "coverage": coverage, "accuracy": accuracy,
        "interval": [low, 1.0], "answered": int(1000 * coverage),
    }  # fmt: skip


def metrics(**changes) -> dict:
    test = {
        "accuracy": 0.95, "accuracy_interval": [0.94, 0.96],
        "examples": 1000,
        "per_class": {
            "cat": {"recall": 0.95, "support": 500},
            "dog": {"recall": 0.6, "support": 500},
        },
    }  # fmt: skip
    card = {
        "majority": {"class": "cat", "accuracy": 0.5},
        "one_in": {"measured": 20.0, "worst": 16.7, "best": 25.0},
        "thresholds": [row(0.5, 1.0, 0.95, 0.94), row(0.9, 0.7, 0.998, 0.992)],
        "calibration": {"ece": 0.01},
        "worst_classes": [1, 0],
        "class_counts": {"train": [90, 12]},
        "confused_pairs": [{"true": 1, "predicted": 0, "count": 40, "of": 500}],
        "comparisons": [],
        "data": {"suspects_in_all": 1},
        "settings": {},
    }
    card |= changes.pop("card", {})
    test |= changes.pop("test", {})
    return {"test": test, "card": card, "class_names": ["cat", "dog"]} | changes


VERDICTS = {
    "good": (
        {},
        ["About one picture in 20 is answered wrongly; in the long run between "
         "one in 17 and one in 25.",
         "Above a probability of 0.9 its answers can stand as they are: 99.8 % "
         "of them are right, and they are 70.0 % of the pictures. A person "
         "should look at the others."],
    ),
    "no better than always one": (
        {"test": {"accuracy_interval": [0.45, 0.6]}},
        ["Of no use yet: it is not clearly better than always answering cat."],
    ),
    "never sure": (
        {"card": {"thresholds": [row(0.9, 0.7, 0.97, 0.95)]}},
        ["There is no probability above which clearly 99.0 % of its"],
    ),
    "sure of too few": (
        {"card": {"thresholds": [row(0.99, 0.1, 1.0, 0.995)]}},
        ["There is no probability above which"],
    ),
    "no mistake": (
        {"test": {"accuracy": 1.0, "accuracy_interval": [0.9, 1.0]}},
        ["It had no test picture wrong; in the long run up to one in 17 may "
         "be."],
    ),
    "few test pictures": (
        {"test": {"accuracy_interval": [0.7, 0.99], "examples": 20}},
        ["Not sure, because the test split has 20 pictures"],
    ),
    "off": (
        {"card": {"calibration": {"ece": 0.12}}},
        ["Its probabilities are off by 12.0 % on average"],
    ),
    "seen in training": (
        {"leakage": {"test": 3}},
        ["Some test pictures were trained on"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", VERDICTS)
def test_a_verdict_says_for_what_it_is_good_enough(case):
    changes, expected = VERDICTS[case]
    told = "\n".join(next_words.verdict(metrics(**changes)))
    for words in expected:
        assert words in told


def test_what_is_clearly_better_beside_it_is_to_be_used_rather():
    rows = [
        {"first": "baseline", "second": "head", "verdict": verdict}
        for verdict in ("worse", "cannot tell")
    ]
    told = next_words.verdict(metrics(card={"comparisons": rows}))
    assert [line for line in told if line.startswith("Use ")] == [
        "Use TF-IDF with a linear model, which needs no network, instead: it "
        "is clearly better here."
    ]


def other_task(name: str, test: dict, **section) -> dict:
    card = {
        "section": section, "comparisons": [], "settings": {},
        "data": {"suspects_in_all": 2},
    }  # fmt: skip
    return {
        "task": {"task": name}, "test": {"examples": 20, **test}, "card": card,
        "class_names": ["a"],
    }  # fmt: skip


def test_other_tasks_say_in_their_own_words_what_they_are_good_for():
    wide = other_task(
        "multilabel", {"map": 0.9, "map_interval": [0.7, 1.0], "ece": 0.2},
        verdict=["Fine."], to_do=["More of a."],
    )  # fmt: skip
    good, unsure, off = next_words.verdict(wide)
    assert good == "Fine."
    assert unsure.startswith("Not sure, because the test split has 20 pictures")
    assert off.startswith("Its probabilities are off by 20.0 %")
    told = next_words.to_do(wide)
    assert told[0] == "More of a."
    assert told[1].startswith("Look at 2 doubtful labels")
    narrow = {"mae": 5.0, "mae_interval": [4.8, 5.2]}
    sure = other_task("regression", narrow, verdict=["Fine."])
    sure["task"] |= {"mean": [0.0], "scale": [1.0]}
    assert next_words.verdict(sure) == ["Fine."]
    sure["test"]["mae_interval"] = [4.0, 6.0]
    assert len(next_words.verdict(sure)) == 2


def pair(verdict: str) -> dict:
    return {"first": "head", "second": "fine_tune", "verdict": verdict}


TO_DO = {
    "a class that is missed": (
        {},
        "More labels of dog first: 60.0 % of its test pictures are found, from "
        "12 to train on.",
    ),
    "one label": ({}, "Look at 1 doubtful label, under Data below"),
    "a pair": ({}, "Look at where dog is taken for cat (40 of 500)"),
    "deeper": ({"card": {"comparisons": [pair("better")]}}, "Deeper pays"),
    "not deeper": ({"card": {"comparisons": [pair("worse")]}}, "Deeper costs"),
    "who knows": (
        {"card": {"comparisons": [pair("cannot tell")]}},
        "Deeper does not clearly pay",
    ),
    "not published": ({"export": None}, "Mend what kept it from being"),
    "of the run": ({"advice": {"sentences": ["Twice."]}}, "Twice."),
}


@pytest.mark.parametrize("case", TO_DO)
def test_what_to_do_comes_from_numbers(case):
    changes, expected = TO_DO[case]
    told = next_words.to_do(metrics(**changes))
    assert any(expected in line for line in told), told


def test_advice_that_was_measured_is_not_contradicted():
    told = next_words.to_do(metrics(advice={"sentences": ["No class does."]}))
    assert not any("More labels" in line for line in told)


def test_nothing_is_said_of_what_was_not_evaluated():
    nothing = {"card": {}, "stopped": "loss became nan"}
    assert next_words.verdict(nothing) == []
    assert next_words.to_do(nothing) == []
    assert next_words.limits(nothing) == []


def test_limits_name_the_classes_and_what_was_not_measured():
    told = next_words.limits(metrics())
    assert "one of 2 classes: cat, dog." in told[0]
    assert any("--group_column" in line for line in told)
    grouped = metrics(card={"settings": {"group_column": "patient"}})
    assert not any("--group_column" in x for x in next_words.limits(grouped))


@pytest.mark.parametrize("verdict", ["better", "worse", "cannot tell"])
def test_where_depths_were_searched_none_is_advised(verdict):
    row = {"first": "head", "second": "fine_tune", "verdict": verdict}
    metrics = {"card": {"comparisons": [row]}}
    assert next_words.deeper_or_not(metrics)
    assert next_words.deeper_or_not(metrics | {"search": {}}) == []
