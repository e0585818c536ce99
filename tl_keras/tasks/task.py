"""What is predicted: all that the other rooms ask of a kind of answer.

    task = Multiclass(label_smoothing=0.1)
    fit_phases(model, phases, train, val, objective=Objective(task=task))

In: outputs of a network and the targets beside them. Out: losses, numbers of an
epoch, a head that is solved; then answers, counted, compared and named. A task
of one's own is a subclass.

Three words: *outputs* are what the last Dense layer gives (logits), *answers*
what the exported model gives (probabilities, values), *targets* what is true.
"""

import abc
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np

from tl_keras.tasks.difference import Differs
from tl_keras.tasks.label_issue import LabelIssue
from tl_keras.tasks.values import (
    Answer,
    Calibration,
    Evaluation,
    Said,
    SolvedHead,
    Verdict,
)

if TYPE_CHECKING:
    from tl_keras.data import Examples


class Task(abc.ABC):
    """What the other rooms ask of a kind of answer.

    Attributes:
        name: as `--task` and an export say it.
        answer: what the served function calls its answers.
        main: the number of `Evaluation.metrics` that is told first.
        second: the one that is told beside it.
        chooses_on_validation: whether `calibrate` chooses more than how
            confident answers are.
        classifies: whether `served` gives `classes` and `scores`.
        monitors: name -> (column of the history, "min" or "max"): what
            weights can be chosen by.

    Example:
        task: Task = Multiclass(label_smoothing=0.1)
        fit_phases(model, phases, train, val, objective=Objective(task=task))
    """

    name: str
    answer: str
    main: str
    second: str
    chooses_on_validation: bool = False
    classifies: bool = False
    monitors: Mapping[str, tuple[str, str]]

    @abc.abstractmethod
    def loss(self, outputs: int) -> Callable:
        """What is minimised: (targets, outputs (b, `outputs`)) -> loss."""

    @abc.abstractmethod
    def metrics(self) -> list[keras.metrics.Metric]:
        """Fresh ones, of targets and outputs, for each phase."""

    @abc.abstractmethod
    def epoch_logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """What no mean over batches can give: more columns of an epoch.

        Args:
            outputs: (n, outputs), of all examples to validate on.
            targets: (n, ...), theirs.
        """

    @abc.abstractmethod
    def costs(
        self, monitor: str, outputs: np.ndarray, targets: np.ndarray
    ) -> np.ndarray:
        """What each example adds to what weights are compared by.

        Less is better, also where the column of `monitor` is to be large.

        Args:
            monitor: one of `monitors`.
            outputs: (n, outputs), of all examples to validate on.
            targets: (n, ...), theirs.

        Returns:
            float64 (n,).
        """

    @abc.abstractmethod
    def solve(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        *,
        views: int = 1,
        groups: Sequence[str] | None = None,
    ) -> SolvedHead:
        """The best Dense head on frozen features.

        Args:
            features: float32 (n, width).
            targets: (n, ...).
            views: so many rows in a row are of one example.
            groups: what each example belongs to; not torn apart in folds.

        Returns:
            The head's weights.
        """

    @abc.abstractmethod
    def logs(
        self, outputs: np.ndarray, targets: np.ndarray
    ) -> dict[str, float]:
        """What Keras would log of an epoch: "loss" and `metrics`."""

    def doubted(
        self,
        examples: "Examples",
        out_of_fold: np.ndarray,
        names: Sequence[str],
    ) -> tuple[LabelIssue, ...]:
        """Training examples whose label is probably wrong, the worst first.

        Args:
            examples: n of them, with their targets.
            out_of_fold: as of `SolvedHead`, of the same examples.
            names: of the outputs.

        Returns:
            For a person to look at; () where nothing is doubted.
        """
        return ()

    def class_weight(self) -> dict[int, float] | None:
        """What Keras's `fit` weighs the loss by; None for nothing."""
        return None

    @abc.abstractmethod
    def activation(self, name: str) -> keras.layers.Layer:
        """A layer of that name that makes answers of outputs, in float32."""

    @abc.abstractmethod
    def calibrate(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        *,
        confidence: bool = True,
    ) -> Calibration:
        """What is chosen on validation once the weights are.

        Args:
            outputs: (n, outputs), n of 1 or more.
            targets: (n, ...), theirs.
            confidence: whether confidence is mended; what else is chosen is
                chosen anyway.

        Returns:
            The task with what was chosen, and what confidence needs.
        """

    @abc.abstractmethod
    def count(
        self, outputs: np.ndarray, targets: np.ndarray, names: Sequence[str]
    ) -> Evaluation:
        """Evaluates raw outputs.

        Args:
            outputs: (n, outputs), n of 1 or more.
            targets: (n, ...), what is true.
            names: of the outputs.

        Returns:
            Metrics, and the answers that they count.

        Raises:
            ValueError: shapes that do not match, or an output is no number.
        """

    @abc.abstractmethod
    def count_answers(
        self, answers: np.ndarray, targets: np.ndarray, names: Sequence[str]
    ) -> Evaluation:
        """The same of answers, as an export gives them.

        Args:
            answers: (n, outputs), n of 1 or more.
            targets: (n, ...), what is true.
            names: of the outputs.

        Returns:
            As `count`.

        Raises:
            ValueError: as `count`.
        """

    @abc.abstractmethod
    def trust(
        self, evaluation: Evaluation, calibration: Calibration | None
    ) -> dict[str, float]:
        """More metrics: how far what the answers promise is kept.

        Args:
            evaluation: of examples that `calibration` has not seen.
            calibration: that of the run, if there was one.
        """

    @abc.abstractmethod
    def compare(self, first: Evaluation, second: Evaluation) -> dict:
        """Two evaluations of the same examples, paired, for metrics.json."""

    def compare_rows(
        self,
        first: Sequence[Mapping[str, str]],
        second: Sequence[Mapping[str, str]],
        names: Sequence[str],
    ) -> dict | None:
        """Two runs asked the same examples, paired, by predictions.csv.

        Args:
            first, second: rows of the same examples in the same order.
            names: of the outputs of both.

        Returns:
            As `compare`, with `test`, the name of the paired test; None where
            the four counts of one class of several say it.
        """
        return None

    def truth_of(
        self, row: Mapping[str, str], names: Sequence[str]
    ) -> Hashable:
        """What a row of predictions.csv says is true."""
        return row["label"]

    @abc.abstractmethod
    def judge(
        self,
        ids: Sequence[str],
        targets: np.ndarray,
        names: Sequence[str],
        old: Said,
        new: Said,
    ) -> Verdict:
        """Whether a new version is worse than an earlier one.

        Args:
            ids: of the examples.
            targets: (n, ...), what is true.
            names: that the targets are of.
            old: what the earlier version says; of the same names in any
                order.
            new: what the new one says.

        Returns:
            That, with the numbers and every example that changed.
        """

    @abc.abstractmethod
    def ties(
        self, answers: np.ndarray, targets: np.ndarray, movement: float
    ) -> np.ndarray:
        """Which examples are right or wrong by rounding alone.

        Args:
            answers: (n, outputs).
            targets: (n, ...), what is true.
            movement: how far rounding moves answers, as `Difference.moved`.

        Returns:
            bool (n,).
        """

    @abc.abstractmethod
    def differs(self, names: Sequence[str]) -> Differs:
        """The comparison of answers for outputs of these names."""

    @abc.abstractmethod
    def served(self, answers, names) -> dict:
        """What the served function says besides its answers.

        Args:
            answers: float32 tensor (batch, outputs).
            names: string tensor (outputs,).

        Returns:
            Output's name -> tensor, the batch first, in graph operations.
        """

    @abc.abstractmethod
    def say(
        self, answers: np.ndarray, names: Sequence[str], top_k: int
    ) -> list[Answer]:
        """Answers in names, for people.

        Args:
            answers: float32 (n, outputs).
            names: of the outputs.
            top_k: how many names at most, where they are ranked.

        Returns:
            One a row.
        """

    @abc.abstractmethod
    def table(
        self, evaluation: Evaluation, names: Sequence[str]
    ) -> tuple[list[str], Iterator[list[str]]]:
        """The columns of predictions.csv behind the id, and their rows."""

    def card(
        self,
        rows: Sequence[Mapping[str, str]],
        metrics: Mapping,
        training: Mapping[str, int],
    ) -> dict | None:
        """Its section of the run's page, as plain values.

        Args:
            rows: of predictions.csv, as texts by column.
            metrics: as in metrics.json.
            training: label in words -> how many training examples have it.

        Returns:
            `headline`, a sentence; `verdict`, sentences that say what the
            answers are good for; `lines` that say more; `to_do`, sentences;
            `simplest`, `name` and `value` of the number told first for what
            answers without looking; `figures`, each with
            `title`, `x`, `y`, `x_label`, `y_label` and `line` (to be drawn
            through equals, or through 0); `tables`, each with `title`,
            `header` and `rows` of texts; and `pictures`, each with `title`
            and `rows` of `id` and `words`. None where the page has a section
            of its own for it (one class of several).
        """
        return None

    def stratify(
        self, targets: np.ndarray, shares: Sequence[float], seed: int
    ) -> np.ndarray | None:
        """The part of each example, each part like the whole.

        Args:
            targets: (n, ...).
            shares: of the parts; their sum is 1.
            seed: of the draw.

        Returns:
            int (n,); None where classes are cut one by one (`data.splits`).
        """
        return None

    def covering(self, coverage: float) -> "Task":
        """The task with sets or intervals that hold the truth so often.

        Args:
            coverage: share of new examples, 0.5 to 0.999.

        Raises:
            ValueError: there are none of them, in words that go on after
                "coverage=0.9: ".
        """
        raise ValueError(f"{self.name} has neither sets nor intervals")

    def stored(self) -> dict:
        """What an export holds of the task; {} for what it holds anyway.

        `tasks.stored_task` makes the task of it again.
        """
        return {}
