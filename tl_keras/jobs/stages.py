"""The stages of a run as values: each takes the run so far, gives it further.

    run = Run(journal, prepared, accept, feature_store(prepared.config))
    for stage in STAGES.training:
        run = clock.timed(stage, run)

In: a `Run`. Out: a `Run` in which more is known, and files in its folder.
"""

import dataclasses
import time

import numpy as np

from tl_keras import log
from tl_keras.config import TransferConfig
from tl_keras.errors import DivergedError
from tl_keras.jobs.baseline import fit_baseline, wants_baseline
from tl_keras.jobs.card_of_texts import rejection_numbers, text_numbers
from tl_keras.jobs.exporting import asked_formats, export_files
from tl_keras.jobs.fault_tolerance import fault_tolerant, readable
from tl_keras.jobs.few_labels import advise_on, weigh_unlabelled
from tl_keras.jobs.final_fit import FinalFit, solve_on_all
from tl_keras.jobs.judging import calibrate, evaluate_phases
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.measuring import measured
from tl_keras.jobs.metrics import collect, stopped
from tl_keras.jobs.preparation import prepare, served
from tl_keras.jobs.publishing import export
from tl_keras.jobs.record import (
    note_label_issues,
    write_evaluation,
    write_record,
)
from tl_keras.jobs.reporting import record_with_card
from tl_keras.jobs.searching import plan_for, search_all
from tl_keras.jobs.staging import Run, Stage, Stages
from tl_keras.jobs.telling.printed import describe_vain
from tl_keras.jobs.text_head import choose_head, wants_head
from tl_keras.jobs.training import train, train_from_scratch
from tl_keras.networks import answers_model
from tl_keras.search import SearchPlan
from tl_keras.serving.server_files import ServerPlan, write_server_files
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.training import FitResult


def plan_strategy(run: Run) -> Run:
    """How much a search tries: decided once, and kept with the run."""
    known = run.journal.state.search
    if known is None:
        elapsed = time.perf_counter() - run.began
        run, found = fault_tolerant(
            run, lambda now: plan_for(now, run.store, run.folder, elapsed)
        )
        known = {"why": found.why}
        if found.plan:
            known = {"plan": found.plan.numbers()}
        run = run.with_more(journal=run.journal.noted(search=known))
    if "why" in known:
        lines = [f"strategy: fine_tune, since {known['why']}"]
        log.info("\n".join([*lines, *describe_vain(run.prepared)]))
        return run
    plan = SearchPlan.of_numbers(known["plan"])
    log.info(f"strategy: {plan.describe()}")
    return run.with_more(plan=plan)


def weigh(run: Run) -> Run:
    """Whether the head learns from pictures without labels."""
    run, weighed = fault_tolerant(
        run, lambda now: weigh_unlabelled(now, run.store)
    )
    return run.with_more(unlabelled=weighed)


def advise(run: Run) -> Run:
    """What more labels would bring, from what the frozen layers make of all.

    Of one class of several: how the others' numbers grow nobody has measured.
    It is found once, and kept with the run.
    """
    if not isinstance(run.prepared.task, Multiclass):
        return run
    known = run.journal.state.advice
    if known is not None:
        log.info("advice: of the process before")
        return run.with_more(advice=known)
    run, advice = fault_tolerant(run, lambda now: advise_on(now, run.store))
    journal = run.journal.noted(advice=advice)
    return run.with_more(journal=journal, advice=advice)


def compare_baseline(run: Run) -> Run:
    """The simpler method, fitted to the same examples and asked the same."""
    return run.with_more(baseline=fit_baseline(run.prepared))


def fit(run: Run) -> Run:
    """The phases, or what is left of them; writes history and saves."""
    if run.plan is not None:
        return _searched(run)
    run, fitted = fault_tolerant(
        run,
        lambda now: train(
            now, run.folder, run.store, unlabelled=run.unlabelled
        ),
    )
    return run.with_more(fit=fitted)


def _searched(run: Run) -> Run:
    run, found = fault_tolerant(
        run, lambda now: search_all(now, run.plan, run.folder, run.store)
    )
    prepared = dataclasses.replace(run.prepared, phases=found.phases)
    return run.with_more(prepared=prepared, fit=found.final.fit, searched=found)


def evaluate(run: Run) -> Run:
    """All labels, calibration, then the test split, with each phase."""
    if run.searched is not None:
        final = run.searched.final
    else:
        run, final = fault_tolerant(
            run, lambda now: solve_on_all(now, run.fit, run.store)
        )
    run, (fitted, calibration) = fault_tolerant(
        run, lambda now: calibrate(now, final, run.store)
    )
    if calibration is not None:
        run = run.with_more(prepared=run.prepared.answering(calibration.task))
    run, evaluations = fault_tolerant(
        run, lambda now: evaluate_phases(now, fitted, run.store)
    )
    return run.with_more(
        fit=fitted,
        solved_on=0
        if final.targets is None or not final.confident
        else len(final.targets),
        folds=folds_of(fitted, final),
        calibration=calibration,
        evaluations=tuple(evaluations),
    )


