"""Any number of labels for each example, as the other rooms ask for it.

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

from tl_keras.tasks.label_issue import LabelIssue
from tl_keras.tasks.multilabel.differs import LabelDiffers
from tl_keras.tasks.multilabel.losses import LOSSES, label_loss
from tl_keras.tasks.task import Task
from tl_keras.tasks.values import Answer, Calibration, Said, Verdict, shortest

if TYPE_CHECKING:
    from tl_keras.data import Examples
    from tl_keras.tasks.multilabel.evaluation import LabelEvaluation
    from tl_keras.tasks.multilabel.head import LabelHead

TOP_K = 5  # names that the served function ranks
CALIBRATED, MAP = "val_cross_entropy_calibrated", "val_map"


@dataclasses.dataclass(frozen=True)
class Multilabel(Task):
    """Logits (b, labels) against targets (b, labels) of 0 and 1.

    Attributes:
        loss_kind: "cross_entropy", "focal" or "asymmetric".
        positive_weights: what a label that is there counts in the loss, one a
            label; or None for 1.
        label_smoothing: share of each target that is drawn to 0.5.
        thresholds: from where on each label is given, one a label; None for
            0.5, until `calibrate` chooses them.

    Example:
        objective = Objective(task=Multilabel(loss_kind="focal"))
        fit_phases(model, phases, train, val, objective=objective)
    """

    loss_kind: str = "cross_entropy"
    positive_weights: Sequence[float] | None = None
    label_smoothing: float = 0.0
    thresholds: Sequence[float] | None = None

    name = "multilabel"
    answer = "probabilities"
    main = "map"
    second = "macro_f1"
    classifies = True
    chooses_on_validation = True
    monitors = {  # noqa: RUF012
        "val_loss_calibrated": (CALIBRATED, "min"),
        "val_loss": ("val_cross_entropy", "min"),
        "val_map": (MAP, "max"),
    }

    def __post_init__(self):
        if self.loss_kind not in LOSSES:
            raise ValueError(
                f"loss_kind={self.loss_kind!r}: expected one of "
                f"{', '.join(LOSSES)}"
            )
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(
                f"label_smoothing={self.label_smoothing}: expected 0 to 1"
            )
        for name in ("positive_weights", "thresholds"):
            value = getattr(self, name)
            if value is not None:
                exact = tuple(float(x) for x in value)
                object.__setattr__(self, name, exact)

    def loss(self, outputs: int) -> Callable:
        """Binary cross-entropy of each label, or focal, or asymmetric."""
        return label_loss(
            self.loss_kind, self.positive_weights, self.label_smoothing
        )

    def metrics(self) -> list[keras.metrics.Metric]:
        """Plain cross-entropy, and the share of cells that are right."""
        return [
            keras.metrics.BinaryCrossentropy(
                name="cross_entropy", from_logits=True
            ),
            keras.metrics.BinaryAccuracy(name="label_accuracy", threshold=0.0),
        ]

    def epoch_logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """Cross-entropy after the temperatures that suit best; mAP."""
        losses = self.costs("val_loss_calibrated", outputs, targets)
        return {CALIBRATED: float(losses.mean()), MAP: _map(outputs, targets)}

    def costs(
        self, monitor: str, outputs: np.ndarray, targets: np.ndarray
    ) -> np.ndarray:
        """As of `Task`: cross-entropy, in nats a label.

        A mean over examples cannot say mAP; in its place stands the loss
        after temperature.
        """
        from tl_keras.tasks.multiclass.calibration import (
            calibrated_losses,
            example_losses,
        )

        cost = example_losses if monitor == "val_loss" else calibrated_losses
        return np.mean(
            [
                cost(_two_classes(column), truth.astype(int))
                for column, truth in zip(outputs.T, targets.T, strict=True)
            ],
            axis=0,
        )

    def solve(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        *,
        views: int = 1,
        groups: Sequence[str] | None = None,
    ) -> "LabelHead":
        """As of `Task`: one logistic regression a label; `solve_labels`."""
        from tl_keras.tasks.multilabel.head import solve_labels

        return solve_labels(
            features,
            targets,
            positive_weights=self.positive_weights,
            views=views,
            groups=groups,
        )

    def logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """Loss, cross-entropy and the share of cells that are right."""
        loss = float(self.costs("val_loss", outputs, targets).mean())
        right = float(((outputs > 0) == targets.astype(bool)).mean())
        return {"loss": loss, "cross_entropy": loss, "label_accuracy": right}

    def doubted(
        self,
        examples: "Examples",
        out_of_fold: np.ndarray,
        names: Sequence[str],
    ) -> tuple[LabelIssue, ...]:
        """As of `Task`: a label that is missing, or one too many."""
        from tl_keras.tasks.multilabel.label_issues import find_label_issues

        return find_label_issues(examples, out_of_fold, names)

    def activation(self, name: str) -> keras.layers.Layer:
        """A sigmoid."""
        return keras.layers.Activation("sigmoid", name=name, dtype="float32")

    def calibrate(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        *,
        confidence: bool = True,
    ) -> Calibration:
        """As of `Task`: a temperature a label, then thresholds by F1."""
        import scipy.special

        from tl_keras.tasks.multiclass.calibration import fit_temperature
        from tl_keras.tasks.multilabel.f1_thresholds import best_thresholds

        divisor = np.ones(outputs.shape[1])
        if confidence:
            divisor = np.array(
                [
                    fit_temperature(_two_classes(column), truth.astype(int))
                    for column, truth in zip(outputs.T, targets.T, strict=True)
                ]
            )
        likely = scipy.special.expit(outputs / divisor).astype(np.float32)
        chosen = best_thresholds(likely, targets)
        numbers = {
            "temperature": {
                "values": divisor.tolist(), "examples": len(targets),
            },
            "thresholds": [float(x) for x in chosen],
        }  # fmt: skip
        words = (
            f"temperatures {divisor.min():.3f} to {divisor.max():.3f}, "
            f"thresholds {chosen.min():.3f} to {chosen.max():.3f}"
        )
        task = dataclasses.replace(self, thresholds=chosen)
        return Calibration(task, divisor.astype(np.float32), words, numbers)

    def count(
        self, outputs: np.ndarray, targets: np.ndarray, names: Sequence[str]
    ) -> "LabelEvaluation":
        """As of `Task`; see `evaluation.count`."""
        from tl_keras.tasks.multilabel.evaluation import count_logits

        return count_logits(outputs, targets, names, self._cuts(len(names)))

    def count_answers(
        self, answers: np.ndarray, targets: np.ndarray, names: Sequence[str]
    ) -> "LabelEvaluation":
        """As of `Task`, of probabilities."""
        from tl_keras.tasks.multilabel.evaluation import count

        return count(answers, targets, names, self._cuts(len(names)))

    def trust(
        self, evaluation: "LabelEvaluation", calibration: Calibration | None
    ) -> dict[str, float]:
        """`ece`, the mean over labels, and `ece_before` the temperatures."""
        import scipy.special

        def mean_ece(likely: np.ndarray) -> float:
            from tl_keras.tasks.multiclass.calibration import reliability

            pairs = zip(likely.T, evaluation.targets.T, strict=True)
            found = [reliability(p, y.astype(bool))[1] for p, y in pairs]
            return float(np.mean(found))

        numbers = {"ece": mean_ece(evaluation.answers)}
        if calibration is not None:
            inside = np.clip(evaluation.answers, 1e-12, 1 - 1e-12)
            logits = scipy.special.logit(inside) * calibration.divisor
            numbers["ece_before"] = mean_ece(scipy.special.expit(logits))
        return numbers

    def compare(
        self, first: "LabelEvaluation", second: "LabelEvaluation"
    ) -> dict:
        """mAP of both on the same draws."""
        from tl_keras.tasks.bootstrap import paired

        difference = second.metrics["map"] - first.metrics["map"]
        draws = second.draws - first.draws
        return paired(difference, draws, more_is_better=True)

    def compare_rows(
        self,
        first: Sequence[Mapping[str, str]],
        second: Sequence[Mapping[str, str]],
        names: Sequence[str],
    ) -> dict:
        """As of `Task`: mAP of both on the same draws; see `pairing`."""
        from tl_keras.tasks.multilabel.pairing import compare_rows

        return compare_rows(first, second, names)

    def truth_of(
        self, row: Mapping[str, str], names: Sequence[str]
    ) -> frozenset[str]:
        """The labels that are there, in whatever order."""
        return frozenset(filter(None, row["label"].split("|")))

    def judge(
        self,
        ids: Sequence[str],
        targets: np.ndarray,
        names: Sequence[str],
        old: Said,
        new: Said,
    ) -> Verdict:
        """As of `Task`: a lower mAP is worse; see `judging`."""
        from tl_keras.tasks.multilabel.judging import judge

        earlier = (old.task or Multilabel())._cuts(len(old.names))
        cuts = earlier, self._cuts(len(new.names))
        return judge(ids, targets, names, old, new, cuts)

    def ties(
        self, answers: np.ndarray, targets: np.ndarray, movement: float
    ) -> np.ndarray:
        """As of `Task`: those with a label within rounding of its threshold."""
        from tl_keras.tasks.multiclass.differs import logarithms

        cuts = logarithms(self._cuts(answers.shape[1]))
        near = np.abs(logarithms(answers) - cuts) <= 2 * movement
        wrong = (answers >= self._cuts(answers.shape[1])) != targets
        return near.any(axis=1) & (near | ~wrong).all(axis=1)

    def differs(self, names: Sequence[str]) -> LabelDiffers:
        """As of `Task`, by probabilities and what is above thresholds."""
        return LabelDiffers(names, self._cuts(len(names)))

    def served(self, answers, names) -> dict:
        """`labels`: the names above their thresholds, "" for others; and
        `classes` with `scores`, the best `TOP_K`, best first."""
        best = tf.math.top_k(answers, min(TOP_K, answers.shape[-1]))
        given = answers >= self._cuts(answers.shape[-1])
        return {
            "labels": tf.where(given, names[None], ""),
            "classes": tf.gather(names, best.indices),
            "scores": best.values,
        }

    def table(
        self, evaluation: "LabelEvaluation", names: Sequence[str]
    ) -> tuple[list[str], Iterator[list[str]]]:
        """label and predicted, several with | between, then p:<label> each."""

        def words(given) -> str:
            return "|".join(n for n, x in zip(names, given, strict=True) if x)

        columns = evaluation.targets, evaluation.given, evaluation.answers
        header = ["label", "predicted", *(f"p:{name}" for name in names)]
        return header, (
            [words(there), words(given), *(f"{p:.6g}" for p in row)]
            for there, given, row in zip(*columns, strict=True)
        )

    def card(
        self,
        rows: Sequence[Mapping[str, str]],
        metrics: Mapping,
        training: Mapping[str, int],
    ) -> dict:
        """As of `Task`: labels by AP, and which are confused."""
        from tl_keras.tasks.multilabel.card import section

        return section(rows, metrics)

    def say(
        self, answers: np.ndarray, names: Sequence[str], top_k: int
    ) -> list[Answer]:
        """As of `Task`: what is above its threshold, likeliest first."""
        cuts = self._cuts(len(names))
        told = []
        for row in answers:
            order = np.argsort(-row, kind="stable")
            given = [i for i in order if row[i] >= cuts[i]]
            labels = tuple(names[i] for i in given)
            scores = tuple(shortest(row[i]) for i in given)
            cells = {"labels": list(labels), "scores": list(scores)}
            told.append(Answer(labels, scores, "", cells))
        return told

    def stratify(
        self, targets: np.ndarray, shares: Sequence[float], seed: int
    ) -> np.ndarray:
        """As of `Task`: each label has its share; `cut_by_label_sets`."""
        from tl_keras.tasks.multilabel.label_sets import cut_by_label_sets

        return cut_by_label_sets(targets, shares, seed)

    def stored(self) -> dict:
        """The thresholds."""
        cuts = self.thresholds
        return {"task": self.name} | (
            {"thresholds": list(cuts)} if cuts else {}
        )

    def _cuts(self, labels: int) -> np.ndarray:
        """Thresholds of so many labels, float32."""
        if self.thresholds is None:
            return np.full(labels, 0.5, np.float32)
        if len(self.thresholds) != labels:
            raise ValueError(
                f"thresholds: {len(self.thresholds)}, expected one for each of "
                f"{labels} labels"
            )
        return np.array(self.thresholds, np.float32)


def _two_classes(logits: np.ndarray) -> np.ndarray:
    """A label's logits as those of two classes, absent and there."""
    wide = np.asarray(logits, np.float64)
    return np.stack([-wide / 2, wide / 2], axis=-1)


def _map(outputs: np.ndarray, targets: np.ndarray) -> float:
    """mAP of logits, over the labels that are there."""
    from tl_keras.tasks.multilabel import evaluation

    wide, truth = outputs.astype(np.float64), targets.astype(bool)
    found = evaluation.average_precisions(wide, truth, np.ones((1, len(wide))))
    return float(evaluation.mean_over_labels(found)[0])
