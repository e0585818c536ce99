"""Targets that are no class, in listings, splits, checks and files."""

import csv
import types

import numpy as np
import pytest

from tl_keras.audit import labels_without_both, report_view
from tl_keras.audit.duplicates import Pair, Row
from tl_keras.audit.facts import Facts
from tl_keras.data import Cut, Examples, Listing, write_split
from tl_keras.data.examples import class_counts, label_key, label_text
from tl_keras.data.splits import cut_splits
from tl_keras.errors import DataError
from tl_keras.sources.targets import target_tensor
from tl_keras.tasks import stored_task, task_like
from tl_keras.tasks.multilabel.task import Multilabel
from tl_keras.tasks.regression.task import Regression

NAMES = ("cat", "dog", "eel")
LABELS = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]] * 20, np.int32)
NUMBERS = np.linspace(0, 9, 60, dtype=np.float32)[:, None]
KINDS = {
    "multilabel": (LABELS, NAMES, Multilabel),
    "regression": (NUMBERS, ("age",), Regression),
}


def listing_of(labels, names, groups=None) -> Listing:
    ids = tuple(f"{i}.jpg" for i in range(len(labels)))
    encoded = tuple(id_.encode() for id_ in ids)
    return Listing(
        {"train": Examples(ids, labels, None, encoded, groups)}, names, {}
    )


def test_labels_in_words():
    assert label_text(np.int32(1), NAMES) == "dog"
    assert label_text(LABELS[0], NAMES) == "cat|eel"
    assert label_text(LABELS[2], NAMES) == "-"
    assert label_text(np.float32([1.5, 2]), ("x", "y")) == "1.5,2"
    assert label_key(np.int32(1), NAMES) == 1
    assert label_key(LABELS[1], NAMES) == "dog"


def test_how_many_examples_each_name_is_said_of():
    assert class_counts(np.array([0, 2, 2]), 3).tolist() == [1, 0, 2]
    assert class_counts(LABELS[:3], 3).tolist() == [1, 1, 1]
    assert class_counts(NUMBERS, 1).tolist() == [60]


def test_targets_say_what_is_predicted_and_keep_their_type():
    assert task_like(np.array([0, 1])) == "multiclass"
    for name, (labels, _, _) in KINDS.items():
        assert task_like(labels) == name
    assert target_tensor(NUMBERS).dtype == "float32"
    assert target_tensor(LABELS).dtype == "int32"
    assert target_tensor(LABELS).shape == (60, 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grouped", [False, True])
def test_splits_are_cut_alike_and_groups_stay_together(kind, grouped):
    labels, names, task = KINDS[kind]
    groups = tuple(f"g{i // 3}" for i in range(60)) if grouped else None
    listing = listing_of(labels, names, groups)
    cut = Cut(0.2, 0.2, stratify=task().stratify)
    splits, left_out = cut_splits(listing, cut)
    assert not left_out
    sizes = {split: len(examples) for split, examples in splits.items()}
    assert sum(sizes.values()) == 60
    assert abs(sizes["test"] - 12) <= 3
    means = [examples.labels.mean(axis=0) for examples in splits.values()]
    if kind == "multilabel":
        assert np.ptp(means, axis=0).max() < 0.1
    elif not grouped:
        assert np.ptp(means, axis=0).max() < 1
    if grouped:
        held = [group for e in splits.values() for group in set(e.groups)]
        assert len(held) == len(set(held)) == 20


def test_too_few_examples_to_cut_are_told():
    listing = listing_of(NUMBERS[:2], ("age",))
    with pytest.raises(DataError, match="2 examples to cut: nothing is left"):
        cut_splits(listing, Cut(0.2, 0.2, stratify=Regression().stratify))


def test_a_split_is_written_with_its_targets(tmp_path):
    listing = listing_of(LABELS[:3], NAMES)
    write_split(tmp_path / "split.csv", listing.splits, NAMES)
    with open(tmp_path / "split.csv", newline="") as stream:
        rows = [row["label"] for row in csv.DictReader(stream)]
    assert rows == ["cat|eel", "dog", "-"]


def test_pictures_that_are_alike_are_shown_with_their_targets(monkeypatch):
    """Of numbers, as of labels, the page of the check has the words."""
    monkeypatch.setattr(report_view, "thumbnail_of", lambda content: "")
    listing = listing_of(LABELS[:2], NAMES)
    rows = [
        Row("train", f"{i}.jpg", label_key(LABELS[i], NAMES), Facts(), "", "")
        for i in (0, 1)
    ]
    report = types.SimpleNamespace(
        listing=listing, groups=[rows], pairs=[Pair(*rows, "re-encoded", 2)],
        kind="image",
    )  # fmt: skip
    (group,) = report_view.same_bytes(report, 5)
    assert [row["label"] for row in group["names"]] == ["cat|eel", "dog"]
    assert group["danger"] == "two labels"
    (pair,) = report_view.look_alike(report, 5)
    assert [card["label"] for card in pair["cards"]] == ["cat|eel", "dog"]


def test_a_label_without_both_answers_is_told():
    labels = np.array([[1, 0, 1], [1, 0, 0]], np.int32)
    splits = listing_of(labels, NAMES).splits
    assert labels_without_both(splits, NAMES) == [
        "label 'cat' is always there in train - nothing can be learnt of it",
        "label 'dog' is never there in train - nothing can be learnt of it",
    ]
    numbers = listing_of(NUMBERS, ("age",)).splits
    assert labels_without_both(numbers, ("age",)) == []


@pytest.mark.parametrize(
    "stored",
    [
        {"task": []}, {"task": None}, {"task": "multilabel", "thresholds": 5},
        {"task": "multilabel", "thresholds": ["x"]},
        {"task": "multilabel", "thresholds": [0.5]},
        {"task": "regression", "mean": [0.0, 1.0], "scale": [1.0, 1.0]},
        {"task": "regression", "mean": [], "scale": []},
        {"task": "regression", "margins": [1.0, 2.0]},
        {"task": "regression", "mean": [10**400]},
        {"task": "multiclass", "floor": "low"},
        {"task": "multiclass", "coverage": 3},
    ],
)  # fmt: skip
def test_a_task_that_an_export_makes_up_is_refused(stored):
    """One clear fault, whatever somebody wrote into the file."""
    with pytest.raises(ValueError, match=r"\S"):
        stored_task(stored).differs(NAMES)
