"""Labelled examples -> folds, whatever is predicted.

    cut_examples(task, examples, most=5)

In: a task, and examples with their targets. Out: (places to fit on, places to
judge) pairs; each part is like the whole, and a group is on one side.
"""

import numpy as np
from sklearn.model_selection import GroupKFold

from tl_keras.data import Examples
from tl_keras.tasks.multiclass.cross_validation import FOLD_SEED, cut_folds
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.task import Task


def cut_examples(
    task: Task, examples: Examples, most: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Up to `most` folds.

    Args:
        task: says how targets are spread evenly.
        examples: with their targets, and groups where there are.
        most: how many folds at most, 2 or more.

    Returns:
        Pairs of int arrays; [] where a class, or the one group, would stand
        alone.
    """
    targets, groups = examples.labels, examples.groups
    if isinstance(task, Multiclass):
        return cut_folds(targets, 1, groups, most)
    if groups is not None:
        count = min(most, len(set(groups)))
        if count < 2:
            return []
        cutter = GroupKFold(count, shuffle=True, random_state=FOLD_SEED)
        return list(cutter.split(targets, groups=groups))
    count = min(most, len(targets))
    part = task.stratify(targets, [1 / count] * count, FOLD_SEED)
    places = np.arange(len(targets))
    return [(places[part != k], places[part == k]) for k in range(count)]
