"""run_card.paired_runs: paired tests of several labels and of numbers."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import average_precision_score

from tl_keras.run_card.files import RunRecord
from tl_keras.run_card.paired_runs import paired_runs
from tl_keras.tasks.multilabel import Multilabel
from tl_keras.tasks.multilabel.pairing import compare_rows as compare_labels
from tl_keras.tasks.regression import Regression
from tl_keras.tasks.regression.pairing import compare_rows as compare_numbers

LABELS = ["cat", "dog", "eel"]
COUNT = 120


def rows_of(task, answers, targets, names) -> tuple[dict, ...]:
    """Rows of predictions.csv as a run writes them."""
    header, cells = task.table(
        task.count_answers(answers, targets, names), names
    )
    return tuple(
        {"id": f"{number}.jpg", **dict(zip(header, row, strict=True))}
        for number, row in enumerate(cells)
    )


def likely(targets, skill: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=targets.shape)
    return 1 / (1 + np.exp(-(noise + skill * (targets - 0.5))))


@pytest.fixture(scope="module")
def labels():
    """Targets, and what a poor and a better model say of them."""
    targets = np.random.default_rng(0).integers(0, 2, (COUNT, len(LABELS)))
    return targets, likely(targets, 0.5, 1), likely(targets, 2.5, 2)


@pytest.fixture(scope="module")
def numbers():
    random = np.random.default_rng(3)
    truth = random.normal(40, 10, (COUNT, 1))
    return (
        truth,
        truth + random.normal(0, 6, truth.shape),
        truth + random.normal(0, 4, truth.shape),
    )


def regression() -> Regression:
    return Regression(mean=(40.0,), scale=(10.0,))


def record(task, rows, names) -> RunRecord:
    metrics = {"task": {"task": task.name}, "class_names": list(names)}
    if task.name == "regression":
        metrics["task"] |= task.stored()
    return RunRecord("run", metrics, [], None, {}, {}, {}, {}, rows)


def test_several_labels_are_compared_by_the_map_of_the_same_draws(labels):
    targets, *answers = labels
    rows = [rows_of(Multilabel(), a, targets, LABELS) for a in answers]
    found = compare_labels(*rows, LABELS)

    def difference(of: np.ndarray) -> float:
        poor, good = (
            np.mean(
                [average_precision_score(targets[of, i], a[of, i])
                 for i in range(len(LABELS))]
            )
            for a in answers
        )  # fmt: skip
        return good - poor

    assert found["difference"] == pytest.approx(difference(np.arange(COUNT)))
    assert found["verdict"] == "better"
    random = np.random.default_rng(5)
    drawn = [difference(random.integers(0, COUNT, COUNT)) for _ in range(150)]
    np.testing.assert_allclose(
        found["interval"], np.quantile(drawn, [0.025, 0.975]), atol=0.04
    )
    turned = compare_labels(*rows[::-1], LABELS)
    assert turned["verdict"] == "worse"
    assert turned["difference"] == -found["difference"]


def test_numbers_are_compared_by_their_absolute_errors(numbers):
    truth, *values = numbers
    rows = [rows_of(regression(), v, truth, ["age"]) for v in values]
    found = compare_numbers(*rows, ["age"])
    one, two = (np.abs(v - truth)[:, 0] for v in values)
    assert found["difference"] == pytest.approx((two - one).mean(), rel=1e-6)
    assert found["p_value"] == pytest.approx(
        scipy.stats.wilcoxon(two, one).pvalue
    )
    expected = scipy.stats.bootstrap(
        (two - one,), np.mean, method="percentile", rng=0
    ).confidence_interval
    np.testing.assert_allclose(found["interval"], expected, atol=0.1)
    assert found["verdict"] == "better"  # Its error is the smaller one.
    assert compare_numbers(*rows[::-1], ["age"])["verdict"] == "worse"


def test_one_run_beside_itself_cannot_be_told_apart(labels, numbers):
    cases = (
        (Multilabel(), LABELS, labels[0], labels[1]),
        (regression(), ["age"], numbers[0], numbers[1]),
    )
    for task, names, targets, answers in cases:
        some = record(task, rows_of(task, answers, targets, names), names)
        (pair,) = paired_runs([some, some], ["a", "b"])
        assert pair["verdict"] == "cannot tell"
        assert pair["p_value"] == 1
        assert pair["sentence"] == "b and a are equally good on the same 120 " \
            "examples"  # fmt: skip


def test_the_sentence_names_the_number_and_the_test(labels, numbers):
    rows = [rows_of(Multilabel(), a, labels[0], LABELS) for a in labels[1:]]
    records = [record(Multilabel(), r, LABELS) for r in rows]
    (pair,) = paired_runs(records, ["a", "b"])
    assert pair["sentence"].startswith("b is better than a (mAP +0.")
    assert "on the same 120 examples; p = 0.002 by a paired" in pair["sentence"]
    rows = [rows_of(regression(), v, numbers[0], ["age"]) for v in numbers[1:]]
    records = [record(regression(), r, ["age"]) for r in rows[::-1]]
    (pair,) = paired_runs(records, ["a", "b"])
    assert pair["sentence"].startswith("b is worse than a (mean abs. error +")
    assert pair["sentence"].endswith("by Wilcoxon's signed-rank test)")


def test_labels_in_another_order_are_the_same_labels(labels):
    targets, answers, _ = labels
    turned = LABELS[::-1]
    records = [
        record(Multilabel(), rows_of(Multilabel(), *columns, names), names)
        for columns, names in (
            ((answers, targets), LABELS),
            ((answers[:, ::-1], targets[:, ::-1]), turned),
        )
    ]
    (pair,) = paired_runs(records, ["a", "b"])
    assert (pair["examples"], pair["difference"]) == (COUNT, 0)


def test_only_examples_with_the_same_truth_are_shared(numbers):
    truth, values, _ = numbers
    one = record(
        regression(), rows_of(regression(), values, truth, ["age"]), ["age"]
    )
    moved = truth.copy()
    moved[: COUNT // 2] += 1
    other = dataclasses.replace(
        one, rows=rows_of(regression(), values, moved, ["age"])
    )
    (pair,) = paired_runs([one, other], ["a", "b"])
    assert pair["examples"] == COUNT // 2
    far = dataclasses.replace(
        one, rows=tuple({**row, "id": f"x{row['id']}"} for row in one.rows)
    )
    (pair,) = paired_runs([one, far], ["a", "b"])
    assert pair["sentence"] == (
        "b and a: no paired test, since they share 0 test examples"
    )


def test_other_labels_are_not_compared(labels):
    targets, answers, _ = labels
    one, other = (
        record(Multilabel(), rows_of(Multilabel(), answers, targets, n), n)
        for n in (LABELS, ["cat", "dog", "fox"])
    )
    (pair,) = paired_runs([one, other], ["a", "b"])
    assert "do not predict the same labels" in pair["sentence"]
    assert "p_value" not in pair
