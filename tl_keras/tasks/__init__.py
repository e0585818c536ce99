"""What is predicted, one room a kind of answer.

    task = stored_task({"task": "multilabel", "thresholds": [0.4, 0.6]})
    task.name, task.answer

`multiclass`: one class of several; `multilabel`: any number of labels;
`regression`: numbers. The modules are loaded when they are used:
whoever opens an export needs none of what trains or counts.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from tl_keras.tasks.task import Task

# Name -> its class; each room has a `task` module.
TASKS = {
    "multiclass": "Multiclass",
    "multilabel": "Multilabel",
    "regression": "Regression",
}


def task_class(name: str) -> "type[Task]":
    """The class of a task by its name, one of `TASKS`."""
    room = importlib.import_module(f"tl_keras.tasks.{name}.task")
    return getattr(room, TASKS[name])


def task_like(labels: "np.ndarray") -> str:
    """The name of the task that has such targets: classes int (n,), labels
    int (n, labels) of 0 and 1, or numbers float (n, columns)."""
    if labels.dtype.kind == "f":
        return "regression"
    return "multiclass" if labels.ndim == 1 else "multilabel"


def stored_task(stored: Mapping) -> "Task":
    """The task that `Task.stored` told; one class of several for {}.

    Raises:
        ValueError: no such task, or not what it stores.
    """
    values = dict(stored)
    name = values.pop("task", "multiclass")
    if not isinstance(name, str) or name not in TASKS:
        raise ValueError(f"task {name!r}: expected one of {', '.join(TASKS)}")
    try:
        return task_class(name)(**values)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"task {name}: {error}") from None
