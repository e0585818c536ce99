"""The stages of a run: train, evaluate, compare, export.

Each takes what `prepare` made and calls the rooms with plain arguments.
"""

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Iterator

import keras
import tensorflow as tf

from tl_keras import backbones
from tl_keras.cache import user_cache
from tl_keras.classifier import load_backbone
from tl_keras.config import TransferConfig
from tl_keras.data import (
    FixedBatches,
    ImageSplits,
    PixelMemory,
    TrainingBatches,
)
from tl_keras.errors import MachineError
from tl_keras.evaluation import Evaluation, evaluate_classifier
from tl_keras.features import FeatureStore
from tl_keras.job.preparation import Prepared, classifier_on, objective_of
from tl_keras.phases import (
    FitResult,
    FrozenWork,
    fit_phases,
    set_variables,
)
from tl_keras.servable import export_saved_model

GOLDEN_PICTURES = 5  # an odd number, asked one by one and all at once


def train(
    prepared: Prepared, folder: pathlib.Path, store: FeatureStore | None
) -> FitResult:
    """Runs the phases; history.csv and TensorBoard logs go to `folder`."""
    return fit_phases(
        prepared.model,
        prepared.phases,
        *training_data(prepared),
        features=store,
        objective=objective_of(prepared.config, prepared.images),
        history_file=folder / "history.csv",
        callbacks=[
            keras.callbacks.TensorBoard(folder / "logs", write_graph=False)
        ],
        verbose=progress(),
    )


def progress() -> int:
    """Keras's `verbose`: a bar on a terminal, else a line an epoch."""
    return 1 if sys.stdout.isatty() else 2


def training_data(
    prepared: Prepared,
) -> tuple[TrainingBatches, FixedBatches | None]:
    """The batches of any epoch, and those to validate on, if any."""
    config, images = prepared.config, prepared.images
    memory = PixelMemory(config.feature_memory_gb)
    train = TrainingBatches(
        images.train,
        config.batch_size,
        config.seed,
        config.augment,
        config.stored_views(),
        memory,
    )
    val = FixedBatches(images.val, config.batch_size, memory)
    return train, val if len(images.val) else None


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


def evaluate_phases(
    prepared: Prepared, fit: FitResult, store: FeatureStore | None
) -> list[Evaluation]:
    """The test split, with each phase's best weights."""
    images = prepared.images
    data = FixedBatches(images.test, prepared.config.batch_size)
    model, batches = prepared.model, data()
    frozen = store and FrozenWork(prepared.model, prepared.phases, store)
    evaluations = []
    for result in fit.phases:
        set_variables(prepared.model, result.best_variables)
        if frozen:
            model, batches = frozen.for_evaluation(result.phase, data)
        evaluations.append(
            evaluate_classifier(model, batches, class_names=images.class_names)
        )
    set_variables(prepared.model, fit.phases[fit.kept].best_variables)
    return evaluations


def train_from_scratch(prepared: Prepared) -> Evaluation:
    """The same network from random weights: what transfer is worth.

    All layers train at the head's learning rate, for as many epochs as both
    phases have; BatchNorm trains, having learnt nothing yet.
    """
    config, images = prepared.config, prepared.images
    network = load_backbone(
        config.backbone,
        image_size=config.image_size,
        weights="none",
        arguments=backbones.parse_arguments(config.backbone_args),
    )
    model = classifier_on(network, config, len(images.class_names))
    phase = dataclasses.replace(
        prepared.phases[0],
        name="scratch",
        epochs=config.head_epochs + config.fine_tune_epochs,
        learning_rate=config.head_learning_rate,
        unfreeze_from="all",
        train_batch_norm=True,
        solver="adam",
    )
    fit_phases(
        model,
        [phase],
        *training_data(prepared),
        objective=objective_of(config, images),
        verbose=progress(),
    )
    return evaluate_classifier(
        model,
        images.test.batches(config.batch_size),
        class_names=images.class_names,
    )


def export(prepared: Prepared) -> pathlib.Path:
    """Publishes the next version, checked on pictures of the test split."""
    examples = prepared.images.test.examples
    step = max(1, len(examples) // GOLDEN_PICTURES)
    golden = range(0, len(examples), step)[:GOLDEN_PICTURES]
    return export_saved_model(
        prepared.model,
        prepared.config.run_folder(),
        class_names=prepared.images.class_names,
        golden=[examples.read(i) for i in golden],
        decoding=prepared.images.test.decoding,
    )


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Turns running out of memory into a line that names the remedy."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError):
        raise MachineError(
            "out of memory - halve --batch_size, lower --image_size or "
            "--head_units, or choose a smaller --backbone"
        ) from None


@contextlib.contextmanager
def readable(images: ImageSplits) -> Iterator[None]:
    """Turns TensorFlow's nameless faults into lines that name the remedy."""
    try:
        with enough_memory():
            yield
    except (tf.errors.InvalidArgumentError, tf.errors.NotFoundError):
        for split in (images.train, images.val, images.test):
            split.raise_unreadable()
        raise
