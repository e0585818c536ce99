"""The loop over phases: each is fitted, and the best one is kept.

In: a classifier, phases, data. Out: the model with the best weights of all
phases, and a `FitResult`.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tl_keras.features import FeatureStore
from tl_keras.keras_globals import standard_globals
from tl_keras.sources import as_source
from tl_keras.training.frozen_features import FrozenWork
from tl_keras.training.phase import Objective, Phase
from tl_keras.training.phase_backups import PhaseBackups, set_variables
from tl_keras.training.results import FitResult, PhaseResult
from tl_keras.training.steps import Compute
from tl_keras.training.trainer import Trainer


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
    trainer = Trainer(
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


def _fit_all(trainer: Trainer, phases: Sequence[Phase]) -> FitResult:
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
