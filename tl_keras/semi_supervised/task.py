"""One class of several, its head solved with examples without labels too.

In: stored features of those examples. Out: a task to train by.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tl_keras.semi_supervised.head import solve_with_unlabelled
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.task import SolvedHead


@dataclasses.dataclass(frozen=True, eq=False)
class MulticlassWithUnlabelled(Multiclass):
    """`Multiclass`, but for how a head is solved.

    Attributes:
        unlabelled: features (m, d) of the examples without labels, as the
            head is given them.
        share: of `solve_with_unlabelled`.

    Example:
        task = MulticlassWithUnlabelled(unlabelled=features)
        fit_phases(model, phases, train, val, objective=Objective(task=task))
    """

    unlabelled: np.ndarray | None = None
    share: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        if self.unlabelled is None or not len(self.unlabelled):
            raise ValueError("unlabelled: expected features (m, d), m above 0")

    def solve(
        self,
        features: np.ndarray,
        targets: np.ndarray,
        *,
        views: int = 1,
        groups: Sequence[str] | None = None,
    ) -> SolvedHead:
        """As of `Task`; see `solve_with_unlabelled`."""
        return solve_with_unlabelled(
            features,
            targets.reshape(-1),
            self.unlabelled,
            share=self.share,
            class_weights=self.class_weights,
            views=views,
            groups=groups,
        )
