"""The head that is kept, solved once more on all labels: validation's too.

    final = solve_on_all(prepared, fit, store)
    final.fit, final.examples

In: what the phases gave. Out: the same, with a head that validation's labels
have a part in, and what each example is taken for by a solution that it had no
part in, so that confidence is still judged by what was not learnt.

A third of few labels chooses and teaches nothing. Where the frozen head is kept
they can teach it, as it needs no epochs to be chosen; what they would teach a
fine-tune nobody could judge, so that one that is surely better stays as it is.
"""

import dataclasses
from typing import NamedTuple

import numpy as np

from tl_keras import log
from tl_keras.features import FeatureStore
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.task_choice import objective_of
from tl_keras.networks import LOGITS
from tl_keras.sources import TrainingBatches
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.training import (
    FitResult,
    FrozenWork,
    get_variables,
    set_variables,
    solve_on,
)

# A fine-tune of a larger p-value, paired on validation, may as well be chance;
# labels that teach are worth more than that.
SURE = 0.05


class FinalFit(NamedTuple):
    """A fit, and what all labels say of its kept head.

    Attributes:
        fit: with the weights of the head solved anew, or as it was.
        outputs: raw outputs for all examples, each by a solution that it had
            no part in; None where nothing was solved anew.
        targets: of the same examples.
        confident: whether the outputs are as confident as they should be;
            else a temperature mends that.
    """

    fit: FitResult
    outputs: np.ndarray | None = None
    targets: np.ndarray | None = None
    confident: bool = True


def is_wanted(prepared: Prepared) -> bool:
    """Whether a solved head may be taught by validation's labels."""
    # What follows takes the folds' answers for logits of classes.
    return isinstance(prepared.task, Multiclass) and may_teach(prepared)


def may_teach(prepared: Prepared) -> bool:
    """Whether labels of validation may teach, as far as settings say."""
    config, labelled = prepared.config, prepared.labelled
    asked = config.train_on_all
    if asked is None:
        # Those that people brought apart they may want to keep apart.
        asked = "val" not in labelled.own_splits
    return bool(
        asked
        and len(labelled.val)
        # The folds' confidence is not that of a mean over views.
        and not config.test_time_views
        and any(phase.solver == "lbfgs" for phase in prepared.phases)
    )


def solve_on_all(
    prepared: Prepared, fit: FitResult, store: FeatureStore | None
) -> FinalFit:
    """Solves the head anew where it is kept, or nothing is surely better.

    Args:
        prepared: its model holds the weights that are kept afterwards.
        fit: what was trained.
        store: where frozen work is kept, if anywhere.

    Returns:
        The fit with these weights, and judgements of all examples.
    """
    heads = [
        place
        for place, result in enumerate(fit.phases)
        if result.out_of_fold is not None
    ]
    if not heads or not is_wanted(prepared):
        return FinalFit(fit)
    place = heads[-1]
    if fit.kept != place and is_sure(fit.phases[fit.kept].gain):
        return FinalFit(fit)
    model, result = prepared.model, fit.phases[place]
    set_variables(model, result.best_variables)
    batches = _all_labels(prepared)
    left = model
    if store:
        frozen = FrozenWork(model, prepared.phases, store)
        left, batches, _ = frozen.for_phase(result.phase, batches, None)
    head, _ = solve_on(
        left,
        batches.once(),
        None,
        task=objective_of(prepared.config, prepared.task).predicts(),
        views=batches.rows_per_example,
        groups=batches.groups,
    )
    if head.out_of_fold is None:
        set_variables(model, fit.phases[fit.kept].best_variables)
        return FinalFit(fit)
    layer = model.get_layer(LOGITS)
    layer.kernel.assign(head.kernel)
    layer.bias.assign(head.bias)
    count = len(head.out_of_fold)
    log.info(
        f"head: solved once more on all {count:,} labels, the "
        f"{len(prepared.labelled.val):,} of validation too, with {head.how()}"
    )
    anew = dataclasses.replace(result, best_variables=get_variables(model))
    phases = [anew if phase is result else phase for phase in fit.phases]
    targets = [
        labelled.labels
        for labelled in (prepared.labelled.train, prepared.labelled.val)
    ]
    return FinalFit(
        dataclasses.replace(fit, phases=phases, kept=place),
        # Of probabilities, so that what is below float32's least counts alike.
        np.log(np.maximum(head.out_of_fold, np.finfo(np.float32).tiny)),
        np.concatenate(targets),
    )


def is_sure(gain: dict | None) -> bool:
    """Whether a fine-tune is better on validation by more than chance."""
    return bool(gain) and gain["better_by"] > 0 and gain["p_value"] <= SURE


def _all_labels(prepared: Prepared) -> TrainingBatches:
    """Training and validation as one, augmented as training is."""
    config, labelled = prepared.config, prepared.labelled
    views = config.stored_views()
    both = labelled.train.plus(labelled.val)
    augment = config.augment if views else "none"
    return TrainingBatches(both, config.batch_size, config.seed, augment, views)
