"""A prepared run -> trained weights: its phases, or all layers from scratch.

    fit = train(prepared, folder, feature_store(prepared.config))

In: what `prepare` made. Out: a fit. The rooms are called with plain arguments.
"""

import dataclasses

import keras

from tl_keras import io_watchdog, signals
from tl_keras.cache import user_cache
from tl_keras.config import TransferConfig
from tl_keras.features import FeatureStore
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.placing import compute_of
from tl_keras.jobs.preparation import Prepared, classifier_on
from tl_keras.jobs.task_choice import objective_of
from tl_keras.jobs.unlabelled import Weighed
from tl_keras.runs import RunFolder
from tl_keras.semi_supervised import MulticlassWithUnlabelled
from tl_keras.sources import FixedBatches, TensorMemory, TrainingBatches
from tl_keras.strategies import set_trainable
from tl_keras.tasks.outputs import raw_outputs
from tl_keras.tasks.values import Evaluation
from tl_keras.training import (
    FitResult,
    Objective,
    Phase,
    PhaseBackups,
    fit_phases,
)


def train(
    prepared: Prepared,
    folder: RunFolder,
    store: FeatureStore | None,
    *,
    unlabelled: Weighed | None = None,
) -> FitResult:
    """Runs the phases, or goes on with them; history.csv, TensorBoard logs and
    what is saved on the way go to `folder`.

    Args:
        prepared: the run; its model holds the best weights afterwards.
        folder: where to.
        store: keeps what frozen layers make of pictures; None computes it in
            each epoch.
        unlabelled: pictures without labels that the solved head learns from
            too, as far as they help.

    Returns:
        What the phases gave, those of an earlier process too.

    Raises:
        DivergedError: a loss or weight is not finite.
        StoppedError: a signal asked for it; all is saved.
    """
    last = prepared.phases[-1]
    # Phases that an earlier process has finished set nothing here, and yet
    # model.keras shall be the same.
    set_trainable(
        prepared.model,
        last.unfreeze_from,
        train_batch_norm=last.train_batch_norm,
    )
    return fit_phases(
        prepared.model,
        prepared.phases,
        *training_data(prepared),
        features=store,
        objective=with_unlabelled(
            objective_of(prepared.config, prepared.task), unlabelled
        ),
        history_file=folder.history,
        callbacks=[
            keras.callbacks.TensorBoard(folder.logs, write_graph=False),
            Answered(),
        ],
        backups=PhaseBackups(
            folder.saves,
            required=prepared.config.checkpoint_required,
            stop=signals.requested,
        ),
        compute=compute_of(
            prepared.config, prepared.device, crowded=prepared.crowded
        ),
        verbose=0,
    )


def with_unlabelled(
    objective: Objective, unlabelled: Weighed | None
) -> Objective:
    """The same objective, its head solved with pictures without labels too."""
    if unlabelled is None or not unlabelled.numbers["share"]:
        return objective
    labelled = objective.predicts()
    task = MulticlassWithUnlabelled(
        **{
            field.name: getattr(labelled, field.name)
            for field in dataclasses.fields(labelled)
        },
        unlabelled=unlabelled.features,
        share=unlabelled.numbers["share"],
    )
    return dataclasses.replace(
        objective, task=task, label_smoothing=0.0, class_weights=None
    )


class Answered(keras.callbacks.Callback):
    """Tells the watch over storage that a batch has come."""

    def on_train_batch_end(self, batch, logs=None):
        io_watchdog.answered()

    def on_test_batch_end(self, batch, logs=None):
        io_watchdog.answered()


def training_data(
    prepared: Prepared,
) -> tuple[TrainingBatches, FixedBatches | None]:
    """The batches of any epoch, and those to validate on, if any."""
    config, labelled = prepared.config, prepared.labelled
    memory = TensorMemory(config.feature_memory_gb)
    train = TrainingBatches(
        labelled.train,
        config.batch_size,
        config.seed,
        config.augment,
        config.stored_views(),
        memory,
    )
    val = FixedBatches(labelled.val, config.batch_size, memory)
    return train, val if len(labelled.val) else None


def feature_store(config: TransferConfig) -> FeatureStore | None:
    """Where frozen work is kept, or None where it is done each epoch."""
    if config.feature_cache == "off":
        return None
    auto = config.feature_cache == "auto"
    return FeatureStore(
        user_cache("features") if auto else config.feature_cache,
        limit_gb=config.feature_cache_gb,
        memory_gb=config.feature_memory_gb,
    )


def train_from_scratch(prepared: Prepared) -> Evaluation:
    """The same network from random weights: what transfer is worth.

    All layers train at the head's learning rate, for as many epochs as both
    phases have; BatchNorm trains, having learnt nothing yet.
    """
    config, labelled = prepared.config, prepared.labelled
    # The same ones however much was drawn before, in this process or another.
    keras.utils.set_random_seed(config.seed)
    network = runs_of(config).random(config, labelled)
    model = classifier_on(network, config, len(labelled.class_names))
    phase = dataclasses.replace(
        prepared.phases[0],
        name="scratch",
        epochs=config.head_epochs + config.fine_tune_epochs,
        learning_rate=config.head_learning_rate,
        unfreeze_from="all",
        train_batch_norm=True,
        # To solve the head alone is for layers that are frozen; to stay near
        # weights, or to adapt them, is for those that are pretrained.
        solver="adam",
        strategy=None,
        **Phase.plain_steps(),
    )
    fit_phases(
        model,
        [phase],
        *training_data(prepared),
        objective=objective_of(config, prepared.task),
        callbacks=[Answered()],
        compute=compute_of(config, prepared.device),
        verbose=0,
    )
    batches = labelled.test.batches(config.batch_size)
    return prepared.task.count(
        *raw_outputs(model, batches), labelled.class_names
    )
