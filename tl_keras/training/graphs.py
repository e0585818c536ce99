"""Compiled graphs that are kept, for phases that differ in their rates alone.

    graphs = {}
    graphs[graph_key(phase, left)] = Graph.of(fitting, steps, judged)
    fitting, steps, judged = graphs[key].begun()

In: a model that was compiled for a phase. Out: the same, as if it had just been
compiled: tracing a graph takes seconds, many short fits would trace it anew.
"""

import dataclasses
from collections.abc import Hashable
from typing import NamedTuple, Self

import keras
import numpy as np

from tl_keras.training.phase import Phase
from tl_keras.training.steps import Steps
from tl_keras.training.validation import ValidationSteps


class Graph(NamedTuple):
    """A compiled graph, and its optimizer's variables as they began."""

    fitting: keras.Model
    steps: Steps
    judged: ValidationSteps
    fresh: tuple

    @classmethod
    def of(
        cls, fitting: keras.Model, steps: Steps, judged: ValidationSteps
    ) -> Self:
        """That of a model that was compiled and has made no step.

        Args:
            fitting: the model.
            steps, judged: its steps of training and of validation.

        Returns:
            A `Graph`.
        """
        fresh = tuple((v, np.array(v)) for v in fitting.optimizer.variables)
        return cls(fitting, steps, judged, fresh)

    def begun(self) -> tuple[keras.Model, Steps, ValidationSteps]:
        """The three, the optimizer as new."""
        for variable, value in self.fresh:
            variable.assign(value)
        return self.fitting, self.steps, self.judged


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
