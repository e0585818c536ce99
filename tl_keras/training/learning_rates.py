"""Which learning rate a phase can take: a few steps, ever faster.

    found = find_learning_rate(model, phase, images.train.shuffled(32))
    found.suggested                      # 3.2e-4
    found.plot("learning_rates.png")

In: a classifier, a phase, batches. Out: the loss at each rate, and a rate. The
model is as it was afterwards.

Reference: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017.
"""

import dataclasses
import math
import os
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tl_keras import atomic
from tl_keras.errors import DivergedError
from tl_keras.features import FeatureStore
from tl_keras.keras_globals import standard_globals
from tl_keras.sources import EpochSource, as_source
from tl_keras.strategies import training_graph
from tl_keras.training.compiling import compile_for_phase
from tl_keras.training.frozen_features import FrozenWork
from tl_keras.training.phase import Objective, Phase
from tl_keras.training.phase_backups import get_variables, set_variables
from tl_keras.training.steps import Compute, Steps
from tl_keras.training.train_step import train_step_of

SMOOTHING = 0.9  # of the losses, which are of one batch each
TOO_MUCH = 4.0  # times the least loss: faster is of no use
FEWEST = 10  # steps before that is judged
BELOW = 10.0  # a rate is safe so many times below that of the least loss


@dataclasses.dataclass(frozen=True)
class RateRange:
    """The loss of each step, at a learning rate that rises.

    Attributes:
        rates: float64 (n,), ascending, as far as the loss did not explode.
        losses: (n,), of the batch of each step, before it.
        smoothed: (n,), their moving average.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray

    @property
    def at_least(self) -> float:
        """The rate at which the smoothed loss is least."""
        return float(self.rates[self.smoothed.argmin()])

    @property
    def suggested(self) -> float:
        """A tenth of it: a highest rate for a whole phase."""
        return self.at_least / BELOW

    def plot(self, path: str | os.PathLike) -> None:
        """Writes the losses against the rates as a PNG.

        Args:
            path: of the file, which is replaced.
        """
        # Here, so that training needs no matplotlib.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 4), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.semilogx(self.rates, self.losses, ".", color="0.7", label="batch")
        axes.semilogx(self.rates, self.smoothed, label="smoothed")
        axes.axvline(
            self.suggested,
            color="#009e73",
            linestyle="--",
            label=f"suggested: {self.suggested:.2g}",
        )
        axes.set_xlabel("learning rate")
        axes.set_ylabel("training loss")
        axes.legend()
        with atomic.replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=120)


@standard_globals()
def find_learning_rate(
    model: keras.Model,
    phase: Phase,
    train: EpochSource | tf.data.Dataset | Callable,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
    objective: Objective | None = None,
    features: FeatureStore | None = None,
    compute: Compute | None = None,
) -> RateRange:
    """Trains some steps at rates from `lowest` to `highest`, and undoes them.

    Args:
        model: from `build_classifier`; its weights are as before afterwards,
            what is trainable as the phase's strategy leaves it.
        phase: what trains, and by which optimizer; its epochs, schedule and
            learning rate are not read.
        train: as of `fit_phases`; epochs follow each other where one has too
            few batches.
        lowest, highest: learning rates, above 0.
        steps: how many, 10 or more; fewer where the loss explodes.
        objective: the loss.
        features: where frozen work is kept, as of `fit_phases`.
        compute: as of `fit_phases`.

    Returns:
        What was found.

    Raises:
        ValueError: rates or steps out of range, or a phase that is solved.
        DivergedError: the loss is not finite at the lowest rates already.

    Example:
        tune = Phase("tune", 10, 1e-4, unfreeze_from="block5")
        found = find_learning_rate(model, tune, images.train.shuffled(32))
        print(found.suggested)
    """
    rates = _rising(lowest, highest, steps)
    if phase.solver == "lbfgs":
        raise ValueError(f"phase {phase.name}: is solved, without a rate")
    train, left = as_source(train), model
    if features is not None:
        frozen = FrozenWork(model, [phase], features)
        left, train, _ = frozen.for_phase(phase, train, None)
    strategy = phase.adapts_by()
    strategy.apply(model)
    before = get_variables(model)
    try:
        fitting = training_graph(left)
        task = (objective or Objective()).predicts()
        compute = compute or Compute.here()
        compile_for_phase(fitting, phase, task, compute, False, model)
        losses = _losses(
            fitting, phase, _weighted(train, task), rates,
            compute.device == "gpu",
        )  # fmt: skip
    finally:
        set_variables(model, before)
        strategy.merge(model)
    if len(losses) < FEWEST:
        raise DivergedError(
            f"phase {phase.name}: the loss is not finite at a learning rate of "
            f"{rates[len(losses)]:g} - begin lower"
        )
    return RateRange(rates[: len(losses)], losses, smooth(losses))


def _rising(lowest: float, highest: float, steps: int) -> np.ndarray:
    """The rate of each step, float64 (steps,)."""
    if not 0 < lowest < highest or steps < FEWEST:
        raise ValueError(
            f"lowest={lowest:g}, highest={highest:g}, steps={steps}: expected "
            f"0 < lowest < highest, and {FEWEST} steps or more"
        )
    return np.geomspace(lowest, highest, steps)


def _losses(fitting, phase: Phase, train, rates, gpu: bool) -> np.ndarray:
    """Of each step until it explodes, the loss of its batch."""
    step = Steps(train_step_of(fitting, phase, 0), gpu=gpu)
    losses, epoch = [], 0
    batches = iter(train(epoch))
    for rate in rates:
        fitting.optimizer.learning_rate = rate
        fitting.reset_metrics()
        try:
            logs = step(batches)
        except StopIteration:
            epoch += 1
            batches = iter(train(epoch))
            logs = step(batches)
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            break
        losses.append(loss)
        smoothed = smooth(np.array(losses))
        if len(losses) >= FEWEST and smoothed[-1] > TOO_MUCH * smoothed.min():
            break
    return np.array(losses)


def smooth(losses: np.ndarray) -> np.ndarray:
    """Their exponential moving average, without the pull of its start."""
    average, found = 0.0, []
    for number, loss in enumerate(losses, 1):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        found.append(average / (1 - SMOOTHING**number))
    return np.array(found)


def _weighted(train: EpochSource, task) -> Callable[[int], tf.data.Dataset]:
    """An epoch's batches, with the weights that `fit` would give them."""
    if task.class_weight() is None:
        return train
    table = task.class_weight()
    weights = tf.constant([table[i] for i in range(len(table))], tf.float32)
    return lambda epoch: train(epoch).map(
        lambda x, y: (x, y, tf.gather(weights, y))
    )
