"""The main job, told once: pictures in, a verified SavedModel out.

    result = run(TransferConfig(dataset="flowers", backbone="MobileNetV2"))
    result.metrics["test"]["accuracy"], result.version

In: a `TransferConfig`. Out: a `RunResult`, and on disk `<output_dir>/<n>/` for
the server and `<output_dir>/run/` for people. Only this room knows both the
settings and the pieces; the pieces take plain arguments.
"""

import contextlib
import dataclasses
import fcntl
import os
import pathlib
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import keras

from tl_keras import run_card
from tl_keras.audit import write_reports
from tl_keras.classifier import probabilities_model
from tl_keras.config import TransferConfig
from tl_keras.errors import DivergedError, MachineError, NotPublishedError
from tl_keras.evaluation import Evaluation
from tl_keras.job.checking import LOCK, check_writable, leaving_nothing
from tl_keras.job.enduring import (
    Enduring,
    enough_memory,
    readable,
    without,
)
from tl_keras.job.exporting import (
    RuntimeFiles,
    asked_targets,
    export_files,
    refuse_unconvertible,
)
from tl_keras.job.measuring import measured
from tl_keras.job.preparation import Prepared, prepare
from tl_keras.job.record import (
    collect,
    describe_data,
    describe_plan,
    note_suspects,
    stopped,
    summary,
    write_evaluation,
    write_record,
)
from tl_keras.job.regression import Acceptance
from tl_keras.job.reporting import record_with_card
from tl_keras.job.resuming import Found, look
from tl_keras.job.training import (
    Calibration,
    calibrate,
    calibration_numbers,
    evaluate_phases,
    export,
    feature_store,
    train,
    train_from_scratch,
)
from tl_keras.phases import FitResult, get_variables, set_variables
from tl_keras.runtimes import check_packages
from tl_keras.servable import Passed, ServerPlan, write_server_files


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


