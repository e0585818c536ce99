"""search: what a budget lets in, what folds say, and what all labels teach."""

import dataclasses
import re
import shutil
import types

import jsonschema
import numpy as np
import pytest
import tiny
from documents import metrics_validator
from killing import fingerprint

from tl_keras import run
from tl_keras.config import effective
from tl_keras.data import Examples
from tl_keras.jobs import searching, stages
from tl_keras.jobs import transfer as transfer_job
from tl_keras.jobs.kinds.pictures import PictureRuns
from tl_keras.jobs.preparation import prepare
from tl_keras.jobs.searching import fits as search_fits
from tl_keras.jobs.searching import planning
from tl_keras.jobs.searching.budget import rest, share_of_run
from tl_keras.jobs.telling.printed import describe_strategy
from tl_keras.jobs.training import feature_store
from tl_keras.runs import RunFolder, read_state
from tl_keras.search import (
    Candidate,
    HeadAnswers,
    SearchPlan,
    bolder,
    candidates_of,
    cut_examples,
    head_answers,
    measuring,
    plan_search,
    search,
)
from tl_keras.search import searching as race
from tl_keras.search.plan import Costs, predicted
from tl_keras.search.standing import stand
from tl_keras.sources import TensorMemory
from tl_keras.strategies import LoRA, suits_lora
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.multilabel.task import Multilabel
from tl_keras.tasks.regression.task import Regression
from tl_keras.training import Phase, set_variables

pytestmark = pytest.mark.usefixtures("plain_decoder")
TUNE = Phase("fine_tune", 2, 1e-4, unfreeze_from="two")
ASKED = {"dropout": 0.0, "unfreeze_from": "auto", "strategy": "auto"}
PLAN = SearchPlan(("from two on at 0.0003", "from two on at 0.0001"), 3, 1, 9)


@pytest.fixture(scope="module")
def colors(tmp_path_factory):
    return tiny.write_colors(tmp_path_factory.mktemp("colors"), 20)


@pytest.fixture(autouse=True)
def two_depths(monkeypatch):
    """The tiny network is a file of one's own, which has no known stages."""
    layers = lambda *_: ["two", "one"]  # noqa: E731
    monkeypatch.setattr(PictureRuns, "unfreeze_layers", layers)
    monkeypatch.setattr(PictureRuns, "unfreeze_from", lambda *_: "two")
    # That there are two epochs is to be quick, and no choice by hand.
    others = [n for n in effective.OF_THE_FINE_TUNE if n != "fine_tune_epochs"]
    monkeypatch.setattr(effective, "OF_THE_FINE_TUNE", others)


@pytest.fixture(autouse=True)
def any_gain_counts(monkeypatch):
    """Thirty pictures are sure of little."""
    monkeypatch.setattr(race, "SURE", 1.0)


@pytest.fixture
def asked(colors, tiny_network, tmp_path):
    return tiny.config(
        colors, tiny_network, tmp_path / "out", **ASKED,
        feature_cache=str(tmp_path / "features"),
    )  # fmt: skip


@pytest.fixture
def fits(asked):
    """Of 30 pictures on three folds, two candidates."""
    prepared = prepare(asked)
    store, folder = feature_store(asked), RunFolder.of(asked.run_folder())
    some = [
        c for c in searching.candidates_of_run(prepared) if c.name in PLAN.names
    ]
    return search_fits.fits_of(prepared, store, folder, some, 3), some


def costs(step: float = 1.0, **more) -> Costs:
    class Same(dict):
        def __missing__(self, _):
            return self.all

    steps, passes = Same(), Same()
    steps.all, passes.all = step, 0.0
    return Costs(
        **{
            "step": steps, "graph": 2.0, "passes": passes, "head": 1.0,
            "trains": 0.3, "examples": 30, "batch_size": 10, "epochs": 3,
            **more,
        }
    )  # fmt: skip


