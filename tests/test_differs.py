"""differs: how a task compares two sets of answers; the gate that asks it."""

import numpy as np
import pytest

from tl_keras.exports import Evaluated, Movement
from tl_keras.exports.formats import TABLE
from tl_keras.exports.movement import STILL
from tl_keras.exports.split import Split
from tl_keras.tasks.difference import Difference, largest
from tl_keras.tasks.multiclass.differs import ClassDiffers

NAMES = ("ape", "bee", "cow")
DIFFERS = ClassDiffers(NAMES)
WANT = np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5], [0.4, 0.399, 0.201]])


def compared(received: np.ndarray, labels=None) -> Difference:
    return DIFFERS({"probabilities": WANT}, {"probabilities": received}, labels)


def test_answers_alike_differ_by_nothing():
    found = compared(WANT.copy(), np.array([0, 2, 1]))
    for value in (found.rows, found.plain, found.moved):
        np.testing.assert_array_equal(value, [0, 0, 0])
    assert not found.changed.any()
    assert [right.tolist() for right in found.right] == [
        [True, True, False]
    ] * 2


def test_each_row_is_measured_in_three_ways():
    received = WANT.copy()
    received[1] = [0.2, 0.5, 0.3]
    found = compared(received)
    assert found.plain.tolist() == pytest.approx([0, 0.2, 0])
    assert found.moved.tolist() == pytest.approx([0, np.log(5 / 3), 0])
    scale = np.abs(np.log(WANT[1])).max()
    assert found.rows[1] == pytest.approx(np.log(5 / 3) / scale)
    assert found.changed.tolist() == [False, True, False]
    assert found.words(1) == ("cow", "bee")
    assert found.right is None


def test_ties_are_what_so_much_rounding_could_change():
    received = WANT.copy()
    received[1], received[2] = [0.2, 0.5, 0.3], [0.399, 0.4, 0.201]
    found = compared(received)
    assert found.ties(0.0).tolist() == [False, False, False]
    assert found.ties(0.002).tolist() == [False, False, True]
    assert found.ties(1.0).tolist() == [False, True, True]


def test_the_best_few_are_held_against_the_names_beside_them():
    best = {
        "scores": np.array([[0.7, 0.2], [0.5, 0.3], [0.4, 0.399]]),
        "classes": np.array([[b"ape", b"bee"], [b"cow", b"bee"],
                             [b"ape", b"bee"]]),
    }  # fmt: skip
    assert DIFFERS({"probabilities": WANT}, best).rows.max() == 0
    swapped = best | {"classes": best["classes"][:, ::-1]}
    found = DIFFERS({"probabilities": WANT}, swapped)
    assert found.plain.tolist() == pytest.approx([0.5, 0.2, 0.001])
    foreign = best | {"classes": np.full((3, 2), b"elk")}
    with pytest.raises(ValueError, match="names the class 'elk'"):
        DIFFERS({"probabilities": WANT}, foreign)


def test_other_shapes_and_no_numbers():
    with pytest.raises(ValueError, match=r"shape \(3, 2\), the model \(3, 3\)"):
        compared(WANT[:, :2])
    received = WANT.copy()
    received[2, 0] = np.nan
    found = compared(received)
    for value in (found.rows, found.plain, found.moved):
        assert value.tolist() == [0, 0, np.inf]


def amounts(expected, received, labels=None) -> Difference:
    """The `differs` of a task that predicts one number."""
    want, found = (x["kg"] for x in (expected, received))
    apart = largest(found, want)
    scale = np.maximum(1, np.abs(want[:, 0]))
    return Difference(
        apart / scale, apart, apart, apart > 0.5,
        lambda row: (f"{want[row, 0]:g} kg", f"{found[row, 0]:g} kg"),
        lambda movement: (apart > 0.5) & (apart <= 2 * movement),
    )  # fmt: skip


amounts.answer, amounts.unit = "kg", "an amount"


@pytest.mark.parametrize("name", TABLE)
def test_one_gate_judges_another_task_by_what_it_gives(name):
    """It knows no class: a regression passes, or is refused, in kg."""
    want = np.array([[1000.0], [3.0], [5.0]])
    evaluated = Evaluated(["a", "b", "c"], None, want)

    def report(apart: float, movement: Movement = STILL):
        received = want + np.array([[0.0], [0.0], [apart]])
        return Split(evaluated, received, amounts, "it").report(
            TABLE[name], movement
        )

    assert report(0.0).refusal == ""
    worse = report(1.0)
    assert "c" in worse.refusal
    assert "5 kg" in worse.refusal
    assert "6 kg" in worse.refusal
    assert worse.changed == (("c", "5 kg", "6 kg"),)
    assert (worse.ties, worse.accuracy) == (0, None)
    rounding = report(1.0, Movement(0.5, 0.5, 0.5))
    assert (rounding.refusal, rounding.ties) == ("", 1)


def test_a_split_is_asked_in_the_order_of_lengths():
    """Its rows go with it, and come back as they were."""
    encoded = [b"a long text", b"", b"a text", b"text"]
    answers = np.arange(8.0).reshape(4, 2)
    whole = Evaluated(list("abcd"), encoded.__getitem__, answers, np.arange(4))
    order = whole.by_length()
    assert order.tolist() == [1, 3, 2, 0]
    asked = whole.in_order(order)
    assert asked.ids == ["b", "d", "c", "a"]
    assert [asked.read(i) for i in range(4)] == sorted(encoded, key=len)
    np.testing.assert_array_equal(asked.labels, order)
    np.testing.assert_array_equal(asked.answers[np.argsort(order)], answers)
    assert whole.in_order(order).answers[0].tolist() == [2.0, 3.0]
