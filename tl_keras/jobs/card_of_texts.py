"""What a run adds to its numbers once it is published: words, refusals.

    metrics |= text_numbers(run)
    metrics |= rejection_numbers(run)

In: a run with its evaluation. Out: plain values for metrics.json, which the
page shows: excerpts with the words that carried an answer, accuracy by length;
how many examples a least probability refuses, those of no class too.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from tl_keras import log
from tl_keras.jobs.baseline import texts_of
from tl_keras.jobs.preparation import Prepared, served
from tl_keras.jobs.staging import Run
from tl_keras.networks import answers_model, inference
from tl_keras.run_card.text_section import text_section
from tl_keras.tasks.multiclass.rejecting import (
    measure_rejection,
    rejection_words,
)

AT_ONCE = 64


def text_numbers(run: Run) -> dict:
    """The section of texts of one class of several; {} of anything else."""
    prepared = run.shown
    if prepared.report.kind != "text" or prepared.task.name != "multiclass":
        return {}
    answers_of = asker(prepared)
    test = prepared.labelled.test.examples
    section = text_section(
        [text.encode() for text in texts_of(test)],
        run.kept.targets,
        run.kept.answers,
        prepared.labelled.class_names,
        answers_of=lambda texts: answers_of([t.encode() for t in texts])[0],
    )
    return {"texts": section}


def rejection_numbers(run: Run) -> dict:
    """What the least probability refuses; {} where there is none."""
    prepared = run.shown
    least = getattr(prepared.task, "least", None)
    if least is None:
        return {}
    examples = prepared.report.listing.of_none
    encoded = [examples.read(i) for i in range(len(examples))]
    none = np.zeros((0, len(prepared.labelled.class_names)), np.float32)
    if encoded:
        answers, read = asker(prepared)(encoded)
        none = answers[read]
    found = measure_rejection(run.kept.answers, run.kept.targets, none, least)
    log.info(f"reject: {rejection_words(found)}")
    chosen = run.calibration.numbers["reject"]
    return {"reject": {**chosen, **found}}


def asker(prepared: Prepared) -> Callable[[Sequence[bytes]], tuple]:
    """A function from bytes to (answers (n, outputs), which were read)."""
    task, decoding = prepared.task, prepared.labelled.test.decoding
    run = inference(
        answers_model(served(prepared), task.activation, task.answer)
    )

    def ask(encoded: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray]:
        rows, read = [], []
        for start in range(0, len(encoded), AT_ONCE):
            some = tf.constant(list(encoded[start : start + AT_ONCE]))
            tensors, status = decoding.load_rows(some)
            rows.append(np.asarray(run(tensors)))
            read.append(status.numpy() == b"")
        return np.concatenate(rows), np.concatenate(read)

    return ask