def test_likelier_ways_come_first_and_have_names_of_their_own():
    found = candidates_of(
        TUNE, ["two", "one", "zero", "never"], low_rank=True, flips=True
    )
    assert [c.name for c in found] == [
        "from two on at 0.0003", "from two on at 0.0001",
        "from two on at 0.001", "from one on at 0.0003",
        "from two on at 0.0003, mixup 0.2",
        "LoRA of rank 8 from two on at 0.001",
        "from two on at 0.0003, flipped", "from zero on at 0.0003",
    ]  # fmt: skip
    assert {c.phase.epochs for c in found} == {TUNE.epochs}
    assert found[5].phase.strategy == LoRA(unfreeze_from="two")
    # Rates share a graph; depth, mixup and LoRA have one of their own.
    assert len({c.graph for c in found}) == 5
    plain = candidates_of(TUNE, ["all"])
    assert [c.name for c in plain][:1] == ["all layers at 0.0003"]
    assert not any(c.augment == "flip" or c.phase.strategy for c in plain)


def test_half_of_those_that_are_left_go_on():
    plan = SearchPlan(tuple("abcdefg"), 5, 1.0, 1.0)
    assert [plan.alive(fold) for fold in range(5)] == [7, 4, 2, 1, 1]


def test_a_budget_lets_in_as_many_as_fit_and_no_more():
    candidates = candidates_of(TUNE, ["two", "one"])
    for seconds in (30, 60, 90, 120, 1000):
        plan = plan_search(candidates, costs(), folds=[3], seconds=seconds)
        taken = len(plan.names) if plan else 0
        fits = [
            predicted(candidates[:n], costs(), 3) <= seconds
            for n in range(1, len(candidates) + 1)
        ]
        assert taken == sum(fits)
    assert taken == len(candidates) == 5
    assert plan_search(candidates, costs(), folds=[3], seconds=1) is None
    # Where five folds do not fit, three may.
    one = predicted(candidates[:1], costs(), 5)
    assert plan_search(
        candidates, costs(), folds=[5, 3], seconds=one - 0.1
    ).folds == 3  # fmt: skip
    again = SearchPlan.of_numbers(plan.numbers())
    assert again == plan


def test_a_deeper_cut_is_paid_for():
    candidates = candidates_of(TUNE, ["two", "one"])
    free = predicted(candidates, costs(), 3)
    passes = dict.fromkeys((c.name for c in candidates), 0.0)
    passes["from one on at 0.0003"] = 7.0
    assert predicted(candidates, costs(passes=passes), 3) == free + 7


def test_the_share_of_least_cost_and_of_equals_the_start():
    task, targets = Multiclass(), np.array([0, 1] * 15)
    right = np.eye(2)[targets] * 4
    wrong = np.eye(2)[1 - targets] * 4
    shares = np.stack([wrong, wrong, right, wrong, wrong, right])
    found = stand(task, "val_loss_calibrated", shares, targets)
    assert found.share == 0.4
    assert found.gain["better_by"] > 0
    np.testing.assert_array_equal(found.outputs, right)
    alike = np.stack([right] * 6)
    assert stand(task, "val_loss_calibrated", alike, targets).share == 0
    broken = np.stack([wrong, *[np.full_like(right, np.nan)] * 5])
    found = stand(task, "val_loss_calibrated", broken, targets)
    assert found.share == 0
    assert np.isfinite(found.cost)


def test_a_fold_says_nothing_that_its_labels_told(fits):
    """Outputs for a fold are the same bits when its labels are others."""
    folds, (candidate, _) = fits
    before = folds.fit(candidate, 0, 1).outputs
    labelled, judged = folds.known.labelled, folds.known.folds[1][1]
    labels = labelled.labels.copy()
    labels[judged] = 1 - labels[judged]
    examples = dataclasses.replace(labelled.examples, labels=labels)
    folds.known = folds.known._replace(
        labelled=dataclasses.replace(labelled, examples=examples)
    )
    folds._starts.clear()
    shutil.rmtree(folds.backups.folder)
    np.testing.assert_array_equal(folds.fit(candidate, 0, 1).outputs, before)


