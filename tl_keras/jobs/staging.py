"""What a stage is: a run so far goes in, and comes out with more known of it.

    run = clock.timed(Stage("train", fit), run)

In: a `Run`, and whatever stages there are; a test of what surrounds them
brings its own. Out: a `Run` in which more is known. No stage changes the one it
was given, so that where one fails the run is what it was before.
"""

import contextlib
import dataclasses
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from tl_keras import progress
from tl_keras.config import TransferConfig
from tl_keras.exports import GateReport
from tl_keras.features import FeatureStore
from tl_keras.jobs.acceptance import Acceptance
from tl_keras.jobs.baseline import Beside
from tl_keras.jobs.exporting import NO_FILES, RuntimeFiles
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.run_state import Journal
from tl_keras.jobs.searching import Searched
from tl_keras.jobs.unlabelled import Weighed
from tl_keras.runs import RunFolder
from tl_keras.search import SearchPlan
from tl_keras.tasks.values import Calibration, Evaluation
from tl_keras.training import FitResult


class Head(NamedTuple):
    """What is published in the network's place.

    Attributes:
        prepared: the run, with this model, decoding and task.
        evaluation: of the test split.
        calibration: what was chosen of it.
        numbers: for metrics.json.
    """

    prepared: Prepared
    evaluation: Evaluation
    calibration: Calibration
    numbers: Mapping


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as far as it has come; what is not known yet is None or empty.

    Attributes:
        journal: its folder, and what that says of it.
        prepared: what it is made of, without what it lost on the way.
        accept: says whether an export is good enough.
        store: where frozen work is kept, if anywhere.
        began: of `time.perf_counter`, when it did.
        plan: what a search tries; None where the fixed rule is taken.
        searched: what it found.
        unlabelled: whether pictures without labels help, where there are.
        advice: what to do next, by what stored features say.
        baseline: what a simpler method makes of the same data.
        fit: what was trained.
        solved_on: labels that the kept head was solved on once more, those of
            validation too; 0 where it was not.
        folds: probabilities of all labelled examples that the kept, solved
            head learnt from, each by a solution that it had no part in; None
            where it was not solved.
        head: what is published in the network's place, if anything is.
        calibration: what validation says of its confidence, if anything.
        evaluations: of the test split, one a phase; that of the kept phase is
            the exported graph's own once there is one.
        cost: see `measuring.measured`.
        version: the published SavedModel.
        gate_report: what the export's gate found.
        accepted: what `accept` found, for metrics.json.
        files: for other runtimes.
        scratch: the network from random weights.
        refusal: why it was not published, in lines.
    """

    journal: Journal
    prepared: Prepared
    accept: Acceptance
    store: FeatureStore | None
    began: float = 0.0
    plan: SearchPlan | None = None
    searched: Searched | None = None
    unlabelled: Weighed | None = None
    advice: Mapping = dataclasses.field(default_factory=dict)
    baseline: Beside | None = None
    fit: FitResult | None = None
    solved_on: int = 0
    folds: np.ndarray | None = None
    head: Head | None = None
    calibration: Calibration | None = None
    evaluations: tuple[Evaluation, ...] = ()
    cost: Mapping = dataclasses.field(default_factory=dict)
    version: pathlib.Path | None = None
    gate_report: GateReport | None = None
    accepted: Mapping = dataclasses.field(default_factory=dict)
    files: RuntimeFiles = NO_FILES
    scratch: Evaluation | None = None
    refusal: tuple[str, ...] = ()

    @property
    def folder(self) -> RunFolder:
        """Where its files are."""
        return self.journal.folder

    @property
    def kept(self) -> Evaluation:
        """The evaluation of what is published."""
        if self.head is not None:
            return self.head.evaluation
        return self.evaluations[self.fit.kept]

    @property
    def shown(self) -> Prepared:
        """The run with the model that is published."""
        return self.prepared if self.head is None else self.head.prepared

    def counted(self, evaluation: Evaluation) -> "Run":
        """The same with another evaluation of what is published."""
        if self.head is not None:
            head = self.head._replace(evaluation=evaluation)
            return self.with_more(head=head)
        kept = self.fit.kept
        before, after = self.evaluations[:kept], self.evaluations[kept + 1 :]
        return self.with_more(evaluations=(*before, evaluation, *after))

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

    prepare: Callable[..., Prepared]
    training: tuple[Stage, ...]
    publishing: tuple[Stage, ...]
    record: Callable[[Run, dict], dict]
    record_stopped: Callable[[Run, str, dict], dict]

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


# Stages whose name in metrics.json is no name for what goes on.
TOLD_AS = {
    "train": "training",
    "evaluate": "evaluating",
    "record": "recording",
    "measure": "timing the model",
    "export": "exporting",
    "other_runtimes": "converting",
    "compare_scratch": "from random weights",
}


def told_as(name: str) -> str:
    """What a stage is called while it goes on."""
    return TOLD_AS.get(name, name)


class Clock:
    """Seconds by stage: `with clock("train"): ...`."""

    def __init__(self):
        self.began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        # Stages may share a name, as two do that make the export.
        before = self.seconds.get(stage, 0.0)
        self.seconds[stage] = round(before + time.perf_counter() - began, 3)

    def timed(self, stage: Stage, run: Run) -> Run:
        """The run after a stage, or the same one where it is not wanted."""
        if not stage.wanted(run.prepared.config):
            return run
        with self(stage.name), progress.doing(told_as(stage.name)):
            return stage.do(run)

    def all_seconds(self) -> dict[str, float]:
        """Seconds by stage, and their "total" since the clock was made."""
        total = round(time.perf_counter() - self.began, 3)
        return {**self.seconds, "total": total}
