"""Settings and targets -> what is predicted, and what chooses the weights.

In: settings, the splits. Out: a `Task`, an `Objective`; or a line for each
setting that the task does not read.
"""

from collections.abc import Iterator

import numpy as np

from tl_keras.config import TransferConfig
from tl_keras.errors import ConfigError
from tl_keras.sources import LabelledSplits
from tl_keras.tasks import task_class, task_like
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.multilabel import losses as multilabel_losses
from tl_keras.tasks.multilabel.task import Multilabel
from tl_keras.tasks.regression.task import LOSSES, Regression
from tl_keras.tasks.task import Task
from tl_keras.training import Objective


def task_of(config: TransferConfig, labelled: LabelledSplits) -> Task:
    """What is predicted, with what training needs of the targets.

    Raises:
        ConfigError: a setting is given that does nothing for this task.
    """
    labels = labelled.train.examples.labels
    kind = task_like(labels)
    faults = list(task_faults(config, kind))
    if faults:
        raise ConfigError(faults)
    loss = {} if config.loss == "auto" else {"loss_kind": config.loss}
    if kind == "regression":
        coverage = 0.9 if config.coverage is None else config.coverage
        return Regression.of(labels, coverage=coverage, **loss)
    if kind == "multilabel":
        weights = None
        if config.class_weights == "balanced":
            there = np.maximum(labels.sum(axis=0), 1)
            weights = np.maximum(len(labels) - there, 1) / there
        return Multilabel(
            positive_weights=weights,
            label_smoothing=config.label_smoothing,
            **loss,
        )
    weights = None
    if config.class_weights == "balanced":
        counts = [(labels == i).sum() for i in range(len(labelled.class_names))]
        weights = [float(len(labels) / (len(counts) * n)) for n in counts]
    return Multiclass(
        config.label_smoothing,
        weights,
        config.coverage or 0.0,
        reject=config.reject,
    )


def task_faults(config: TransferConfig, kind: str) -> Iterator[str]:
    """Lines for settings that are given and do nothing for a task.

    Args:
        config: the settings.
        kind: the task's name.
    """
    losses = {
        "multiclass": ("cross_entropy",),
        "multilabel": multilabel_losses.LOSSES,
        "regression": LOSSES,
    }
    if config.loss not in ("auto", *losses[kind]):
        yield (
            f"--loss={config.loss}: expected auto, {', '.join(losses[kind])} "
            f"for the task {kind}"
        )
    monitors = task_class(kind).monitors
    if config.given("monitor") and config.monitor not in monitors:
        yield (
            f"--monitor={config.monitor}: expected one of "
            f"{', '.join(monitors)} for the task {kind}"
        )
    classes, labels = ("multiclass",), ("multiclass", "multilabel")
    read_by = {
        "min_accuracy": classes, "unlabelled": classes, "advice": classes,
        "train_on_all": classes, "label_smoothing": labels,
        "class_weights": labels, "calibrate": labels,
        "coverage": ("multiclass", "regression"),
        "baseline": classes, "reject": classes,
    }  # fmt: skip
    for name, kinds in read_by.items():
        if config.given(name) and kind not in kinds:
            yield (
                f"--{name}: given, but the task is {kind}, which has no such "
                "thing - leave it out"
            )


def objective_of(config: TransferConfig, task: Task) -> Objective:
    """The task, and what chooses the weights."""
    known = config.monitor in task.monitors
    return Objective(
        task=task,
        monitor=config.monitor if known else None,
        early_stopping_patience=config.early_stopping_patience,
    )
