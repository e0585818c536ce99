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

from tl_keras.semi_supervised.learner import STRENGTH, TINY, Learner
from tl_keras.tasks.multiclass.cross_validation import platt
from tl_keras.tasks.multiclass.linear_probe import LinearProbe, solve_probe

# Of a head that labels alone make, and of both, the mean is often better than
# the worse one, and cross-validation over few labels cannot tell well which.
SHARES = (0.0, 0.5, 1.0)
# Folds of few labels say little: they are cut anew until so many answers are
# there, or so often.
ANSWERS, CUTS = 100, 4

# Examples without labels, and times features and classes: some two minutes of
# one core.
MAX_UNLABELLED, MAX_WORK = 5000, 2e8


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
