"""The main job, told once: pictures in, a verified SavedModel out.

    result = run(TransferConfig(dataset="flowers", backbone="MobileNetV2"))
    result.metrics["test"]["accuracy"], result.version

In: a `TransferConfig`. Out: a `RunResult`, and on disk `<output_dir>/<n>/` for
the server and `<output_dir>/run/` for people. Only this room knows both the
settings and the pieces; the pieces take plain arguments.
"""

import pathlib

from tl_keras import log, progress
from tl_keras.audit import write_reports
from tl_keras.compute.devices import own_determinism
from tl_keras.config import TransferConfig
from tl_keras.console import on_console
from tl_keras.errors import DivergedError, NotPublishedError
from tl_keras.exports.formats import check_packages
from tl_keras.jobs.acceptance import Acceptance, NotAcceptedError
from tl_keras.jobs.exporting import asked_formats, refuse_unconvertible
from tl_keras.jobs.fault_tolerance import enough_memory, readable, without
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.result import RunResult, load_finished
from tl_keras.jobs.run_state import Journal, look
from tl_keras.jobs.searching import reckoned_search
from tl_keras.jobs.stages import STAGES
from tl_keras.jobs.staging import Clock, Run, Stages
from tl_keras.jobs.telling.ending import next_commands, outcome
from tl_keras.jobs.telling.estimate import estimate
from tl_keras.jobs.telling.printed import (
    describe_data,
    describe_plan,
    describe_vain,
    summary,
)
from tl_keras.jobs.training import feature_store
from tl_keras.keras_globals import standard_globals
from tl_keras.runs import RunFolder, check_writable, leaving_nothing, run_lock


@on_console()
@standard_globals()
@own_determinism()
def run(
    config: TransferConfig,
    *,
    restart: bool = False,
    stages: Stages | None = None,
) -> RunResult:
    """Does the whole job of a configuration, or what is left of it.

    Where an earlier process was killed, the same configuration goes on with
    its run, and ends with what that would have given; where it was finished,
    nothing is done.

    Args:
        config: what to do.
        restart: begin anew; the run that is there is kept as `run.<k>/`.
        stages: what is done, in order; `STAGES` for None.

    Returns:
        What the run leaves; of one that was finished, from its folder.

    Raises:
        ConfigError, DataError, MachineError, DivergedError,
        NotPublishedError: see `tl_keras.errors`; each has one clear line.

    Example:
        result = run(TransferConfig(dataset="flowers", backbone="MobileNetV2"))
        result.metrics["test"]["accuracy"], result.version
    """
    config.validate()
    config = config.resolved()
    output = config.run_folder()
    with leaving_nothing(output):
        check_writable(output)
        with run_lock(output):
            return _run(config, restart, stages or STAGES)


def _run(config: TransferConfig, restart: bool, stages: Stages) -> RunResult:
    clock = Clock()
    journal = look(config, restart)
    if journal.finished:
        result = load_finished(journal)
        _tell_next(result.metrics, result.version, journal.folder)
        return result
    run = _trained(_begun(journal, stages, clock), stages, clock)
    run, metrics = _published(run, stages, clock)
    log.info(summary(metrics))
    log.result(outcome(metrics, run.version, run.folder))
    _tell_next(metrics, run.version, run.folder)
    # The SavedModel is published, so this is told last; and before the run is
    # closed, so that the same command tries again.
    run.files.refuse()
    run.journal.closed(int(run.version.name))
    return RunResult(
        metrics,
        run.version,
        run.folder.path,
        run.prepared.model,
        run.prepared.labelled.class_names,
        run.fit.history,
    )


def _begun(journal: Journal, stages: Stages, clock: Clock) -> Run:
    """A run before its first step; says what it is made of."""
    with clock("prepare"), enough_memory(), progress.doing("preparing"):
        prepared, accept = _prepare_all(journal.config, journal.run_id, stages)
    prepared = without(prepared, journal.left_out)
    with readable(prepared.labelled):
        # Once: the split's file and the store of features know them by it.
        prepared = prepared.hashed()
        journal = journal.opened(prepared)
    write_reports(prepared.report, journal.folder.path)
    lines = [describe_data(prepared.report, prepared.labelled)]
    if prepared.unlabelled:
        lines.append(prepared.unlabelled.describe())
    if not prepared.config.searches():  # Else that is told with its plan.
        lines += describe_vain(prepared)
    log.info("\n".join(lines))
    store = feature_store(prepared.config)
    return Run(journal, prepared, accept, store, clock.began)


def _published(run: Run, stages: Stages, clock: Clock) -> tuple[Run, dict]:
    """(the run with its version, its metrics), or why nothing is published."""
    try:
        for stage in stages.publishing:
            run = clock.timed(stage, run)
    except NotPublishedError as error:
        told = NotPublishedError(
            [f"{f} - the model is in {run.folder.path}" for f in error.faults]
        )
        run = run.with_more(refusal=error.faults)
        if isinstance(error, NotAcceptedError):
            run = run.with_more(
                accepted=error.numbers, journal=run.journal.refused(told)
            )
        raise told from None
    finally:
        # Last, so that a folder with metrics.json is a whole one but for its
        # page, which can be made again; whatever becomes of the export, what
        # was trained is not lost.
        with progress.doing("writing the page"):
            metrics = stages.record(run, clock.all_seconds())
    return run, metrics


def _tell_next(metrics: dict, version: pathlib.Path, folder: RunFolder) -> None:
    told = next_commands(version, folder, metrics.get("input", "image"))
    log.info("\n".join(["", *told]), whole=True)


def _trained(run: Run, stages: Stages, clock: Clock) -> Run:
    """The run after its last step; one that diverges is told on its page."""
    try:
        for stage in stages.training:
            run = clock.timed(stage, run)
    except DivergedError as error:
        why = "\n".join(error.faults)
        stages.record_stopped(run, why, clock.all_seconds())
        run.journal.diverged(why)
        raise
    return run


@on_console()
@standard_globals()
@own_determinism()
def plan(config: TransferConfig) -> str:
    """What `run` would do, in words; trains and writes nothing."""
    config.validate()
    with enough_memory():
        prepared, _ = _prepare_all(
            config.resolved(), "", STAGES, download=False
        )
        searched = reckoned_search(prepared, feature_store(prepared.config))
        with progress.doing("measuring a pass"):
            told = estimate(prepared, searched.plan, searched.if_poor)
        return describe_plan(prepared, told, searched)


def _prepare_all(
    config: TransferConfig,
    run_id: str,
    stages: Stages,
    *,
    download: bool = True,
) -> tuple[Prepared, Acceptance]:
    """Everything that can be refused before the first step is refused here."""
    accept = Acceptance(config, run_id)
    check_packages(asked_formats(config))
    prepared = stages.prepare(config, download=download)
    accept.check(prepared.labelled)
    refuse_unconvertible(prepared)
    return prepared, accept
