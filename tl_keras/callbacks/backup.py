"""Going on with a fit that was killed, to the same bits.

In: a folder. Out: saves of all that the fit depends on, complete or absent,
and a fit that goes on from the last good one: weights, optimizers, the states
of Dropout's seed generators, metrics, what the other callbacks have noted, the
epoch and the batch.

Exact means: the same bits as a fit that was never killed, on the same machine
and versions, with `tf.config.experimental.enable_op_determinism()`, where the
batches of an epoch depend on its number alone. Data that Keras or tf.data
shuffles anew from process to process goes on in another order.
"""

import math
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from tl_keras import log
from tl_keras.callbacks.neighbours import Neighbours
from tl_keras.callbacks.pace import Pace
from tl_keras.callbacks.state import Notes, notes_of
from tl_keras.callbacks.steps import build, drop_batches, drop_no_more
from tl_keras.callbacks.values import from_plain, plain
from tl_keras.callbacks.variables import assign, values_of, variables_of
from tl_keras.checkpoints import Checkpoint, Checkpoints
from tl_keras.errors import ConfigError, StoppedError

# Saves of another form are refused.
FORM = 2


class TrainingBackup(keras.callbacks.Callback):
    """Saves one fit, and goes on with it; see `AtomicBackup`.

    Wherever it stands among the callbacks of a `fit`, it is called last, so
    that it sees what the others noted.

    Args:
        checkpoints: where the saves are kept.
        save_freq: "auto" as often as 3 % of the time allows, "epoch", or so
            many batches.
        callbacks: those whose notes go on, besides Keras's own and ours; all
            that `fit` was given, if None. A loop that is not Keras's `fit`
            names them.
        required: whether a save that fails ends the fit.
        batch_size: examples a batch; a fit that goes on with another one
            leaves out as many examples as were trained.
        skip: told how many batches the data leaves out of the epoch that is
            gone on with; where None, the data gives them and they are
            dropped here.
        stop: asked after each batch; when true, all is saved and
            `StoppedError` raised.
        without: callbacks that begin anew when the fit goes on.

    Example:
        saves = Checkpoints("backup", keep=2)
        model.fit(data, epochs=10, callbacks=[TrainingBackup(saves, "epoch")])
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        save_freq: str | int = "auto",
        *,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        required: bool = False,
        batch_size: int | None = None,
        skip: Callable[[int], None] | None = None,
        stop: Callable[[], bool] | None = None,
        without: Sequence[keras.callbacks.Callback] = (),
    ):
        super().__init__()
        self._pace = Pace(save_freq)
        self.checkpoints = checkpoints
        self.callbacks = callbacks
        self.required = required
        self.batch_size = batch_size
        self.skip = skip
        self.stop = stop
        self.without = tuple(without)
        self._notes: list[Notes] | None = None

    @property
    def save_freq(self) -> str | int:
        """As it was asked for."""
        return self._pace.save_freq

    @property
    def seconds_saving(self) -> float:
        """What saving has taken, in all fits."""
        return self._pace.seconds_saving

    def set_model(self, model):
        super().set_model(model)
        self._notes = None
        self._neighbours = Neighbours(self, self._before_others)

    def _before_others(self) -> None:
        """What is to be known before another callback's `on_train_begin`."""
        others = self._neighbours.others()
        self._neighbours.begin()
        if self.callbacks is not None:
            others = [c for c in others if _always_goes_on(c)]
            others += [c for c in self.callbacks if c not in others]
        self._notes = notes_of(others, self.without)
        self._looked = 0
        drop_no_more(self.model)
        self._saved = saved = self.checkpoints.newest()
        if saved is not None and saved.state.get("form") != FORM:
            raise ConfigError(
                f"{self.checkpoints.folder}: saved by another version of "
                "tl_keras - remove that folder to begin anew"
            )
        # A fit that was killed before its first save left what others wrote.
        self._begun = saved if saved and "outputs" in saved.state else None
        if self._begun:
            self._saved = None
        elif saved is not None:
            build(self.model, self._is_built)

    def on_train_begin(self, logs=None):
        if self._notes is None:
            self._before_others()
        self._epoch = self._batch = self._to_skip = 0
        self._logs: dict = {}
        self._metrics: list[np.ndarray] = []
        self.model._initial_epoch = None
        for notes in self._notes:
            notes.begin()
        if self._saved is not None:
            self._go_on(self._saved)
        self._pace.begin()

    def _note_begin(self, what: dict) -> None:
        """Saves what is in others' files before they write; no variables."""
        outputs = {notes.name: notes.save_output() for notes in self._notes}
        if self._begun:
            for notes in self._notes:
                notes.restore_output(
                    self._begun.state["outputs"].get(notes.name)
                )
        elif any(output is not None for output in outputs.values()):
            state = {"form": FORM, "outputs": outputs, "what": what}
            self.checkpoints.save_or_tell({}, state, self.required)

    def _is_built(self) -> bool:
        """Whether all variables are there that the save holds."""
        counts = (
            len(variables_of(self.model)),
            len(self.model.metrics_variables),
        )
        state = self._saved.state
        return counts == (state["variables"], state["metrics"])

    def _go_on(self, saved: Checkpoint) -> None:
        self._restore(saved)
        state = saved.state
        self._epoch, self._batch = state["epoch"], self._batches_of(state)
        self._logs = from_plain(state["logs"], saved.arrays)
        # Keras has no other way to begin later than `fit` was told to.
        over = self._is_over(state)
        self.model._initial_epoch = (
            self.params["epochs"] if over else self._epoch
        )
        self._metrics = [
            saved.arrays[f"metrics/{i}"] for i in range(state["metrics"])
        ]
        if self._batch and not over:
            self._to_skip = self._batch
            if self.skip is not None:
                self.skip(self._to_skip)
            drop_batches(
                self.model, self._to_skip, self._logs, consume=not self.skip
            )

    def _is_over(self, state: dict) -> bool:
        """Whether no epoch is left."""
        return state["stopped"] or state["epoch"] >= self.params["epochs"]

    def _restore(self, saved: Checkpoint) -> None:
        assign(variables_of(self.model), saved.arrays, "variables")
        for notes in self._notes:
            if notes.name in saved.state["callbacks"]:
                notes.restore(
                    saved.state["callbacks"][notes.name], saved.arrays
                )

    def _batches_of(self, state: dict) -> int:
        """How many of now's batches were trained in the saved epoch."""
        batches, then = state["batch"], state.get("batch_size")
        if not then or not self.batch_size or then == self.batch_size:
            return batches
        steps = self.params["steps"] or math.inf
        return min(batches * then // self.batch_size, steps)

    def on_epoch_begin(self, epoch, logs=None):
        self.model._initial_epoch = None
        self._epoch = epoch
        if not self._to_skip:
            self._batch = 0
        else:
            # What others did at the epoch's begin is done twice by now.
            self._restore(self._saved)
            for variable, value in zip(
                self.model.metrics_variables, self._metrics, strict=True
            ):
                variable.assign(value)
            self._neighbours.hide()
        self._saved = None

    def on_train_batch_end(self, batch, logs=None):
        if batch < self._to_skip:
            if batch + 1 >= self._to_skip:
                self._neighbours.show()
            return
        self._pace.trained(batch + 1 - self._batch)
        self._batch = batch + 1
        self._logs = logs
        self._look_at_notes(1)
        self._look_for_stop()
        if self.model.stop_training:
            return  # The epoch ends with this batch, and is saved then.
        if self._pace.is_time(self.model):
            self._save()

    def on_test_begin(self, logs=None):
        # Validation empties the metrics; a stop there saves those before it.
        self._metrics = values_of(self.model.metrics_variables)
        self._refresh_logs()
        drop_no_more(self.model)

    def on_test_batch_end(self, batch, logs=None):
        self._look_for_stop(self._metrics)

    def on_epoch_end(self, epoch, logs=None):
        drop_no_more(self.model)
        self._neighbours.show()
        self._to_skip = self._batch = 0
        if self.skip is not None:
            self.skip(0)
        self._epoch = epoch + 1
        self._look_at_notes(2)
        self._look_for_stop([])
        if self._pace.is_time(self.model, epoch_over=True):
            self._save([])

    def on_train_end(self, logs=None):
        # Else the next fit of this model would begin there.
        self.model._initial_epoch = None
        self._notes = None

    def _look_at_notes(self, times: int) -> None:
        """Refuses a callback while little is lost, not at the first save."""
        if self._looked < times:
            self._looked = times
            elsewhere = frozenset(map(id, variables_of(self.model)))
            for notes in self._notes:
                notes.save({}, elsewhere)

    def _look_for_stop(self, metrics=None) -> None:
        if self.stop is None or not self.stop():
            return
        self._save(metrics)
        raise StoppedError(
            f"stopped after epoch {self._epoch}, batch {self._batch} - run "
            "the same command to go on"
        )

    def _snapshot(self, metrics=None) -> tuple[dict, dict]:
        """(arrays, state) of now; the metrics of now unless given."""
        if metrics is None:
            metrics = values_of(self.model.metrics_variables)
            self._refresh_logs()
        variables = variables_of(self.model)
        arrays = {
            f"variables/{i}": v for i, v in enumerate(values_of(variables))
        }
        arrays |= {f"metrics/{i}": v for i, v in enumerate(metrics)}
        elsewhere = frozenset(map(id, variables))
        state = {
            "form": FORM,
            "epoch": self._epoch,
            "batch": self._batch,
            "batch_size": self.batch_size,
            "epochs": self.params["epochs"],
            "stopped": bool(self.model.stop_training) and not self._batch,
            "variables": len(variables),
            "metrics": len(metrics),
            "logs": plain(dict(self._logs or {}), "logs", arrays),
            "callbacks": {
                notes.name: notes.save(arrays, elsewhere)
                for notes in self._notes
            },
        }
        return arrays, state

    def _save(self, metrics=None) -> None:
        """Saves all; `metrics` are those of now unless given."""
        began = time.monotonic()
        self._write(*self._snapshot(metrics), began)

    def _write(self, arrays: dict, state: dict, began: float) -> None:
        weights = [v for k, v in arrays.items() if k.startswith("variables/")]
        if not all(
            np.isfinite(v).all() for v in weights if v.dtype.kind == "f"
        ):
            # A save that holds NaN would be gone on with for ever.
            log.warn("not saved: a weight is not finite")
            self._pace.passed_over()
            return
        self.checkpoints.save_or_tell(arrays, state, self.required)
        self._pace.saved(began)

    def _refresh_logs(self) -> None:
        """What the last step gave may be some steps old (`training.steps`).

        Logs that are not the metrics are the model's own affair.
        """
        if self._to_skip and self._batch <= self._to_skip:
            return  # No step was made yet.
        now = self.model.get_metrics_result()
        if set(now) == set(self._logs or {}):
            self._logs = now


def _always_goes_on(callback) -> bool:
    """Whether a callback is Keras's own or ours."""
    return type(callback).__module__.split(".")[0] in ("keras", "tl_keras")
