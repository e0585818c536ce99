"""Examples -> parts in which each label has its share.

    part = cut_by_label_sets(targets, [0.7, 0.15, 0.15], seed=0)

In: targets (n, labels) of 0 and 1. Out: the part of each example. To draw class
by class is impossible where an example has several: the label with the fewest
examples left is dealt out first, each of them to the part that wants most.

Reference: Sechidis, Tsoumakas and Vlahavas, "On the Stratification of
Multi-Label Data", 2011.
"""

from collections.abc import Sequence

import numpy as np


def cut_by_label_sets(
    targets: np.ndarray, shares: Sequence[float], seed: int = 0
) -> np.ndarray:
    """Deals examples out to parts.

    Args:
        targets: (n, labels) of 0 and 1.
        shares: of each part; their sum is 1.
        seed: of the order and of ties.

    Returns:
        int (n,), the part of each.

    Example:
        part = cut_by_label_sets(targets, [0.8, 0.2])
        train, val = np.flatnonzero(part == 0), np.flatnonzero(part == 1)
    """
    # Examples without a label are dealt out too, as a label of their own.
    bare = ~targets.any(axis=1, keepdims=True)
    has = np.concatenate([targets.astype(bool), bare], axis=1)
    random = np.random.default_rng(seed)
    shares = np.asarray(shares, np.float64)
    room = shares * len(has)
    wanted = shares[:, None] * has.sum(axis=0)
    part = np.full(len(has), -1)
    left = has.sum(axis=0)
    while left.any():
        rarest = min(np.flatnonzero(left), key=lambda label: left[label])
        members = np.flatnonzero(has[:, rarest] & (part < 0))
        for example in random.permutation(members):
            taker = _neediest(wanted[:, rarest], room, random)
            part[example] = taker
            room[taker] -= 1
            wanted[taker] -= has[example]
            left -= has[example]
    return part


def _neediest(wanted: np.ndarray, room: np.ndarray, random) -> int:
    """The part that lacks most of a label; of those the emptiest."""
    most = np.flatnonzero(wanted > wanted.max() - 1e-9)
    if len(most) > 1:
        most = most[room[most] > room[most].max() - 1e-9]
    return int(most[0] if len(most) == 1 else random.choice(most))
