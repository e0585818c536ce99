"""The stages that plan a search, and that do it.

    plan, why = plan_for(prepared, store, folder, elapsed)
    searched = search_all(prepared, plan, folder, store)

In: a run before its first step. Out: how much is tried, or that the fixed rule
is taken and why; then a fit as of phases, whose weights all labels have taught,
and the table of what was tried.
"""

import dataclasses
import hashlib
import math
import time
from collections.abc import Mapping
from typing import NamedTuple

from tl_keras import signals
from tl_keras.features import FeatureStore
from tl_keras.jobs.final_fit import FinalFit
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.placing import compute_of
from tl_keras.jobs.planning import plan_phases
from tl_keras.jobs.preparation import Prepared, many_of
from tl_keras.jobs.searching.budget import beginning, rest, share_of_run
from tl_keras.jobs.searching.known import known_of
from tl_keras.jobs.searching.outcome import final_of, fit_of
from tl_keras.jobs.searching.table import table_of
from tl_keras.jobs.task_choice import objective_of
from tl_keras.keras_globals import standard_globals
from tl_keras.runs import RunFolder
from tl_keras.search import (
    Candidate,
    FoldFits,
    Found,
    Known,
    SearchPlan,
    candidates_of,
    cut_examples,
    measure_costs,
    plan_search,
    reckon_costs,
    search,
)
from tl_keras.search.plan import predicted
from tl_keras.sources import LabelledExamples, TensorMemory, TrainingBatches
from tl_keras.strategies import set_trainable, suits_lora
from tl_keras.training import FEWEST_TO_JUDGE, FrozenWork, PhaseBackups
from tl_keras.training.trainer import Trainer

# Of few labels each fold shall learn from most. Halves learn too little to tell
# how far a fine-tune goes on all of them.
MANY_FOLDS, FEW_FOLDS, FEW_LABELS = 5, 3, 500
FLIPPED_VIEWS = 2


class Searches(NamedTuple):
    """Whether a run searches.

    Attributes:
        plan: what is tried, or None.
        why: the fixed rule is taken; "" where it is not.
    """

    plan: SearchPlan | None
    why: str


class Searched(NamedTuple):
    """What a search leaves to a run.

    Attributes:
        phases: the head, and the best candidate's.
        final: the fit, and what all labels say of it.
        numbers: for metrics.json.
    """

    phases: list
    final: FinalFit
    numbers: Mapping


def why_not(prepared: Prepared) -> str:
    """What of the data or the network keeps a run from a search; or ""."""
    known = known_of(prepared)
    if prepared.config.feature_cache == "off":
        return "nothing keeps what frozen layers make of examples"
    if prepared.config.solver() != "lbfgs" or any(
        phase.solver != "lbfgs" for phase in prepared.phases[:1]
    ):
        return "the head is not solved"
    if runs_of(prepared.config).baseline and prepared.config.baseline != "show":
        return "the head weighs words beside the network (--baseline=show)"
    if len(known) < FEWEST_TO_JUDGE:
        return (
            f"{len(known)} labelled {many_of(prepared)} cannot tell whether a "
            f"fine-tune is better; expected {FEWEST_TO_JUDGE} or more"
        )
    if len(_folds(prepared, known, FEW_FOLDS)) < FEW_FOLDS:
        return f"a class, or all there is, makes no {FEW_FOLDS} folds"
    return ""


@standard_globals()
def plan_for(
    prepared: Prepared, store: FeatureStore, folder: RunFolder, elapsed: float
) -> Searches:
    """How much is tried: as much as a fifth of the run reckoned by its
    multiply-adds, or what `--budget_minutes` lets in by what steps take here.

    Args:
        prepared: the run; its model as it was loaded, also afterwards.
        store: keeps what frozen layers make of examples.
        folder: of the run; nothing is written there.
        elapsed: seconds since the run began.

    Returns:
        The plan, or why the fixed rule is taken.
    """
    if why := why_not(prepared):
        return Searches(None, why)
    began, candidates = time.perf_counter(), candidates_of_run(prepared)
    known = known_of(prepared)
    counts = (FEW_FOLDS,)
    if len(known) <= FEW_LABELS:
        counts = MANY_FOLDS, FEW_FOLDS
    # Those of small classes are fewer than was asked for.
    counts = tuple(
        dict.fromkeys(len(_folds(prepared, known, n)) for n in counts)
    )
    fits = _fits(prepared, store, folder, candidates[:1], counts[0])
    usual, minutes = candidates[0], prepared.config.budget_minutes
    if minutes is None:
        # By no clock: two runs of the same seed shall try the same.
        costs = reckon_costs(fits, candidates)
        elapsed = beginning(fits, prepared)
        seconds = share_of_run(prepared, costs, usual, elapsed)
        why = "a search would add more than a fifth to the run"
    else:
        costs = measure_costs(fits, candidates)
        elapsed += time.perf_counter() - began
        seconds = 60 * minutes - elapsed - rest(prepared, costs, usual)
        why = f"its first candidate does not fit {seconds:.0f} s"
    plan = plan_search(candidates, costs, folds=counts, seconds=seconds)
    if plan is not None:
        return Searches(plan, "")
    least = predicted(candidates[:1], costs, counts[-1])
    whole = elapsed + least + rest(prepared, costs, usual)
    minutes = math.ceil(whole / 60)
    return Searches(None, f"{why} - --budget_minutes={minutes} has room for it")


