"""What trained weights say: of validation, then of the test split.

    fit, calibration = calibrate(prepared, final, store)
    evaluations = evaluate_phases(prepared, fit, store)

In: what training gave. Out: the same with how far it can be trusted folded in;
an evaluation of each phase.
"""

import dataclasses

import numpy as np

from tl_keras import log
from tl_keras.errors import DivergedError
from tl_keras.features import FeatureStore
from tl_keras.jobs.final_fit import FinalFit
from tl_keras.jobs.preparation import Prepared, evaluated, many_of
from tl_keras.networks import LOGITS
from tl_keras.sources import FixedBatches
from tl_keras.tasks.outputs import fold_divisor, raw_outputs
from tl_keras.tasks.values import Calibration, Evaluation
from tl_keras.training import (
    FitResult,
    FrozenWork,
    get_variables,
    set_variables,
)
from tl_keras.training.divergence import not_finite


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

    Raises:
        DivergedError: an answer is not finite.
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
        fine = np.isfinite(outputs).all(-1)
        if not fine.all():
            raise DivergedError(
                f"phase {result.phase.name}: the model's answers to "
                + not_finite(
                    fine,
                    labelled.test.examples.ids,
                    f"test {many_of(prepared)}",
                    prepared.model,
                )
            )
        evaluations.append(
            prepared.task.count(outputs, targets, labelled.class_names)
        )
    set_variables(prepared.model, fit.phases[fit.kept].best_variables)
    return evaluations
