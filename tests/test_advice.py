"""advice: the learning curve, what it foretells, and who wants labels."""

import numpy as np
import pytest

from tl_keras.advice import (
    Curve,
    advise,
    fit_laws,
    hindcast,
    measure_curve,
    needy_classes,
    probe_depths,
    where_to_unfreeze,
)
from tl_keras.advice.depth import Depth
from tl_keras.advice.subsamples import SHARES, Parts
from tl_keras.tasks.multiclass import solve_probe

SIZES = np.array([25, 35, 50, 71, 100, 141, 200])


def curve_of(floor, scale, exponent, asked=4000) -> Curve:
    """As a law has it, up to rounding."""
    shares = floor + scale * SIZES ** -float(exponent)
    wrong = np.rint(shares * asked / 2).astype(int)
    return Curve(
        SIZES, np.stack([wrong, wrong], axis=1), np.array([asked // 2] * 2),
        asked,
    )  # fmt: skip


LAWS = {
    "usual": (0.0, 1.0, 0.5),
    "steep, to a floor": (0.05, 3.0, 0.8),
    "flat": (0.3, 0.0, 0.5),
}


@pytest.mark.parametrize("case", LAWS)
def test_a_law_is_found_again(case):
    floor, scale, exponent = LAWS[case]
    found = fit_laws(curve_of(*LAWS[case])).gain(200, 400)
    now, later = (floor + scale * n**-exponent for n in (200, 400))
    assert found.accuracy == pytest.approx(1 - later, abs=0.006)
    assert found.gain == pytest.approx(now - later, abs=0.006)
    assert found.low <= found.gain <= found.high
    assert found.low - 0.002 <= now - later <= found.high + 0.002


def test_fewer_answers_are_less_sure():
    sure = fit_laws(curve_of(0.02, 1.0, 0.5)).gain(200, 800)
    unsure = fit_laws(curve_of(0.02, 1.0, 0.5, asked=200)).gain(200, 800)
    assert unsure.high - unsure.low > 1.2 * (sure.high - sure.low)


def test_half_of_the_labels_foretell_all_where_a_law_holds():
    foretold, measured = hindcast(curve_of(0.02, 1.0, 0.5))
    assert measured == pytest.approx(1 - 0.02 - 200**-0.5, abs=0.001)
    assert abs(foretold - measured) < 0.01
    assert hindcast(curve_of(0.02, 1.0, 0.5).up_to(60)) is None


@pytest.mark.parametrize("grouped", [False, True])
def test_parts_grow_and_keep_classes_and_groups(grouped):
    labels = np.repeat([0, 1, 2], [120, 60, 30])
    groups = [f"g{i // 3}" for i in range(210)] if grouped else None
    parts = Parts.cut(labels, groups, 150, np.random.default_rng(0))
    assert len(parts.fitted) == len(SHARES)
    whole = np.bincount(labels) / len(labels)
    for smaller, larger in zip(parts.fitted, parts.fitted[1:], strict=False):
        assert set(smaller) <= set(larger)
    for some in (*parts.fitted, parts.held_out):
        share = np.bincount(labels[some], minlength=3) / len(some)
        assert np.abs(share - whole).max() < 0.17
        if grouped:
            rest = np.setdiff1d(np.arange(210), some)
            named = {groups[i] for i in some} & {groups[i] for i in rest}
            assert named == set()
    assert set(parts.held_out).isdisjoint(parts.fitted[-1])
    # The largest part and those held out are nearly all there are.
    assert len(parts.fitted[-1]) + len(parts.held_out) > 195


def clouds(counts, apart, width=20, seed=0):
    """Clouds around the corners of a simplex, (rows, labels)."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = random.normal(size=(len(labels), width))
    rows[:, : len(counts)] += (
        np.asarray(apart)[:, None] * np.eye(len(counts))
    )[labels]
    return rows.astype(np.float32), labels


def test_the_curve_falls_and_is_the_same_again():
    rows, labels = clouds([60, 60], [2.0, 2.0])
    probe = solve_probe(rows, labels)
    curve, again = (measure_curve(rows, labels, probe) for _ in range(2))
    for one, two in zip(curve, again, strict=True):
        np.testing.assert_array_equal(one, two)
    shares = curve.shares()
    assert shares[0] > shares[-1] > 0
    assert curve.sizes[-1] == 90
    # Six times a quarter of all.
    assert curve.asked.sum() == 6 * 30


def test_too_few_labels_or_too_many_classes_give_no_curve():
    rows, labels = clouds([4, 4], [2.0, 2.0])
    assert measure_curve(rows, labels, solve_probe(rows, labels)) is None
    rows, labels = clouds([60, 60], [2.0, 2.0])
    probe = solve_probe(rows, labels)
    assert measure_curve(rows, labels, probe, max_work=3000) is None
    less = measure_curve(rows, labels, probe, max_work=20_000)
    assert less.sizes[-1] < 90


def test_the_class_that_is_missed_wants_labels():
    labels = np.repeat([0, 1, 2], 40)
    likely = np.eye(3)[labels].copy()
    likely[40:52] = [0, 0.1, 0.9]  # 12 of class 1 are taken for 2
    likely[0] = [0, 1, 0]
    (need,) = needy_classes(labels, likely)
    assert (need.label, need.wrong, need.examples) == (1, 12, 40)
    assert need.taken_for == 2
    assert need.others == pytest.approx(1 / 80)
    # Three of forty against one of eighty may be chance.
    likely[43:52] = np.eye(3)[1]
    assert needy_classes(labels, likely) == []


def test_advice_says_what_to_do():
    rows, labels = clouds([80, 40, 120], [6.0, 1.0, 1.0])
    names = ["easy", "hard", "other"]
    advice = advise(rows, labels, class_names=names, trained_on=180)
    first, *others = advice["sentences"]
    assert "Twice as many labels (360 to train on)" in first
    assert "Half of the labels predicted" in first
    assert [row["labels"] for row in advice["forecast"]] == [360, 720]
    off = abs(advice["hindcast"]["foretold"] - advice["hindcast"]["measured"])
    for row in advice["forecast"]:
        # No surer than half of the labels were right.
        assert row["low"] + off <= row["gain"] <= row["high"] - off
    assert [row["class"] for row in advice["classes"]] == ["hard"]
    (line,) = others
    assert line.startswith("Label more of 'hard' first: ")
    assert "most often for 'other'" in line


def test_where_all_is_learnt_more_labels_are_not_asked_for():
    rows, labels = clouds([60, 60], [9.0, 9.0])
    advice = advise(rows, labels, class_names="ab", trained_on=90)
    first, second = advice["sentences"]
    assert "would hardly help" in first
    assert "No class needs labels more than the others" in second


def test_very_few_labels_say_how_many_it_takes():
    rows, labels = clouds([3, 3], [9.0, 9.0])
    advice = advise(rows, labels, class_names="ab", trained_on=6)
    assert advice["forecast"] is None
    assert "too few labels" in advice["sentences"][0]


# Losses of probes before three, before four and at the end.
DEPTHS = {
    "each stage adds": ([0.9, 0.6, 0.3], None),
    "the last adds nothing": ([0.9, 0.3, 0.3], "four"),
    "most know less": ([0.2, 0.4, 0.3], "three"),
}


@pytest.mark.parametrize("case", DEPTHS)
def test_where_a_stage_is_of_no_use_the_network_is_unfrozen(case):
    losses, expected = DEPTHS[case]
    layers = ("three", "four", "none")
    depths = [
        Depth(layer, loss, 0.9)
        for layer, loss in zip(layers, losses, strict=True)
    ]
    found = where_to_unfreeze(depths)
    assert (found and found.unfreeze_from) == expected


def test_depths_are_probed_out_of_fold_and_told():
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    last, early = (
        (np.eye(6)[labels] + by * random.normal(size=(40, 6))).astype("float32")
        for by in (0.3, 1.0)
    )
    advice = advise(
        last, labels, class_names="ab", trained_on=40, stages={"four": early}
    )
    before, whole = advice["depths"]
    assert (before["unfreeze_from"], whole["unfreeze_from"]) == ("four", "none")
    assert before["loss"] > whole["loss"]
    assert whole["accuracy"] > 0.9
    assert advice["sentences"][-1].endswith(
        "There is no sign that a fine-tune should begin before "
        "--unfreeze_from=four."
    )
    # A single label of a class leaves nothing to ask.
    assert probe_depths({"none": last[:3]}, labels[:3]) == []