def test_kept_graphs_give_what_fresh_ones_do(fits):
    """A fit after others ends with the bits of one in a fresh process."""
    folds, (first, second) = fits
    folds.fit(first, 0, 0)
    folds.fit(second, 1, 0)
    kept = folds.fit(second, 1, 1).outputs
    assert len(folds.trainer.graphs) == 1
    folds.trainer.graphs.clear()
    shutil.rmtree(folds.backups.folder)
    np.testing.assert_array_equal(folds.fit(second, 1, 1).outputs, kept)


def test_all_labels_teach_the_mean_of_the_folds(fits):
    folds, candidates = fits
    found = search(folds, candidates, PLAN, "val_loss_calibrated")
    assert [row.folds for row in found.tried] == [3, 1, 3] or [
        row.folds for row in found.tried
    ] == [3, 3, 1]
    assert found.standing.share > 0
    assert found.made_by == "average"
    best = PLAN.names.index(found.best.name)
    tuned = [folds.tuned(found.best, best, fold) for fold in range(3)]
    share = found.standing.share
    for start, value, *each in zip(
        found.start, found.variables, *tuned, strict=True
    ):
        mean = np.mean(np.float64(each), axis=0)
        np.testing.assert_allclose(
            value, start + share * (mean - start), atol=1e-5
        )
    moved = [
        not np.array_equal(*pair)
        for pair in zip(found.start, found.variables, strict=True)
    ]
    assert any(moved[:-2])
    assert not all(moved)
    # Each example has outputs by the weights that had no part in it.
    set_variables(folds.model, folds.backups.initial)
    want = np.empty_like(found.standing.outputs)
    for fold, (_, judged) in enumerate(folds.known.folds):
        outputs = folds.fit(found.best, best, fold).outputs
        want[judged] = outputs[round(share * 5)]
    np.testing.assert_array_equal(found.standing.outputs, want)


def test_what_is_not_surely_better_is_not_kept(fits, monkeypatch):
    folds, candidates = fits
    monkeypatch.setattr(race, "SURE", -1.0)
    found = search(folds, candidates, PLAN, "val_loss_calibrated")
    assert found.standing.share == 0
    assert found.made_by == ""
    best = found.tried[1 + PLAN.names.index(found.best.name)]
    # The table still says how far it came.
    assert best.standing.share > 0
    assert best.stopped == "not clearly better than the frozen head"
    np.testing.assert_array_equal(found.standing.outputs, found.at_start)


def test_going_on_after_the_last_fold_the_model_holds_the_kept_head(
    fits, monkeypatch
):
    """Its fits are on the disk, and the heads of the folds are not."""
    folds, candidates = fits
    monkeypatch.setattr(race, "SURE", -1.0)
    whole = search(folds, candidates, PLAN, "val_loss_calibrated")
    folds._starts.clear()
    found = search(folds, candidates, PLAN, "val_loss_calibrated")
    for want, kept, held in zip(
        whole.variables, found.variables, folds.model.variables, strict=True
    ):
        np.testing.assert_array_equal(kept, want)
        np.testing.assert_array_equal(np.array(held), want)


def test_folds_in_different_valleys_are_not_averaged(fits, monkeypatch):
    folds, candidates = fits
    monkeypatch.setattr(
        type(folds), "outputs_of",
        lambda self, _: -10.0 * np.eye(2)[self.known.labelled.labels],
    )  # fmt: skip
    found = search(folds, candidates, PLAN, "val_loss_calibrated")
    assert found.made_by == "refit"


def test_what_all_layers_read_is_decoded_once(fits, monkeypatch):
    """Not fold by fold, nor at each of the shares that are asked."""
    folds, (first, _) = fits
    phase = dataclasses.replace(first.phase, unfreeze_from="all")
    every_layer = dataclasses.replace(first, phase=phase)
    decoded, held = [], TensorMemory.held

    def told(self, labelled):
        found = held(self, labelled)
        if found is not labelled:  # Else it is decoded already.
            decoded.append(found)
        return found

    monkeypatch.setattr(TensorMemory, "held", told)
    for fold in range(2):
        folds.fit(every_layer, 0, fold)
    assert len({id(examples) for examples in decoded}) == 1
    assert len(decoded[0]) == 30


