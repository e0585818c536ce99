"""A whole split -> metrics, confusion matrix, one row an example.

    evaluation = evaluate_classifier(model, images.test.batches(32),
                                     class_names=images.class_names)
    evaluation.metrics["accuracy"], evaluation.metrics["macro_f1"]

In: a model that gives logits (or probabilities), batches in a fixed order.
Out: an `Evaluation`. Every example counts, the partial last batch too. The
counting is scikit-learn's, the intervals are scipy's.
"""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import scipy.special
import scipy.stats
import tensorflow as tf
from sklearn import metrics as sk

from tl_keras.keras_globals import standard_globals
from tl_keras.summaries import Summarized, with_interval
from tl_keras.tasks.outputs import raw_outputs

CONFIDENCE = 0.95
RESAMPLES = 1000  # of the bootstrap for macro-F1


@dataclasses.dataclass(frozen=True, repr=False)
class Evaluation(Summarized):
    """What a classifier did on a split; row i is example i.

    Attributes:
        probabilities: float64 (n, num_classes), rows sum to 1.
        labels, predicted: int (n,).
        confusion: int (num_classes, num_classes); rows are true classes.
        metrics: examples, loss (nats), accuracy, accuracy_interval,
            top_5_accuracy (above 5 classes), macro_f1, macro_f1_interval,
            and per_class: precision, recall, f1, support by class name.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    confusion: np.ndarray
    metrics: dict

    @property
    def answers(self) -> np.ndarray:
        """The probabilities, by the name that all tasks have for them."""
        return self.probabilities

    @property
    def targets(self) -> np.ndarray:
        """The labels."""
        return self.labels

    def summary(self) -> str:
        """Accuracy and macro-F1 with their intervals."""
        told = ("accuracy", "macro_f1")
        numbers = [f"{n} {with_interval(self.metrics, n)}" for n in told]
        return f"{self.metrics['examples']:,} examples, {', '.join(numbers)}"

    def summary_rows(self) -> list[Sequence]:
        """Each class."""
        told = ("precision", "recall", "f1")
        return [
            ("class", *told, "examples"),
            *(
                (name, *(f"{of[n]:.3f}" for n in told), f"{of['support']:,}")
                for name, of in self.metrics["per_class"].items()
            ),
        ]


@standard_globals()
def evaluate_classifier(
    model: keras.Model,
    data: tf.data.Dataset,
    *,
    class_names: Sequence[str],
    from_logits: bool = True,
) -> Evaluation:
    """Runs a model over all batches and counts.

    Args:
        model: pixels -> (batch, num_classes).
        data: batches of (pixels, int labels), the same order every time.
        class_names: in the order of the labels.
        from_logits: whether the model gives logits or probabilities.

    Returns:
        `Evaluation`.

    Raises:
        ValueError: no examples.

    Example:
        evaluation = evaluate_classifier(
            model, images.test.batches(32), class_names=images.class_names
        )
        evaluation.metrics["accuracy"]
    """
    outputs, labels = raw_outputs(model, data)
    if from_logits:
        return count_logits(outputs, labels, class_names)
    scores = outputs.astype(np.float64)
    tiny = np.finfo(np.float64).tiny
    return count(np.log(np.maximum(scores, tiny)), labels, class_names)


def count_logits(
    logits: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> Evaluation:
    """`count` of logits (n, num_classes).

    Args:
        logits: (n, num_classes).
        labels, class_names: as in `count`.

    Returns:
        As `count`.

    Raises:
        ValueError: as `count`, or they are probabilities.
    """
    # float64, so that rows sum to 1 to the last digit that is printed.
    scores = logits.astype(np.float64)
    sums = scores.sum(axis=-1)
    if np.abs(sums - 1).max() < 1e-4 and scores.min() >= 0:
        raise ValueError(
            "from_logits=True: expected logits, received rows that sum to "
            "1 - give from_logits=False"
        )
    logs = scipy.special.log_softmax(scores, axis=-1)
    return count(logs, labels, class_names)


def count(
    log_probabilities: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
) -> Evaluation:
    """Metrics of log-probabilities (n, num_classes) against labels (n,).

    Args:
        log_probabilities: (n, num_classes), 0 or less.
        labels: int (n,), the true classes.
        class_names: num_classes, each once.

    Returns:
        The answers, counted.

    Raises:
        ValueError: shapes that do not match, names twice, or NaN.
    """
    _refuse_misfits(log_probabilities, labels, class_names)
    probabilities = np.exp(log_probabilities)
    predicted = probabilities.argmax(axis=-1)
    numbers = np.arange(len(class_names))
    confusion = sk.confusion_matrix(labels, predicted, labels=numbers)
    right = int((predicted == labels).sum())
    of_truth = log_probabilities[np.arange(len(labels)), labels]
    metrics = {
        "examples": len(labels),
        "loss": float(-of_truth.mean()),
        "accuracy": right / len(labels),
        "accuracy_interval": wilson_interval(right, len(labels)),
    }
    if len(class_names) > 5:
        metrics["top_5_accuracy"] = float(
            sk.top_k_accuracy_score(labels, probabilities, k=5, labels=numbers)
        )
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        labels, predicted, labels=numbers, zero_division=0
    )
    # A class that is neither there nor predicted has no F1.
    present = (support > 0) | (confusion.sum(axis=0) > 0)
    metrics["macro_f1"] = float(f1[present].mean())
    metrics["macro_f1_interval"] = _macro_f1_interval(confusion)
    metrics["per_class"] = {
        name: {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": int(support[i]),
        }
        for i, name in enumerate(class_names)
    }
    return Evaluation(probabilities, labels, predicted, confusion, metrics)


def _refuse_misfits(log_probabilities, labels, class_names) -> None:
    """Raises ValueError where they do not fit each other."""
    expected = (len(labels), len(class_names))
    if log_probabilities.shape != expected or np.ndim(labels) != 1:
        raise ValueError(
            f"expected outputs of shape {expected} and labels (n,), received "
            f"{log_probabilities.shape} and {np.shape(labels)}"
        )
    if len(set(class_names)) < len(class_names):
        raise ValueError(f"class_names: {class_names} has a name twice")
    if np.isnan(log_probabilities).any():
        raise ValueError("the model's outputs hold NaN")


def count_probabilities(
    probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> Evaluation:
    """`count` of probabilities, float (n, num_classes), as an export gives.

    Args:
        probabilities: (n, num_classes), 0 to 1; rows are made to sum to 1.
        labels, class_names: as in `count`.

    Returns:
        As `count`.

    Raises:
        ValueError: as `count`.
    """
    # float64, so that rows sum to 1 to the last digit that is printed.
    rows = probabilities.astype(np.float64)
    rows /= rows.sum(axis=-1, keepdims=True)
    logs = np.log(np.maximum(rows, np.finfo(np.float64).tiny))
    return count(logs, labels, class_names)


def wilson_interval(right: int, count: int) -> list[float]:
    """95 % interval of a share, by Wilson's score.

    Reference: Wilson, "Probable Inference, the Law of Succession, and
    Statistical Inference", 1927.
    """
    interval = scipy.stats.binomtest(right, count).proportion_ci(
        confidence_level=CONFIDENCE, method="wilson"
    )
    return [float(interval.low), float(interval.high)]


def _macro_f1_interval(confusion: np.ndarray) -> list[float]:
    """95 % bootstrap interval of macro-F1.

    Resampling examples with replacement is drawing their (true, predicted)
    cells from a multinomial; a fixed seed makes it repeatable.
    """
    truth, predicted = np.nonzero(confusion)
    cells = confusion[truth, predicted]
    right = truth == predicted
    random = np.random.default_rng(0)
    classes = len(confusion)
    scores = []
    for _ in range(RESAMPLES):
        draw = random.multinomial(cells.sum(), cells / cells.sum())
        hits = np.bincount(truth[right], draw[right], classes)
        members = np.bincount(truth, draw, classes)
        members += np.bincount(predicted, draw, classes)
        # A class that a draw has neither as truth nor as prediction has no F1.
        present = members > 0
        scores.append((2 * hits[present] / members[present]).mean())
    tail = (1 - CONFIDENCE) / 2
    return [float(q) for q in np.quantile(scores, [tail, 1 - tail])]
