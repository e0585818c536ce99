"""Ever larger parts of labelled examples, and others that are held out.

    parts = Parts.cut(labels, None, largest=300, random=random)
    parts.fitted[0], parts.held_out           # indices

In: labels, and what must not be torn apart. Out: indices, drawn so that each
part has the classes as all examples have them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Sizes of subsamples, as shares of the largest: each half of the one two
# places on.
SHARES = tuple(float(2 ** (-step / 2)) for step in range(6, -1, -1))
HELD_OUT = 0.25
FEWEST_A_CLASS = 2


class Parts(NamedTuple):
    """One way to divide examples: ever larger parts, and those held out.

    Attributes:
        fitted: of each of `SHARES`, indices; each holds the one before.
        held_out: indices.
    """

    fitted: list[np.ndarray]
    held_out: np.ndarray

    @classmethod
    def cut(
        cls,
        labels: np.ndarray,
        groups: Sequence[str] | None,
        largest: int,
        random: np.random.Generator,
    ) -> "Parts":
        """Draws them; classes are as frequent in each as in all.

        Args:
            labels: int (n,).
            groups: what each example belongs to; not torn apart.
            largest: examples in the largest part, or one group more.
            random: draws.

        Returns:
            The parts and what is held out.
        """
        order, starts = _interleaved(labels, groups, random)
        held = _whole(starts, int((1 - HELD_OUT) * len(labels)))
        fitted = [
            order[: min(_whole(starts, round(share * largest)), held)]
            for share in SHARES
        ]
        return cls(fitted, order[held:])

    def has_each(self, place: int, labels: np.ndarray, classes: int) -> bool:
        """Whether a part has enough of each class to be solved.

        Args:
            place: of the part.
            labels: int (n,), of all.
            classes: how many there are.

        Returns:
            And something is held out.
        """
        counts = np.bincount(labels[self.fitted[place]], minlength=classes)
        return counts.min() >= FEWEST_A_CLASS and len(self.held_out) > 0


def _interleaved(
    labels: np.ndarray,
    groups: Sequence[str] | None,
    random: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """(indices in a drawn order, places where a group begins).

    Any beginning of the order has the classes as all have them.
    """
    given = np.arange(len(labels)) if groups is None else np.asarray(groups)
    _, first, group_of = np.unique(
        given, return_index=True, return_inverse=True
    )
    of_group = labels[first]
    turn = np.empty(len(first))
    for label in np.unique(of_group):
        members = random.permutation(np.flatnonzero(of_group == label))
        shift = random.uniform()
        turn[members] = (np.arange(len(members)) + shift) / len(members)
    rank = np.argsort(np.argsort(turn, kind="stable"), kind="stable")
    order = np.argsort(rank[group_of], kind="stable")
    ranks = rank[group_of][order]
    return order, np.flatnonzero(np.r_[True, ranks[1:] != ranks[:-1]])


def _whole(starts: np.ndarray, count: int) -> int:
    """The least number of examples from `count` on that tears no group."""
    place = np.searchsorted(starts, count)
    return int(starts[min(place, len(starts) - 1)])
