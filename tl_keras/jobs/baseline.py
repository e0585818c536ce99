"""What a simpler method makes of the same data, fitted beside the network.

    beside = fit_baseline(prepared)
    beside.evaluation.metrics["accuracy"], beside.numbers

In: a run's splits. Out: TF-IDF with a linear model, fitted to the training
texts and asked the test texts: what a network has to be better than.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tl_keras import log
from tl_keras.baselines import (
    TfidfBaseline,
    fit_tfidf,
    fit_tfidf_labels,
    fit_tfidf_numbers,
)
from tl_keras.config import TransferConfig
from tl_keras.data import Examples
from tl_keras.jobs.final_fit import is_wanted
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.preparation import Prepared
from tl_keras.tasks.values import Evaluation


class Beside(NamedTuple):
    """A simpler method's result.

    Attributes:
        evaluation: of the test split.
        numbers: how it was made, and what it took.
        fitted: to one class of several; None of other tasks.
    """

    evaluation: Evaluation
    numbers: Mapping
    fitted: TfidfBaseline | None = None


def wants_baseline(config: TransferConfig) -> bool:
    """Whether the run's kind of input has a simpler method."""
    return runs_of(config).baseline


def fit_baseline(prepared: Prepared) -> Beside:
    """Fits TF-IDF to the training texts, and asks it the test texts.

    Args:
        prepared: a run of texts. Where validation's labels may teach a solved
            head, they teach this too.
    """
    began, labelled = time.perf_counter(), prepared.labelled
    known, test = labelled.train, labelled.test.examples
    if is_wanted(prepared):
        known = known.plus(labelled.val)
    answers, numbers, fitted = _answers(
        prepared, known.examples, texts_of(test)
    )
    evaluation = prepared.task.count_answers(
        answers.astype(np.float32), test.labels, labelled.class_names
    )
    seconds = round(time.perf_counter() - began, 3)
    main = prepared.task.main
    log.info(
        f"baseline: {numbers['how']}: test {main} "
        f"{evaluation.metrics[main]:.4f}, in {seconds:.1f} s"
    )
    return Beside(evaluation, {**numbers, "seconds": seconds}, fitted)


def texts_of(examples: Examples) -> list[str]:
    """The texts of examples, as strings."""
    return [examples.read(i).decode() for i in range(len(examples))]


def _answers(
    prepared: Prepared, examples: Examples, test: list[str]
) -> tuple[np.ndarray, dict, TfidfBaseline | None]:
    """What the fitted method says of the test texts, how it was made, and,
    of one class of several, itself."""
    train, seed = texts_of(examples), prepared.config.seed
    task = prepared.task.name
    if task == "regression":
        fitted = fit_tfidf_numbers(train, examples.labels)
        return fitted.answers(test), {"how": fitted.how()}, None
    if task == "multilabel":
        fitted = fit_tfidf_labels(train, examples.labels, seed=seed)
        return fitted.answers(test), {"how": fitted.how()}, None
    found = fit_tfidf(train, examples.labels, groups=examples.groups, seed=seed)
    numbers = {"how": found.how()}
    if np.isfinite(found.accuracy):
        numbers["cross_validation"] = {
            "accuracy": found.accuracy,
            "loss": found.loss,
        }
    return found.probabilities(test), numbers, found
