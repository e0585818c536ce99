"""A backup for anybody's script or notebook, told what it went on with.

In: a folder and a `fit`. Out: that fit, gone on with or begun, and a line that
says which; a `ConfigError` that says what differs where the folder holds
another one.
"""

import contextlib
import os
import pathlib
import shutil
import time
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from tl_keras.callbacks.backup import TrainingBackup
from tl_keras.callbacks.identity import (
    describe_data,
    describe_model,
    describe_training,
    differences,
    digest_of_variables,
)
from tl_keras.callbacks.logs import learning_rate
from tl_keras.callbacks.this_fit import call_site, fit_data
from tl_keras.callbacks.variables import values_of, variables_of
from tl_keras.checkpoints import Checkpoints
from tl_keras.errors import ConfigError

# Of what differs, so much is told.
MAX_DIFFERENCES = 3


class _Fit(NamedTuple):
    """The last fit of this process in a folder."""

    number: int
    place: tuple
    what: dict
    initial: str | None
    finished: bool


_last_fits: dict[pathlib.Path, _Fit] = {}


class AtomicBackup(TrainingBackup):
    """Lets a `fit` that was killed go on where it was, to the same bits.

    A drop-in for `keras.callbacks.BackupAndRestore`, which writes over its
    only copy, forgets the states of Dropout and of other callbacks, and begins
    an epoch anew. What the other callbacks of the fit have noted goes on too,
    wherever it stands among them; `tl_keras.callbacks` has a table.

    When the script, or the cell, runs again, a fit that was finished is not
    run again: its end is restored. Asked for more epochs, it trains those.
    Asked for another fit (model, optimizer, loss, metrics or data), it is
    refused with what differs. Each time, a line says what it did.

    Several fits in a row share a folder, each under a number of its own: the
    fits of one object, and those of a loop, such as over folds, that makes a
    new object each turn.

    Args:
        backup_dir: folder for the saves; no two processes may share it.
        save_freq: "auto" saves as often as 3 % of the time allows; or
            "epoch", or a number of batches.
        double_checkpoint: keep the save before the last too, for a disk that
            damages one.
        delete_checkpoint: remove a fit's saves when it ends, as Keras's own
            does; it then begins anew when the script runs again.
        callbacks: those whose notes go on, besides Keras's own and ours; all
            of the fit's, if None.
        required: end the fit where a save fails; else it is told and tried
            again later.
        without: callbacks of the fit that begin anew when it goes on, such as
            one that holds what cannot be saved.
        verbose: 0 says nothing.

    Raises:
        ConfigError: the folder holds another fit, or a callback cannot be
            gone on with; it names what.
        MachineError: no save of a fit is as it was written; it is not begun
            anew in silence.

    Example:

        model.fit(data, epochs=10, callbacks=[AtomicBackup("backup")])
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike,
        save_freq: str | int = "auto",
        double_checkpoint: bool = True,
        delete_checkpoint: bool = False,
        *,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        required: bool = False,
        without: Sequence[keras.callbacks.Callback] = (),
        verbose: int = 1,
    ):
        keep = 2 if double_checkpoint else 1
        super().__init__(
            Checkpoints(backup_dir, keep),
            save_freq,
            callbacks=callbacks,
            required=required,
            without=without,
        )
        self.backup_dir = pathlib.Path(backup_dir)
        self.delete_checkpoint = delete_checkpoint
        self.verbose = verbose
        self._number: int | None = None

    def _before_others(self) -> None:
        model = self.model
        self._what = describe_training(model)
        self._what |= describe_data(fit_data(model))
        self._begin_fit()
        folder = self.backup_dir / f"fit_{self._number}"
        self.checkpoints = Checkpoints(folder, self.checkpoints.keep)
        self._end: tuple[dict, dict] | None = None
        super()._before_others()
        if self._saved is not None:
            self._refuse_another_fit(self._saved.state)
        elif self._begun and differences(self._begun.state["what"], self._what):
            self._begun = None  # Nothing of it was trained.

    def _begin_fit(self) -> None:
        """Gives the fit its number in the folder."""
        self._folder, place = self.backup_dir.resolve(), call_site()
        if self.model.built:
            self._what |= describe_model(self.model)
        initial = digest_of_variables(self.model) if self.model.built else None
        last = _last_fits.get(self._folder)
        if self._number is not None:
            # A fit that was stopped is asked for again; else it is the next.
            self._number += self._finished
        elif last is None or last.place != place:
            self._number = 1
        elif not last.finished:
            self._number = last.number
        else:
            # The next turn of a loop, unless it asks for the same again.
            same = initial is not None and initial == last.initial
            same = same and not differences(last.what, self._what)
            self._number = last.number if same else last.number + 1
        self._finished = False
        _last_fits[self._folder] = _Fit(
            self._number, place, self._what, initial, finished=False
        )

    def _refuse_another_fit(self, state: dict) -> None:
        if "model" not in self._what:  # Built only now.
            self._what |= describe_model(self.model)
        found = differences(state["what"], self._what)
        left_out = len(found) - MAX_DIFFERENCES
        remedy = "give another backup_dir, or remove that folder to begin anew"
        folder = self.checkpoints.folder
        if found:
            kind = found[0].split(".")[0].split(":")[0].split(" ")[0]
            told = "; ".join(found[:MAX_DIFFERENCES])
            if left_out > 0:
                told += f"; and {left_out} more"
            raise ConfigError(
                f"{folder}: it is of another {kind} ({told}) - {remedy}"
            )
        if state["epoch"] > self.params["epochs"]:
            raise ConfigError(
                f"{folder}: {state['epoch']} epochs are trained, "
                f"epochs={self.params['epochs']} is fewer - ask for as many "
                f"or more, {remedy}"
            )

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if self._saved is None:
            self._note_begin(self._what)
        if self.verbose:
            print(f"{type(self).__name__}: {self._told()}", flush=True)

    def _told(self) -> str:
        """What happens now, in a line."""
        words = f"{self.checkpoints.folder}: "
        if self._saved is None:
            words += f"a fit of {self.params['epochs']} epochs begins"
        else:
            words += self._told_of(self._saved.state)
        unknown = [name for notes in self._notes for name in notes.unknown()]
        if unknown:
            words += f"; not known how to keep {', '.join(unknown)}"
        return words

    def _told_of(self, state: dict) -> str:
        epoch, epochs = state["epoch"], self.params["epochs"]
        if state["stopped"]:
            return (
                f"stopped by a callback after epoch {epoch}, nothing is left "
                "to train; its end is restored"
            )
        if self._is_over(state):
            return (
                f"all {epochs} epochs are trained, nothing is left to train; "
                "their end is restored"
            )
        words = f"goes on after epoch {epoch}"
        words += f", batch {state['batch']}" if state["batch"] else ""
        words += f", up to epoch {epochs}"
        if epochs != state["epochs"]:
            words += f" ({state['epochs']} before)"
        rate = learning_rate(self.model.optimizer)
        words += "" if rate is None else f", learning rate {rate:g}"
        here = {notes.name for notes in self._notes}
        new, gone = (
            here - set(state["callbacks"]),
            set(state["callbacks"]) - here,
        )
        words += f"; begins with {', '.join(sorted(new))}" if new else ""
        words += f"; without {', '.join(sorted(gone))}" if gone else ""
        return words

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if self.model.stop_training or epoch + 1 == self.params["epochs"]:
            # As a longer fit would go on, before the end changes weights.
            self._end = self._snapshot([])

    def on_train_end(self, logs=None):
        if self._saved is not None:  # No epoch was left to train.
            self._restore_end()
        elif not self.delete_checkpoint:
            self._save_end()
        if self.delete_checkpoint:
            shutil.rmtree(self.checkpoints.folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # Others may lie there.
                self.backup_dir.rmdir()
        super().on_train_end(logs)
        self._finished, self._saved = True, None
        _last_fits[self._folder] = _last_fits[self._folder]._replace(
            what=self._what, finished=True
        )

    def _save_end(self) -> None:
        """The last epoch's end, and what the fit's end made of it."""
        began = time.monotonic()
        arrays, state = self._end or self._snapshot([])
        for number, value in enumerate(values_of(variables_of(self.model))):
            if not np.array_equal(value, arrays[f"variables/{number}"]):
                arrays[f"final/{number}"] = value
        self._write(arrays, state, began)
        self._end = None

    def _restore_end(self) -> None:
        arrays = self._saved.arrays
        for number, variable in enumerate(variables_of(self.model)):
            saved = arrays[f"variables/{number}"]
            variable.assign(arrays.get(f"final/{number}", saved))

    def _snapshot(self, metrics=None) -> tuple[dict, dict]:
        arrays, state = super()._snapshot(metrics)
        if "model" not in self._what:  # Built by the first step.
            self._what |= describe_model(self.model)
        return arrays, state | {"what": self._what}
