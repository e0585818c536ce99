"""Labelled examples and examples without labels -> heads of both.

    learner = Learner(unlabelled, class_weights=None)
    kernel, bias = learner.with_unlabelled(features, labels, start)

In: features, of some the labels. Out: weights of a Dense layer; and what
examples are taken for by heads that they had no part in. What is learnt how,
`semi_supervised.head` says.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.special
from threadpoolctl import threadpool_limits

from tl_keras.semi_supervised.label_spreading import (
    neighbour_graph,
    spread_labels,
)
from tl_keras.tasks.multiclass.cross_validation import ROUGH, cut_folds
from tl_keras.tasks.multiclass.feature_scaling import ScaledFeatures
from tl_keras.tasks.multiclass.linear_probe import LinearProbe, fit_head

ROUNDS = 5  # of self-training


STRENGTH = 0.01  # of the heads that learn guessed labels, scikit-learn's C


TINY = np.finfo(np.float64).tiny


Weights = tuple[np.ndarray, np.ndarray]  # kernel (d, classes), bias (classes,)


@dataclasses.dataclass(frozen=True, eq=False)
class Learner:
    """Makes heads of labelled examples and of these.

    Attributes:
        unlabelled: (m, d).
        class_weights: weight of each class in the loss, or None.
        share: of what both make; the rest is of labels alone.
    """

    unlabelled: np.ndarray
    class_weights: Sequence[float] | None
    share: float = 1.0

    def weights(self, labels: np.ndarray) -> np.ndarray:
        """Of examples by their classes, (n,)."""
        if self.class_weights is None:
            return np.ones(len(labels))
        return np.asarray(self.class_weights, np.float64)[labels]

    def out_of_fold(
        self,
        features: np.ndarray,
        labels: np.ndarray,
        probe: LinearProbe,
        views: int,
        groups: Sequence[str] | None,
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """What examples are taken for by heads that they had no part in.

        Args:
            features, labels: of labelled examples.
            probe: solved on all of them; says how strong the penalty is.
            views, groups: of `solve_with_unlabelled`.

        Returns:
            Logits (n, classes) by labels alone, and by both; None without
            folds.
        """
        folds = cut_folds(labels, views, groups)
        shape = len(labels), int(labels.max()) + 1
        alone, both = np.zeros(shape), np.zeros(shape)
        for fitted, judged in folds:
            first = self._of_labels(features[fitted], labels[fitted], probe)
            second = self.with_unlabelled(
                features[fitted], labels[fitted], first
            )
            for answers, (kernel, bias) in zip(
                (alone, both), (first, second), strict=True
            ):
                answers[judged] = features[judged] @ kernel + bias
        return (alone, both) if folds else None

    def _of_labels(
        self, features: np.ndarray, labels: np.ndarray, probe: LinearProbe
    ) -> Weights:
        """A head of some of the labels that a probe was solved on."""
        with threadpool_limits(limits=1, user_api="blas"):
            scaled = ScaledFeatures.of(
                features.astype(np.float64), probe.scaling
            )
            kernel, bias = fit_head(
                scaled,
                labels,
                probe.strength,
                each=self.weights(labels),
                **ROUGH,
            )
        return kernel / probe.temperature, bias / probe.temperature

    def with_unlabelled(
        self, features: np.ndarray, labels: np.ndarray, start: Weights
    ) -> Weights:
        """The head of both.

        Args:
            features, labels: of labelled examples.
            start: a head of those, which self-training begins with.

        Returns:
            (kernel, bias), the mean of what spreading and self-training make,
            and of the start as `share` has it.
        """
        rows = np.concatenate([features, self.unlabelled]).astype(np.float64)
        given = np.full(len(rows), -1)
        given[: len(labels)] = labels
        with threadpool_limits(limits=1, user_api="blas"):
            scaled = ScaledFeatures.of(rows, "one")
            likely = spread_labels(
                neighbour_graph(rows), given, start[0].shape[-1]
            )
            spread = self._learn(scaled, given, likely)
            trained = start
            for _ in range(ROUNDS):
                likely = scipy.special.softmax(
                    rows @ trained[0] + trained[1], axis=-1
                )
                trained = self._learn(scaled, given, likely)
            half = (1.0, spread), (1.0, trained)
            both = _mixed(rows, half)
            return _mixed(rows, ((1 - self.share, start), (self.share, both)))

    def _learn(
        self, scaled: ScaledFeatures, given: np.ndarray, likely: np.ndarray
    ) -> Weights:
        """A head of labels and guesses, which weigh less the less sure."""
        known = given >= 0
        labels = np.where(known, given, likely.argmax(axis=-1))
        entropy = scipy.special.entr(likely).sum(axis=-1)
        weights = np.maximum(1 - entropy / np.log(likely.shape[-1]), 0.0)
        guesses = weights[~known].sum()
        for label in range(likely.shape[-1]):
            guessed = ~known & (labels == label)
            share = (given[known] == label).mean()
            total = weights[guessed].sum()
            if total > 0:  # Else there is nothing to share out.
                weights[guessed] *= share * guesses / total
        weights[known] = 1.0
        each = weights * self.weights(labels)
        return fit_head(scaled, labels, STRENGTH, each=each, **ROUGH)


def _mixed(rows: np.ndarray, parts: Sequence[tuple[float, Weights]]) -> Weights:
    """The mean of heads, each with its part.

    They are made equally loud before: the louder would else be the mean.
    """
    loudness = [
        max(np.std(rows @ kernel + bias), TINY) for _, (kernel, bias) in parts
    ]
    total = sum(part for part, _ in parts)
    factors = [
        part / total * np.mean(loudness) / loud
        for (part, _), loud in zip(parts, loudness, strict=True)
    ]
    kernel, bias = (
        sum(
            f * head[place] for f, (_, head) in zip(factors, parts, strict=True)
        )
        for place in (0, 1)
    )
    return kernel, bias
