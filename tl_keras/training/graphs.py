"""What a phase is fitted by: its model compiled, its steps.

    graph = compiled_graph(phase, first, left, data, task=..., ...)
    graph.fitting.fit(data.train, ...)
    graphs[graph_key(phase, left)] = graph.kept()
    graph = graphs[key].begun()

In: a phase, what it leaves to fit, its data. Out: a `Graph`; one that is kept
serves phases that differ in their rates alone as if it had just been compiled:
tracing a graph takes seconds, many short fits would trace it anew.
"""

import dataclasses
from collections.abc import Hashable
from typing import NamedTuple, Self

import keras
import numpy as np

from tl_keras.strategies import training_graph
from tl_keras.tasks.task import Task
from tl_keras.training.compiling import compile_for_phase, jit_for
from tl_keras.training.filling import sees_rows_apart
from tl_keras.training.phase import Phase
from tl_keras.training.phase_data import PhaseData
from tl_keras.training.steps import Compute, Steps
from tl_keras.training.train_step import train_step_of
from tl_keras.training.validation import ValidationSteps


class Graph(NamedTuple):
    """A compiled graph.

    Attributes:
        fitting: the model that is fitted.
        steps, judged: its steps of training and of validation.
        fresh: its optimizer's variables as they began, where it is kept.
    """

    fitting: keras.Model
    steps: Steps
    judged: ValidationSteps
    fresh: tuple[tuple[keras.Variable, np.ndarray], ...] = ()

    def kept(self) -> Self:
        """The same to be used again; it has made no step."""
        variables = self.fitting.optimizer.variables
        return self._replace(fresh=tuple((v, np.array(v)) for v in variables))

    def begun(self) -> Self:
        """The same, the optimizer as new."""
        for variable, value in self.fresh:
            variable.assign(value)
        return self


class Setup(NamedTuple):
    """All that the epochs of a phase are made of.

    Attributes:
        phase: of gradient steps.
        first: the number of its first epoch less one.
        left: what is left to fit.
        data: what it is fitted to.
        graph: what is left to fit, compiled.
    """

    phase: Phase
    first: int
    left: keras.Model
    data: PhaseData
    graph: Graph


def compiled_graph(
    phase: Phase,
    first: int,
    left: keras.Model,
    data: PhaseData,
    *,
    task: Task,
    compute: Compute,
    whole: keras.Model,
) -> Graph:
    """Compiles what a phase leaves to fit.

    Args:
        phase: of gradient steps.
        first: the number of its first epoch less one.
        left: what is left to fit, `trainable` as the phase has it.
        data: what it is fitted to.
        task: what is predicted.
        compute: what computes the steps, and how.
        whole: the model that `left` is a part of.

    Returns:
        A `Graph` that has made no step.
    """
    fitting, looks = training_graph(left), compute.looks
    jit = jit_for(fitting, phase, compute, data.train, data.batch_size)
    compile_for_phase(fitting, phase, task, compute, jit, whole)
    full = data.batch_size if compute.device == "gpu" and not jit else None
    # Of one batch an epoch there is one size.
    several = sees_rows_apart(fitting) and int(data.train.cardinality()) > 1
    fitting.train_function = steps = Steps(
        train_step_of(fitting, phase, first, full if several else None),
        jit=jit,
        full=data.batch_size,
        rows=data.rows,
        looks=looks,
        gpu=compute.device == "gpu",
    )
    fitting.test_function = judged = ValidationSteps(
        fitting, task, data.val_rows, looks, full
    )
    return Graph(fitting, steps, judged)


def graph_key(phase: Phase, left: keras.Model) -> Hashable | None:
    """What a compiled graph hangs on; None where it serves once.

    Rates are set before each step, and are no part of it. Variables that a
    strategy adds are.
    """
    if phase.strategy is not None:
        return None
    alike = dataclasses.replace(
        phase, name="", epochs=1, learning_rate=1.0, warmup_epochs=0.0
    )
    return left, alike
