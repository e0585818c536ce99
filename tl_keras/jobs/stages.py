"""The stages of a run as values: each takes the run so far, gives it further.

    run = Run(found, prepared, accept, feature_store(prepared.config))
    for stage in STAGES.training:
        run = clock.timed(stage, run)

In: a `Run`, and whatever stages there are; a test of what surrounds them
brings its own. Out: a `Run` in which more is known. No stage changes the one it
was given, so that where one fails the run is what it was before.
"""

import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tl_keras.config import TransferConfig
from tl_keras.errors import DivergedError
from tl_keras.exports import GateReport
from tl_keras.features import FeatureStore
from tl_keras.jobs.acceptance import Acceptance
from tl_keras.jobs.exporting import (
    NO_FILES,
    RuntimeFiles,
    asked_formats,
    export_files,
)
from tl_keras.jobs.fault_tolerance import Enduring, readable
from tl_keras.jobs.measuring import measured
from tl_keras.jobs.preparation import Prepared, prepare
from tl_keras.jobs.record import (
    collect,
    note_suspects,
    stopped,
    write_evaluation,
    write_record,
)
from tl_keras.jobs.reporting import record_with_card
from tl_keras.jobs.run_state import Found
from tl_keras.jobs.training import (
    Calibration,
    calibrate,
    calibration_numbers,
    evaluate_phases,
    export,
    train,
    train_from_scratch,
)
from tl_keras.networks import probabilities_model
from tl_keras.serving.server_files import ServerPlan, write_server_files
from tl_keras.tasks.multiclass.evaluation import Evaluation
from tl_keras.training import FitResult


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as far as it has come; what is not known yet is None or empty.

    Attributes:
        found: its folder.
        prepared: what it is made of, without what it lost on the way.
        accept: says whether an export is good enough.
        store: where frozen work is kept, if anywhere.
        fit: what was trained.
        calibration: the temperature, where there is one.
        evaluations: of the test split, one a phase; that of the kept phase is
            the exported graph's own once there is one.
        cost: see `measuring.measured`.
        version: the published SavedModel.
        passed: what the export's gate found.
        files: for other runtimes.
        scratch: the network from random weights.
    """

    found: Found
    prepared: Prepared
    accept: Acceptance
    store: FeatureStore | None
    fit: FitResult | None = None
    calibration: Calibration | None = None
    evaluations: tuple[Evaluation, ...] = ()
    cost: dict = dataclasses.field(default_factory=dict)
    version: pathlib.Path | None = None
    passed: GateReport | None = None
    files: RuntimeFiles = NO_FILES
    scratch: Evaluation | None = None

    @property
    def folder(self) -> pathlib.Path:
        """`<output_dir>/run`."""
        return self.found.folder

    @property
    def kept(self) -> Evaluation:
        """The evaluation of the weights that are kept."""
        return self.evaluations[self.fit.kept]

    def with_more(self, **known) -> "Run":
        """The run with more known of it."""
        return dataclasses.replace(self, **known)


class Stage(NamedTuple):
    """A step of a run.

    Attributes:
        name: what its seconds are called in metrics.json.
        do: gives the run further than it was.
        wanted: whether these settings ask for it.
    """

    name: str
    do: Callable[[Run], Run]
    wanted: Callable[[TransferConfig], bool] = lambda _: True


class Clock:
    """Seconds by stage: `with clock("train"): ...`."""

    def __init__(self):
        self.began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        before = self.seconds.get(stage, 0.0)
        self.seconds[stage] = round(before + time.perf_counter() - began, 3)

    def timed(self, stage: Stage, run: Run) -> Run:
        """The run after a stage, or the same one where it is not wanted."""
        if not stage.wanted(run.prepared.config):
            return run
        with self(stage.name):
            return stage.do(run)

    def all_seconds(self) -> dict[str, float]:
        """Seconds by stage, and their "total" since the clock was made."""
        total = round(time.perf_counter() - self.began, 3)
        return {**self.seconds, "total": total}


def fit(run: Run) -> Run:
    """The phases, or what is left of them; writes history and saves."""
    endure = Enduring(run.prepared, run.found)
    fitted = endure(lambda prepared: train(prepared, run.folder, run.store))
    return run.with_more(prepared=endure.prepared, fit=fitted)


def evaluate(run: Run) -> Run:
    """A temperature, then the test split, with each phase's weights."""
    endure = Enduring(run.prepared, run.found)
    calibration = endure(lambda now: calibrate(now, run.fit, run.store))
    evaluations = endure(lambda now: evaluate_phases(now, run.fit, run.store))
    return run.with_more(
        prepared=endure.prepared,
        calibration=calibration,
        evaluations=tuple(evaluations),
    )


