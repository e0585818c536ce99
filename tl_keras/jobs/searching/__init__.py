"""`--strategy=auto` in a run: budget, plan, search, and what comes of it.

The search itself, which knows of no run, is `tl_keras.search`.
"""

from tl_keras.jobs.searching.fits import candidates_of_run
from tl_keras.jobs.searching.known import known_of
from tl_keras.jobs.searching.planning import (
    FEW_FOLDS,
    FEW_LABELS,
    MANY_FOLDS,
    Searches,
    plan_for,
    reckoned_search,
)
from tl_keras.jobs.searching.stage import Searched, search_all

__all__ = [
    "FEW_FOLDS", "FEW_LABELS", "MANY_FOLDS", "Searched", "Searches",
    "candidates_of_run", "known_of", "plan_for", "reckoned_search",
    "search_all",
]  # fmt: skip
