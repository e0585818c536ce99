"""What is published of texts: the network's head, TF-IDF's, or both as one.

    head = choose_head(run)
    head.prepared, head.evaluation       # of what the export will hold

In: a run that is trained and evaluated. Out: the model that takes its place
for the server, the test split's answers by it, and what each candidate was
worth; None where the network alone is as good. The network itself, and
model.keras, stay what they are.
"""

import dataclasses
from typing import NamedTuple

import keras
import numpy as np

from tl_keras import log
from tl_keras.baselines import (
    class_words,
    fit_tfidf,
    served_baseline,
    solve_beside,
    with_baseline,
)
from tl_keras.baselines.beside import ENCODER, TFIDF
from tl_keras.config import TransferConfig
from tl_keras.jobs.baseline import Beside, texts_of
from tl_keras.jobs.few_labels import frozen_features
from tl_keras.jobs.final_fit import is_wanted
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.staging import Head, Run
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import LOGITS
from tl_keras.sources import FixedBatches, LabelledExamples
from tl_keras.tasks.multiclass import LinearProbe, choose_mixture
from tl_keras.tasks.multiclass.mixing import MixtureChoice
from tl_keras.tasks.outputs import raw_outputs
from tl_keras.training import FEWEST_TO_JUDGE, FrozenWork
from tl_keras.training.solving import pooled_features

LEAST = 1e-7  # of a probability, whose logarithm is taken


class _Found(NamedTuple):
    """A choice: the model and its decoding, and outputs.

    Attributes:
        model, decoding: to publish.
        judged: (outputs, labels) by which confidence is chosen.
        tested: outputs for the test split.
        kept: which candidates are in it.
        lines: all candidates, in words.
    """

    model: keras.Model
    decoding: object
    judged: tuple[np.ndarray, np.ndarray]
    tested: np.ndarray
    kept: tuple[str, ...]
    lines: tuple[str, ...]


def wants_head(config: TransferConfig) -> bool:
    """Whether these settings let anything take the network's place."""
    return runs_of(config).baseline and config.baseline != "show"


@standard_globals()
def choose_head(run: Run) -> Head | None:
    """Chooses, and makes what is published.

    Args:
        run: trained and evaluated; its baseline is fitted.
    """
    baseline = run.baseline
    if baseline is None or baseline.fitted is None:
        return None
    config, kept = run.prepared.config, run.fit.phases[run.fit.kept]
    if config.baseline == "export":
        found = _words_alone(run, baseline)
    elif kept.phase.solver == "lbfgs":
        found = _solved(run, baseline)
    else:
        found = _tuned(run, baseline)
    return found and _head(run, found)


def _head(run: Run, found: _Found) -> Head:
    """The same as a run goes on with it."""
    prepared = run.prepared
    calibration = prepared.task.calibrate(*found.judged, confidence=False)
    labelled, test = prepared.labelled, prepared.labelled.test
    shown = dataclasses.replace(
        prepared,
        model=found.model,
        labelled=labelled.decoded_by(found.decoding),
    ).answering(calibration.task)
    evaluation = shown.task.count(
        found.tested, test.labels, labelled.class_names
    )
    log.info(
        f"head: {' and '.join(found.kept)}: test accuracy "
        f"{evaluation.metrics['accuracy']:.4f}"
    )
    return Head(
        shown,
        evaluation,
        calibration,
        {"kept": list(found.kept), "candidates": list(found.lines)},
    )


def _words_alone(run: Run, baseline: Beside) -> _Found:
    """The baseline, as --baseline=export wants it."""
    fitted, labelled = baseline.fitted, run.prepared.labelled
    known = known_of(run.prepared)
    model, decoding = served_baseline(fitted)
    if fitted.out_of_fold is None:
        judged = fitted.outputs(texts_of(known.examples)), known.labels
    else:
        judged = _logs(fitted.out_of_fold), known.labels[fitted.judged]
    tested = fitted.outputs(texts_of(labelled.test.examples))
    return _Found(model, decoding, judged, tested, (TFIDF,), ())


