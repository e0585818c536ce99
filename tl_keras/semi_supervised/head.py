"""A few labels and many examples without -> one Dense head.

    found = compare(features, labels, unlabelled)
    found.share                                     # 0: labels alone are best
    head = solve_with_unlabelled(
        features, labels, unlabelled, share=found.share
    )

In: stored features, of some the labels. Out: the head's weights, the mean of
two heads: one learns what label spreading says of each example, the other what
the head itself says, round by round (self-training). Logits are linear in the
weights, so the mean of the two is one Dense layer, and they err in other ways.
The guesses of each class weigh together as much as its labels are frequent:
without that a head that believes itself may end at a single class.

Reference: Zhou and others, "Learning with Local and Global Consistency", 2004;
Yarowsky, "Unsupervised Word Sense Disambiguation Rivaling Supervised Methods",
1995, for self-training; the weights of guessed labels by their entropy as in
Iscen and others, "Label Propagation for Deep Semi-supervised Learning", 2019.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.special
from threadpoolctl import threadpool_limits

from tl_keras.semi_supervised.label_spreading import (
    neighbour_graph,
    spread_labels,
)
from tl_keras.tasks.multiclass.cross_validation import (
    ROUGH,
    cut_folds,
    platt,
)
from tl_keras.tasks.multiclass.feature_scaling import ScaledFeatures
from tl_keras.tasks.multiclass.linear_probe import (
    LinearProbe,
    fit_head,
    solve_probe,
)

ROUNDS = 5  # of self-training
STRENGTH = 0.01  # of the heads that learn guessed labels, scikit-learn's C
# Of a head that labels alone make, and of both, the mean is often better than
# the worse one, and cross-validation over few labels cannot tell well which.
SHARES = (0.0, 0.5, 1.0)
# Folds of few labels say little: they are cut anew until so many answers are
# there, or so often.
ANSWERS, CUTS = 100, 4

# Examples without labels, and times features and classes: some two minutes of
# one core.
MAX_UNLABELLED, MAX_WORK = 5000, 2e8

TINY = np.finfo(np.float64).tiny
Weights = tuple[np.ndarray, np.ndarray]  # kernel (d, classes), bias (classes,)


@dataclasses.dataclass(frozen=True)
class HeadWithUnlabelled(LinearProbe):
    """A solved head that has learnt from examples without labels too.

    Attributes:
        unlabelled: how many.
    """

    unlabelled: int = 0

    def how(self) -> str:
        """In words, how it was solved."""
        return f"{self.unlabelled:,} examples without labels"


class Comparison(NamedTuple):
    """What cross-validation over the labelled examples says.

    Attributes:
        losses: out of fold, after the temperature that suits best, of the
            heads between labels alone and both, for each of `SHARES`.
        accuracies: of the same.
        answers: that these are the means of; 0 where there are too few labels
            to ask.
    """

    losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    answers: int

    @property
    def best(self) -> int:
        """The place of the share with the least loss; 0 of equals."""
        return int(np.argmin(self.losses)) if self.answers else 0

    @property
    def share(self) -> float:
        """How much of the head both make; 0 for labels alone."""
        return SHARES[self.best]

    def numbers(self) -> dict:
        """As metrics.json holds them."""
        found = {"share": self.share, "answers": self.answers}
        if not self.answers:
            return found
        # Where labels alone are best, the next best says by how much.
        other = self.best or 1 + int(np.argmin(self.losses[1:]))
        return found | {
            "loss": self.losses[0],
            "accuracy": self.accuracies[0],
            "loss_with": self.losses[other],
            "accuracy_with": self.accuracies[other],
        }

    def describe(self) -> str:
        """In words, what is done and why."""
        if not self.answers:
            return (
                "not learnt from, since cross-validation needs two labels of "
                "each class"
            )
        what = "learnt from" if self.share else "not learnt from"
        numbers = self.numbers()
        return (
            f"{what}: out of fold the loss of labels alone is "
            f"{numbers['loss']:.3f} and with them {numbers['loss_with']:.3f} "
            f"(accuracy {numbers['accuracy']:.3f} and "
            f"{numbers['accuracy_with']:.3f})"
        )


def most_unlabelled(width: int, classes: int) -> int:
    """How many examples without labels can be learnt from in minutes.

    Args:
        width: features of each.
        classes: 2 or more.

    Returns:
        1 or more.
    """
    return max(1, min(MAX_UNLABELLED, int(MAX_WORK / (width * classes))))


def compare(
    features: np.ndarray,
    labels: np.ndarray,
    unlabelled: np.ndarray,
    *,
    class_weights: Sequence[float] | None = None,
    groups: Sequence[str] | None = None,
) -> Comparison:
    """Asks heads about labelled examples that they had no part in.

    Args:
        features: (n, d), of labelled examples to train on.
        labels: int (n,), 0 to num_classes - 1, each class at least once.
        unlabelled: (m, d), of the others.
        class_weights: weight of each class in the loss.
        groups: what each labelled example belongs to; not torn apart.

    Returns:
        What labels alone give, and what both do.

    Example:
        found = compare(features, labels, unlabelled)
        head = solve_with_unlabelled(
            features, labels, unlabelled, share=found.share
        )
    """
    learner = Learner(unlabelled, class_weights)
    probe = solve_probe(
        features, labels, class_weights=class_weights, groups=groups
    )
    alone, both, truth = [], [], []
    for order in _orders(len(labels)):
        some = groups and [groups[i] for i in order]
        answers = learner.out_of_fold(
            features[order], labels[order], probe, 1, some
        )
        if answers is None:
            return Comparison((), (), 0)
        alone.append(answers[0])
        both.append(answers[1])
        truth.append(labels[order])
    truth = np.concatenate(truth)
    ends, each = map(np.concatenate, (alone, both)), learner.weights(truth)
    ends = [logits / max(logits.std(), TINY) for logits in ends]
    losses, accuracies = [], []
    for share in SHARES:
        logits = (1 - share) * ends[0] + share * ends[1]
        losses.append(platt(logits, truth, each, len(labels))[0])
        accuracies.append(float((logits.argmax(axis=-1) == truth).mean()))
    return Comparison(tuple(losses), tuple(accuracies), len(truth))


def _orders(count: int) -> Iterator[np.ndarray]:
    """Orders of the examples, of which each is cut into other folds."""
    cuts = min(CUTS, -(-ANSWERS // count))
    for turn in range(cuts):
        yield np.random.default_rng([count, turn]).permutation(count)


def solve_with_unlabelled(
    features: np.ndarray,
    labels: np.ndarray,
    unlabelled: np.ndarray,
    *,
    share: float = 1.0,
    class_weights: Sequence[float] | None = None,
    views: int = 1,
    groups: Sequence[str] | None = None,
) -> HeadWithUnlabelled:
    """The head that labelled and unlabelled examples make together.

    Args:
        features, labels, unlabelled, class_weights: as of `compare`.
        share: of what both make, 0 to 1; the rest is of labels alone.
        views: so many labelled rows in a row are of one example.
        groups: what each labelled example belongs to.

    Returns:
        Its weights, as sure as the folds are right.
    """
    learner = Learner(unlabelled, class_weights, share)
    probe = solve_probe(
        features, labels, class_weights=class_weights, views=views,
        groups=groups,
    )  # fmt: skip
    start = probe.kernel.astype(np.float64), probe.bias.astype(np.float64)
    kernel, bias = learner.with_unlabelled(features, labels, start)
    answers = learner.out_of_fold(features, labels, probe, views, groups)
    temperature, likely = 1.0, None
    if answers is not None:
        each, count = learner.weights(labels), len(labels) // views
        _, temperature = platt(answers[1], labels, each, count)
        likely = scipy.special.softmax(answers[1] / temperature, axis=-1)
        likely = likely.reshape(count, views, -1).mean(axis=1)
    return HeadWithUnlabelled(
        (kernel / temperature).astype(np.float32),
        (bias / temperature).astype(np.float32),
        STRENGTH,
        "one",
        temperature,
        None if likely is None else likely.astype(np.float32),
        len(unlabelled),
    )


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
