"""The head of texts: the encoder's, TF-IDF's, or both, by cross-validation.

    head = solve_beside(texts, vectors, labels)
    head.choice.lines()                  # what each candidate is worth
    logits = head.outputs(new_texts, new_vectors)

In: texts with an encoder's vectors, and labels. Out: linear classifiers, each
solved exactly, and the weights of their sum, chosen by what they answer for
texts that they had no part in: on the vectors, on TF-IDF's weights, of few
texts on both side by side; and how near a text is to the name of each class,
which needs no labels and with few is worth a few of them.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from tl_keras.baselines.joint import JointHead, solve_joint
from tl_keras.baselines.tfidf import TfidfBaseline, fit_tfidf
from tl_keras.tasks.multiclass import solve_probe
from tl_keras.tasks.multiclass.linear_probe import LinearProbe
from tl_keras.tasks.multiclass.mixing import MixtureChoice, choose_mixture

ENCODER, TFIDF, NAMES = "encoder", "tf-idf", "class names"
JOINT = "both side by side"
CHOSEN = 1  # numbers of it that the folds have chosen, its share
LEAST = 1e-7  # of a probability, whose logarithm is taken
# Of cosines, which lie close together, so that a weight of about 1 suits them.
SHARPER = 10.0


@dataclasses.dataclass(frozen=True)
class TextHead:
    """Solved heads, and how they are weighed.

    Attributes:
        choice: all mixtures that were tried, the kept one first.
        baseline: TF-IDF and its logistic regression.
        probe: the head on the encoder's vectors.
        name_kernel: (width, num_classes) of the class names' vectors; None
            without them.
        out_of_fold: logits (judged, num_classes) of what is kept, for the
            baseline's `judged` texts.
        joint: one head on both kinds of features; None where it was not
            tried.
    """

    choice: MixtureChoice
    baseline: TfidfBaseline
    probe: LinearProbe
    name_kernel: np.ndarray | None = None
    out_of_fold: np.ndarray | None = None
    joint: JointHead | None = None

    def encoder_weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel, float32 (width, num_classes), and bias on the encoder's
        vectors, weighed: for the head's Dense layer."""
        weight = self.choice.weight(ENCODER)
        kernel, bias = weight * self.probe.kernel, weight * self.probe.bias
        if self.name_kernel is not None:
            kernel = kernel + self.choice.weight(NAMES) * self.name_kernel
        if self.joint is not None:
            weight = self.choice.weight(JOINT)
            kernel = kernel + weight * self.joint.kernel
            bias = bias + weight * self.joint.bias
        return kernel.astype(np.float32), bias.astype(np.float32)

    def tfidf_weights(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel, float32 (columns, num_classes), and bias on TF-IDF's
        weights, weighed: what is added to the above."""
        weight = self.choice.weight(TFIDF)
        kernel, bias = (weight * array for array in self.baseline.weights())
        if self.joint is not None:
            kernel = (
                kernel + self.choice.weight(JOINT) * self.joint.tfidf_kernel
            )
        return kernel.astype(np.float32), bias.astype(np.float32)

    def outputs(self, texts: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        """Logits, float64 (n, num_classes).

        Args:
            texts: to answer.
            vectors: of the encoder, (n, width).
        """
        kernel, bias = self.encoder_weights()
        logits = vectors.astype(np.float64) @ kernel + bias
        kernel, bias = self.tfidf_weights()
        return logits + self.baseline.counts(texts) @ kernel + bias


def solve_beside(
    texts: Sequence[str],
    vectors: np.ndarray,
    labels: Sequence[int],
    *,
    name_vectors: np.ndarray | None = None,
    groups: Sequence[str] | None = None,
    class_weights: Sequence[float] | None = None,
    probe: LinearProbe | None = None,
    baseline: TfidfBaseline | None = None,
    seed: int = 0,
) -> TextHead | None:
    """Solves and weighs the heads of texts, on all labels there are.

    Args:
        texts: to learn from, those to validate on too.
        vectors: the encoder's, (n, width).
        labels: int (n,), 0 to num_classes - 1, each class at least once.
        name_vectors: the encoder's of the class names as words, (num_classes,
            width); None where they are no words.
        groups: what each text belongs to; those of one group stay together in
            the folds.
        class_weights: of each class in the loss of the encoder's head.
        probe, baseline: those of all these texts where they are solved
            already.
        seed: of the baseline's folds.

    Returns:
        `TextHead`; None where there is nothing to choose by, as a class has
        one text alone.

    Example:
        head = solve_beside(texts, encoder.predict(ids), labels)
        print("\\n".join(head.choice.lines()))
    """
    labels = np.asarray(labels)
    if probe is None:
        probe = solve_probe(
            vectors, labels, groups=groups, class_weights=class_weights
        )
    if baseline is None:
        baseline = fit_tfidf(texts, labels, groups=groups, seed=seed)
    if probe.out_of_fold is None or baseline.out_of_fold is None:
        return None
    some = baseline.judged
    outputs = {
        ENCODER: _logarithms(probe.out_of_fold[some]),
        TFIDF: _logarithms(baseline.out_of_fold),
    }
    kernel = None
    if name_vectors is not None:
        kernel = _name_kernel(name_vectors)
        outputs[NAMES] = vectors[some] @ kernel
    joint = solve_joint(
        texts, vectors, labels, baseline, groups=groups, seed=seed
    )
    if joint is not None:
        outputs[JOINT] = joint.out_of_fold[some]
    choice = choose_mixture(outputs, labels[some], {JOINT: CHOSEN})
    together = choice.kept.of(outputs)
    return TextHead(choice, baseline, probe, kernel, together, joint)


def class_words(name: str) -> str:
    """A class's name as words: "card_arrival" -> "card arrival"."""
    return " ".join(
        re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    )


def _name_kernel(name_vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(name_vectors, axis=1, keepdims=True)
    return SHARPER * (name_vectors / np.maximum(lengths, LEAST)).T


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), LEAST))
