"""One phase: set trainable, compile, fit or solve, interpolate.

    trainer = Trainer(model, train, val, ...)
    result = trainer.fit(phase, first=0)

In: a classifier and sources of batches, for all phases; then a phase. Out: its
`PhaseResult`, and rows of history. The model ends with whatever weights the
phase's last epoch left; see `fitting` for which are kept.
"""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from tl_keras import log, progress, signals
from tl_keras.callbacks import (
    HistoryLogger,
    KeepBestWeights,
    StopOnNonFinite,
    is_better,
    read_rows,
    write_rows,
)
from tl_keras.errors import DivergedError
from tl_keras.networks import LOGITS
from tl_keras.sources import EpochSource
from tl_keras.strategies import count_trainable
from tl_keras.tasks.outputs import counted_batches
from tl_keras.training.divergence import divergence
from tl_keras.training.epochs import epochs_told, in_a_line
from tl_keras.training.frozen_features import FrozenWork
from tl_keras.training.graphs import (
    Graph,
    Setup,
    compiled_graph,
    graph_key,
)
from tl_keras.training.interpolation import interpolate_result
from tl_keras.training.phase import Objective, Phase
from tl_keras.training.phase_backups import (
    PhaseBackups,
    get_variables,
    set_variables,
)
from tl_keras.training.phase_data import PhaseData, phase_data
from tl_keras.training.results import PhaseResult
from tl_keras.training.solving import solve_on
from tl_keras.training.steps import Compute, Waiting
from tl_keras.training.validation import LogOfAll
from tl_keras.training.watching import EpochNumber, Watch