def test_one_that_is_behind_gives_its_disk_back(fits):
    folds, candidates = fits
    found = search(folds, candidates, PLAN, "val_loss_calibrated")
    best = PLAN.names.index(found.best.name)
    kept = {p.parent.name for p in folds.backups.folder.glob("*/fine_tune")}
    assert kept == {f"{best}-{fold}" for fold in range(3)}
    assert found.tried[2 - best].stopped == "behind after fold 1 of 3"


@pytest.mark.parametrize(
    "given", [{"fine_tune_learning_rate": 1e-3}, {"unfreeze_from": "two"},
              {"mixup": 0.2}, {"head_solver": "adam"}, {"strategy": "frozen"}]
)  # fmt: skip
def test_a_setting_given_by_hand_is_the_fixed_rule(asked, given):
    assert asked.searches()
    assert not dataclasses.replace(asked, **given).searches()


def test_flags_that_a_run_wrote_down_are_given_by_nobody(asked):
    from tl_keras.runs import parse_flags

    again = type(asked).from_strings(parse_flags(asked.to_flags()))
    assert again == asked
    assert again.searches()


def test_frozen_is_no_fine_tune(asked):
    frozen = dataclasses.replace(asked, strategy="frozen")
    assert frozen.fine_tune_epochs == 0
    assert frozen.faults() == []


def test_a_budget_that_nothing_keeps_to_is_refused(asked):
    for given, words in (
        ({"strategy": "fine_tune"}, "only --strategy=auto keeps to it"),
        ({"mixup": 0.1}, "--mixup selects the fixed rule"),
    ):
        config = dataclasses.replace(asked, budget_minutes=2.0, **given)
        (fault,) = config.faults()
        assert words in fault.message


@pytest.fixture
def planned(monkeypatch):
    """A plan that no clock has made."""
    found = searching.Searches(PLAN, "")
    monkeypatch.setattr(stages, "plan_for", lambda *_: found)


def test_a_run_says_what_it_tried(asked, planned, capsys):
    result = run(asked, stages=tiny.QUICK)
    table = result.metrics["search"]
    described = metrics_validator().schema["properties"]["search"]
    jsonschema.validate(table, described)
    assert [row["name"] for row in table["candidates"]] == [
        "frozen", *PLAN.names
    ]  # fmt: skip
    head, *rest = table["candidates"]
    assert head["examples"] == 30
    assert head["folds"] == 3
    best = next(row for row in rest if not row["stopped"])
    assert table["kept"] == best["name"]
    assert table["share"] == best["share"]
    assert best["cost"] <= head["cost"]
    low, high = best["cost_interval"]
    assert low <= best["cost"] <= high
    assert result.metrics["kept_phase"] == "fine_tune"
    assert [row["phase"] for row in result.history] == ["head"] + [
        "fine_tune"
    ] * 2
    # What confidence needs came from what the folds had not seen.
    assert "what the folds say of all 30" in capsys.readouterr().out


def test_killed_in_a_search_it_goes_on_to_the_same_bits(
    asked, planned, monkeypatch
):
    whole = dataclasses.replace(asked, output_dir=asked.output_dir + "whole")
    run(whole, stages=tiny.QUICK)
    fit, done = race._Race.run, []

    def some(self, fold, work):
        if len(done) == 1:
            raise tiny.CutShortError
        done.append(fold)
        fit(self, fold, work)

    monkeypatch.setattr(race._Race, "run", some)
    with pytest.raises(tiny.CutShortError):
        run(asked, stages=tiny.QUICK)
    monkeypatch.setattr(race._Race, "run", fit)
    # The plan is the run's: nothing is measured again.
    monkeypatch.setattr(stages, "plan_for", tiny.end)
    run(asked, stages=tiny.QUICK)
    assert fingerprint(asked.run_folder()) == fingerprint(whole.run_folder())


