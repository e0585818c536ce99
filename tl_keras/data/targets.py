"""What a table says of its rows, where that is not one class.

    targets = Targets(("cat", "outdoor"), {"pets.csv:2": np.array([1, 0])})
    targets.text("pets.csv:2")                      # "cat"

In: labels or numbers that somebody has read of the cells. Out: they, for the
listing, by the row's place. Who reads them knows what is predicted; the listing
does not.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tl_keras.data.examples import label_text


@dataclasses.dataclass(frozen=True)
class Targets:
    """The targets of all rows of one or more tables.

    Attributes:
        names: of the labels, or of the columns of numbers.
        rows: `file.csv:LINE` -> int32 (labels,) of 0 and 1, or float32
            (columns,); a row that is to be left out has none.
    """

    names: tuple[str, ...]
    rows: Mapping[str, np.ndarray]

    def text(self, where: str) -> str:
        """A row's target in words; "" for one that has none."""
        found = self.rows.get(where)
        return "" if found is None else label_text(found, self.names)
