"""One class of several for each example, as the other rooms ask for it.

In: raw outputs or answers, and the targets beside them. Out: what `Task` says.
What trains and counts is imported where it is used: it loads scikit-learn and
SciPy, which those who only open an export do not need.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from tl_keras.tasks.conformal import level_for, refuse_other_levels
from tl_keras.tasks.label_issue import LabelIssue
from tl_keras.tasks.multiclass.differs import ClassDiffers, near_ties
from tl_keras.tasks.task import Task
from tl_keras.tasks.values import Answer, Calibration, Said, Verdict, shortest

if TYPE_CHECKING:
    from tl_keras.data import Examples
    from tl_keras.tasks.multiclass.evaluation import Evaluation
    from tl_keras.tasks.multiclass.linear_probe import LinearProbe

TOP_K = 5  # names that the served function gives

CALIBRATED = "val_cross_entropy_calibrated"
# Plain cross-entropy, so that it means the same with and without label
# smoothing; the loss is what is minimised.
MONITORS = {
    "val_loss_calibrated": (CALIBRATED, "min"),
    "val_loss": ("val_cross_entropy", "min"),
    "val_accuracy": ("val_accuracy", "max"),
}


@dataclasses.dataclass(frozen=True)
class Multiclass(Task):
    """Logits (b, num_classes) against labels (b,).

    Attributes:
        label_smoothing: share of the target spread over all classes.
        class_weights: weight of each class in the training loss, in their
            order or as Keras writes them ({label: weight}); or None.
        coverage: share of new examples whose class the set of classes holds
            that is given beside the best; 0 for no sets.
        floor: the probability from which on a class is in the set; None until
            `calibrate` chooses it.
        floors: the same for each of `conformal.SHARES`, so that another share
            can be asked for later; None until `calibrate`.
        reject: share of new examples with a class that may be refused, so
            that some of no class are too; 0 for none.
        least: the probability of the best class below which none is said;
            None until `calibrate` chooses it.
    """

    label_smoothing: float = 0.0
    class_weights: Sequence[float] | None = None
    coverage: float = 0.0
    floor: float | None = None
    floors: Sequence[float] | None = None
    reject: float = 0.0
    least: float | None = None

    name = "multiclass"
    answer = "probabilities"
    main = "accuracy"
    second = "macro_f1"
    classifies = True
    monitors = MONITORS

    def __post_init__(self):
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"label_smoothing={self.label_smoothing}: expected 0 to 1"
            )
        if not 0 <= self.coverage < 1:
            raise ValueError(
                f"coverage={self.coverage}: expected 0 to 1, as 0.9"
            )
        if not 0 <= self.reject < 1:
            raise ValueError(f"reject={self.reject}: expected 0 to 1, as 0.05")
        for name in ("floor", "least"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, float(getattr(self, name)))
        if self.floors is not None:
            refuse_other_levels(self.floors, "floors")
            exact = tuple(float(floor) for floor in self.floors)
            object.__setattr__(self, "floors", exact)
        if isinstance(self.class_weights, Mapping):
            weights = [
                self.class_weights[i] for i in range(len(self.class_weights))
            ]
            object.__setattr__(self, "class_weights", weights)

    def loss(self, outputs: int) -> Callable:
        """Softmax cross-entropy of logits (b, n) against labels (b,)."""
        if not self.label_smoothing:
            return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        # One an example: Keras weighs and averages them.
        smoothed = keras.losses.CategoricalCrossentropy(
            from_logits=True,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )

        def loss(labels, logits):
            labels = keras.ops.cast(keras.ops.reshape(labels, (-1,)), "int32")
            return smoothed(keras.ops.one_hot(labels, outputs), logits)

        return loss

    def metrics(self) -> list[keras.metrics.Metric]:
        """Accuracy and plain cross-entropy."""
        return [
            keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
            keras.metrics.SparseCategoricalCrossentropy(
                from_logits=True, name="cross_entropy"
            ),
        ]

    def epoch_logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """Cross-entropy after the temperature that suits all of them."""
        from tl_keras.tasks.multiclass.calibration import calibrated_losses

        losses = calibrated_losses(outputs, targets.reshape(-1))
        return {CALIBRATED: float(losses.mean())}

    def costs(
        self, monitor: str, outputs: np.ndarray, targets: np.ndarray
    ) -> np.ndarray:
        """As of `Task`.

        Of val_accuracy 0 for a right answer and 1 for a wrong; else nats.
        """
        from tl_keras.tasks.multiclass import calibration

        labels = targets.reshape(-1)
        if monitor == "val_accuracy":
            return (outputs.argmax(axis=-1) != labels).astype(np.float64)
        if monitor == "val_loss":
            wide = outputs.astype(np.float64)
            return calibration.example_losses(wide, labels)
        return calibration.calibrated_losses(outputs, labels)

    def solve(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        *,
        views: int = 1,
        groups: Sequence[str] | None = None,
    ) -> "LinearProbe":
        """As of `Task`: logistic regression; see `solve_probe`."""
        from tl_keras.tasks.multiclass.linear_probe import solve_probe

        return solve_probe(
            features,
            targets.reshape(-1),
            class_weights=self.class_weights,
            views=views,
            groups=groups,
        )

    def logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """Loss, accuracy and cross-entropy."""
        from tl_keras.tasks.multiclass.linear_probe import (
            cross_entropy_and_accuracy,
        )

        return cross_entropy_and_accuracy(outputs, targets.reshape(-1))

    def doubted(
        self,
        examples: "Examples",
        out_of_fold: np.ndarray,
        names: Sequence[str],
    ) -> tuple[LabelIssue, ...]:
        """As of `Task`: those that are taken for another class."""
        from tl_keras.tasks.multiclass.label_issues import find_label_issues

        return find_label_issues(examples, out_of_fold, names)

    def class_weight(self) -> dict[int, float] | None:
        """The weights, as Keras takes them."""
        weights = self.class_weights
        return None if weights is None else dict(enumerate(weights))

    def activation(self, name: str) -> keras.layers.Layer:
        """A softmax."""
        return keras.layers.Softmax(name=name, dtype="float32")

    def calibrate(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        *,
        confidence: bool = True,
    ) -> Calibration:
        """As of `Task`: one temperature; see `fit_temperature`."""
        from tl_keras.tasks.multiclass.calibration import fit_temperature

        temperature = 1.0
        if confidence:
            temperature = fit_temperature(outputs, targets.reshape(-1))
        found = Calibration(
            self,
            temperature,
            f"temperature {temperature:.3f}",
            {"temperature": {"value": temperature, "examples": len(targets)}},
        )
        import scipy.special

        from tl_keras.tasks.multiclass.thresholds import with_least, with_sets

        wide = outputs.astype(np.float64) / found.divisor
        likely = scipy.special.softmax(wide, axis=-1)
        found = with_sets(found, likely, targets.reshape(-1), self.coverage)
        return with_least(found, likely, self.reject) if self.reject else found

    @property
    def chooses_on_validation(self) -> bool:
        """Whether there are sets of classes, or a least probability."""
        return bool(self.coverage or self.reject)

    def stored(self) -> dict:
        """What sets of classes take, and below what none is said, where that
        is known."""
        told: dict = {}
        if self.floor is not None:
            told |= {"coverage": self.coverage, "floor": self.floor}
        if self.floors is not None:
            told["floors"] = list(self.floors)
        if self.least is not None:
            told |= {"reject": self.reject, "least": self.least}
        return {"task": self.name, **told} if told else {}

    def covering(self, coverage: float) -> "Multiclass":
        """As of `Task`: with sets of classes."""
        if self.floors is None:
            raise ValueError(
                "it was trained without calibration, which knows what sets "
                "of classes take"
            )
        floor = level_for(self.floors, coverage)
        return dataclasses.replace(self, coverage=coverage, floor=floor)

    def count(
        self, outputs: np.ndarray, targets: np.ndarray, names: Sequence[str]
    ) -> "Evaluation":
        """As of `Task`; see `evaluation.count`."""
        from tl_keras.tasks.multiclass.evaluation import count_logits

        return count_logits(outputs, targets, names)

    def count_answers(
        self, answers: np.ndarray, targets: np.ndarray, names: Sequence[str]
    ) -> "Evaluation":
        """As of `Task`, of probabilities."""
        from tl_keras.tasks.multiclass.evaluation import count_probabilities

        return count_probabilities(answers, targets, names)

    def trust(
        self, evaluation: "Evaluation", calibration: Calibration | None
    ) -> dict[str, float]:
        """`ece`, and `ece_before`: what it was before the temperature."""
        from tl_keras.tasks.multiclass.calibration import (
            at_temperature,
            expected_calibration_error,
        )

        probabilities, labels = evaluation.probabilities, evaluation.labels
        numbers = {"ece": expected_calibration_error(probabilities, labels)}
        if calibration is not None:
            before = at_temperature(probabilities, 1 / calibration.divisor)
            numbers["ece_before"] = expected_calibration_error(before, labels)
        if self.floor is not None:
            in_set = probabilities >= self.floor
            held = in_set[np.arange(len(labels)), labels]
            numbers |= {
                "coverage": float(held.mean()),
                "coverage_asked": self.coverage,
                "set_size": float(in_set.sum(axis=-1).mean()),
            }
        return numbers

    def compare(self, first: "Evaluation", second: "Evaluation") -> dict:
        """Which of two had the same examples right: four counts."""
        from tl_keras.tasks.multiclass.pairing import paired_counts

        return paired_counts(first.labels, first.predicted, second.predicted)

    def judge(
        self,
        ids: Sequence[str],
        targets: np.ndarray,
        names: Sequence[str],
        old: Said,
        new: Said,
    ) -> Verdict:
        """As of `Task`: fewer right is worse; see `judging`."""
        from tl_keras.tasks.multiclass.judging import judge

        return judge(ids, targets, names, old, new)

    def ties(
        self, answers: np.ndarray, targets: np.ndarray, movement: float
    ) -> np.ndarray:
        """As of `Task`: where several classes could be first."""
        near = near_ties(answers, movement)
        could_be_right = near[np.arange(len(answers)), targets]
        return could_be_right & (near.sum(axis=-1) > 1)

    def differs(self, names: Sequence[str]) -> ClassDiffers:
        """As of `Task`, by probabilities and their logarithms."""
        return ClassDiffers(names, self.floor, self.least)

    def served(self, answers, names) -> dict:
        """`classes` and `scores`: the best `TOP_K`, best first; with sets of
        classes `set` too: the names in it, "" for others; with a least
        probability `label`, the best name, or "" below it."""
        best = tf.math.top_k(answers, min(TOP_K, answers.shape[-1]))
        told = {
            "classes": tf.gather(names, best.indices),
            "scores": best.values,
        }
        if self.least is not None:
            sure = best.values[:, :1] >= self.least
            told["label"] = tf.where(sure, told["classes"][:, :1], "")
        if self.floor is not None:
            told["set"] = tf.where(answers >= self.floor, names[None], "")
        return told

    def table(
        self, evaluation: "Evaluation", names: Sequence[str]
    ) -> tuple[list[str], Iterator[list[str]]]:
        """label, predicted, score, then p:<class> each."""
        header = ["label", "predicted", "score"]
        columns = (
            evaluation.labels,
            evaluation.predicted,
            evaluation.probabilities,
        )
        return [*header, *(f"p:{name}" for name in names)], (
            [
                names[label],
                names[predicted],
                *(f"{p:.6g}" for p in (row[predicted], *row)),
            ]
            for label, predicted, row in zip(*columns, strict=True)
        )

    def say(
        self, answers: np.ndarray, names: Sequence[str], top_k: int
    ) -> list[Answer]:
        """As of `Task`: the best `top_k`, and the set of classes; "" with the
        best's score, and no set, where that is below `least`."""
        # Stable, so that of two alike the first class comes first.
        order = np.argsort(-answers, axis=-1, kind="stable")
        sizes = np.zeros(len(answers), int)
        if self.floor is not None:
            sizes = (answers >= np.float32(self.floor)).sum(axis=-1)
            # A set of none says less than the best alone.
            sizes = np.maximum(sizes, 1)
        least = np.float32(self.least or 0)
        return [
            Answer(
                tuple(names[i] for i in some[:top_k]),
                tuple(shortest(row[i]) for i in some[:top_k]),
                in_set=tuple(names[i] for i in some[:size]),
            )
            if row[some[0]] >= least
            else Answer(("",), (shortest(row[some[0]]),))
            for row, some, size in zip(answers, order, sizes, strict=True)
        ]
