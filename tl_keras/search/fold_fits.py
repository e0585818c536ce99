"""Candidates fitted on folds of all labels, and what they say of the rest.

    fits = FoldFits(trainer, head, known, backups)
    fits.start(fold=0).outputs           # of a head solved without that fold
    fits.fit(candidate, fold=0).outputs  # (shares, judged, outputs)

In: a trainer, whose graphs are kept from fold to fold, and labelled examples.
Out: outputs for the examples that a fold left out, at each share of the way
from the solved head to the tuned weights. What is fitted is kept on the disk,
so that a killed process goes on with it.
"""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np

from tl_keras import atomic, log
from tl_keras.checkpoints import Checkpoints
from tl_keras.errors import DivergedError
from tl_keras.networks import LOGITS, inference
from tl_keras.search.candidates import Candidate
from tl_keras.sources import (
    FixedBatches,
    LabelledExamples,
    TensorMemory,
    TrainingBatches,
)
from tl_keras.tasks.values import SolvedHead
from tl_keras.training import Phase, PhaseBackups, set_variables, solve_on
from tl_keras.training.interpolation import SHARES, between
from tl_keras.training.solving import pooled_features
from tl_keras.training.trainer import Trainer

# The number of a fine-tune's first epoch less one, as behind a solved head.
FIRST = 1
JUDGED = "judged"


class Known(NamedTuple):
    """All labels that may teach, and how they are cut.

    Attributes:
        labelled: the examples.
        folds: (places to fit on, places to judge) of each.
        batches: examples, "none" or "flip" -> what is trained on.
        memory: holds the pixels of all of them, for what no frozen layers are
            done once for.
    """

    labelled: LabelledExamples
    folds: Sequence[tuple[np.ndarray, np.ndarray]]
    batches: Callable[[LabelledExamples, str], TrainingBatches]
    memory: TensorMemory

    def judged(self, folds: int) -> np.ndarray:
        """Places of what the first folds judge, fold by fold."""
        return np.concatenate([judged for _, judged in self.folds[:folds]])


class FoldFit(NamedTuple):
    """A candidate on a fold.

    Attributes:
        outputs: (shares, judged, outputs).
        rows: of history, one an epoch.
        seconds: that it took.
        diverged: why its weights are no numbers; "" where they are.
    """

    outputs: np.ndarray
    rows: list[dict]
    seconds: float
    diverged: str = ""


class Start(NamedTuple):
    """Where the fine-tunes of a fold begin.

    Attributes:
        solved: the head.
        outputs: (judged, outputs) of it on the frozen layers.
    """

    solved: SolvedHead
    outputs: np.ndarray


