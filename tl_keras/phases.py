"""Training as a list of phases: the head alone, then more and more of it.

    result = fit_phases(
        model,
        [Phase("head", epochs=10, learning_rate=1e-3),
         Phase("fine_tune", epochs=5, learning_rate=1e-4,
               unfreeze_from="block5")],
        images.train.shuffled(32), images.val.batches(32))

In: a classifier, phases, data. Out: the model with the best weights of all
phases, and what happened. Each phase sets what is trainable, compiles anew
with a new optimizer, and starts from the best weights so far; epoch numbers
and the history run on. Fine-tuning cannot make the result worse: the weights
with the best value on validation win, the earlier ones on a tie.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from tl_keras.callbacks import (
    HistoryLogger,
    KeepBestWeights,
    StopOnNonFinite,
    WarmupCosine,
    is_better,
)
from tl_keras.classifier import (
    count_trainable,
    set_trainable,
    training_graph,
)
from tl_keras.errors import DivergedError

# Plain cross-entropy, so that it means the same with and without label
# smoothing; the loss is what is minimised.
MONITORS = {
    "val_loss": ("val_cross_entropy", "min"),
    "val_accuracy": ("val_accuracy", "max"),
}
OPTIMIZERS = ("adam", "adamw", "sgd")


@dataclasses.dataclass(frozen=True)
class Phase:
    """One stretch of training with one set of trainable layers.

    Attributes:
        name: for the log and the history.
        epochs: at most so many; 0 skips the phase.
        learning_rate: the highest of its schedule.
        unfreeze_from: "none" (the head alone), "all", or a layer's name or
            beginning.
        train_batch_norm: let BatchNorms of unfrozen layers train.
        optimizer: "adam", "adamw" or "sgd".
        weight_decay: of adamw.
        momentum: of sgd.
        schedule: "cosine" or "constant".
        warmup_epochs: rise of the learning rate.
    """

    name: str
    epochs: int
    learning_rate: float
    unfreeze_from: str = "none"
    train_batch_norm: bool = False
    optimizer: str = "adam"
    weight_decay: float = 0.004
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup_epochs: float = 1.0

    def new_optimizer(self, loss_scaling: bool) -> keras.optimizers.Optimizer:
        """A fresh optimizer; with loss scaling for float16."""
        if self.optimizer == "adam":
            optimizer = keras.optimizers.Adam(self.learning_rate)
        elif self.optimizer == "adamw":
            optimizer = keras.optimizers.AdamW(
                self.learning_rate, weight_decay=self.weight_decay
            )
        elif self.optimizer == "sgd":
            optimizer = keras.optimizers.SGD(
                self.learning_rate, momentum=self.momentum
            )
        else:
            raise ValueError(
                f"optimizer={self.optimizer!r}: expected one of "
                f"{', '.join(OPTIMIZERS)}"
            )
        if loss_scaling:
            return keras.optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    def new_schedule(self, first_epoch: int) -> WarmupCosine:
        """The callback that sets the learning rate."""
        return WarmupCosine(
            self.learning_rate,
            self.warmup_epochs,
            final_fraction=1.0 if self.schedule == "constant" else 0.0,
            first_epoch=first_epoch,
        )


@dataclasses.dataclass
class PhaseResult:
    """What came of a phase.

    Attributes:
        phase: as it was asked for.
        first_epoch, last_epoch: numbers from 1, in the count of all phases.
        best_epoch: the epoch whose weights are kept for this phase.
        best_logs: losses and metrics there.
        best_variables: those weights, in the order of `model.variables`.
        trainable_parameters: how many numbers trained.
        seconds: wall time of the fit, validation included.
    """

    phase: Phase
    first_epoch: int
    last_epoch: int
    best_epoch: int
    best_logs: dict
    best_variables: list[np.ndarray]
    trainable_parameters: int
    seconds: float


@dataclasses.dataclass
class FitResult:
    """What `fit_phases` gives back.

    Attributes:
        phases: one result each, in order.
        kept: index of the phase whose weights the model holds now.
        history: one dictionary an epoch: phase, epoch, losses, metrics,
            learning rate.
    """

    phases: list[PhaseResult]
    kept: int
    history: list[dict]


@dataclasses.dataclass(frozen=True)
class Objective:
    """What training minimises, and what chooses the weights that are kept.

    Attributes:
        label_smoothing: share of the target spread over all classes.
        class_weights: weight of each class in the training loss, or None.
        monitor: "val_loss" (plain cross-entropy) or "val_accuracy".
        early_stopping_patience: epochs without a better value; 0 for never.
    """

    label_smoothing: float = 0.0
    class_weights: Sequence[float] | None = None
    monitor: str = "val_loss"
    early_stopping_patience: int = 0

    def loss(self, num_classes: int) -> Callable:
        """Softmax cross-entropy of logits (b, n) against labels (b,)."""
        if not self.label_smoothing:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        smoothed = keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=self.label_smoothing
        )

        def loss(labels, logits):
            labels = keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32")
            return smoothed(keras.ops.one_hot(labels, num_classes), logits)

        return loss


def fit_phases(
    model: keras.Model,
    phases: Sequence[Phase],
    train: tf.data.Dataset | Callable[[tf.Variable], tf.data.Dataset],
    val: tf.data.Dataset | None = None,
    *,
    objective: Objective | None = None,
    history_file: str | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> FitResult:
    """Trains a classifier phase by phase.

    Args:
        model: from `build_classifier`; it holds the best weights afterwards.
        phases: at least one with epochs above 0.
        train: batches of (pixels, int labels), one epoch long; or a function
            that makes them from a variable holding the epoch's number, so
            that an epoch's order depends on its number alone.
        val: batches to validate on; without it the last weights are kept.
        objective: the loss, and what chooses the weights.
        history_file: a .csv to append each epoch to.
        callbacks: more Keras callbacks, for every phase.
        verbose: of Keras's progress bar.

    Returns:
        `FitResult`; the model itself is changed in place.

    Raises:
        DivergedError: a loss or weight stopped being finite. The model holds
            the best finite weights from before.
        ConfigError: a phase unfreezes from a layer that is not there.
    """
    trainer = _Trainer(
        model,
        train,
        val,
        objective or Objective(),
        history_file,
        tuple(callbacks),
        verbose,
    )
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
        set_variables(model, results[kept].best_variables)
    if not results:
        raise ValueError("phases: expected one with epochs above 0")
    return FitResult(results, kept, trainer.history)


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
    train: tf.data.Dataset | Callable[[tf.Variable], tf.data.Dataset]
    val: tf.data.Dataset | None
    objective: Objective
    history_file: str | None
    callbacks: tuple[keras.callbacks.Callback, ...]
    verbose: int | str
    history: list[dict] = dataclasses.field(default_factory=list)

    def fit(self, phase: Phase, first: int) -> PhaseResult:
        """Trains one phase; its first epoch is number `first` + 1."""
        set_trainable(
            self.model,
            phase.unfreeze_from,
            train_batch_norm=phase.train_batch_norm,
        )
        trains, parameters = count_trainable(self.model)
        print(
            f"phase {phase.name}: {trains:,} of {parameters:,} parameters "
            f"train ({_what_trains(phase)}), epochs {first + 1} to "
            f"{first + phase.epochs}, {phase.optimizer} at "
            f"{phase.learning_rate:g}",
            flush=True,
        )
        before = get_variables(self.model)
        number = tf.Variable(first, dtype=tf.int64, trainable=False)
        monitor, mode = MONITORS[self.objective.monitor]
        log = HistoryLogger(self.history_file, phase=phase.name)
        guard = StopOnNonFinite()
        keeper = KeepBestWeights(monitor, mode, self.model.variables)
        started = time.perf_counter()
        self._compiled(phase).fit(
            self.train(number) if callable(self.train) else self.train,
            validation_data=self.val,
            initial_epoch=first,
            epochs=first + phase.epochs,
            class_weight=self._class_weight(),
            callbacks=[
                _EpochNumber(number),
                phase.new_schedule(first),
                guard,
                log,
                *([] if self.val is None else [keeper, *self._stoppers()]),
                *self.callbacks,
            ],
            shuffle=False,
            verbose=self.verbose,
        )
        self.history += log.rows
        if guard.found or (self.val is not None and not keeper.best_epoch):
            set_variables(self.model, keeper.best_variables or before)
            found = guard.found or f"{monitor} is never finite"
            raise DivergedError(
                f"phase {phase.name}: {found} - lower "
                f"its learning rate ({phase.learning_rate:g})"
            )
        last = log.rows[-1]
        if self.val is None:
            keeper.best_epoch = last["epoch"]
            keeper.best_logs = {
                k: v for k, v in last.items() if k not in ("phase", "epoch")
            }
            keeper.best_variables = get_variables(self.model)
        return PhaseResult(
            phase=phase,
            first_epoch=first + 1,
            last_epoch=last["epoch"],
            best_epoch=keeper.best_epoch,
            best_logs=keeper.best_logs,
            best_variables=keeper.best_variables,
            trainable_parameters=trains,
            seconds=time.perf_counter() - started,
        )

    def better(self, new: PhaseResult, old: PhaseResult) -> bool:
        """Whether a phase's best is strictly better than an earlier one's.

        Without validation nothing can be compared, and the last phase wins.
        """
        monitor, mode = MONITORS[self.objective.monitor]
        if self.val is None:
            return True
        return is_better(new.best_logs[monitor], old.best_logs[monitor], mode)

    def _compiled(self, phase: Phase) -> keras.Model:
        """The model to fit: frozen layers still, a new optimizer."""
        fitting = training_graph(self.model)
        half = any(
            layer.compute_dtype == "float16" for layer in self.model.layers
        )
        fitting.compile(
            optimizer=phase.new_optimizer(loss_scaling=half),
            loss=self.objective.loss(self.model.output_shape[-1]),
            metrics=[
                keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
                keras.metrics.SparseCategoricalCrossentropy(
                    from_logits=True, name="cross_entropy"
                ),
            ],
        )
        return fitting

    def _class_weight(self) -> dict[int, float] | None:
        weights = self.objective.class_weights
        return None if weights is None else dict(enumerate(weights))

    def _stoppers(self) -> list[keras.callbacks.Callback]:
        if not self.objective.early_stopping_patience:
            return []
        monitor, mode = MONITORS[self.objective.monitor]
        return [
            keras.callbacks.EarlyStopping(
                monitor,
                mode=mode,
                patience=self.objective.early_stopping_patience,
            )
        ]


def _what_trains(phase: Phase) -> str:
    """In words, what a phase leaves trainable."""
    words = {"none": "the head alone", "all": "all layers"}.get(
        phase.unfreeze_from, f"the head and {phase.unfreeze_from} onward"
    )
    if phase.unfreeze_from != "none" and not phase.train_batch_norm:
        words += ", BatchNorm still"
    return words
