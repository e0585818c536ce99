"""The stages of a run: train, evaluate, compare, export.

In: a run before its first step. Out: fits, evaluations, a published version.
Each takes what `prepare` made and calls the rooms with plain arguments.
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import keras

from tl_keras import io_watchdog, log, signals
from tl_keras.cache import user_cache
from tl_keras.config import TransferConfig
from tl_keras.exports import Evaluated, GateReport, publish
from tl_keras.features import FeatureStore
from tl_keras.jobs.acceptance import Acceptance
from tl_keras.jobs.final_fit import FinalFit
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.placing import compute_of
from tl_keras.jobs.preparation import (
    Prepared,
    classifier_on,
    evaluated,
    many_of,
    served,
)
from tl_keras.jobs.task_choice import objective_of
from tl_keras.jobs.unlabelled import Weighed
from tl_keras.networks import LOGITS
from tl_keras.runs import RunFolder
from tl_keras.semi_supervised import MulticlassWithUnlabelled
from tl_keras.sources import FixedBatches, TensorMemory, TrainingBatches
from tl_keras.strategies import set_trainable
from tl_keras.tasks.outputs import fold_divisor, raw_outputs
from tl_keras.tasks.values import Calibration, Evaluation
from tl_keras.training import (
    FitResult,
    FrozenWork,
    Objective,
    Phase,
    PhaseBackups,
    fit_phases,
    get_variables,
    set_variables,
)

GOLDEN_EXAMPLES = 5  # an odd number, asked one by one and all at once


class Export(NamedTuple):
    """A published version, and how it did on the test split.

    Attributes:
        version: its folder.
        evaluation: of the exported graph's own answers.
        report: what the gate found.
        accepted: what `Acceptance` found, for metrics.json.
    """

    version: pathlib.Path
    evaluation: Evaluation
    report: GateReport
    accepted: Mapping


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
        compute=compute_of(prepared.config, prepared.device),
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


def calibrate(
    prepared: Prepared, final: FinalFit, store: FeatureStore | None
) -> tuple[FitResult, Calibration | None]:
    """Folds what validation says of confidence into the kept weights.

    Args:
        prepared: its model holds the kept weights.
        final: what was trained, and what is known of all examples.
        store: where frozen work is kept, if anywhere.

    Returns:
        The fit with these weights; and what was found, None where that is
        off or there is nothing to validate on.
    """
    labelled, task, fit = prepared.labelled, prepared.task, final.fit
    confidence = prepared.config.calibrate is not False
    if not confidence and not task.chooses_on_validation:
        return fit, None
    if not len(labelled.val):
        log.info("calibration: none, with nothing to validate on")
        return fit, None
    model = prepared.model
    kept = fit.phases[fit.kept]
    if final.outputs is None:
        data = FixedBatches(labelled.val, prepared.config.batch_size)
        left, batches = evaluated(prepared), data()
        if store and left is model:
            frozen = FrozenWork(model, prepared.phases, store)
            left, batches = frozen.for_evaluation(kept.phase, data)
        judged = raw_outputs(left, batches)
        source = f"{len(labelled.val):,} validation {many_of(prepared)}"
    else:
        # That of a solved head is that of the folds already.
        judged = final.outputs, final.targets
        confidence = confidence and not final.confident
        many = many_of(prepared)
        source = f"what the folds say of all {len(final.targets):,} {many}"
    found = task.calibrate(*judged, confidence=confidence)
    fold_divisor(model.get_layer(LOGITS), found.divisor)
    log.info(f"calibration: {found.words}, from {source}")
    warmer = dataclasses.replace(kept, best_variables=get_variables(model))
    phases = [warmer if phase is kept else phase for phase in fit.phases]
    return dataclasses.replace(fit, phases=phases), found


def evaluate_phases(
    prepared: Prepared, fit: FitResult, store: FeatureStore | None
) -> list[Evaluation]:
    """The test split, with each phase's best weights.

    Args:
        prepared: the run; its model has the kept weights afterwards.
        fit: what the phases gave.
        store: as in `train`.

    Returns:
        One a phase, in their order.
    """
    labelled = prepared.labelled
    data = FixedBatches(labelled.test, prepared.config.batch_size)
    model, batches = evaluated(prepared), data()
    frozen = None
    if store and model is prepared.model:
        frozen = FrozenWork(model, prepared.phases, store)
    evaluations = []
    for result in fit.phases:
        set_variables(prepared.model, result.best_variables)
        if frozen:
            model, batches = frozen.for_evaluation(result.phase, data)
        outputs, targets = raw_outputs(model, batches)
        evaluations.append(
            prepared.task.count(outputs, targets, labelled.class_names)
        )
    set_variables(prepared.model, fit.phases[fit.kept].best_variables)
    return evaluations


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


def export(
    prepared: Prepared,
    evaluation: Evaluation,
    run_id: str,
    accept: Acceptance,
) -> Export:
    """Publishes the next version, asked every picture of the test split.

    Args:
        prepared: what was trained; its model holds the kept weights.
        evaluation: of the test split with those weights.
        run_id: of the run; a version that an earlier process of the run has
            published is asked again and taken.
        accept: says whether it is good enough to be published.

    Returns:
        The version, and its own answers to the test split.

    Raises:
        NotPublishedError: an answer is not the model's.
        NotAcceptedError: `accept` says no.
    """
    labelled, task = prepared.labelled, prepared.task
    examples = labelled.test.examples
    # From all over the split, which may lie in the order of its classes.
    step = max(1, len(examples) // GOLDEN_EXAMPLES)
    golden = range(0, len(examples), step)[:GOLDEN_EXAMPLES]
    published = publish(
        served(prepared),
        prepared.config.run_folder(),
        class_names=labelled.class_names,
        golden={examples.ids[i]: examples.read(i) for i in golden},
        decoding=labelled.test.decoding,
        task=task,
        evaluated=Evaluated(examples.ids, examples.read, evaluation.answers),
        run_id=run_id,
        accept=lambda report: accept(
            labelled, report.answers, report.movement, task
        ),
    )
    report = published.report
    answered = task.count_answers(
        report.answers, evaluation.targets, labelled.class_names
    )
    return Export(published.folder, answered, report, published.accepted or {})
