"""What phases need to go on in another process, kept on disk.

    backups = PhaseBackups("run/checkpoints", stop=signals.requested)
    fit_phases(model, phases, train, val, backups=backups)

In: a folder. Out: in it a folder for each phase, which holds the saves of its
fit and, when it is finished, its result.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tl_keras.callbacks import TrainingBackup
from tl_keras.checkpoints import Checkpoints
from tl_keras.training.phase import Phase
from tl_keras.training.results import PhaseResult

# Of a result, what JSON holds as it is.
NUMBERS = (
    "first_epoch",
    "last_epoch",
    "best_epoch",
    "best_logs",
    "trainable_parameters",
    "seconds",
    "waiting",
    "share",
    "gain",
)


@dataclasses.dataclass(frozen=True)
class PhaseBackups:
    """Where phases are kept, and how.

    Attributes:
        folder: made at the first save; one process at a time may use it.
        save_freq, required: of `callbacks.TrainingBackup`.
        stop: asked after each batch; when true, all is saved and
            `StoppedError` raised.
        model: whose phases these are, see `of`.
        initial: its variables before the first phase.
    """

    folder: str | os.PathLike
    save_freq: str | int = "auto"
    required: bool = False
    stop: Callable[[], bool] | None = None
    model: keras.Model | None = None
    initial: Sequence[np.ndarray] = ()

    def of(self, model: keras.Model) -> "PhaseBackups":
        """These saves for a model that has not begun its first phase."""
        return dataclasses.replace(
            self, model=model, initial=get_variables(model)
        )

    def begin_again(self) -> None:
        """Gives the model what it had before its first phase."""
        set_variables(self.model, self.initial)

    def _of_phase(self, phase: Phase) -> Checkpoints:
        return Checkpoints(pathlib.Path(self.folder, phase.name))

    def callback(
        self,
        phase: Phase,
        skip: tf.Variable | None,
        batch_size: int | None,
        without: Sequence[keras.callbacks.Callback] = (),
    ) -> TrainingBackup:
        """Saves a phase's fit and goes on with it.

        Args:
            phase: one of those to come.
            skip: read by the data as the batches to leave out.
            batch_size: examples a batch, where that is known.
            without: callbacks that begin anew, such as a log of all phases.

        Returns:
            A callback for that fit alone.
        """
        return TrainingBackup(
            self._of_phase(phase),
            self.save_freq,
            required=self.required,
            batch_size=batch_size,
            without=without,
            skip=None if skip is None else skip.assign,
            stop=self.stop,
        )

    def finish(self, result: PhaseResult, rows: Sequence[dict]) -> None:
        """Keeps a phase's result and its rows of history.

        Of the weights, those that are not as they were before all phases.
        """
        pairs = zip(result.best_variables, self.initial, strict=True)
        arrays = {
            f"best/{i}": best
            for i, (best, before) in enumerate(pairs)
            if not np.array_equal(best, before)
        }
        if result.out_of_fold is not None:
            arrays["out_of_fold"] = result.out_of_fold
        numbers = {name: getattr(result, name) for name in NUMBERS}
        state = {"result": numbers, "rows": list(rows)}
        kept = self._of_phase(result.phase)
        kept.save_or_tell(arrays, state, self.required)

    def finished(self, phase: Phase) -> tuple[PhaseResult, list[dict]] | None:
        """A phase's result and rows; None where it is not finished.

        Raises:
            MachineError: no save of the phase is as it was written.
        """
        saved = self._of_phase(phase).newest()
        if saved is None or "result" not in saved.state:
            return None
        best = [
            saved.arrays.get(f"best/{i}", before)
            for i, before in enumerate(self.initial)
        ]
        result = PhaseResult(
            phase=phase,
            best_variables=best,
            out_of_fold=saved.arrays.get("out_of_fold"),
            **saved.state["result"],
        )
        return result, saved.state["rows"]


def set_variables(model: keras.Model, values: Sequence[np.ndarray]) -> None:
    """Assigns arrays to `model.variables`, in their order."""
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)


def get_variables(model: keras.Model) -> list[np.ndarray]:
    """Copies of `model.variables`, in their order."""
    return [
        np.array(keras.ops.convert_to_numpy(variable))
        for variable in model.variables
    ]