def run(config: TransferConfig, *, restart: bool = False) -> RunResult:
    """Does the whole job of a configuration, or what is left of it.

    Where an earlier process was killed, the same configuration goes on with
    its run, and ends with what that would have given; where it was finished,
    nothing is done.

    Args:
        config: what to do.
        restart: begin anew; the run that is there is kept as `run.<k>/`.

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
            return _run(config, restart)


def _run(config: TransferConfig, restart: bool) -> RunResult:
    clock = Clock()
    found = look(config, restart)
    with clock("prepare"), enough_memory():
        prepared, accept = prepare_all(found.config, found.run_id)
    prepared = without(prepared, found.left_out)
    with readable(prepared.images):
        folder = found.open(prepared)
    if found.finished:
        return as_it_was(found, prepared)
    write_reports(prepared.report, folder)
    print(describe_data(prepared.report, prepared.images), flush=True)
    trained = _train(prepared, found, clock)
    outcome = _Outcome()
    try:
        _publish(trained, outcome, found, accept, clock)
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
        metrics = _record(trained, outcome, folder, accept, clock)
    print(summary(metrics, outcome.version, folder), flush=True)
    outcome.files.refuse()
    found.finish(int(outcome.version.name))
    return RunResult(
        metrics,
        outcome.version,
        folder,
        prepared.model,
        prepared.images.class_names,
        trained.fit.history,
    )


class _Trained(NamedTuple):
    """A run after its last step, without what it lost on the way."""

    prepared: Prepared
    fit: FitResult
    calibration: Calibration | None
    evaluations: list[Evaluation]
    cost: dict


@dataclasses.dataclass
class _Outcome:
    """What became of it, as far as it came."""

    version: pathlib.Path | None = None
    passed: Passed | None = None
    files: RuntimeFiles = dataclasses.field(
        default_factory=lambda: RuntimeFiles({}, ())
    )
    scratch: Evaluation | None = None


def _train(prepared: Prepared, found: Found, clock: "Clock") -> _Trained:
    """Trains, evaluates, measures; writes all that is known by then."""
    folder, store = found.folder, feature_store(prepared.config)
    endure = Enduring(prepared, found)
    with told_if_diverged(prepared, found, clock), clock("train"):
        fit = endure(lambda prepared: train(prepared, folder, store))
    with clock("evaluate"):
        calibration = endure(lambda prepared: calibrate(prepared, fit, store))
        evaluations = endure(
            lambda prepared: evaluate_phases(prepared, fit, store)
        )
    prepared = endure.prepared
    note_suspects(prepared, fit, folder)
    write_record(prepared, folder, evaluations[fit.kept], fit)
    with clock("measure"), readable(prepared.images):
        cost = measured(prepared, fit, store, folder)
    return _Trained(prepared, fit, calibration, evaluations, cost)


def _publish(
    trained: _Trained,
    outcome: _Outcome,
    found: Found,
    accept: Acceptance,
    clock: "Clock",
) -> None:
    """The next version, and what was asked for beside it."""
    prepared, kept = trained.prepared, trained.fit.kept
    config, images, folder = prepared.config, prepared.images, found.folder
    evaluations = trained.evaluations
    with clock("export"), readable(images):
        outcome.version, evaluations[kept], outcome.passed = export(
            prepared, evaluations[kept], found.run_id, accept
        )
        write_server_files(
            folder / "serving",
            ServerPlan(config.name, prepared.model, images.test.decoding),
        )
    # From here on the numbers are those of the exported graph.
    write_evaluation(prepared, folder, evaluations[kept])
    if asked_targets(config):
        with clock("other_runtimes"), readable(images):
            outcome.files = export_files(prepared, folder)
    if config.compare_scratch:
        # After all that must not be lost, as it may fail on its own.
        with clock("compare_scratch"), readable(images):
            outcome.scratch = scratch_or_none(prepared)


def _record(
    trained: _Trained,
    outcome: _Outcome,
    folder: pathlib.Path,
    accept: Acceptance,
    clock: "Clock",
) -> dict:
    """Writes the metrics and the page; gives the metrics."""
    prepared, fit = trained.prepared, trained.fit
    kept = trained.evaluations[fit.kept]
    kept.metrics.update(calibration_numbers(kept, trained.calibration))
    metrics = collect(
        prepared,
        fit,
        trained.evaluations,
        outcome.scratch,
        outcome.version,
        outcome.passed,
        clock.all_seconds(),
        trained.cost,
    )
    temperature = trained.calibration and trained.calibration._asdict()
    metrics["temperature"] = temperature
    metrics |= accept.numbers | outcome.files.numbers
    return record_with_card(
        prepared, folder, metrics, probabilities_model(prepared.model)
    )


def scratch_or_none(prepared: Prepared) -> Evaluation | None:
    """The network from random weights; a divergence is its result, not ours."""
    try:
        return train_from_scratch(prepared)
    except DivergedError as error:
        print(f"from random weights: {error}", flush=True)
        return None


def plan(config: TransferConfig) -> str:
    """What `run` would do, in words; trains and writes nothing."""
    config.validate()
    with enough_memory():
        prepared, _ = prepare_all(config.resolved(), "", download=False)
        return describe_plan(prepared)


def prepare_all(
    config: TransferConfig, run_id: str, *, download: bool = True
) -> tuple[Prepared, Acceptance]:
    """Everything that can be refused before the first step is refused here."""
    accept = Acceptance(config, run_id)
    check_packages(asked_targets(config))
    prepared = prepare(config, download=download)
    accept.check(prepared.images)
    refuse_unconvertible(prepared)
    return prepared, accept


class Clock:
    """Seconds by stage: `with clock("train"): ...`."""

    def __init__(self):
        self.began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - began, 3)

    def all_seconds(self) -> dict[str, float]:
        """Seconds by stage, and their "total" since the clock was made."""
        total = round(time.perf_counter() - self.began, 3)
        return {**self.seconds, "total": total}


@contextlib.contextmanager
def told_if_diverged(
    prepared: Prepared, found: Found, clock: Clock
) -> Iterator[None]:
    """A run that diverges leaves no model, but a page: how far it came."""
    try:
        yield
    except DivergedError as error:
        metrics = stopped(prepared, str(error), clock.all_seconds())
        record_with_card(prepared, found.folder, metrics, None)
        found.note(state="diverged", why=str(error))
        raise


@contextlib.contextmanager
def alone_in(folder: pathlib.Path) -> Iterator[None]:
    """Keeps a second run out of a folder; a dead one's lock is gone with it.

    Raises:
        MachineError: another run writes there.
    """
    with open(folder / LOCK, "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A start that failed beside us may have taken the file away.
            mine, there = os.fstat(lock.fileno()), os.stat(folder / LOCK)
            if not os.path.samestat(mine, there):
                raise BlockingIOError
        except OSError:
            lock.seek(0)
            raise MachineError(
                f"--output_dir={folder}: another run writes there "
                f"({lock.read().strip() or 'unknown'}) - wait for it, or give "
                "another folder"
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        lock.flush()
        yield


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
