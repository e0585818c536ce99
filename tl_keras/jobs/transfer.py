"""The main job, told once: pictures in, a verified SavedModel out.

    result = run(TransferConfig(dataset="flowers", backbone="MobileNetV2"))
    result.metrics["test"]["accuracy"], result.version

In: a `TransferConfig`. Out: a `RunResult`, and on disk `<output_dir>/<n>/` for
the server and `<output_dir>/run/` for people. Only this room knows both the
settings and the pieces; the pieces take plain arguments.
"""

import dataclasses
import pathlib

import keras

from tl_keras import log, run_card
from tl_keras.audit import write_reports
from tl_keras.config import TransferConfig
from tl_keras.errors import DivergedError, NotPublishedError
from tl_keras.exports.runtimes import check_packages
from tl_keras.jobs.acceptance import Acceptance
from tl_keras.jobs.exporting import asked_targets, refuse_unconvertible
from tl_keras.jobs.fault_tolerance import enough_memory, readable, without
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.record import describe_data, describe_plan, summary
from tl_keras.jobs.run_state import Found, look
from tl_keras.jobs.stages import STAGES, Clock, Run, Stages
from tl_keras.jobs.training import feature_store
from tl_keras.keras_globals import standard_globals
from tl_keras.runs.outputs import check_writable, leaving_nothing
from tl_keras.runs.run_lock import alone_in
from tl_keras.training import get_variables, set_variables


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What a run leaves.

    Attributes:
        metrics: all numbers, as in metrics.json.
        version: folder of the published SavedModel.
        run_folder: folder of everything else.
        model: pixels (batch, size, size, 3), 0 to 255 -> logits.
        class_names: in the order of the logits.
        history: one dictionary an epoch.
    """

    metrics: dict
    version: pathlib.Path
    run_folder: pathlib.Path
    model: keras.Model
    class_names: tuple[str, ...]
    history: list[dict]


@log.on_console()
@standard_globals()
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

    Raises:
        ConfigError, DataError, MachineError, DivergedError,
        NotPublishedError: see `tl_keras.errors`; each has one clear line.
    """
    config.validate()
    config = config.resolved()
    folder = config.run_folder()
    with leaving_nothing(folder):
        check_writable(folder)
        with alone_in(folder):
            return _run(config, restart, stages or STAGES)


def _run(config: TransferConfig, restart: bool, stages: Stages) -> RunResult:
    clock = Clock()
    found = look(config, restart)
    with clock("prepare"), enough_memory():
        prepared, accept = _prepare_all(found.config, found.run_id, stages)
    prepared = without(prepared, found.left_out)
    with readable(prepared.images):
        folder = found.open(prepared)
    if found.finished:
        return as_it_was(found, prepared)
    write_reports(prepared.report, folder)
    print(describe_data(prepared.report, prepared.images), flush=True)
    store = feature_store(prepared.config)
    run = _trained(Run(found, prepared, accept, store), stages, clock)
    try:
        for stage in stages.publishing:
            run = clock.timed(stage, run)
    except NotPublishedError as error:
        told = NotPublishedError(
            [f"{fault} - the model is in {folder}" for fault in error.faults]
        )
        if accept.refused:
            found.refuse(told)
        raise told from None
    finally:
        # Last, so that a folder with metrics.json is a whole one but for its
        # page, which can be made again; whatever becomes of the export, what
        # was trained is not lost.
        metrics = stages.record(run, clock.all_seconds())
    print(summary(metrics, run.version, folder), flush=True)
    run.files.refuse()
    found.finish(int(run.version.name))
    return RunResult(
        metrics,
        run.version,
        folder,
        prepared.model,
        prepared.images.class_names,
        run.fit.history,
    )


def _trained(run: Run, stages: Stages, clock: Clock) -> Run:
    """The run after its last step; one that diverges is told on its page."""
    try:
        for stage in stages.training:
            run = clock.timed(stage, run)
    except DivergedError as error:
        stages.record_stopped(run, str(error), clock.all_seconds())
        run.found.note(state="diverged", why=str(error))
        raise
    return run


@log.on_console()
@standard_globals()
def plan(config: TransferConfig) -> str:
    """What `run` would do, in words; trains and writes nothing."""
    config.validate()
    with enough_memory():
        prepared, _ = _prepare_all(
            config.resolved(), "", STAGES, download=False
        )
        return describe_plan(prepared)


def _prepare_all(
    config: TransferConfig,
    run_id: str,
    stages: Stages,
    *,
    download: bool = True,
) -> tuple[Prepared, Acceptance]:
    """Everything that can be refused before the first step is refused here."""
    accept = Acceptance(config, run_id)
    check_packages(asked_targets(config))
    prepared = stages.prepare(config, download=download)
    accept.check(prepared.images)
    refuse_unconvertible(prepared)
    return prepared, accept


def as_it_was(found: Found, prepared: Prepared) -> RunResult:
    """The result of a finished run, from its folder."""
    folder, model = found.folder, prepared.model
    saved = keras.models.load_model(folder / "model.keras", compile=False)
    set_variables(model, get_variables(saved))
    record = run_card.read_run(folder)
    version = folder.parent / str(found.state["version"])
    # Once more, for a process that was killed just before its end.
    found.finish(int(version.name))
    print(
        f"finished before, nothing is done: {version} - --restart does it "
        "again",
        flush=True,
    )
    return RunResult(
        record.metrics,
        version,
        folder,
        model,
        prepared.images.class_names,
        record.history,
    )