def folds_of(fit: FitResult, final: FinalFit) -> np.ndarray | None:
    """What the folds of the kept head say, as `Run.folds` has it."""
    if final.outputs is not None and final.confident:
        return np.exp(final.outputs)
    return fit.phases[fit.kept].out_of_fold


def head_of_texts(run: Run) -> Run:
    """What is published where words beside the network make it better."""
    head = choose_head(run)
    if head is None:
        return run
    return run.with_more(head=head, calibration=head.calibration)


def keep(run: Run) -> Run:
    """Writes all that is known before there is an export."""
    note_label_issues(run.prepared, run.fit, run.folder)
    write_record(run.prepared, run.folder, run.kept, run.fit)
    return run


def measure(run: Run) -> Run:
    """What the model costs."""
    with readable(run.prepared.labelled):
        cost = measured(run.prepared, run.fit, run.store, run.folder, run.shown)
    return run.with_more(cost=cost)


def publish(run: Run) -> Run:
    """The next version. The numbers are those of the exported graph then."""
    with readable(run.prepared.labelled):
        made = export(run.shown, run.kept, run.journal.run_id, run.accept)
    write_evaluation(run.shown, run.folder, made.evaluation)
    return run.counted(made.evaluation).with_more(
        version=made.version,
        gate_report=made.report,
        accepted=made.accepted,
    )


def help_servers(run: Run) -> Run:
    """The files for a server and its people."""
    prepared = run.shown
    with readable(prepared.labelled):
        write_server_files(
            run.folder.serving,
            ServerPlan(
                prepared.config.name,
                served(prepared),
                prepared.labelled.test.decoding,
                prepared.task,
            ),
        )
    return run


def convert(run: Run) -> Run:
    """The files for other runtimes."""
    if run.head is not None:
        log.info(
            "other runtimes: the files hold the network alone, without the "
            "words beside it that are published"
        )
    with readable(run.prepared.labelled):
        return run.with_more(files=export_files(run.prepared, run.folder))


def compare_scratch(run: Run) -> Run:
    """The network from random weights; a divergence is its result, not ours."""
    try:
        with readable(run.prepared.labelled):
            return run.with_more(scratch=train_from_scratch(run.prepared))
    except DivergedError as error:
        log.info(f"from random weights: {error}")
        return run


def wants_advice(config: TransferConfig) -> bool:
    """Whether advice can be given, and is asked for or costs no more passes.

    Of augmented pictures views are stored, not what they are.
    """
    if config.advice is None:
        return not config.why_no_advice() and config.augment == "none"
    return config.advice


def record(run: Run, seconds: dict[str, float]) -> dict:
    """Writes the metrics and the page of all that is known; the metrics."""
    task = run.shown.task
    numbers = task.trust(run.kept, run.calibration)
    kept = dataclasses.replace(
        run.kept, metrics={**run.kept.metrics, **numbers}
    )
    run = run.counted(kept)
    metrics = collect(run, seconds) | text_numbers(run) | rejection_numbers(run)
    model = None
    if runs_of(run.prepared.config).explains:
        model = answers_model(run.prepared.model, task.activation, task.answer)
    return record_with_card(run.prepared, run.folder, metrics, model)


def record_stopped(run: Run, why: str, seconds: dict[str, float]) -> dict:
    """A run that diverged leaves no model, but a page: how far it came.

    Args:
        run: as far as it came.
        why: one line, what was not finite and when.
        seconds: by stage.

    Returns:
        The metrics, as metrics.json holds them.
    """
    metrics = stopped(run.prepared, why, seconds)
    return record_with_card(run.prepared, run.folder, metrics, None)


STAGES = Stages(
    prepare=prepare,
    training=(
        Stage("plan", plan_strategy, lambda given: given.searches()),
        # Before the first step, since they are about layers as they were
        # loaded, which a process that goes on finds alike.
        Stage("unlabelled", weigh, lambda given: bool(given.unlabelled)),
        Stage("advice", advise, wants_advice),
        Stage("baseline", compare_baseline, wants_baseline),
        Stage("train", fit),
        Stage("evaluate", evaluate),
        Stage("evaluate", head_of_texts, wants_head),
        Stage("record", keep),
        Stage("measure", measure),
    ),
    publishing=(
        Stage("export", publish),
        Stage("export", help_servers),
        Stage(
            "other_runtimes", convert, lambda given: bool(asked_formats(given))
        ),
        # After all that must not be lost, as it may fail on its own.
        Stage(
            "compare_scratch",
            compare_scratch,
            lambda given: given.compare_scratch,
        ),
    ),
    record=record,
    record_stopped=record_stopped,
)
