"""What several labels and numbers are good for, in words from their numbers."""

import numpy as np
import pytest

from tl_keras.run_card import scores
from tl_keras.tasks.multilabel import label_words
from tl_keras.tasks.multilabel.evaluation import count as count_labels
from tl_keras.tasks.regression import card as number_card
from tl_keras.tasks.regression import number_words
from tl_keras.tasks.regression.evaluation import count as count_numbers

NAMES = ["cat", "dog"]
NOUNS = ("picture", "pictures")


def labels(wrong: int, size: int = 100):
    """Truth and what is given; the last label is missed `wrong` times."""
    truth = np.tile([[1, 0], [0, 1], [1, 1], [0, 0]], (size // 4, 1)) > 0
    given = truth.copy()
    given[np.flatnonzero(truth[:, 1])[:wrong], 1] = False
    test = count_labels(
        np.where(given, 0.9, 0.1), truth, NAMES, np.full(2, 0.5)
    )
    return truth, given, test.metrics


def test_labels_are_told_in_hundreds_and_by_whole_examples():
    told = label_words.verdict(*labels(10), NOUNS)
    assert told == [
        "Of 100 labels that it gives, 100 are right; of 100 that are there, it "
        "gives 90.",
        "About one picture in 10 has a label too many or too few; in the long "
        "run between one in 5.7 and one in 18.",
    ]
    (_, whole) = label_words.verdict(*labels(0), NOUNS)
    assert whole.startswith("It had all labels of every test picture right; in")
    assert "up to one picture in 27" in whole


def test_labels_that_chance_ranks_as_well_are_of_no_use():
    truth, given, test = labels(0)
    test = {**test, "map_interval": [truth.mean(), 0.9]}
    (told,) = label_words.verdict(truth, given, test, NOUNS)
    assert told.startswith("Of no use yet")


def test_the_label_that_is_missed_or_rare_is_named():
    *_, test = labels(40)
    (told,) = label_words.to_do(test, NAMES, NOUNS)
    assert told == (
        "More pictures of dog first: of 50 that have it, 20 % are found."
    )
    *_, test = labels(0, size=8)
    (told,) = label_words.to_do(test, NAMES, NOUNS)
    assert told == (
        "Test on more pictures with cat, dog: 4 examples say little."
    )
    assert label_words.to_do(labels(0)[2], NAMES, NOUNS) == []


def numbers(slope: float, shift: float = 0.0, size: int = 200):
    random = np.random.default_rng(0)
    truth = random.normal(50, 10, (size, 1))
    noise = random.normal(0, 1, truth.shape)
    return truth, 50 + slope * (truth - 50) + shift + noise


def verdict(truth, values, baseline: float) -> list[str]:
    test = count_numbers(values, truth, ["age"]).metrics
    usual = np.array([baseline])
    return number_words.verdict(truth, values, test, ["age"], usual)


def test_numbers_are_told_by_their_quantiles_and_beside_the_median():
    truth, values = numbers(1.0)
    half, most = verdict(truth, values, 8.0)
    errors = np.abs(values - truth)
    expected = np.quantile(errors, [0.5, 0.9])
    assert half.startswith(
        f"Half of its answers are off by less than {expected[0]:.3g}, nine in "
        f"ten by less than {expected[1]:.3g}"
    )
    assert f"is {100 * errors.mean() / 8:.0f} % of that of always" in most
    (useless,) = verdict(truth, values, errors.mean())
    assert useless.startswith("Of no use yet")
    assert len(verdict(truth, values, np.nan)) == 1


def test_columns_of_other_units_are_judged_each_by_itself():
    """One that is right beside one, a thousand times as large, that is not."""
    truth, values = numbers(1.0)
    other = 1000 * np.random.default_rng(1).normal(size=truth.shape)
    truth, values = np.hstack([truth, other]), np.hstack([values, 0 * other])
    names = ["age", "weight"]
    metrics = {
        "class_names": names,
        "test": count_numbers(values, truth, names).metrics,
    }
    header = [
        f"{kind}:{name}" for kind in ("true", "predicted") for name in names
    ]
    rows = [
        {"id": str(i), **dict(zip(header, map(str, row), strict=True))}
        for i, row in enumerate(np.hstack([truth, values]))
    ]
    training = {f"{a},{w}": 1 for a, w in truth}
    found = number_card.section(rows, metrics, training)
    assert " 0.8162 for age (7.801)" in found["headline"]
    assert " and " in found["headline"]
    assert "for weight (" in found["headline"]
    told = " ".join(found["verdict"])
    assert "Half of its answers of age are off by less than" in told
    assert "Of no use yet: its answers of weight are not clearly" in told
    assert "Of no use yet: its answers of age" not in told
    # Nothing is told of a mean over both.
    assert found["lines"] == []


CASES = {
    "right": ((1.0,), ""),
    "near the middle": ((0.5,), "It answers too near the middle of age: "),
    "too high": ((1.0, 3.0), "Its answers for age are 2.9"),
    "too low": ((1.0, -3.0), "Its answers for age are 3.09 too low"),
    "too few": ((0.5, 0.0, 12), ""),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_surely_off_is_told_with_what_helps(case):
    given, expected = CASES[case]
    told = number_words.to_do(*numbers(*given), ["age"], "pictures")
    assert len(told) == bool(expected)
    assert "".join(told).startswith(expected)


def test_the_first_table_ends_with_what_costs_nothing():
    test = {"mae": 5.0, "mae_interval": [4.0, 6.0], "r2": 0.5}
    metrics = {
        "task": {"task": "regression", "mean": [0.0], "scale": [1.0]},
        "kept_phase": "head",
        "phases": [{"name": "head", "test": test}],
        "card": {"section": {"simplest": {"name": "always", "value": 9.0}}},
    }
    metrics["card"]["axis"] = list(scores.axis_of(metrics))
    kept, simplest = scores.scoreboard(metrics)
    assert (kept["value"], kept["interval"]) == ("5", "4 to 6")
    left, width, place = kept["bar"]
    assert 0 < left < place < left + width < 100
    assert (simplest["value"], simplest["bar"]) == ("9", None)
    assert scores.ends(metrics) == ["3", "5", "7"]