@dataclasses.dataclass
class Trainer:
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
    # Graphs that were compiled, for phases that differ in their rates alone;
    # None compiles one for each phase.
    graphs: dict | None = None

    def fit(self, phase: Phase, first: int) -> PhaseResult:
        """Trains one phase; its first epoch is number `first` + 1."""
        finished = self.backups and self.backups.finished(phase)
        if finished:
            result, rows = finished
            self.history += rows
            log.info(f"phase {phase.name}: finished before")
            return result
        started, before = time.perf_counter(), len(self.history)
        trains = self._set_trainable(phase)
        try:
            fit = self._solve if phase.solver == "lbfgs" else self._fit
            result = fit(phase, first)
        except BaseException:
            # Whoever goes on in this process knows the plain network alone.
            phase.adapts_by().merge(self.model)
            raise
        kept = result.best_variables
        if phase.strategy is not None:
            # Back to the plain network, which the next phase and the export
            # know. Freezing adds nothing, and a copy of all weights is large.
            set_variables(self.model, kept)
            phase.strategy.merge(self.model)
            kept = get_variables(self.model)
        result = dataclasses.replace(
            result,
            best_variables=kept,
            trainable_parameters=trains,
            seconds=time.perf_counter() - started,
        )
        if result.waiting is not None:
            log.info(
                f"phase {phase.name}: {result.seconds:.1f} s, "
                f"{result.waiting:.1%} of its training waited for data"
            )
        if self.backups:
            self.backups.finish(result, self.history[before:])
        return result

    def steps_of(
        self, phase: Phase, first: int
    ) -> Callable[[], Mapping[str, tf.Tensor]]:
        """What does a phase's steps, one at each call, epoch after epoch.

        Args:
            phase: of gradient steps; the model's `trainable` is as it says
                afterwards, and its weights move with each step.
            first: the number of its first epoch less one.
        """
        phase.adapts_by().apply(self.model)
        setup = self._set_up(phase, first)
        batches = iter(setup.data.train.repeat())
        return lambda: setup.graph.steps(batches)

    def _set_trainable(self, phase: Phase) -> int:
        """How many parameters train from now on; says so."""
        strategy = phase.adapts_by()
        strategy.apply(self.model)
        trains, parameters = count_trainable(self.model)
        log.info(
            f"phase {phase.name}: {trains:,} of {parameters:,} parameters "
            f"train ({strategy.describe()}), {phase.how_long()}"
        )
        return trains

    def _fit(self, phase: Phase, first: int) -> PhaseResult:
        """Epochs of gradient steps."""
        before = get_variables(self.model)
        setup = self._set_up(phase, first)
        watch = self._watch(setup)
        self._run_epochs(setup, watch)
        self.history += watch.history.rows
        if why := watch.diverged():
            set_variables(self.model, before)
            raise self._lost(phase, why)
        result = PhaseResult(
            phase=phase,
            first_epoch=first + 1,
            last_epoch=watch.history.rows[-1]["epoch"],
            best_epoch=watch.keeper.best_epoch,
            best_logs=watch.keeper.best_logs,
            best_variables=watch.best_of(self.model.variables, before),
            waiting=watch.waiting.share(),
        )
        val = setup.data.val
        if first and val is not None and self.objective.interpolates(phase):
            judge = functools.partial(
                setup.graph.judged.judge, val, self.objective.monitor
            )
            return self._interpolated(result, before, judge, watch.history)
        return result

    def _lost(self, phase: Phase, why: str) -> DivergedError:
        """What to raise where a number is not finite; the weights are those
        that the phase began with."""
        return divergence(
            self.model, phase.name, why, phase.learning_rate,
            training=self.train, validation=self.val,
        )  # fmt: skip

    def _interpolated(
        self,
        result: PhaseResult,
        before: list[np.ndarray],
        judge: Callable[[], tuple[dict[str, float], np.ndarray]],
        history: HistoryLogger,
    ) -> PhaseResult:
        """The best between where a phase began and its best epoch.

        It hangs on what is saved alone: a killed run does it again alike.
        """
        result = interpolate_result(result, self.model.variables, before, judge)
        best = history.rows[result.best_epoch - result.first_epoch]
        best["share"] = result.share
        self.write_history(history.before, history.rows)
        return result

    def _set_up(self, phase: Phase, first: int) -> Setup:
        """All that the epochs of a phase are made of."""
        left, *sources = self._left_to_fit(phase)
        data = phase_data(*sources, self.compute, first)
        graph = self._compiled(phase, first, left, data)
        return Setup(phase, first, left, data, graph)

    def _watch(self, setup: Setup) -> Watch:
        """What looks on while a phase is fitted."""
        monitor, mode = self.objective.monitored()
        earlier = None if self.backups is None else tuple(self.history)
        watched = None if setup.data.val is None else monitor
        return Watch(
            Waiting(setup.graph.steps),
            StopOnNonFinite(),
            HistoryLogger(self.history_file, earlier, phase=setup.phase.name),
            KeepBestWeights(
                watched, mode, setup.left.variables, self.compute.room
            ),
        )

    def _run_epochs(self, setup: Setup, watch: Watch) -> None:
        """Keras's `fit`, told, watched and saved on the way."""
        phase, first, data = setup.phase, setup.first, setup.data
        callbacks = self._callbacks(setup, watch)
        with (
            signals.at_a_step() if self.backups else contextlib.nullcontext(),
            epochs_told(phase, first, counted_batches(data.train)) as told,
        ):
            setup.graph.fitting.fit(
                data.train,
                validation_data=data.val,
                initial_epoch=first,
                epochs=first + phase.epochs,
                class_weight=self.objective.predicts().class_weight(),
                callbacks=[*callbacks, told],
                shuffle=False,
                verbose=self.verbose,
            )

    def _callbacks(
        self, setup: Setup, watch: Watch
    ) -> list[keras.callbacks.Callback]:
        """Those of a fit, in the order in which they are asked."""
        phase, data = setup.phase, setup.data
        validates = data.val is not None
        callbacks = [
            *([LogOfAll(setup.graph.judged)] if validates else []),
            EpochNumber(data.epoch),
            watch.waiting,
            phase.new_schedule(setup.first),
            *phase.averages(),
            watch.guard,
            watch.history,
            watch.keeper,
            *(self.objective.stoppers() if validates else []),
            *self.callbacks,
        ]
        if self.backups:
            saves = self.backups.callback(
                phase, data.skip, data.batch_size, self.callbacks
            )
            callbacks.append(saves)
        return callbacks

    def _compiled(
        self, phase: Phase, first: int, left: keras.Model, data: PhaseData
    ) -> Graph:
        """The graph that is fitted; one that is kept, where it serves."""
        key = None
        if self.graphs is not None and data.rows is data.val_rows is None:
            key = graph_key(phase, left)
        if key in (self.graphs or {}):
            return self.graphs[key].begun()
        graph = compiled_graph(
            phase,
            first,
            left,
            data,
            task=self.objective.predicts(),
            compute=self.compute,
            whole=self.model,
        )
        if key is not None:
            self.graphs[key] = graph = graph.kept()
        return graph

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
        try:
            with progress.doing("solving the head"):
                probe, logs = solve_on(
                    left,
                    train.once(),
                    val and val.once(),
                    task=self.objective.predicts(),
                    views=train.rows_per_example,
                    groups=train.groups,
                )
        except DivergedError as error:
            raise self._lost(phase, str(error)) from None
        layer = self.model.get_layer(LOGITS)
        layer.kernel.assign(probe.kernel)
        layer.bias.assign(probe.bias)
        log.info(
            f"phase {phase.name}: solved with {probe.how()}, " + in_a_line(logs)
        )
        logs["learning_rate"] = 0.0
        row = {"phase": phase.name, "epoch": first + 1, **logs}
        self.write_history(self._earlier_rows(), [row])
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

    def write_history(self, earlier: list[dict], rows: list[dict]) -> None:
        """Writes rows behind earlier ones, where there is a file for them."""
        if self.history_file is not None:
            write_rows(self.history_file, [*earlier, *rows])

    def _left_to_fit(self, phase: Phase):
        """(model, train, val) of a phase, without what is done once."""
        if self.frozen is None:
            return self.model, self.train, self.val
        return self.frozen.for_phase(phase, self.train, self.val)