def _solved(run: Run, baseline: Beside) -> _Found | None:
    """Of a frozen head that was solved: weighed on what the folds said."""
    prepared, labelled = run.prepared, run.prepared.labelled
    known, fitted = known_of(prepared), baseline.fitted
    folds = run.folds
    if folds is None or len(folds) != len(known) or fitted.out_of_fold is None:
        return None
    layer = prepared.model.get_layer(LOGITS)
    # What confidence needed was folded into the weights, not into the folds.
    undo = 1.0
    if run.calibration is not None and not run.solved_on:
        undo = float(run.calibration.divisor)
    kernel, bias = (undo * array for array in layer.get_weights())
    head = solve_beside(
        texts_of(known.examples),
        _vectors(run, known),
        known.labels,
        name_vectors=_name_vectors(prepared),
        groups=known.examples.groups,
        probe=LinearProbe(kernel, bias, 0.0, "one", out_of_fold=folds),
        baseline=fitted,
        seed=prepared.config.seed,
    )
    choice = head.choice
    if choice.kept.names == (ENCODER,):
        return None
    model, decoding = with_baseline(
        prepared.model, fitted, (1.0, 1.0), labelled.test.decoding,
        head.encoder_weights(), head.tfidf_weights(),
    )  # fmt: skip
    test = texts_of(labelled.test.examples), _vectors(run, labelled.test)
    return _Found(
        model,
        decoding,
        (head.out_of_fold, known.labels[fitted.judged]),
        head.outputs(*test),
        choice.kept.names,
        tuple(choice.lines()),
    )


def _tuned(run: Run, baseline: Beside) -> _Found | None:
    """Of a tuned network: weighed on validation, by words of training."""
    prepared, labelled = run.prepared, run.prepared.labelled
    if len(labelled.val) < FEWEST_TO_JUDGE:
        return None
    train, val = labelled.train, labelled.val
    of_train = baseline.fitted
    if is_wanted(prepared):  # Then it has seen validation.
        of_train = fit_tfidf(
            texts_of(train.examples), train.labels,
            groups=train.examples.groups, seed=prepared.config.seed,
        )  # fmt: skip
    outputs = {
        ENCODER: _outputs(run, val),
        TFIDF: of_train.outputs(texts_of(val.examples)),
    }
    choice: MixtureChoice = choose_mixture(outputs, val.labels)
    if choice.kept.names == (ENCODER,):
        return None
    weights = choice.weight(ENCODER), choice.weight(TFIDF)
    model, decoding = with_baseline(
        prepared.model, baseline.fitted, weights, labelled.test.decoding
    )
    tested = {
        ENCODER: _outputs(run, labelled.test),
        TFIDF: baseline.fitted.outputs(texts_of(labelled.test.examples)),
    }
    return _Found(
        model,
        decoding,
        (choice.kept.of(outputs), val.labels),
        choice.kept.of(tested),
        choice.kept.names,
        tuple(choice.lines()),
    )


def known_of(prepared: Prepared) -> LabelledExamples:
    """The texts whose labels may teach the baseline and a solved head."""
    labelled = prepared.labelled
    if is_wanted(prepared):
        return labelled.train.plus(labelled.val)
    return labelled.train


def _vectors(run: Run, labelled: LabelledExamples) -> np.ndarray:
    """What the head is given, of stored work where there is some."""
    prepared = run.prepared
    if run.store is not None:
        return frozen_features(prepared, run.store, labelled)[0]
    data = FixedBatches(labelled, prepared.config.batch_size)
    return pooled_features(prepared.model, data(), labelled.examples.ids)[0]


def _name_vectors(prepared: Prepared) -> np.ndarray:
    """The same of the class names, as words."""
    model, train = prepared.model, prepared.labelled.train
    words = [
        class_words(name).encode() for name in prepared.labelled.class_names
    ]
    ids = train.decoding.batch(words)
    before = keras.Model(model.inputs[0], model.get_layer(LOGITS).input)
    return before.predict_on_batch(ids)


def _outputs(run: Run, labelled: LabelledExamples) -> np.ndarray:
    """Logits of the network alone, float32 (n, num_classes), from stored
    work where there is some."""
    prepared = run.prepared
    data = FixedBatches(labelled, prepared.config.batch_size)
    model, batches = prepared.model, data()
    if run.store is not None:
        frozen = FrozenWork(model, prepared.phases, run.store)
        kept = run.fit.phases[run.fit.kept].phase
        model, batches = frozen.for_evaluation(kept, data)
    return raw_outputs(model, batches)[0]


def _logs(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, LEAST))
