"""A head solved on what a phase has left to fit.

In: a model, and batches of all examples once. Out: a `SolvedHead`, and what
Keras would log of an epoch that made it.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tl_keras.errors import DivergedError
from tl_keras.networks import inference, inputs_of, ordered_nodes
from tl_keras.tasks.task import Task
from tl_keras.tasks.values import SolvedHead
from tl_keras.training.divergence import not_finite


def solve_on(
    left: keras.Model,
    train: tf.data.Dataset,
    val: tf.data.Dataset | None,
    *,
    task: Task,
    views: int,
    groups: Sequence[str] | None,
) -> tuple[SolvedHead, dict[str, float]]:
    """The solved head, and what Keras would log of an epoch that made it.

    Args:
        left: what is left to fit; its last layer is the head.
        train: every training example once.
        val: batches to validate on, if any.
        task: what solves it.
        views, groups: of `Task.solve`.

    Returns:
        (the head, "loss" and the metrics, with "val_" before those of
        validation).

    Raises:
        DivergedError: the network gives features that are not finite.
    """
    features, targets = pooled_features(left, train)
    head = task.solve(features, targets, views=views, groups=groups)
    logs = task.logs(head.outputs(features), targets)
    if val is not None:
        features, targets = pooled_features(left, val)
        answers = head.outputs(features)
        of_val = task.logs(answers, targets)
        logs |= {f"val_{name}": value for name, value in of_val.items()}
        logs |= task.epoch_logs(answers, targets)
    return head, logs


def pooled_features(
    model: keras.Model,
    data: tf.data.Dataset,
    ids: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What the last Dense layer of a model is given, for all batches.

    Args:
        model: its last layer is Dense.
        data: batches of (inputs, labels).
        ids: the examples' names, for who has no number.

    Returns:
        features (n, d) and labels (n,), in the order of the data.

    Raises:
        DivergedError: some features are not finite.
    """
    given = keras.Model(
        inputs_of(model), ordered_nodes(model)[-1].input_tensors[0]
    )
    run = inference(given)
    rows, labels = [], []
    for batch, batch_labels in data:
        rows.append(run(batch))
        labels.append(batch_labels.numpy())
    features = np.concatenate(rows)
    fine = np.isfinite(features).all(-1)
    if not fine.all():
        raise DivergedError(
            "the network's features of "
            + not_finite(fine, ids, "examples", model)
        )
    return features, np.concatenate(labels)