def reckoned_search(prepared: Prepared, store: FeatureStore | None) -> Searches:
    """What a run will try, as far as no clock is needed to say it.

    Args:
        prepared: the run; its model as it was loaded, also afterwards.
        store: of its features; nothing is computed.

    Returns:
        Neither a plan nor a reason where nothing is searched, or the budget
        is one of minutes.
    """
    config = prepared.config
    if not config.searches():
        return Searches(None, "")
    if config.budget_minutes is not None:
        return Searches(None, why_not(prepared))
    folder = RunFolder.of(config.run_folder())
    return plan_for(prepared, store, folder, 0.0)


@standard_globals()
def search_all(
    prepared: Prepared, plan: SearchPlan, folder: RunFolder, store: FeatureStore
) -> Searched:
    """Does what was planned, or what is left of it.

    Args:
        prepared: the run; its model holds the kept weights afterwards.
        plan: of `plan_for`, by this process or an earlier one.
        folder: of the run.
        store: keeps what frozen layers make of examples.

    Returns:
        `Searched`; history.csv is written.
    """
    began, config = time.perf_counter(), prepared.config
    candidates = [
        c for c in candidates_of_run(prepared) if c.name in plan.names
    ]
    fits = _fits(prepared, store, folder, candidates, plan.folds)
    try:
        objective = fits.trainer.objective
        found = search(fits, candidates, plan, objective.monitor)
    except BaseException:
        fits.backups.begin_again()  # Whoever goes on finds it as it was.
        raise
    _leave_trainable(prepared, found)
    fit = fit_of(prepared, found, fits, time.perf_counter() - began)
    fits.trainer.write_history([], fit.history)
    numbers = table_of(prepared, plan, found)
    head, _ = plan_phases(config)
    phases = [head, fit.phases[1].phase]
    return Searched(phases, final_of(prepared, found, fit), numbers)


def _leave_trainable(prepared: Prepared, found: Found) -> None:
    """As the best phase leaves it, whatever was fitted in this process."""
    phase = found.best.phase
    set_trainable(
        prepared.model,
        phase.unfreeze_from,
        train_batch_norm=phase.train_batch_norm,
    )


def _folds(
    prepared: Prepared, known: LabelledExamples, most: int
) -> list[tuple]:
    return cut_examples(prepared.task, known.examples, most)


def candidates_of_run(prepared: Prepared) -> list[Candidate]:
    """All that a run may try, by its network and settings."""
    config, runs = prepared.config, runs_of(prepared.config)
    _, tune = plan_phases(config)
    return candidates_of(
        tune,
        runs.unfreeze_layers(config),
        low_rank=suits_lora(prepared.model, tune.unfreeze_from),
        flips=runs.flips and config.augment == "none",
    )


def _fits(
    prepared: Prepared,
    store: FeatureStore,
    folder: RunFolder,
    candidates: list[Candidate],
    folds: int,
) -> FoldFits:
    config, model = prepared.config, prepared.model
    head, _ = plan_phases(config)
    labelled = known_of(prepared)
    memory = TensorMemory(config.feature_memory_gb)

    def batches(some: LabelledExamples, augment: str) -> TrainingBatches:
        views = config.stored_views() if augment == "none" else FLIPPED_VIEWS
        augment = config.augment if augment == "none" else augment
        return TrainingBatches(
            some, config.batch_size, config.seed, augment, views, memory
        )

    known = Known(labelled, _folds(prepared, labelled, folds), batches)
    # Rows that a device holds would be part of its graphs.
    compute = dataclasses.replace(
        compute_of(config, prepared.device), resident_bytes=0
    )
    trainer = Trainer(
        model,
        batches(labelled, "none"),
        None,
        FrozenWork(model, [head, *(c.phase for c in candidates)], store),
        objective_of(config, prepared.task),
        folder.history,
        (),
        None,
        compute,
        0,
        graphs={},
    )
    # Of other examples, as where some were lost, nothing is gone on with.
    named = "\n".join(labelled.examples.ids).encode()
    backups = PhaseBackups(
        folder.saves / f"search-{hashlib.sha256(named).hexdigest()[:16]}",
        required=config.checkpoint_required,
        stop=signals.requested,
    )
    return FoldFits(trainer, head, known, backups.of(model))