def test_a_budget_too_small_for_one_is_the_fixed_rule(asked, capsys):
    small = dataclasses.replace(asked, budget_minutes=0.1)
    metrics = run(small, stages=tiny.QUICK).metrics
    assert "search" not in metrics
    assert "strategy: fine_tune, since its first" in capsys.readouterr().out


def test_what_people_brought_to_validate_teaches_only_where_asked(
    colors, asked, planned, tmp_path
):
    data = tmp_path / "data"
    for name in tiny.NAMES:
        files = sorted((colors / name).iterdir())
        for number, file in enumerate(files):
            split = ("train", "train", "train", "val", "test")[number % 5]
            to = data / split / name
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, to)
    brought = dataclasses.replace(
        asked, dataset=str(data), val_fraction=0.15, test_fraction=0.15
    )
    for asks, count in ((None, 24), (True, 32)):
        config = dataclasses.replace(
            brought, train_on_all=asks,
            output_dir=str(tmp_path / f"out{count}"),
        )  # fmt: skip
        metrics = run(config, stages=tiny.QUICK).metrics
        assert metrics["search"]["candidates"][0]["examples"] == count


def test_lora_is_for_dense_and_attention(asked):
    model = prepare(asked).model
    assert not suits_lora(model, "all")
    assert isinstance(candidates_of(TUNE, ["two"])[0], Candidate)


def test_one_that_diverges_goes_no_way_and_stops_nothing(fits):
    folds, (first, second) = fits
    phase = dataclasses.replace(first.phase, learning_rate=1e30)
    wild = dataclasses.replace(first, phase=phase)
    found = search(folds, [wild, second], PLAN, "val_loss_calibrated")
    assert found.best == second
    assert found.tried[1].stopped == "diverged"
    assert found.tried[1].standing.share == 0


def test_what_makes_no_three_folds_is_the_fixed_rule(asked, monkeypatch):
    store = feature_store(asked)
    assert searching.reckoned_search(prepare(asked), store).plan
    monkeypatch.setattr(search_fits, "cut_examples", lambda *_: [])
    plan, why, _ = searching.reckoned_search(prepare(asked), store)
    assert plan is None
    assert "makes no 3 folds" in why


def test_where_there_is_no_room_no_folds_are_cut(asked, monkeypatch):
    """Of a million labels they would take seconds."""
    monkeypatch.setattr(measuring, "RATE", measuring.RATE / 1e6)
    monkeypatch.setattr(search_fits, "cut_examples", tiny.end)
    found = searching.reckoned_search(prepare(asked), feature_store(asked))
    assert found.why.startswith(planning.ADDS)


def test_a_fine_tune_that_the_fixed_rule_leaves_out_takes_nothing(asked):
    prepared = prepare(asked)
    usual = searching.candidates_of_run(prepared)[0]
    head, *_ = prepared.phases
    alone = dataclasses.replace(prepared, phases=[head])
    both = dataclasses.replace(prepared, phases=[head, TUNE])
    without, beside = (
        share_of_run(each, costs(), usual, 10.0) for each in (alone, both)
    )
    assert 0 < without < beside


def test_where_nothing_is_better_the_head_of_all_labels_is_kept(
    fits, monkeypatch
):
    """To the bit what is solved on all of them; no rows are needed."""
    folds, candidates = fits
    wild = [
        dataclasses.replace(
            c, phase=dataclasses.replace(c.phase, learning_rate=1e30)
        )
        for c in candidates
    ]
    found = search(folds, wild, PLAN, "val_loss_calibrated")
    assert found.standing.share == 0
    assert found.made_by == ""
    for start, kept in zip(found.start, found.variables, strict=True):
        np.testing.assert_array_equal(start, kept)
    np.testing.assert_array_equal(found.start[-2], found.solved.kernel)


def told_of(config) -> list[str]:
    prepared = prepare(config)
    found = searching.reckoned_search(prepared, feature_store(config))
    return describe_strategy(prepared, found)


