"""How missing splits are cut, as it is asked for.

    cut_splits(listing, Cut(test_fraction=0.2, seed=1))

In: shares or counts, and a seed. Out: a value that says so.
"""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class Cut:
    """How missing splits are cut.

    Attributes:
        val_fraction, test_fraction: share of each class, 0 to 0.9.
        train_per_class: train on this many of each class; where test is cut
            all the rest becomes test.
        val_per_class: this many of each class, instead of `val_fraction`.
        seed: of the draw.
        stratify: (labels, shares, seed) -> the part of each example, where
            classes cannot be drawn one by one; see `Task.stratify`.
    """

    val_fraction: float = 0.15
    test_fraction: float = 0.15
    train_per_class: int | None = None
    val_per_class: int | None = None
    seed: int = 0
    stratify: Callable[..., np.ndarray] | None = None
