"""Numbers for each example, as the other rooms ask for it.

In: raw outputs or answers, and the targets beside them. Out: what `Task` says.
The network's outputs are standardised values; the last layer of the exported
model, which no phase trains, gives them in the columns' own units. What trains
and counts is imported where it is used, as in the other tasks.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from tl_keras.tasks.conformal import level_for, refuse_other_levels
from tl_keras.tasks.regression.differs import ValueDiffers
from tl_keras.tasks.task import Task
from tl_keras.tasks.values import Answer, Calibration, Said, Verdict, shortest

if TYPE_CHECKING:
    from tl_keras.tasks.regression.evaluation import ValueEvaluation
    from tl_keras.tasks.regression.ridge import RidgeHead

LOSSES = ("huber", "mse", "mae")


@dataclasses.dataclass(frozen=True)
class Regression(Task):
    """Standardised outputs (b, columns) against targets in their own units.

    Attributes:
        mean, scale: of the targets in training, one a column; see `of`.
        loss_kind: "huber" (square up to one deviation, then straight), "mse"
            or "mae".
        coverage: share of new examples whose truth an interval holds; 0 for
            no intervals.
        margins: half the intervals' width, one a column in its unit; None
            until `calibrate` chooses them.
        levels: the same for each of `conformal.SHARES`, one list a column, so
            that another share can be asked for later; None until `calibrate`.

    Example:
        task = Regression.of(train_ages, loss_kind="huber")
        fit_phases(model, phases, train, val, objective=Objective(task=task))
    """

    mean: Sequence[float] = (0.0,)
    scale: Sequence[float] = (1.0,)
    loss_kind: str = "huber"
    coverage: float = 0.9
    margins: Sequence[float] | None = None
    levels: Sequence[Sequence[float | None]] | None = None

    name = "regression"
    answer = "values"
    main = "mae"
    second = "r2"
    chooses_on_validation = True
    monitors = {  # noqa: RUF012
        "val_loss": ("val_loss", "min"),
        "val_mae": ("val_scaled_mae", "min"),
    }

    def __post_init__(self):
        if self.loss_kind not in LOSSES:
            raise ValueError(
                f"loss_kind={self.loss_kind!r}: expected one of "
                f"{', '.join(LOSSES)}"
            )
        if not 0 <= self.coverage < 1:
            raise ValueError(
                f"coverage={self.coverage}: expected 0 to 1, as 0.9"
            )
        for name in ("mean", "scale", "margins"):
            value = getattr(self, name)
            if value is not None:
                exact = tuple(float(x) for x in np.ravel(value))
                object.__setattr__(self, name, exact)
        if self.levels is not None:
            for levels in self.levels:
                refuse_other_levels(levels, "levels")
            exact = tuple(tuple(levels) for levels in self.levels)
            object.__setattr__(self, "levels", exact)
        lengths = {len(self.mean), len(self.scale)}
        for more in (self.margins, self.levels):
            lengths |= set() if more is None else {len(more)}
        if len(lengths) != 1 or min(self.scale, default=0) <= 0:
            raise ValueError(
                f"mean={self.mean}, scale={self.scale}, margins={self.margins}"
                ": expected one of each for each column, scale above 0"
            )

    @classmethod
    def of(cls, targets: np.ndarray, **options) -> "Regression":
        """The task for training targets (n,) or (n, columns).

        Args:
            targets: finite, in their own units.
            **options: other attributes.

        Returns:
            With their mean and deviation; 1 for a column that never changes.
        """
        rows = np.asarray(targets, np.float64).reshape(len(targets), -1)
        mean, deviation = rows.mean(axis=0), rows.std(axis=0)
        still = deviation <= 1e-12 * np.maximum(1, np.abs(mean))
        return cls(mean, np.where(still, 1.0, deviation), **options)

    def loss(self, outputs: int) -> Callable:
        """Of standardised targets, a mean over columns."""
        kinds = {
            "huber": keras.losses.huber,
            "mse": keras.losses.mean_squared_error,
            "mae": keras.losses.mean_absolute_error,
        }
        kind = kinds[self.loss_kind]
        mean, scale = self._constants()

        def loss(targets, values):
            targets = keras.ops.reshape(targets, (-1, outputs))
            targets = (keras.ops.cast(targets, "float32") - mean) / scale
            return kind(targets, values)

        return loss

    def metrics(self) -> list[keras.metrics.Metric]:
        """Mean absolute error, as a share of each column's deviation."""
        mean, scale = self._constants()

        def scaled_mae(targets, values):
            targets = keras.ops.reshape(targets, (-1, len(self.mean)))
            targets = (keras.ops.cast(targets, "float32") - mean) / scale
            return keras.losses.mean_absolute_error(targets, values)

        return [keras.metrics.MeanMetricWrapper(scaled_mae, name="scaled_mae")]

    def epoch_logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """None: all that is told is a mean over batches."""
        return {}

    def costs(
        self, monitor: str, outputs: np.ndarray, targets: np.ndarray
    ) -> np.ndarray:
        """As of `Task`, in deviations, a mean over columns."""
        errors = np.abs(outputs - self._scaled(targets))
        if monitor == "val_mae" or self.loss_kind == "mae":
            return errors.mean(axis=1)
        if self.loss_kind == "mse":
            return (errors**2).mean(axis=1)
        costs = np.where(errors <= 1, errors**2 / 2, errors - 0.5)
        return costs.mean(axis=1)

    def solve(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        *,
        views: int = 1,
        groups: Sequence[str] | None = None,
    ) -> "RidgeHead":
        """As of `Task`: ridge regression, whatever the loss; `solve_ridge`."""
        from tl_keras.tasks.regression.ridge import solve_ridge

        scaled = self._scaled(targets)
        return solve_ridge(features, scaled, views=views, groups=groups)

    def logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """Loss and mean absolute error, in deviations."""
        return {
            "loss": float(self.costs("val_loss", outputs, targets).mean()),
            "scaled_mae": float(self.costs("val_mae", outputs, targets).mean()),
        }

    def activation(self, name: str) -> keras.layers.Layer:
        """Standardised values in the columns' own units."""
        return keras.layers.Rescaling(
            list(self.scale), list(self.mean), name=name, dtype="float32"
        )

    def calibrate(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        *,
        confidence: bool = True,
    ) -> Calibration:
        """As of `Task`: margins of intervals by split conformal prediction."""
        from tl_keras.tasks import conformal

        if not self.coverage:
            return Calibration(self, 1.0, "no intervals (coverage 0)", {})
        truth = np.asarray(targets, np.float64).reshape(outputs.shape)
        errors = np.abs(self._values(outputs) - truth)
        found = [conformal.interval_margin(e, self.coverage) for e in errors.T]
        task = dataclasses.replace(
            self, levels=[conformal.margins(e) for e in errors.T]
        )
        numbers = {
            "conformal": {
                "coverage": self.coverage,
                "margins": [m if np.isfinite(m) else None for m in found],
                "examples": len(targets),
            }
        }
        if not np.isfinite(found).all():
            # JSON has no infinity, and nobody is helped by one.
            words = (
                f"no intervals: {len(targets)} examples are too few for "
                f"{self.coverage:.0%}"
            )
            return Calibration(task, 1.0, words, numbers)
        words = (
            f"intervals of +- {', '.join(f'{m:.4g}' for m in found)} for "
            f"{self.coverage:.0%}"
        )
        task = dataclasses.replace(task, margins=found)
        return Calibration(task, 1.0, words, numbers)

    def count(
        self, outputs: np.ndarray, targets: np.ndarray, names: Sequence[str]
    ) -> "ValueEvaluation":
        """As of `Task`, in the columns' own units."""
        return self.count_answers(self._values(outputs), targets, names)

    def count_answers(
        self, answers: np.ndarray, targets: np.ndarray, names: Sequence[str]
    ) -> "ValueEvaluation":
        """As of `Task`; see `evaluation.count`."""
        from tl_keras.tasks.regression.evaluation import count

        return count(answers, np.reshape(targets, answers.shape), names)

    def trust(
        self, evaluation: "ValueEvaluation", calibration: Calibration | None
    ) -> dict[str, float]:
        """`coverage`, the share of truths that intervals hold, and their
        mean width; nothing where there are no intervals."""
        if self.margins is None:
            return {}
        errors = np.abs(evaluation.answers - evaluation.targets)
        return {
            "coverage": float((errors <= np.array(self.margins)).mean()),
            "coverage_asked": self.coverage,
            "interval_width": 2 * float(np.mean(self.margins)),
        }

    def compare(
        self, first: "ValueEvaluation", second: "ValueEvaluation"
    ) -> dict:
        """MAE of both on the same draws."""
        from tl_keras.tasks.bootstrap import paired

        difference = second.metrics["mae"] - first.metrics["mae"]
        draws = second.draws - first.draws
        return paired(difference, draws, more_is_better=False)

    def compare_rows(
        self,
        first: Sequence[Mapping[str, str]],
        second: Sequence[Mapping[str, str]],
        names: Sequence[str],
    ) -> dict:
        """As of `Task`: errors of both on each example; see `pairing`."""
        from tl_keras.tasks.regression.pairing import compare_rows

        return compare_rows(first, second, names)

    def truth_of(
        self, row: Mapping[str, str], names: Sequence[str]
    ) -> tuple[float, ...]:
        """The true numbers, in the order of `names`."""
        return tuple(float(row[f"true:{name}"]) for name in names)

    def judge(
        self,
        ids: Sequence[str],
        targets: np.ndarray,
        names: Sequence[str],
        old: Said,
        new: Said,
    ) -> Verdict:
        """As of `Task`: a larger error is worse; see `judging`."""
        from tl_keras.tasks.regression.judging import judge

        return judge(ids, targets, names, old, new, np.array(self.scale))

    def ties(
        self, answers: np.ndarray, targets: np.ndarray, movement: float
    ) -> np.ndarray:
        """As of `Task`: none: no number is right or wrong."""
        return np.zeros(len(answers), bool)

    def differs(self, names: Sequence[str]) -> ValueDiffers:
        """As of `Task`, in shares of what columns deviate by."""
        if len(names) != len(self.mean):
            raise ValueError(
                f"{len(self.mean)} columns, expected {len(names)}: "
                f"{', '.join(names)}"
            )
        margins = None if self.margins is None else np.array(self.margins)
        return ValueDiffers(
            names, np.array(self.mean), np.array(self.scale), margins
        )

    def served(self, answers, names) -> dict:
        """`columns`, their names; `low` and `high`, where there are
        intervals."""
        count = tf.shape(answers)[0]
        told = {"columns": tf.tile(names[None], [count, 1])}
        if self.margins is not None:
            margins = tf.constant(self.margins, tf.float32)
            told |= {"low": answers - margins, "high": answers + margins}
        return told

    def table(
        self, evaluation: "ValueEvaluation", names: Sequence[str]
    ) -> tuple[list[str], Iterator[list[str]]]:
        """true:<column> and predicted:<column> of each, then its interval."""
        header, margins = [], self.margins or ()
        for name in names:
            header += [f"true:{name}", f"predicted:{name}"]
            if margins:
                header += [f"low:{name}", f"high:{name}"]

        def cells(truth, values):
            for place in range(len(names)):
                value = values[place]
                yield from (truth[place], value)
                if margins:
                    yield from (value - margins[place], value + margins[place])

        pairs = zip(evaluation.targets, evaluation.answers, strict=True)
        return header, ([f"{x:.9g}" for x in cells(*pair)] for pair in pairs)

    def card(
        self,
        rows: Sequence[Mapping[str, str]],
        metrics: Mapping,
        training: Mapping[str, int],
    ) -> dict:
        """As of `Task`: predicted against true, residuals, worst pictures."""
        from tl_keras.tasks.regression.card import section

        return section(rows, metrics, training)

    def say(
        self, answers: np.ndarray, names: Sequence[str], top_k: int
    ) -> list[Answer]:
        """As of `Task`: each column's value, and its interval if any."""
        told = []
        for row in answers:
            cells = {}
            for place, (name, value) in enumerate(zip(names, row, strict=True)):
                cells[name] = shortest(value)
                if self.margins is not None:
                    margin = np.float32(self.margins[place])
                    cells[f"{name}_low"] = shortest(value - margin)
                    cells[f"{name}_high"] = shortest(value + margin)
            told.append(Answer((), (), "", cells))
        return told

    def stratify(
        self, targets: np.ndarray, shares: Sequence[float], seed: int
    ) -> np.ndarray:
        """As of `Task`: by quantiles; `cut_by_quantiles`."""
        from tl_keras.tasks.regression.quantiles import cut_by_quantiles

        return cut_by_quantiles(targets, shares, seed)

    def covering(self, coverage: float) -> "Regression":
        """As of `Task`: with intervals."""
        if self.levels is None:
            raise ValueError("it was trained without intervals")
        found = [level_for(levels, coverage) for levels in self.levels]
        if None in found:
            raise ValueError("it had too few validation pictures for that")
        return dataclasses.replace(self, coverage=coverage, margins=found)

    def stored(self) -> dict:
        """Mean and scale, and the intervals where there are some."""
        told = {
            "task": self.name,
            "mean": list(self.mean),
            "scale": list(self.scale),
            "coverage": self.coverage,
        }
        if self.margins is not None:
            told["margins"] = list(self.margins)
        if self.levels is not None:
            told["levels"] = [list(levels) for levels in self.levels]
        return told

    def _constants(self) -> tuple[np.ndarray, np.ndarray]:
        return np.float32(self.mean), np.float32(self.scale)

    def _scaled(self, targets: np.ndarray) -> np.ndarray:
        wide = np.asarray(targets, np.float64)
        rows = wide.reshape(-1, len(self.mean))
        return (rows - np.array(self.mean)) / np.array(self.scale)

    def _values(self, outputs: np.ndarray) -> np.ndarray:
        wide = np.asarray(outputs, np.float64)
        return wide * np.array(self.scale) + np.array(self.mean)
