"""Numbers of a model beside those that are expected.

    differs = ValueDiffers(names, scale, margins)
    difference = differs({"values": expected}, {"values": received})

In: values, in the columns' units. Out: a `Difference`, in shares of what each
column deviates by: an age and a price are compared alike.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tl_keras.tasks.difference import Answers, Difference, largest

# A person reads another number where it differs by so much of its deviation.
SEEN = 1e-3


@dataclasses.dataclass(frozen=True)
class ValueDiffers:
    """The `Differs` of a task of numbers.

    Attributes:
        names: of the columns.
        mean, scale: of the targets in training, (columns,).
        margins: of the intervals, (columns,); None for none.
    """

    names: Sequence[str]
    mean: np.ndarray
    scale: np.ndarray
    margins: np.ndarray | None = None

    answer = "values"
    unit = "a value, as a share of its column's deviation,"

    def __call__(
        self,
        expected: Answers,
        received: Answers,
        labels: np.ndarray | None = None,
    ) -> Difference:
        """Compares.

        Args:
            expected: "values", (n, columns).
            received: the same, and "low" and "high" where there are margins.
            labels: not used: no number is right or wrong.

        Raises:
            ValueError: answers of another shape, or bounds of another width.
        """
        want, found = expected["values"], received["values"]
        if found.shape != want.shape:
            raise ValueError(
                f"gives an answer of shape {found.shape}, the model "
                f"{want.shape}"
            )
        self._refuse_other_bounds(received)
        said, says = want / self.scale, found / self.scale
        plain = largest(says, said)
        # float32 holds shares: of a value far from 0 as far as that allows.
        size = np.maximum(1.0, np.abs(said).max(axis=-1))
        changed = plain > SEEN * size

        def ties(movement: float) -> np.ndarray:
            return changed & (plain <= 2 * movement)

        return Difference(
            plain / size,
            plain,
            plain,
            changed,
            lambda row: (self._words(want[row]), self._words(found[row])),
            ties,
        )

    def _refuse_other_bounds(self, received: Answers) -> None:
        if self.margins is None or "low" not in received:
            return
        values = received["values"]
        size = np.maximum(self.scale, np.abs(values).max(axis=0)) * 1e-5
        for name, away in (("low", -self.margins), ("high", self.margins)):
            off = np.abs(received[name] - (values + away)) > size
            # Infinity less infinity is no number, and no fault.
            if (off & np.isfinite(away)).any():
                raise ValueError(f"gives {name!r} bounds of another width")

    def _words(self, row: np.ndarray) -> str:
        pairs = zip(self.names, row, strict=True)
        return ", ".join(f"{name} {value:.6g}" for name, value in pairs)