def test_a_plan_says_what_is_tried_or_why_nothing_is(asked, tmp_path):
    first, *rest = told_of(asked)
    up_to = next(n for n, line in enumerate(rest) if "  up to " in line)
    assert first.startswith(f"strategy: {up_to} way")
    assert rest[0] == "  from two on at 0.0003"
    # What the head will answer is not known before a run begins.
    more = len(rest) - up_to - 1
    assert more > up_to
    assert rest[up_to].startswith(f"  up to {more} ways to fine-tune, on 5 ")
    assert "where the frozen head gets surely more than one" in rest[up_to]
    assert rest[up_to + 1] == "    from two on at 0.0003"
    # What a number of minutes has room for, steps that are timed will say.
    minutes = dataclasses.replace(asked, budget_minutes=2.0)
    assert told_of(minutes)[1:] == [
        "  from two on at 0.0003", "  from two on at 0.0001",
        "  from two on at 0.001", "  from one on at 0.0003",
        "  from two on at 0.0003, mixup 0.2",
        "  from two on at 0.0003, flipped",
    ]  # fmt: skip
    few = dataclasses.replace(
        asked, train_examples_per_class=4, val_examples_per_class=2
    )
    (line,) = told_of(few)
    assert line.startswith("strategy: fine_tune, since 12 labelled pictures")
    fixed = dataclasses.replace(asked, strategy="fine_tune")
    assert told_of(fixed) == []
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "features").exists()


def test_a_plan_tells_no_phase_that_a_search_takes_the_place_of(asked):
    told = transfer_job.plan(asked)
    assert "  then what the folds found best" in told
    assert "  head: solved exactly" in told
    assert "  fine_tune: " not in told
    assert "search " in told.split("time: ")[1].splitlines()[0]
    fixed = transfer_job.plan(dataclasses.replace(asked, strategy="fine_tune"))
    assert "  fine_tune: " in fixed
    assert "the folds" not in fixed


def test_no_clock_has_a_part_in_a_default_plan(asked, monkeypatch):
    prepared, store = prepare(asked), feature_store(asked)
    folder = RunFolder.of(asked.run_folder())
    monkeypatch.setattr(planning, "measure_costs", tiny.end)
    slow, fast = (
        searching.plan_for(prepared, store, folder, elapsed)
        for elapsed in (1e6, 0.0)
    )
    assert slow == fast
    assert slow.plan.predicted <= slow.plan.budget


def test_a_step_is_timed_to_its_end(monkeypatch):
    """On a GPU it has only been begun when it comes back."""
    now, left = [0.0], [0.0]

    class Variable:
        def __array__(self, *_, **__):
            now[0] += left[0]
            left[0] = 0.0
            return np.zeros(2)

    durations = iter([9.0, 3.0, 2.0, 4.0])

    def step():
        now[0] += 0.001
        left[0] += next(durations)

    known = types.SimpleNamespace(batches=lambda *_: None, labelled=None)
    folds = types.SimpleNamespace(
        known=known,
        trainer_of=lambda _: types.SimpleNamespace(steps_of=lambda *_: step),
        model=types.SimpleNamespace(trainable_variables=[Variable()]),
        backups=types.SimpleNamespace(initial=None),
    )
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(measuring, "set_variables", lambda *_: None)
    first, fastest = measuring._seconds_of_steps(folds, Phase("x", 1, 1e-3))
    assert (first, fastest) == pytest.approx((9.001, 2.001))


@pytest.mark.parametrize(
    ("wrong", "labels", "poor"),
    [(0, 40, False), (8, 200, False), (4, 20, False), (5, 20, True),
     (100, 1000, False), (26, 200, False), (29, 200, True), (60, 320, True),
     (320, 320, True)],
)  # fmt: skip
def test_a_head_is_poor_that_is_surely_wrong_one_time_in_ten(
    wrong, labels, poor
):
    head = HeadAnswers(wrong, labels)
    assert head.is_poor() is poor
    only = "" if poor else "only "
    assert f"gets {only}{wrong:,} of {labels:,} labels" in head.describe()


