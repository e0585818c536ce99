"""`--strategy=auto`: the stages that plan a search, and that do it.

    run = plan(run)                      # what a budget lets in
    searched = search_all(run.prepared, run.plan, run.folder, run.store)

In: a run before its first step. Out: how much is tried, or that the fixed rule
is taken and why; then a fit as of phases, whose weights all labels have taught,
and the table of what was tried.
"""

import dataclasses
import hashlib
import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import scipy.special

from tl_keras import signals
from tl_keras.features import FeatureStore
from tl_keras.jobs.final_fit import FinalFit, may_teach
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.placing import compute_of
from tl_keras.jobs.planning import plan_phases
from tl_keras.jobs.preparation import Prepared, many_of
from tl_keras.jobs.search_budget import seconds_of
from tl_keras.jobs.search_table import table_of
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
    search,
)
from tl_keras.sources import LabelledExamples, TensorMemory, TrainingBatches
from tl_keras.strategies import set_trainable, suits_lora
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.training import (
    FEWEST_TO_JUDGE,
    FitResult,
    FrozenWork,
    PhaseBackups,
    PhaseResult,
)
from tl_keras.training.trainer import Trainer

# Of few labels each fold shall learn from most. Halves learn too little to tell
# how far a fine-tune goes on all of them.
MANY_FOLDS, FEW_FOLDS, FEW_LABELS = 5, 3, 500
FLIPPED_VIEWS = 2


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


def known_of(prepared: Prepared) -> LabelledExamples:
    """The examples whose labels may teach: those of validation too, unless
    people brought it apart."""
    labelled = prepared.labelled
    if may_teach(prepared):
        return labelled.train.plus(labelled.val)
    return labelled.train


@standard_globals()
def plan_for(
    prepared: Prepared, store: FeatureStore, folder: RunFolder, elapsed: float
) -> tuple[SearchPlan | None, str]:
    """How much is tried, by what a few steps take here.

    Args:
        prepared: the run; its model as it was loaded, also afterwards.
        store: keeps what frozen layers make of examples.
        folder: of the run; nothing is written there.
        elapsed: seconds since the run began.

    Returns:
        (the plan, ""), or (None, why the fixed rule is taken).
    """
    if why := why_not(prepared):
        return None, why
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
    costs = measure_costs(fits, candidates)
    elapsed += time.perf_counter() - began
    seconds = seconds_of(prepared, costs, candidates[0], elapsed)
    plan = plan_search(candidates, costs, folds=counts, seconds=seconds)
    if plan is None:
        return None, f"its first candidate does not fit {seconds:.0f} s"
    return plan, ""


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
    fit = _as_fit(prepared, found, fits, time.perf_counter() - began)
    fits.trainer.write_history([], fit.history)
    numbers = table_of(prepared, plan, found)
    head, _ = plan_phases(config)
    phases = [head, fit.phases[1].phase]
    return Searched(phases, _final(prepared, found, fit), numbers)


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


def _as_fit(
    prepared: Prepared, found: Found, fits: FoldFits, seconds: float
) -> FitResult:
    """The search as phases have it: the head, then the best candidate."""
    objective, train = fits.trainer.objective, len(prepared.labelled.train)
    task, targets = objective.predicts(), fits.known.labelled.labels

    def logs(outputs: np.ndarray, prefix: str = "val_") -> dict:
        """Of examples that the folds had not seen."""
        named = task.logs(outputs, targets)
        return {f"{prefix}{n}": v for n, v in named.items()} | task.epoch_logs(
            outputs, targets
        )

    def by_folds(outputs: np.ndarray) -> np.ndarray | None:
        """Answers for training, by weights that had no part in them."""
        if found.solved.out_of_fold is None:
            return None
        return np.asarray(task.activation("answers")(outputs[:train]))

    head = PhaseResult(
        phase=fits.head,
        first_epoch=1,
        last_epoch=1,
        best_epoch=1,
        best_logs=logs(found.at_start),
        best_variables=found.start,
        trainable_parameters=fits.head.adapts_by().count(fits.model),
        seconds=found.tried[0].seconds,
        out_of_fold=by_folds(found.at_start),
    )
    phase, last = found.best.phase, 1 + max(1, len(found.rows))
    tuned = PhaseResult(
        phase=phase,
        first_epoch=2,
        last_epoch=last,
        best_epoch=last,
        best_logs={**(found.rows or [{}])[-1], **logs(found.standing.outputs)},
        best_variables=found.variables,
        trainable_parameters=phase.adapts_by().count(fits.model),
        seconds=seconds,
        out_of_fold=by_folds(found.standing.outputs),
        share=found.standing.share,
        gain=found.standing.gain,
    )
    # Of one that diverged there are none.
    rows = [dict(row) for row in found.rows] or [
        {"phase": phase.name, "epoch": 2}
    ]
    rows[-1] |= logs(found.standing.outputs) | {"share": found.standing.share}
    first = {
        "phase": "head",
        "epoch": 1,
        **head.best_logs,
        "learning_rate": 0.0,
    }
    return FitResult(
        [head, tuned], int(found.standing.share > 0), [first, *rows]
    )


def _final(prepared: Prepared, found: Found, fit: FitResult) -> FinalFit:
    """With what confidence is judged by, where validation has taught too."""
    if not may_teach(prepared):
        return FinalFit(fit)
    targets, outputs = known_of(prepared).labels, found.standing.outputs
    solved, wide = found.solved.out_of_fold, outputs.astype(np.float64)
    if not isinstance(prepared.task, Multiclass):
        return FinalFit(fit, wide, targets, confident=False)
    if found.standing.share or solved is None:
        logs = scipy.special.log_softmax(wide, axis=-1)
        return FinalFit(fit, logs, targets, confident=False)
    tiny = np.finfo(np.float32).tiny
    return FinalFit(fit, np.log(np.maximum(solved, tiny)), targets)