def keep(run: Run) -> Run:
    """Writes all that is known before there is an export."""
    note_suspects(run.prepared, run.fit, run.folder)
    write_record(run.prepared, run.folder, run.kept, run.fit)
    return run


def measure(run: Run) -> Run:
    """What the model costs."""
    with readable(run.prepared.images):
        cost = measured(run.prepared, run.fit, run.store, run.folder)
    return run.with_more(cost=cost)


def publish(run: Run) -> Run:
    """The next version. The numbers are those of the exported graph then."""
    with readable(run.prepared.images):
        version, evaluation, passed = export(
            run.prepared, run.kept, run.found.run_id, run.accept
        )
    write_evaluation(run.prepared, run.folder, evaluation)
    evaluations = list(run.evaluations)
    evaluations[run.fit.kept] = evaluation
    return run.with_more(
        version=version, evaluations=tuple(evaluations), passed=passed
    )


def help_servers(run: Run) -> Run:
    """The files for a server and its people."""
    prepared = run.prepared
    with readable(prepared.images):
        write_server_files(
            run.folder / "serving",
            ServerPlan(
                prepared.config.name,
                prepared.model,
                prepared.images.test.decoding,
            ),
        )
    return run


def convert(run: Run) -> Run:
    """The files for other runtimes."""
    with readable(run.prepared.images):
        return run.with_more(files=export_files(run.prepared, run.folder))


def compare_scratch(run: Run) -> Run:
    """The network from random weights; a divergence is its result, not ours."""
    try:
        with readable(run.prepared.images):
            return run.with_more(scratch=train_from_scratch(run.prepared))
    except DivergedError as error:
        print(f"from random weights: {error}", flush=True)
        return run


def record(run: Run, seconds: dict[str, float]) -> dict:
    """Writes the metrics and the page of all that is known; the metrics."""
    prepared, calibration = run.prepared, run.calibration
    numbers = calibration_numbers(run.kept, calibration)
    evaluations = list(run.evaluations)
    evaluations[run.fit.kept] = dataclasses.replace(
        run.kept, metrics={**run.kept.metrics, **numbers}
    )
    metrics = collect(
        prepared,
        run.fit,
        evaluations,
        run.scratch,
        run.version,
        run.passed,
        seconds,
        run.cost,
    )
    metrics["temperature"] = calibration and calibration._asdict()
    metrics |= run.accept.numbers | run.files.numbers
    return record_with_card(
        prepared, run.folder, metrics, probabilities_model(prepared.model)
    )


def record_stopped(run: Run, why: str, seconds: dict[str, float]) -> dict:
    """A run that diverged leaves no model, but a page: how far it came."""
    metrics = stopped(run.prepared, why, seconds)
    return record_with_card(run.prepared, run.folder, metrics, None)


class Stages(NamedTuple):
    """All that a run does, in order.

    Attributes:
        prepare: settings, and whether weights and data may be fetched
            (`download`) -> what a run is made of; nothing is written.
        training: where one of these fails, the same command goes on later.
        publishing: where one of these fails, what was trained is recorded.
        record: the run so far, seconds by stage -> its metrics, written.
        record_stopped: the same of a run that diverged, and why it did.
    """

    prepare: Callable[..., Prepared] = prepare
    training: tuple[Stage, ...] = (
        Stage("train", fit),
        Stage("evaluate", evaluate),
        Stage("record", keep),
        Stage("measure", measure),
    )
    publishing: tuple[Stage, ...] = (
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
    )
    record: Callable[[Run, dict], dict] = record
    record_stopped: Callable[[Run, str, dict], dict] = record_stopped

    def replacing(self, do: Callable, by: Callable) -> "Stages":
        """The same with another function in the place of one of ours.

        STAGES.replacing(stages.fit, lambda run: run.with_more(fit=fake))
        """
        named = {name: by for name in self._fields if getattr(self, name) is do}
        for name in ("training", "publishing"):
            named[name] = tuple(
                stage._replace(do=by) if stage.do is do else stage
                for stage in getattr(self, name)
            )
        changed = self._replace(**named)
        if changed == self:
            raise ValueError(f"{do.__name__}: not a step of these stages")
        return changed


STAGES = Stages()