def test_the_head_is_asked_of_labels_that_it_has_not_learnt(fits, monkeypatch):
    folds, _ = fits
    labels = folds.known.labelled.labels
    answers = np.eye(2, dtype="float32")[labels]
    answers[:4] = 1 - answers[:4]
    solved = types.SimpleNamespace(out_of_fold=answers)
    monkeypatch.setattr(type(folds), "solve", lambda *_: solved)
    assert head_answers(folds) == HeadAnswers(4, 30)
    solved.out_of_fold = None
    assert head_answers(folds) is None


def test_of_numbers_no_head_is_called_poor(asked, monkeypatch):
    """Nobody has measured what that is: a fifth, and nothing that is more."""
    prepared, store = prepare(asked), feature_store(asked)
    assert searching.reckoned_search(prepared, store).if_poor
    numbers = Regression.of(prepared.labelled.train.labels * 1.0)
    prepared = dataclasses.replace(prepared, task=numbers)
    monkeypatch.setattr(planning, "head_answers", tiny.end)
    folder = RunFolder.of(asked.run_folder())
    found = searching.plan_for(prepared, store, folder, 0.0)
    assert found == searching.reckoned_search(prepared, store)
    assert found.plan
    assert found.if_poor is None


def test_for_a_poor_head_the_lowest_rate_comes_last():
    found = candidates_of(TUNE, ["two", "one"], low_rank=True, flips=True)
    ordered = bolder(found)
    assert sorted(c.name for c in ordered) == sorted(c.name for c in found)
    assert [c.name for c in ordered[:2]] == [
        "from two on at 0.0003", "from two on at 0.001",
    ]  # fmt: skip
    assert ordered[-1].name == "from two on at 0.0001"


@pytest.fixture
def head_is(monkeypatch):
    """head_is(wrong, labels): what the head answers, whatever it learnt."""

    def answers(*head):
        found = HeadAnswers(*head) if head else None
        monkeypatch.setattr(planning, "head_answers", lambda _: found)

    return answers


def planned_for(config) -> searching.Searches:
    folder = RunFolder.of(config.run_folder())
    store = feature_store(config)
    return searching.plan_for(prepare(config), store, folder, 0.0)


@pytest.mark.parametrize("head", [0.5, 3.0])
def test_a_poor_head_lets_a_search_take_more(asked, head_is, head, monkeypatch):
    """Where a fifth has room for some ways, and where it has for none."""
    monkeypatch.setattr(measuring, "HEAD", head)
    told = searching.reckoned_search(prepare(asked), feature_store(asked))
    assert bool(told.plan) is (head == 0.5)
    head_is(20, 30)
    poor = planned_for(asked)
    assert poor.why == ""
    why = "the frozen head gets 20 of 30 labels wrong out of fold"
    assert poor.plan == dataclasses.replace(told.if_poor, why=why)
    assert poor.plan.describe().endswith(f"s, since {why}")
    assert poor.plan.predicted <= poor.plan.budget
    assert SearchPlan.of_numbers(poor.plan.numbers()) == poor.plan
    head_is(1, 30)
    fits = planned_for(asked)
    said = "the frozen head gets only 1 of 30 labels wrong out of fold"
    if told.plan:
        assert fits == (dataclasses.replace(told.plan, why=said), "", None)
    else:
        assert fits == (None, f"{said}, and {told.why}", None)
    head_is()
    assert planned_for(asked) == (told.plan, told.why, None)


def test_a_real_head_that_fits_is_not_poor(asked):
    """Two easy colours: nothing more than before is tried."""
    told = searching.reckoned_search(prepare(asked), feature_store(asked))
    found = planned_for(asked)
    assert found.plan.names == told.plan.names
    assert "gets only 0 of 30 labels wrong" in found.plan.why