@dataclasses.dataclass
class FoldFits:
    """Fits candidates on folds; each fit begins with the same weights.

    Attributes:
        trainer: of the whole model, with the frozen work of all phases.
        head: the phase that is solved.
        known: what is learnt from.
        backups: where fits are kept; its `initial` are the weights before.
        head_seconds: that heads have taken so far.
    """

    trainer: Trainer
    head: Phase
    known: Known
    backups: PhaseBackups
    head_seconds: float = 0.0
    _starts: dict[int, Start] = dataclasses.field(default_factory=dict)
    _asked: dict[int, tuple] = dataclasses.field(default_factory=dict)

    @property
    def model(self) -> keras.Model:
        """The whole classifier."""
        return self.trainer.model

    def start(self, fold: int) -> Start:
        """The head of a fold, solved on what that fits."""
        if fold not in self._starts:
            began = time.perf_counter()
            set_variables(self.model, self.backups.initial)
            fit, judge = self._parts(self.head, fold, "none")
            with log.silent():
                left, *data = self.trainer.frozen.for_phase(
                    self.head, fit, judge
                )
            solved = self.solve(left, data[0])
            features, _ = pooled_features(left, data[1].once())
            # In float32, as all that it is compared with.
            outputs = solved.outputs(features).astype(np.float32)
            self._starts[fold] = Start(solved, outputs)
            self.head_seconds += time.perf_counter() - began
        return self._starts[fold]

    def solve(self, left: keras.Model, data) -> SolvedHead:
        """A head on what is left of the model; the weights stay."""
        head, _ = solve_on(
            left,
            data.once(),
            None,
            task=self.trainer.objective.predicts(),
            views=data.rows_per_example,
            groups=data.groups,
        )
        return head

    def begin(self, solved: SolvedHead) -> None:
        """Gives the model what it had before, and a head."""
        set_variables(self.model, self.backups.initial)
        layer = self.model.get_layer(LOGITS)
        layer.kernel.assign(solved.kernel)
        layer.bias.assign(solved.bias)

    def fit(self, candidate: Candidate, number: int, fold: int) -> FoldFit:
        """A candidate on a fold; from the disk where it is done.

        Args:
            candidate: the way to fine-tune.
            number: of the candidate, which its files are named by.
            fold: from 0.

        Returns:
            `FoldFit`.
        """
        folder = pathlib.Path(self.backups.folder, f"{number}-{fold}")
        kept = Checkpoints(folder / JUDGED)
        if (saved := kept.newest()) is not None:
            return FoldFit(saved.arrays["outputs"], **saved.state)
        began = time.perf_counter()
        outputs, rows, diverged = self._judged(candidate, number, fold)
        seconds = round(time.perf_counter() - began, 3)
        state = {"rows": rows, "seconds": seconds, "diverged": diverged}
        kept.save_or_tell({"outputs": outputs}, state, self.backups.required)
        return FoldFit(outputs, **state)

    def _judged(self, candidate: Candidate, number: int, fold: int):
        """(outputs, rows, why it diverged or "") of a fit."""
        try:
            tuned, rows = self._tuned(candidate, number, fold)
        except DivergedError as error:
            # It is one of several: it goes no way from the head.
            outputs = [self.start(fold).outputs] * len(SHARES)
            return np.stack(outputs), [], str(error)
        _, judge = self._parts(candidate.phase, fold, "none")
        return self._outputs(candidate.phase, fold, tuned, judge), rows, ""

    def tuned(
        self, candidate: Candidate, number: int, fold: int
    ) -> list[np.ndarray]:
        """All weights that a candidate has after a fold.

        Args:
            candidate, number, fold: as of `fit`.

        Returns:
            Arrays, in the order of the model's variables.
        """
        return self._tuned(candidate, number, fold)[0]

    def refit(
        self, candidate: Candidate, number: int, solved: SolvedHead
    ) -> list[np.ndarray]:
        """All weights that it has after as many epochs on all examples.

        Args:
            candidate, number: as of `fit`.
            solved: the head to begin with.

        Returns:
            Arrays, in the order of the model's variables.
        """
        self.begin(solved)
        labelled = self._read_by(candidate.phase)
        source = self.known.batches(labelled, candidate.augment)
        return self._tune(candidate, source, f"{number}-all")[0]

    def outputs_of(self, phase: Phase) -> np.ndarray:
        """Of all examples by the weights that the model has, (n, outputs)."""
        labelled = self._read_by(phase)
        source = self.known.batches(labelled, "none")
        fixed = FixedBatches(labelled, source.batch_size)
        with log.silent():
            left, _, data = self.trainer.frozen.for_phase(phase, source, fixed)
        return self._ask(left, data)

    def forget(self, number: int, folds: int) -> None:
        """Gives back the disk that a stopped candidate's weights take."""
        for fold in range(folds):
            folder = pathlib.Path(self.backups.folder, f"{number}-{fold}")
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.name != JUDGED:
                    atomic.remove_folder(path)

    def trainer_of(self, source: TrainingBatches) -> Trainer:
        """The trainer with other data; the graphs are shared."""
        return dataclasses.replace(
            self.trainer, train=source, history_file=None, history=[]
        )

    def _tune(self, candidate: Candidate, source: TrainingBatches, name: str):
        """(all weights after the last epoch, rows of history)."""
        trainer = dataclasses.replace(
            self.trainer_of(source),
            backups=dataclasses.replace(
                self.backups, folder=pathlib.Path(self.backups.folder, name)
            ),
        )
        with log.silent():
            result = trainer.fit(candidate.phase, FIRST)
        return result.best_variables, trainer.history

    def _tuned(self, candidate: Candidate, number: int, fold: int):
        fit, _ = self._parts(candidate.phase, fold, candidate.augment)
        self.begin(self.start(fold).solved)
        return self._tune(candidate, fit, f"{number}-{fold}")

    def _outputs(
        self,
        phase: Phase,
        fold: int,
        tuned: list[np.ndarray],
        judge: FixedBatches,
    ) -> np.ndarray:
        """Of what a fold judges, at each share of the way."""
        start = self.start(fold)
        self.begin(start.solved)
        with log.silent():
            left, _, data = self.trainer.frozen.for_phase(
                phase, self._parts(phase, fold, "none")[0], judge
            )
        before = {id(v): np.array(v) for v in left.variables}
        after = {
            id(variable): value
            for variable, value in zip(self.model.variables, tuned, strict=True)
        }
        found = [start.outputs]
        for share in SHARES[1:]:
            for variable in left.variables:
                place = id(variable)
                value = between(before[place], after[place], share)
                variable.assign(value)
            found.append(self._ask(left, data))
        return np.stack(found).astype(np.float32)

    def _ask(self, left: keras.Model, data) -> np.ndarray:
        """Outputs of all batches; a model is traced once."""
        if id(left) not in self._asked:
            # The model is kept too, so that its id stays its own.
            self._asked[id(left)] = inference(left), left
        run, _ = self._asked[id(left)]
        return np.concatenate([run(inputs) for inputs, _ in data.once()])

    def _read_by(self, phase: Phase) -> LabelledExamples:
        """All examples, in memory where a phase reads them at each pass.

        All at once, not fold by fold: they are the same ones over and over.
        """
        labelled = self.known.labelled
        if self.trainer.frozen.cut_of(phase) is None:
            return self.known.memory.held(labelled)
        return labelled

    def _parts(self, phase: Phase, fold: int, augment: str):
        labelled = self._read_by(phase)
        fit, judge = map(labelled.take, self.known.folds[fold])
        source = self.known.batches(fit, augment)
        return source, FixedBatches(judge, source.batch_size)
