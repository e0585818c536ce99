"""The loop over phases: set trainable, compile, fit, keep the best.

In: a classifier, phases, data. Out: the model with the best weights of all
phases, and a `FitResult`.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tl_keras import log, signals
from tl_keras.callbacks import (
    HistoryLogger,
    KeepBestWeights,
    StopOnNonFinite,
    is_better,
    read_rows,
    write_rows,
)
from tl_keras.errors import DivergedError
from tl_keras.features import FeatureStore
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import LOGITS
from tl_keras.sources import EpochSource, as_source
from tl_keras.strategies import count_trainable, training_graph
from tl_keras.training.compiling import compile_for_phase, jit_for
from tl_keras.training.frozen_features import FrozenWork
from tl_keras.training.interpolation import interpolate_result
from tl_keras.training.phase import (
    FitResult,
    Objective,
    Phase,
    PhaseResult,
)
from tl_keras.training.phase_backups import (
    PhaseBackups,
    get_variables,
    set_variables,
)
from tl_keras.training.solving import solve_on
from tl_keras.training.steps import Compute, Steps, Waiting, held_on_device
from tl_keras.training.train_step import train_step_of
from tl_keras.training.validation import (
    LogOfAll,
    ValidationSteps,
)


@standard_globals()
def fit_phases(
    model: keras.Model,
    phases: Sequence[Phase],
    train: tf.data.Dataset | Callable[[tf.Variable], tf.data.Dataset],
    val: tf.data.Dataset | Callable[[], tf.data.Dataset] | None = None,
    *,
    features: FeatureStore | None = None,
    objective: Objective | None = None,
    history_file: str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    backups: PhaseBackups | None = None,
    compute: Compute | None = None,
    verbose: int | str = "auto",
) -> FitResult:
    """Trains a classifier phase by phase.

    Args:
        model: from `build_classifier`; it holds the best weights afterwards.
        phases: at least one with epochs above 0.
        train: batches of (pixels, targets), one epoch long; or a function
            that makes them from a variable holding the epoch's number, so
            that an epoch's order depends on its number alone.
        val: batches to validate on, or a function that makes them; without
            it the last weights are kept.
        features: do what a phase leaves frozen once, and keep it there;
            `train` and `val` are then a `sources.TrainingBatches` (if it
            augments, with `views`) and a `sources.FixedBatches`.
        objective: the loss, and what chooses the weights.
        history_file: a .csv to append each epoch to.
        callbacks: more Keras callbacks, for every phase.
        backups: where all is kept that a killed process needs to go on; the
            same call, in a new process, then ends with the same bits. Phases
            that were finished are not run again.
        compute: what computes the steps, and how; the device that TensorFlow
            uses when None.
        verbose: of Keras's progress bar.

    Returns:
        `FitResult`; the model itself is changed in place.

    Raises:
        DivergedError: a loss or weight stopped being finite. The model holds
            the weights that the phase began with: the best of those before.
        StoppedError: a signal asked for it; all is saved (`signals`).
        ConfigError: a phase unfreezes from a layer that is not there.

    Example:
        result = fit_phases(
            model,
            [Phase("head", epochs=10, learning_rate=1e-3)],
            images.train.shuffled(32),
            images.val.batches(32),
        )
        # Several labels an example, or numbers: targets (batch, outputs).
        fit_phases(
            model, phases, train, val,
            objective=Objective(task=Multilabel(loss_kind="focal")),
        )
        fit_phases(
            model, phases, train, val,
            objective=Objective(task=Regression.of(train_ages)),
        )
    """
    trainer = _Trainer(
        model,
        as_source(train),
        as_source(val, fixed=True),
        features and FrozenWork(model, phases, features),
        objective or Objective(),
        history_file,
        tuple(callbacks),
        backups and backups.of(model),
        compute or Compute.here(),
        verbose,
    )
    try:
        return _fit_all(trainer, phases)
    except (tf.errors.OpError, OSError, MemoryError):
        # A fault of reading or of memory may pass: the same call goes on.
        if trainer.backups:
            trainer.backups.begin_again()
        raise


def _fit_all(trainer: "_Trainer", phases: Sequence[Phase]) -> FitResult:
    results: list[PhaseResult] = []
    kept = 0
    for phase in phases:
        if not phase.epochs:
            continue
        first = results[-1].last_epoch if results else 0
        result = trainer.fit(phase, first)
        results.append(result)
        if trainer.better(result, results[kept]):
            kept = len(results) - 1
        # The next phase, and whoever called, starts from the best so far.
        set_variables(trainer.model, results[kept].best_variables)
    if not results:
        raise ValueError("phases: expected one with epochs above 0")
    return FitResult(results, kept, trainer.history)


class _EpochNumber(keras.callbacks.Callback):
    """Tells the data which epoch begins."""

    def __init__(self, number: tf.Variable):
        super().__init__()
        self.number = number

    def on_epoch_begin(self, epoch, logs=None):
        self.number.assign(epoch)


@dataclasses.dataclass
class _Trainer:
    """What stays the same from phase to phase; see `fit_phases`."""

    model: keras.Model
    train: EpochSource
    val: EpochSource | None
    frozen: FrozenWork | None
    objective: Objective
    history_file: str | None
    callbacks: tuple[keras.callbacks.Callback, ...]
    backups: PhaseBackups | None
    compute: Compute
    verbose: int | str
    history: list[dict] = dataclasses.field(default_factory=list)

    def fit(self, phase: Phase, first: int) -> PhaseResult:
        """Trains one phase; its first epoch is number `first` + 1."""
        finished = self.backups and self.backups.finished(phase)
        if finished:
            result, rows = finished
            self.history += rows
            log.info(f"phase {phase.name}: finished before")
            return result
        started, before = time.perf_counter(), len(self.history)
        trains = self._set_trainable(phase, first)
        try:
            fit = self._solve if phase.solver == "lbfgs" else self._fit
            result = fit(phase, first)
        except BaseException:
            # Whoever goes on in this process knows the plain network alone.
            phase.adapts_by().merge(self.model)
            raise
        if phase.strategy is not None:
            # Back to the plain network, which the next phase and the export
            # know. Freezing adds nothing, and a copy of all weights is large.
            set_variables(self.model, result.best_variables)
            phase.strategy.merge(self.model)
            result.best_variables = get_variables(self.model)
        result.trainable_parameters = trains
        result.seconds = time.perf_counter() - started
        if result.waiting is not None:
            log.info(
                f"phase {phase.name}: {result.seconds:.1f} s, "
                f"{result.waiting:.1%} of its training waited for data"
            )
        if self.backups:
            self.backups.finish(result, self.history[before:])
        return result

    def _set_trainable(self, phase: Phase, first: int) -> int:
        """How many parameters train from now on; says so."""
        strategy = phase.adapts_by()
        strategy.apply(self.model)
        trains, parameters = count_trainable(self.model)
        log.info(
            f"phase {phase.name}: {trains:,} of {parameters:,} parameters "
            f"train ({strategy.describe()}), {phase.how_long(first)}"
        )
        return trains

    def _fit(self, phase: Phase, first: int) -> PhaseResult:
        """Epochs of gradient steps."""
        before = get_variables(self.model)
        left, train, val = self._left_to_fit(phase)
        rows, val_rows = held_on_device(self.compute, train, val)
        with tf.device("CPU:0"):  # Where tf.data reads them.
            number = tf.Variable(first, dtype=tf.int64, trainable=False)
            skip = tf.Variable(0, dtype=tf.int64, trainable=False)
        batch_size = train.batch_size
        if batch_size is None:
            skip = None
            train = train(number)
        else:
            train = train(number, skip, places=rows is not None)
        if val is not None:
            val = val(places=val_rows is not None)
        fitting, looks = training_graph(left), self.compute.looks
        jit = jit_for(fitting, phase, self.compute, train, batch_size)
        task = self.objective.predicts()
        compile_for_phase(fitting, phase, task, self.compute, jit, self.model)
        fitting.train_function = steps = Steps(
            train_step_of(fitting, phase, first),
            jit=jit,
            rows=rows,
            looks=looks,
        )
        fitting.test_function = judged = ValidationSteps(
            fitting, task, val_rows, looks
        )
        waiting = Waiting(steps)
        monitor, mode = self.objective.monitored()
        earlier = None if self.backups is None else tuple(self.history)
        history = HistoryLogger(self.history_file, earlier, phase=phase.name)
        guard = StopOnNonFinite()
        keeper = KeepBestWeights(
            None if val is None else monitor, mode, left.variables
        )
        callbacks = [
            *([] if val is None else [LogOfAll(judged)]),
            _EpochNumber(number),
            waiting,
            phase.new_schedule(first),
            *phase.averages(),
            guard,
            history,
            keeper,
            *([] if val is None else self._stoppers()),
            *self.callbacks,
        ]
        if self.backups:
            callbacks.append(
                self.backups.callback(phase, skip, batch_size, self.callbacks)
            )
        with signals.at_a_step() if self.backups else contextlib.nullcontext():
            fitting.fit(
                train,
                validation_data=val,
                initial_epoch=first,
                epochs=first + phase.epochs,
                class_weight=task.class_weight(),
                callbacks=callbacks,
                shuffle=False,
                verbose=self.verbose,
            )
        self.history += history.rows
        if guard.found or not keeper.best_epoch:
            set_variables(self.model, before)
            found = guard.found or f"{monitor} is never finite"
            raise DivergedError(
                f"phase {phase.name}: {found} - lower "
                f"its learning rate ({phase.learning_rate:g})"
            )
        result = PhaseResult(
            phase=phase,
            first_epoch=first + 1,
            last_epoch=history.rows[-1]["epoch"],
            best_epoch=keeper.best_epoch,
            best_logs=keeper.best_logs,
            best_variables=self._with_moved(before, left, keeper),
            waiting=waiting.share(),
        )
        if first and val is not None and self.objective.interpolates(phase):
            monitor = self.objective.monitor

            def judge():
                logs = judged.evaluate(val)
                return logs, task.costs(monitor, *judged.answers())

            # It hangs on what is saved alone: a killed run does it again alike.
            interpolate_result(result, self.model.variables, before, judge)
            history.rows[result.best_epoch - 1 - first]["share"] = result.share
            self._write_history(history.before, history.rows)
        return result

    def _with_moved(
        self,
        before: list[np.ndarray],
        left: keras.Model,
        keeper: KeepBestWeights,
    ) -> list[np.ndarray]:
        """All weights at the best epoch.

        What lies before the cut has not moved, and was not copied.
        """
        moved = dict(
            zip(map(id, left.variables), keeper.best_variables, strict=True)
        )
        return [
            moved.get(id(variable), value)
            for variable, value in zip(
                self.model.variables, before, strict=True
            )
        ]

    def better(self, new: PhaseResult, old: PhaseResult) -> bool:
        """Whether a phase's best is strictly better than an earlier one's.

        Without validation nothing can be compared, and the last phase wins.
        One that was interpolated was compared with what it began with.
        """
        if new.share is not None:
            return new.share > 0
        monitor, mode = self.objective.monitored()
        if self.val is None:
            return True
        return is_better(new.best_logs[monitor], old.best_logs[monitor], mode)

    def _solve(self, phase: Phase, first: int) -> PhaseResult:
        """The linear probe in the place of epochs; one row of history."""
        left, train, val = self._left_to_fit(phase)
        probe, logs = solve_on(
            left,
            train.once(),
            val and val.once(),
            task=self.objective.predicts(),
            views=train.rows_per_example,
            groups=train.groups,
        )
        layer = self.model.get_layer(LOGITS)
        layer.kernel.assign(probe.kernel)
        layer.bias.assign(probe.bias)
        log.info(
            f"phase {phase.name}: solved with {probe.how()}, "
            + ", ".join(f"{k} {v:.4f}" for k, v in logs.items())
        )
        logs["learning_rate"] = 0.0
        row = {"phase": phase.name, "epoch": first + 1, **logs}
        self._write_history(self._earlier_rows(), [row])
        self.history.append(row)
        return PhaseResult(
            phase=phase,
            first_epoch=first + 1,
            last_epoch=first + 1,
            best_epoch=first + 1,
            best_logs=logs,
            best_variables=get_variables(self.model),
            out_of_fold=probe.out_of_fold,
        )

    def _earlier_rows(self) -> list[dict]:
        """Those of the history's file before a phase that begins.

        A row that a killed run wrote is written again, not once more.
        """
        if self.backups is None and self.history_file is not None:
            return read_rows(self.history_file)
        return self.history

    def _write_history(self, earlier: list[dict], rows: list[dict]) -> None:
        if self.history_file is not None:
            write_rows(self.history_file, [*earlier, *rows])

    def _left_to_fit(self, phase: Phase):
        """(model, train, val) of a phase, without what is done once."""
        if self.frozen is None:
            return self.model, self.train, self.val
        return self.frozen.for_phase(phase, self.train, self.val)

    def _stoppers(self) -> list[keras.callbacks.Callback]:
        if not self.objective.early_stopping_patience:
            return []
        monitor, mode = self.objective.monitored()
        return [
            keras.callbacks.EarlyStopping(
                monitor,
                mode=mode,
                patience=self.objective.early_stopping_patience,
            )
        ]
