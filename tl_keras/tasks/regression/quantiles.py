"""Numbers -> parts in which small and large ones have their share.

    part = cut_by_quantiles(targets, [0.7, 0.15, 0.15], seed=0)

In: targets (n, columns). Out: the part of each example. Examples are put in
order, cut into runs, and each run is dealt out; of several columns the order
is that of the direction in which they vary most.
"""

from collections.abc import Sequence

import numpy as np


def cut_by_quantiles(
    targets: np.ndarray, shares: Sequence[float], seed: int = 0
) -> np.ndarray:
    """Deals examples out to parts.

    Args:
        targets: float (n,) or (n, columns), finite.
        shares: of each part; their sum is 1.
        seed: of the draw.

    Returns:
        int (n,), the part of each. Each part's size is its share, to one.

    Example:
        part = cut_by_quantiles(ages, [0.8, 0.2])
        train, val = np.flatnonzero(part == 0), np.flatnonzero(part == 1)
    """
    count = len(targets)
    rows = np.asarray(targets, np.float64).reshape(count, -1)
    rows = rows - rows.mean(axis=0)
    rows /= np.maximum(rows.std(axis=0), np.finfo(np.float64).tiny)
    along = rows[:, 0]
    if rows.shape[1] > 1:
        along = rows @ np.linalg.svd(rows, full_matrices=False)[2][0]
    random = np.random.default_rng(seed)
    # Whoever is alike is in no order of its own.
    order = np.lexsort([random.random(count), along])
    part = np.empty(count, int)
    owed = np.zeros(len(shares))
    for example in order:
        # Each part takes one when it is owed most; by chance among equals.
        owed += shares
        most = np.flatnonzero(owed > owed.max() - 1e-9)
        taker = most[0] if len(most) == 1 else random.choice(most)
        part[example] = taker
        owed[taker] -= 1
    return _shuffled_in_runs(part, order, random)


def _shuffled_in_runs(part, order, random) -> np.ndarray:
    """The same shares in each run of the order, by chance within it.

    Without it every seed would deal out nearly alike.
    """
    dealt = part[order]
    run = max(2, len(order) // max(1, min(20, len(order) // 10)))
    for start in range(0, len(order), run):
        dealt[start : start + run] = random.permutation(
            dealt[start : start + run]
        )
    result = np.empty_like(part)
    result[order] = dealt
    return result
