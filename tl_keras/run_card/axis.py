"""Intervals -> an axis on which they can be seen, and their places on it.

    axis = Axis.around([(0.93, 0.97), (0.95, 0.99)])
    axis.place(0.93)                     # percent of its width

In: intervals, shares or numbers of any unit. Out: round ends just outside of
all of them, and places in percent.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Self

ROOM = 0.06  # of the width, left at both ends
STEPS = (1, 2, 2.5, 5, 10)
PARTS = 4  # about so many steps from end to end


class Axis(NamedTuple):
    """From where to where it goes."""

    low: float
    high: float

    @classmethod
    def around(
        cls,
        intervals: Iterable[Sequence[float]],
        least: float = -math.inf,
        most: float = math.inf,
    ) -> Self:
        """One that shows all intervals.

        Args:
            intervals: (low, high) each; a number is one with equal ends.
            least, most: where an axis of this unit ends.

        Returns:
            From 0 to 1 where there is nothing to show.
        """
        ends = [end for interval in intervals for end in interval]
        if not ends:
            return cls(0.0, 1.0)
        low, high = min(ends), max(ends)
        spread = (high - low) or abs(high) or 1.0
        low, high = low - ROOM * spread, high + ROOM * spread
        step = _round_step((high - low) / PARTS)
        low = max(least, step * math.floor(low / step))
        high = min(most, step * math.ceil(high / step))
        return cls(round(low, 10), round(high, 10))

    def ticks(self) -> tuple[float, float, float]:
        """Both ends, and the middle between them."""
        return self.low, (self.low + self.high) / 2, self.high

    def place(self, value: float) -> float:
        """Where a value stands, in percent of the width."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def bar(self, interval: Sequence[float]) -> tuple[float, float]:
        """(left end, width) of an interval, in percent of the width."""
        left = self.place(interval[0])
        return left, round(self.place(interval[1]) - left, 2)


def _round_step(about: float) -> float:
    power = 10.0 ** math.floor(math.log10(about))
    return next(power * step for step in STEPS if power * step >= about)
