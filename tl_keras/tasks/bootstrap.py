"""Resampled examples -> intervals, and how sure a difference is.

    for counts in resampled(300):               # (draws, 300) each
        ...
    low, high = interval(values)
    paired(first, second, more_is_better=True)["verdict"]

In: numbers. Out: plain numbers. Everything is drawn with a fixed seed: the
same draws for the same number of examples, so that two evaluations of the same
examples are paired draw by draw.
"""

from collections.abc import Iterator, Sequence

import numpy as np

CONFIDENCE = 0.95
DRAWS = 1000
AT_ONCE = 100  # draws held in memory: each is a count for every example


def resampled(count: int) -> Iterator[np.ndarray]:
    """How often each of `count` examples is in a draw, int (draws, count)."""
    random = np.random.default_rng(0)
    even = np.full(count, 1 / count)
    for _ in range(DRAWS // AT_ONCE):
        yield random.multinomial(count, even, AT_ONCE)


def interval(values: np.ndarray) -> list[float]:
    """The 95 % in the middle of the draws; NaN among them do not count."""
    tail = (1 - CONFIDENCE) / 2
    return [float(q) for q in np.nanquantile(values, [tail, 1 - tail])]


def paired(
    difference: float, draws: np.ndarray, *, more_is_better: bool
) -> dict:
    """Is the second better than the first on the same examples?

    Args:
        difference: second - first, of all examples.
        draws: the same of each draw.
        more_is_better: of the number that is compared.

    Returns:
        `difference`, `interval`, `p_value` (two-sided, by the share of draws
        beyond 0) and `verdict`: "better", "worse" or "cannot tell".
    """
    low, high = interval(draws)
    # One is added, as a draw that was not made may lie on the other side.
    beyond = min((draws <= 0).sum(), (draws >= 0).sum()) + 1
    p_value = min(1.0, 2 * float(beyond) / (len(draws) + 1))
    sure = low > 0 or high < 0
    better = (difference > 0) == more_is_better
    return {
        "difference": difference,
        "interval": [low, high],
        "p_value": p_value,
        "verdict": ("better" if better else "worse") if sure else "cannot tell",
    }


def shown(names: Sequence[str], most: int = 5) -> str:
    """The first few names, for a line."""
    return ", ".join(names[:most]) + ", ..." * (len(names) > most)