def test_a_plan_of_a_poor_head_outlives_a_kill(asked, head_is, monkeypatch):
    """The head is asked once: whoever goes on finds the plan in the state."""
    head_is(20, 30)
    monkeypatch.setattr(stages, "search_all", tiny.end)
    with pytest.raises(tiny.CutShortError):
        run(asked, stages=tiny.QUICK)
    known = read_state(RunFolder.of(asked.run_folder())).search
    told = searching.reckoned_search(prepare(asked), feature_store(asked))
    assert tuple(known["plan"]["names"]) == told.if_poor.names
    assert known["plan"]["why"].startswith("the frozen head gets 20 of 30")
    tried = []

    def search_of(_, plan, *more):
        tried.append(plan)
        raise tiny.CutShortError

    monkeypatch.setattr(stages, "search_all", search_of)
    monkeypatch.setattr(planning, "head_answers", tiny.end)
    with pytest.raises(tiny.CutShortError):
        run(asked, stages=tiny.QUICK)
    assert tried == [SearchPlan.of_numbers(known["plan"])]


def test_where_even_a_poor_head_gives_no_room_it_is_not_asked(
    asked, monkeypatch
):
    monkeypatch.setattr(measuring, "RATE", measuring.RATE / 1e6)
    monkeypatch.setattr(planning, "head_answers", tiny.end)
    assert planned_for(asked).why.startswith(planning.ADDS)


def test_what_has_no_room_says_how_many_minutes_it_wants(asked, monkeypatch):
    """Of a network that takes a thousand times as long."""
    monkeypatch.setattr(measuring, "RATE", measuring.RATE / 1e6)
    prepared = prepare(asked)
    plan, why, _ = searching.reckoned_search(prepared, feature_store(asked))
    assert plan is None
    assert why.startswith("a search would add more than a fifth to the run")
    minutes = int(re.search(r"--budget_minutes=(\d+)", why)[1])
    monkeypatch.setattr(planning, "measure_costs", planning.reckon_costs)
    monkeypatch.setattr(planning.time, "perf_counter", lambda: 0.0)
    folder = RunFolder.of(asked.run_folder())
    for more, fits in ((0, True), (-minutes * 0.5, False)):
        given = dataclasses.replace(asked, budget_minutes=minutes + more)
        searched = searching.plan_for(
            dataclasses.replace(prepared, config=given),
            feature_store(asked), folder, 0.0,
        )  # fmt: skip
        assert bool(searched.plan) is fits


def test_what_follows_a_search_is_the_test_split_and_what_is_constant(asked):
    prepared = prepare(asked)
    usual = searching.candidates_of_run(prepared)[0]
    slow, fast = (
        rest(prepared, costs(step=step), usual) for step in (2.0, 1.0)
    )
    a_picture = 1.0 / (3 * 10 * 0.3)
    assert slow - fast == pytest.approx(len(prepared.labelled.test) * a_picture)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("kind", ["classes", "labels", "numbers"])
def test_folds_are_disjoint_complete_and_tear_no_group(kind, grouped):
    random = np.random.default_rng(0)
    classes = np.repeat(np.arange(3), 20)
    task, targets = {
        "classes": (Multiclass(), classes),
        "labels": (Multilabel(), random.integers(0, 2, (60, 3))),
        "numbers": (Regression.of(classes * 1.0), random.normal(size=(60, 1))),
    }[kind]
    groups = tuple(f"g{i // 4}" for i in range(60)) if grouped else None
    examples = Examples(tuple(map(str, range(60))), targets, groups=groups)
    folds = cut_examples(task, examples, 5)
    assert len(folds) == 5
    judged = np.concatenate([judge for _, judge in folds])
    np.testing.assert_array_equal(np.sort(judged), np.arange(60))
    for fit, judge in folds:
        assert set(fit).isdisjoint(judge)
        assert len(fit) + len(judge) == 60
        if grouped:
            assert {groups[i] for i in fit}.isdisjoint(groups[i] for i in judge)


def test_what_stands_alone_gives_no_folds():
    one = Examples(tuple("abcd"), np.array([0, 0, 0, 1]))
    assert cut_examples(Multiclass(), one, 5) == []
    same = Examples(tuple("abcd"), np.zeros((4, 1)), groups=("g",) * 4)
    task = Regression.of(np.arange(4.0))
    assert cut_examples(task, same, 5) == []
