"""Going on with a fit that was killed, to the same bits.

    model.fit(data, epochs=10, callbacks=[early, AtomicBackup("backup",
              callbacks=[early])])

In: a folder. Out: saves of all that the fit depends on, complete or absent,
and a fit that goes on from the last good one: weights, optimizer, the states
of Dropout's seed generators, metrics, what other callbacks have noted, the
epoch and the batch.

Exact means: the same bits as a fit that was never killed, on the same machine
and versions, with `tf.config.experimental.enable_op_determinism()`, where the
batches of an epoch depend on its number alone. Data that Keras or tf.data
shuffles anew from process to process goes on in another order.
"""

import contextlib
import math
import os
import pathlib
import shutil
import sys
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from tl_keras.callbacks.state import changed, noted, put_back
from tl_keras.checkpoints import Checkpoint, Checkpoints
from tl_keras.errors import StoppedError

# Of the time of training, what saving may take.
SHARE = 0.03
# Before the first save, its time is reckoned from this many bytes a second.
SLOW_DISK = 100e6


class TrainingBackup(keras.callbacks.Callback):
    """Saves one fit, and goes on with it; see `AtomicBackup`.

    Put it last among the callbacks, so that it sees what the others noted.

    Args:
        checkpoints: where the saves are kept.
        save_freq: "auto" as often as 3 % of the time allows, "epoch", or so
            many batches.
        callbacks: those whose notes are saved too.
        required: whether a save that fails ends the fit.
        batch_size: examples a batch; a fit that goes on with another one
            leaves out as many examples as were trained.
        skip: told how many batches the data leaves out of the epoch that is
            gone on with; where None, the data gives them and they are
            dropped here.
        stop: asked after each batch; when true, all is saved and
            `StoppedError` raised.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        save_freq: str | int = "auto",
        *,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        required: bool = False,
        batch_size: int | None = None,
        skip: Callable[[int], None] | None = None,
        stop: Callable[[], bool] | None = None,
    ):
        super().__init__()
        whole = isinstance(save_freq, int) and not isinstance(save_freq, bool)
        if save_freq not in ("auto", "epoch") and not (whole and save_freq > 0):
            raise ValueError(
                f"save_freq={save_freq!r}: expected 'auto', 'epoch', or a "
                "number of batches"
            )
        self.checkpoints = checkpoints
        self.save_freq = save_freq
        self.callbacks = tuple(callbacks)
        self.required = required
        self.batch_size = batch_size
        self.skip = skip
        self.stop = stop
        self.seconds_saving = 0.0

    def on_train_begin(self, logs=None):
        self._since = [noted(callback) for callback in self.callbacks]
        self._epoch = self._batch = self._to_skip = self._unsaved = 0
        self._train: Callable | None = None
        self._rows: list[list] = []
        self._logs: dict = {}
        self._metrics: list[np.ndarray] = []
        self.model._initial_epoch = None
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        saved = self.checkpoints.newest()
        if saved is not None:
            self._go_on(saved)
        size = sum(np.prod(v.shape) * 4 for v in self._variables())
        self._cost = 0.05 + size / SLOW_DISK
        self._saved_at = time.monotonic()

    def _variables(self) -> list[keras.Variable]:
        # Not `weights`: those leave the seed generators out.
        return [*self.model.variables, *self.model.optimizer.variables]

    def _go_on(self, saved: Checkpoint) -> None:
        state = saved.state
        _assign(self._variables(), saved.arrays, "variables")
        for number, callback in enumerate(self.callbacks):
            put_back(callback, state["callbacks"][number], saved.arrays)
        self._rows = state["history"]
        self._epoch, self._batch = state["epoch"], self._batches_of(state)
        self._logs = state["logs"]
        first = self.params["epochs"] if state["over"] else self._epoch
        # Keras has no other way to begin later than `fit` was told to.
        self.model._initial_epoch = first
        self._metrics = [
            saved.arrays[f"metrics/{i}"] for i in range(state["metrics"])
        ]
        if self._batch and not state["over"]:
            self._to_skip = self._batch
            self._drop_batches()

    def _batches_of(self, state: dict) -> int:
        """How many of now's batches were trained in the saved epoch."""
        batches, then = state["batch"], state.get("batch_size")
        if not then or not self.batch_size or then == self.batch_size:
            return batches
        steps = self.params["steps"] or math.inf
        return min(batches * then // self.batch_size, steps)

    def _drop_batches(self) -> None:
        """Lets Keras count the batches that were trained, and not train."""
        if self.skip is not None:
            self.skip(self._to_skip)
        model, train = self.model, self.model.train_function
        at_once = model.steps_per_execution
        left = math.ceil(self._to_skip / at_once)
        # Where all of the epoch was trained, Keras asks metrics that no step
        # has made yet.
        model.get_metrics_result = lambda: self._logs

        def train_or_drop(iterator):
            nonlocal left
            if left:
                left -= 1
                if self.skip is None:
                    for _ in range(at_once):
                        next(iterator)
                return self._logs
            self._leave_model()
            train(iterator)
            self._add_up_metrics()
            return model.get_metrics_result()

        model.train_function = train_or_drop
        self._train = train

    def _leave_model(self) -> None:
        """The model's own methods again."""
        if self._train is not None:
            self.model.train_function, self._train = self._train, None
            del self.model.get_metrics_result

    def _add_up_metrics(self) -> None:
        """Adds what the dropped batches had counted to the first one's.

        Keras makes the variables of metrics at the first step, so nothing
        could be put into them before; all of Keras's metrics are sums.
        """
        for variable, value in zip(
            self.model.metrics_variables, self._metrics, strict=True
        ):
            variable.assign(value + keras.ops.convert_to_numpy(variable))

    def on_epoch_begin(self, epoch, logs=None):
        self.model._initial_epoch = None
        self._epoch = epoch
        if not self._to_skip:
            self._batch = 0
        if self._rows:
            self._give_history()

    def on_train_batch_end(self, batch, logs=None):
        if batch < self._to_skip:
            return
        self._unsaved += batch + 1 - self._batch
        self._batch = batch + 1
        self._logs = logs
        self._look_for_stop()
        every = isinstance(self.save_freq, int)
        if (every and self._unsaved >= self.save_freq) or self._is_time():
            self._save()

    def on_test_begin(self, logs=None):
        # Validation empties the metrics; a stop there saves those before it.
        if self._train is None:
            self._metrics = _values(self.model.metrics_variables)
            self._refresh_logs()
        self._leave_model()

    def on_test_batch_end(self, batch, logs=None):
        self._look_for_stop(self._metrics)

    def on_epoch_end(self, epoch, logs=None):
        self._leave_model()
        self._to_skip = self._batch = 0
        if self.skip is not None:
            self.skip(0)
        self._epoch = epoch + 1
        logs = {k: float(v) for k, v in (logs or {}).items()}
        self._rows.append([epoch, logs])
        self._look_for_stop([])
        if self.save_freq == "epoch" or self._is_time():
            self._save([])

    def on_train_end(self, logs=None):
        if self._rows:
            self._give_history()

    def _is_time(self) -> bool:
        spent = time.monotonic() - self._saved_at
        return self.save_freq == "auto" and spent >= self._cost / SHARE

    def _look_for_stop(self, metrics=None) -> None:
        if self.stop is None or not self.stop():
            return
        self._save(metrics)
        raise StoppedError(
            f"stopped after epoch {self._epoch}, batch {self._batch} - run "
            "the same command to go on"
        )

    def _save(self, metrics=None, over: bool = False) -> None:
        """Saves all; `metrics` are those of now unless given."""
        began = time.monotonic()
        if metrics is None:
            metrics = _values(self.model.metrics_variables)
            self._refresh_logs()
        values = _values(self._variables())
        if not all(np.isfinite(v).all() for v in values if v.dtype.kind == "f"):
            # A save that holds NaN would be gone on with for ever.
            print("not saved: a weight is not finite", file=sys.stderr)
            self._saved_at = time.monotonic()
            return
        arrays = {f"variables/{i}": v for i, v in enumerate(values)}
        arrays |= {f"metrics/{i}": v for i, v in enumerate(metrics)}
        state = {
            "epoch": self._epoch,
            "batch": self._batch,
            "batch_size": self.batch_size,
            "over": over or self.model.stop_training,
            "metrics": len(metrics),
            "logs": {k: float(v) for k, v in (self._logs or {}).items()},
            "history": self._rows,
            "callbacks": [
                changed(callback, since, f"callbacks/{number}", arrays)
                for number, (callback, since) in enumerate(
                    zip(self.callbacks, self._since, strict=True)
                )
            ],
        }
        self.checkpoints.save_or_tell(arrays, state, self.required)
        self._saved_at = time.monotonic()
        self._cost = self._saved_at - began
        self.seconds_saving += self._cost
        self._unsaved = 0

    def _refresh_logs(self) -> None:
        """What the last step gave may be some steps old (`phases.steps`).

        Logs that are not the metrics are the model's own affair.
        """
        now = self.model.get_metrics_result() if self._train is None else {}
        if set(now) == set(self._logs or {}):
            self._logs = now

    def _give_history(self) -> None:
        """What `fit` returns holds the epochs of the killed fits too."""
        history = self.model.history
        history.epoch = [epoch for epoch, _ in self._rows]
        history.history = {}
        for _, logs in self._rows:
            for name, value in logs.items():
                history.history.setdefault(name, []).append(value)


class AtomicBackup(TrainingBackup):
    """Lets a `fit` that was killed go on where it was, to the same bits.

    A drop-in for `keras.callbacks.BackupAndRestore`, which writes over its
    only copy, forgets the states of Dropout and of other callbacks, and begins
    an epoch anew. Put it last among the callbacks. One object serves several
    fits in a row, each under a number of its own: when the script runs again,
    a fit that was finished is not run again, its end is restored.

    Args:
        backup_dir: folder for the saves; no two processes may share it.
        save_freq: "auto" saves as often as 3 % of the time allows; or
            "epoch", or a number of batches.
        double_checkpoint: keep the save before the last too, for a disk that
            damages one.
        delete_checkpoint: remove a fit's saves when it ends, as Keras's own
            does; it then begins anew when the script runs again.
        callbacks: callbacks of the same fit whose notes shall go on too, such
            as `EarlyStopping` or `ReduceLROnPlateau`.
        required: end the fit where a save fails; else it is told and tried
            again later.

    Raises:
        MachineError: no save of a fit is as it was written; it is not begun
            anew in silence.

    Example:

        backup = AtomicBackup("backup")
        model.fit(data, epochs=10, callbacks=[backup])
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike,
        save_freq: str | int = "auto",
        double_checkpoint: bool = True,
        delete_checkpoint: bool = False,
        *,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        required: bool = False,
    ):
        keep = 2 if double_checkpoint else 1
        super().__init__(
            Checkpoints(backup_dir, keep),
            save_freq,
            callbacks=callbacks,
            required=required,
        )
        self.backup_dir = pathlib.Path(backup_dir)
        self.delete_checkpoint = delete_checkpoint
        self._fits = 0

    def on_train_begin(self, logs=None):
        self._fits += 1
        self.checkpoints = Checkpoints(
            self.backup_dir / f"fit_{self._fits}", self.checkpoints.keep
        )
        super().on_train_begin(logs)

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        if self.delete_checkpoint:
            shutil.rmtree(self.checkpoints.folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # Others may lie there.
                self.backup_dir.rmdir()
        else:
            self._save([], over=True)


def _values(variables) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def _assign(variables, arrays: dict[str, np.ndarray], prefix: str) -> None:
    for number, variable in enumerate(variables):
        value = arrays.get(f"{prefix}/{number}")
        if value is None or value.shape != tuple(variable.shape):
            found = "none" if value is None else value.shape
            raise ValueError(
                f"the save holds {found} for {variable.path}, expected "
                f"{tuple(variable.shape)}: it is of another model - give "
                "another backup_dir"
            )
        variable.assign(value)
