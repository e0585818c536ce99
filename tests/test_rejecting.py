"""Examples of no class: a threshold, measured, and in the export."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tl_keras.data import Examples, Listing, set_apart
from tl_keras.errors import DataError
from tl_keras.tasks import stored_task
from tl_keras.tasks.multiclass.rejecting import (
    measure_rejection,
    reject_below,
    rejection_words,
)
from tl_keras.tasks.multiclass.task import Multiclass


def sure(draw, count, scale):
    """Probabilities of three classes; the surer, the larger `scale`."""
    logits = draw.normal(size=(count, 3)) * scale
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_of_new_examples_about_the_share_is_refused(share):
    draw = np.random.default_rng(0)
    chosen_by, new = sure(draw, 4000, 3.0), sure(draw, 4000, 3.0)
    least = reject_below(chosen_by, share)
    assert (chosen_by.max(axis=1) < least).mean() <= share
    assert (new.max(axis=1) < least).mean() == pytest.approx(share, abs=0.015)


def test_few_examples_refuse_none_of_them():
    few = sure(np.random.default_rng(1), 10, 3.0)
    assert reject_below(few, 0.05) == few.max(axis=1).min()


def test_examples_of_no_class_choose_but_never_refuse_more_than_the_share():
    draw = np.random.default_rng(2)
    known, none = sure(draw, 500, 6.0), sure(draw, 500, 1.0)
    blind, seen = reject_below(known, 0.3), reject_below(known, 0.3, none)
    assert seen <= blind
    assert (known.max(axis=1) < seen).mean() <= 0.3

    def apart(least):
        return (none.max(axis=1) < least).mean() + (
            known.max(axis=1) >= least
        ).mean()

    assert apart(seen) >= max(apart(x) for x in np.linspace(0, blind, 50))
    # Where none is unsure nothing is refused.
    assert reject_below(known, 0.3, np.eye(3)) <= known.max(axis=1).min()
    np.testing.assert_equal(reject_below(known, 0.3, none[:0]), blind)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_that_cannot_be_is_refused(share):
    with pytest.raises(ValueError, match="expected more than 0"):
        reject_below(np.eye(3), share)


def test_it_is_measured_on_both():
    known = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.45, 0.55]])
    none = np.array([[0.5, 0.5], [0.7, 0.3]])
    found = measure_rejection(known, np.array([0, 1, 1, 1]), none, 0.6)
    assert found["known_kept"] == 0.75
    assert found["accuracy_of_kept"] == pytest.approx(2 / 3)
    assert found["none_refused"] == 0.5
    # Of 8 pairs 5 have the example of no class the less sure one.
    assert found["auroc"] == 6 / 8
    assert "50.0% of 2 of no class are refused" in rejection_words(found)
    alone = measure_rejection(known, np.array([0, 1, 1, 1]), none[:0], 0.95)
    assert "none" not in alone
    assert alone["accuracy_of_kept"] is None
    assert "0.0% of 4 with a class" in rejection_words(alone)


def test_a_task_chooses_it_keeps_it_and_serves_it():
    draw = np.random.default_rng(3)
    logits = draw.normal(size=(400, 3)) * 3
    labels = logits.argmax(axis=1)
    task = Multiclass(reject=0.1)
    assert task.chooses_on_validation
    found = task.calibrate(logits, labels, confidence=False)
    least = found.task.least
    assert 1 / 3 < least < 1
    assert found.numbers["reject"]["least"] == least
    assert "no class below" in found.words
    again = stored_task(found.task.stored())
    assert (again.reject, again.least) == (0.1, least)
    task = Multiclass(reject=0.1, least=0.5)
    answers = np.array([[0.4, 0.3, 0.3], [0.2, 0.6, 0.2]], np.float32)
    told = task.served(tf.constant(answers), tf.constant(list("abc")))
    assert told["label"].numpy().tolist() == [[b""], [b"b"]]
    assert told["classes"].numpy()[0, 0] == b"a"
    said = task.say(answers, list("abc"), 2)
    assert [answer.labels for answer in said] == [("",), ("b", "a")]
    assert said[0].scores == (0.4,)
    plain = Multiclass().served(tf.constant(answers), tf.constant(list("abc")))
    assert "label" not in plain


def test_the_gate_sees_a_label_that_is_another():
    differs = Multiclass(reject=0.1, least=0.5).differs(list("ab"))
    want = {"probabilities": np.array([[0.45, 0.55]], np.float32)}
    received = want | {
        "scores": np.array([[0.55, 0.45]], np.float32),
        "classes": np.array([[b"b", b"a"]]),
    }
    differs(want, received | {"label": np.array([[b"b"]])})
    with pytest.raises(ValueError, match="gives labels"):
        differs(want, received | {"label": np.array([[b""]])})


def test_sets_and_a_least_probability_go_together():
    logits = np.random.default_rng(4).normal(size=(200, 4)) * 2
    labels = logits.argmax(axis=1)
    found = Multiclass(coverage=0.9, reject=0.05).calibrate(logits, labels)
    assert found.task.floor is not None
    assert found.task.least is not None
    assert {"conformal", "reject"} <= set(found.numbers)
    with pytest.raises(ValueError, match=r"reject=1\.5"):
        Multiclass(reject=1.5)


NAMES = ("card", "other", "phone", "ticket")


def listing():
    """Four of each class to train on, one of each to test on."""
    splits = {
        split: Examples(
            tuple(f"{split}:{n}" for n in range(4 * each)),
            np.tile(np.arange(4, dtype=np.int32), each),
            encoded=tuple(f"text {n}".encode() for n in range(4 * each)),
        )
        for split, each in (("train", 4), ("test", 1))
    }
    return Listing(splits, NAMES, {"empty": 2})


def test_a_class_that_stands_for_none_is_set_apart():
    whole = listing()
    kept = set_apart(whole, "other")
    assert kept.class_names == ("card", "phone", "ticket")
    assert kept.found() == whole.found() == 22
    assert list(kept.ignored.values()) == [2, 5]
    for split, examples in whole.splits.items():
        names = {
            id_: NAMES[label]
            for id_, label in zip(examples.ids, examples.labels, strict=True)
        }
        rest = kept.splits[split]
        assert {
            id_: kept.class_names[label]
            for id_, label in zip(rest.ids, rest.labels, strict=True)
        } == {id_: name for id_, name in names.items() if name != "other"}
        assert {*names} - {*rest.ids} <= {*kept.of_none.ids}
    assert len(kept.of_none) == 5
    assert kept.of_none.read(0) == b"text 1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "expected one of the classes card, other, phone"),
        ({"class_names": ("card", "none")}, "expected two classes or more"),
    ],
)
def test_what_cannot_be_set_apart_is_refused(change, words):
    with pytest.raises(DataError, match=words):
        set_apart(dataclasses.replace(listing(), **change), "none")


def test_labels_and_numbers_have_no_class_to_set_apart():
    examples = Examples(("a",), np.array([[1.0]], np.float32), encoded=(b"",))
    with pytest.raises(DataError, match="expected one class for each"):
        set_apart(Listing({"train": examples}, ("price",), {}), "price")
