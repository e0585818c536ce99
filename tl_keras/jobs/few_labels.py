"""What stored features say before the first step, where labels are few.

    weighed = weigh_unlabelled(prepared, store)    # do more pictures help?
    advice = advise_on(prepared, store)            # would more labels?

In: a run before its first phase, whose model is as it was loaded. Out: whether
the head learns from pictures without labels, and advice. Both come from what
the frozen backbone makes of pictures; the store keeps it, so that training
finds it there, and a killed run too.
"""

import time

import keras
import numpy as np

from tl_keras import log
from tl_keras.advice import advise
from tl_keras.features import FeatureStore
from tl_keras.jobs.fault_tolerance import readable
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.unlabelled import Weighed
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import (
    LOGITS,
    backbones,
    multiply_adds,
    ordered_nodes,
)
from tl_keras.semi_supervised import compare
from tl_keras.sources import FixedBatches, LabelledExamples
from tl_keras.strategies import cut_for
from tl_keras.training import FrozenWork
from tl_keras.training.solving import pooled_features

# Pictures x features x classes that advice is asked of; of more, so many are
# drawn. A head on as many is solved in some seconds.
MAX_WORK = 5e7
FEWEST_A_CLASS = 1  # among those
# Multiply-adds of a pass for the activations before the last stages, which
# nothing else needs: some ten seconds of two cores.
MAX_PASS, MAX_STAGES = 5e10, 2


def weigh_unlabelled(prepared: Prepared, store: FeatureStore) -> Weighed:
    """Asks cross-validation whether `--unlabelled` helps the solved head.

    Args:
        prepared: the run, with such pictures.
        store: keeps the features, theirs too.

    Returns:
        Their features, and what was found.

    Raises:
        DataError: one of them cannot be read any more.
    """
    labelled = prepared.labelled
    features, labels = frozen_features(prepared, store, labelled.train)
    with readable(prepared.unlabelled):
        more, _ = frozen_features(prepared, store, prepared.unlabelled.loaded)
    found = compare(
        features,
        labels,
        more,
        class_weights=prepared.task.class_weights,
        groups=labelled.train.examples.groups,
    )
    log.info(f"unlabelled: {found.describe()}")
    return Weighed(more, {**prepared.unlabelled.numbers(), **found.numbers()})


def advise_on(prepared: Prepared, store: FeatureStore) -> dict:
    """Advice from the labelled pictures but those of the test split.

    Args:
        prepared: the run; its first phase is a head on frozen layers.
        store: keeps the features.

    Returns:
        As `tl_keras.advice.advise`, with the `seconds` that it took; nothing
        where there are so many classes that it would take minutes.
    """
    began, labelled = time.perf_counter(), prepared.labelled
    known = labelled.train.plus(labelled.val)
    width, classes = prepared.model.get_layer(LOGITS).kernel.shape
    most = int(MAX_WORK / (width * classes))
    if len(known) > most:
        random = np.random.default_rng(prepared.config.seed)
        some = random.choice(len(known), most, replace=False)
        known = known.take(np.sort(some))
    if np.bincount(known.labels, minlength=classes).min() < FEWEST_A_CLASS:
        log.info(
            f"advice: none, since {classes:,} classes of {width:,} features "
            f"would take minutes"
        )
        return {}
    features, labels = frozen_features(prepared, store, known)
    advice = advise(
        features,
        labels,
        class_names=labelled.class_names,
        trained_on=len(labelled.train),
        groups=known.examples.groups,
        # Not unasked: it takes another pass over the pictures, and probes.
        stages=prepared.config.advice
        and stage_features(prepared, store, known),
        seed=prepared.config.seed,
    )
    seconds = round(time.perf_counter() - began, 3)
    log.info(f"advice, in {seconds:.1f} s:")
    log.info("\n".join(f"  {line}" for line in advice["sentences"]))
    return advice | {"seconds": seconds}


@standard_globals()
def stage_features(
    prepared: Prepared, store: FeatureStore, labelled: LabelledExamples
) -> dict[str, np.ndarray]:
    """What lies before the last stages of an application, pooled.

    Args:
        prepared: the run; its model as it was before the first phase.
        store: keeps them.
        labelled: the examples.

    Returns:
        First layer of a stage -> float32 (n, d); nothing where a pass over
        the pictures would take long, or where no stages are known.
    """
    model = prepared.model
    network = backbones.BACKBONES.get(prepared.config.backbone)
    work = len(labelled) * sum(map(multiply_adds, ordered_nodes(model)))
    if network is None or work > MAX_PASS:
        return {}
    cuts = {
        layer: cut.tensor
        for layer in network.stages[-MAX_STAGES:]
        if (cut := cut_for(model, layer)) and len(cut.tensor.shape) == 4
    }
    if not cuts:
        return {}
    pooled = [
        keras.layers.GlobalAveragePooling2D(dtype="float32")(tensor)
        for tensor in cuts.values()
    ]
    trunk = keras.Model(
        model.inputs[0],
        keras.layers.Concatenate(dtype="float32")(pooled),
        name="stages",
    )
    kept = store.activations(
        trunk, labelled, batch_size=prepared.config.batch_size
    )
    if (rows := kept.rows_in_memory()) is None:
        return {}
    ends = np.cumsum([tensor.shape[-1] for tensor in pooled])
    return dict(zip(cuts, np.split(rows, ends[:-1], axis=1), strict=True))


def frozen_features(
    prepared: Prepared, store: FeatureStore, labelled: LabelledExamples
) -> tuple[np.ndarray, np.ndarray]:
    """What the head of a run is given for pictures, and their labels.

    Args:
        prepared: the run; its model as it was before the first phase.
        store: keeps what the frozen layers make of them.
        labelled: the examples, as they are.

    Returns:
        features float32 (n, d), labels int (n,).
    """
    frozen = FrozenWork(prepared.model, prepared.phases, store)
    data = FixedBatches(labelled, prepared.config.batch_size)
    left, batches = frozen.for_evaluation(prepared.phases[0], data)
    return pooled_features(left, batches, labelled.examples.ids)
