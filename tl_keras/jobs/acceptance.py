"""Is a new version good enough to be one? `--min_accuracy`, `--not_worse_than`.

    accept = Acceptance(config)          # before anything is trained
    numbers = accept(labelled, answers)    # or NotAcceptedError

In: the settings, and a new export's own answers to the test split. Out: numbers
for metrics.json, or NotAcceptedError, which has them too. An earlier version
is asked the very same pictures, through the loader, in a process of its own.
What is worse, the task says (`Task.judge`).
"""

import csv
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras import atomic, log
from tl_keras.config import TransferConfig
from tl_keras.config.paths import output_folder
from tl_keras.data import Examples
from tl_keras.errors import ConfigError, DataError, NotPublishedError
from tl_keras.exports import (
    PREFIX,
    Encoded,
    Export,
    inspect_export,
    run_of,
)
from tl_keras.jobs.seen_before import seen_before
from tl_keras.runs import RunFolder
from tl_keras.sources import LabelledSplits
from tl_keras.tasks import task_like
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.task import Task
from tl_keras.tasks.values import Said, Verdict

MAX_NAMES = 5  # of classes, in a message
MEASURED = 8  # pictures, for how far rounding moves an earlier version


class NotAcceptedError(NotPublishedError):
    """An export was judged, and not taken.

    Attributes:
        numbers: what was found, as `Acceptance` gives it.
    """

    def __init__(self, faults: Sequence[str], numbers: Mapping):
        super().__init__(faults)
        self.numbers = numbers


class Acceptance:
    """Judges an export that passed its gate, before it gets its number.

    Args:
        config: whose `min_accuracy`, `not_worse_than` and folder count.
        run_id: of the run; a version that it has published itself, before it
            was killed, is not an earlier one.

    Raises:
        ConfigError: what `--not_worse_than` names may not be loaded.
    """

    def __init__(self, config: TransferConfig, run_id: str = ""):
        self.min_accuracy = config.min_accuracy
        self.earlier = _earlier_version(config, run_id)
        self.file = RunFolder.of(config.run_folder()).changed

    def check(self, labelled: LabelledSplits) -> None:
        """Finds out, before training, that no comparison will be possible.

        Raises:
            DataError: the earlier version has other classes; says which.
            ConfigError: it cannot be loaded and asked.
        """
        if self.earlier is None:
            return
        where = f"--not_worse_than={self.earlier.folder}"
        task = task_like(labelled.test.labels)
        if self.earlier.task.name != task:
            raise DataError(
                f"{where}: it predicts {self.earlier.task.name}, this run "
                f"{task} - name a version of the same task, or leave it out"
            )
        differing = _differing(self.earlier.labels, labelled.class_names)
        if differing:
            raise DataError(
                f"{where}: its classes are not those of this dataset "
                f"({differing}) - name a version of the same classes, or leave "
                "it out"
            )
        try:
            self.earlier.ask([labelled.test.examples.read(0)])
        except NotPublishedError as error:
            words = "\n".join(error.faults).removeprefix(PREFIX)
            raise ConfigError(f"{where}: {words} - name another") from None
        except DataError as error:
            raise ConfigError(error.faults) from None
        examples = labelled.test.examples
        known = int(seen_before(self.earlier.folder, examples).sum())
        if known:
            log.warn(
                f"warning: {where}: it was trained or chosen on {known:,} of "
                f"these {len(examples):,} test examples, which favours it - "
                "take its --seed, or a test split of its own"
            )

    def __call__(
        self,
        labelled: LabelledSplits,
        answers: np.ndarray,
        movement: float = 0.0,
        task: Task | None = None,
    ) -> dict:
        """Takes an export, or says why not.

        Args:
            labelled: the data; its test split was asked.
            answers: the export's, (n, outputs).
            movement: how far rounding moves them, as `Said.movement`.
            task: what is predicted; one class of several when None.

        Returns:
            `regression` of metrics.json, under its name; {} where nothing was
            asked.

        Raises:
            NotAcceptedError: with each reason.
        """
        task = task or Multiclass()
        examples, names = labelled.test.examples, labelled.class_names
        found, reasons = {}, []
        if self.min_accuracy is not None:
            counted = task.count_answers(answers, examples.labels, names)
            found["min_accuracy"] = self.min_accuracy
            reasons += self._too_low(counted.metrics["accuracy"])
        if self.earlier is not None:
            old = self._earlier_answers(examples, task)
            verdict = task.judge(
                examples.ids,
                examples.labels,
                names,
                old,
                Said(names, answers, movement),
            )
            found |= self._told(verdict)
            reasons += self._worse(verdict)
        if reasons:
            raise NotAcceptedError(
                [f"not published: {reason}" for reason in reasons],
                {"regression": {**found, "refused": reasons}},
            )
        return {"regression": found} if found else {}

    def _too_low(self, accuracy: float) -> list[str]:
        least = self.min_accuracy
        if accuracy >= least:
            return []
        return [f"test accuracy {accuracy:.4f}, --min_accuracy={least:g}"]

    def _told(self, verdict: Verdict) -> dict:
        """Numbers of the comparison; every change is written to a file."""
        _write_rows(self.file, verdict)
        # Its folders tell names, and are in run.flags.
        version = os.path.join(*self.earlier.folder.parts[-2:])
        return {"version": version, **verdict.found}

    def _worse(self, verdict: Verdict) -> list[str]:
        """Why the new version is worse, if it is."""
        told = f"{self.earlier.folder} {verdict.words}"
        if verdict.worse:
            return [f"worse than {told}; all that changed: {self.file}"]
        log.info(f"not worse than {told}")
        return []

    def _earlier_answers(self, examples: Examples, task: Task) -> Said:
        """What the earlier version says of the test split."""
        answers = self.earlier.ask(Encoded(len(examples), examples.read))
        some = range(min(MEASURED, len(examples)))
        names = self.earlier.labels
        movement = self.earlier.movement(
            [examples.read(row) for row in some],
            answers[: len(some)],
            task.differs(names),
        )
        return Said(names, answers, movement, self.earlier.task)


def _earlier_version(config: TransferConfig, run_id: str) -> Export | None:
    """The version that `--not_worse_than` names, if it names one."""
    if not config.not_worse_than:
        return None
    try:
        earlier = inspect_export(
            output_folder(config.not_worse_than),
            trust_model=config.trust_model,
            flag="--not_worse_than",
            skip=lambda version: bool(run_id) and run_of(version) == run_id,
        )
    except DataError as error:
        raise ConfigError(error.faults) from None
    for line in earlier.warnings:
        log.warn(f"warning: {earlier.folder}: {line}")
    return earlier


def _differing(there: Sequence[str], here: Sequence[str]) -> str:
    """Class names that only one of two has, in words; "" if none."""
    told = []
    for place, names in (
        ("there", sorted(set(there) - set(here))),
        ("here", sorted(set(here) - set(there))),
    ):
        more = ", ..." * (len(names) > MAX_NAMES)
        if names:
            told.append(f"only {place}: {', '.join(names[:MAX_NAMES])}{more}")
    return "; ".join(told)


def _write_rows(path: pathlib.Path, verdict: Verdict) -> None:
    """A row for each example that is answered otherwise."""
    with (
        atomic.replacing(path) as temporary,
        open(
            temporary, "w", newline="", encoding="utf-8",
            errors="backslashreplace",
        ) as stream,
    ):  # fmt: skip
        writer = csv.DictWriter(stream, verdict.columns)
        writer.writeheader()
        writer.writerows(verdict.rows)
