"""A run -> what a search fits: its candidates, its labels cut into folds.

    fits = fits_of(prepared, store, folder, candidates_of_run(prepared), 3)

In: a run before its first step. Out: ways to fine-tune, and fits of them on
folds, kept in the run's folder.
"""

import dataclasses
import hashlib

from tl_keras import signals
from tl_keras.features import FeatureStore
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.placing import compute_of
from tl_keras.jobs.planning import plan_phases
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.searching.known import known_of
from tl_keras.jobs.task_choice import objective_of
from tl_keras.runs import RunFolder
from tl_keras.search import (
    Candidate,
    FoldFits,
    Known,
    candidates_of,
    cut_examples,
)
from tl_keras.sources import LabelledExamples, TensorMemory, TrainingBatches
from tl_keras.strategies import suits_lora
from tl_keras.training import FrozenWork, PhaseBackups
from tl_keras.training.trainer import Trainer

FLIPPED_VIEWS = 2


def folds_of(prepared: Prepared, most: int) -> list[tuple]:
    """What may teach a search, cut into folds.

    Args:
        prepared: the run.
        most: how many folds at most; 0 for none.

    Returns:
        As of `cut_examples`; it takes seconds where labels are a million.
    """
    if not most:
        return []
    return cut_examples(prepared.task, known_of(prepared).examples, most)


def candidates_of_run(prepared: Prepared) -> list[Candidate]:
    """All that a run may try, by its network and settings."""
    config, runs = prepared.config, runs_of(prepared.config)
    _, tune = plan_phases(config)
    return candidates_of(
        tune,
        runs.unfreeze_layers(config),
        low_rank=suits_lora(prepared.model, tune.unfreeze_from),
        flips=runs.flips and config.augment == "none",
    )


def fits_of(
    prepared: Prepared,
    store: FeatureStore,
    folder: RunFolder,
    candidates: list[Candidate],
    folds: int,
) -> FoldFits:
    """The means to fit candidates; nothing is computed or written.

    Args:
        prepared: the run; its model as it was loaded.
        store: keeps what frozen layers make of examples.
        folder: of the run.
        candidates: what is going to be fitted.
        folds: how many at most; 0 where costs are all that is asked.

    Returns:
        `FoldFits`.
    """
    config, model = prepared.config, prepared.model
    head, _ = plan_phases(config)
    labelled = known_of(prepared)
    memory = TensorMemory(config.feature_memory_gb)

    def batches(some: LabelledExamples, augment: str) -> TrainingBatches:
        views = config.stored_views() if augment == "none" else FLIPPED_VIEWS
        augment = config.augment if augment == "none" else augment
        return TrainingBatches(
            some, config.batch_size, config.seed, augment, views, memory
        )

    known = Known(labelled, folds_of(prepared, folds), batches, memory)
    # Rows that a device holds would be part of its graphs.
    compute = dataclasses.replace(
        compute_of(config, prepared.device, crowded=prepared.crowded),
        resident_bytes=0,
    )
    trainer = Trainer(
        model,
        batches(labelled, "none"),
        None,
        FrozenWork(model, [head, *(c.phase for c in candidates)], store),
        objective_of(config, prepared.task),
        folder.history,
        (),
        None,
        compute,
        0,
        graphs={},
    )
    # Of other examples, as where some were lost, nothing is gone on with.
    named = "\n".join(labelled.examples.ids).encode()
    backups = PhaseBackups(
        folder.saves / f"search-{hashlib.sha256(named).hexdigest()[:16]}",
        required=config.checkpoint_required,
        stop=signals.requested,
    )
    return FoldFits(trainer, head, known, backups.of(model))
