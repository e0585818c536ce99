"""`--strategy=auto` in a run: budget, plan, search, and what comes of it.

The search itself, which knows of no run, is `tl_keras.search`.
"""

from tl_keras.jobs.searching.known import known_of
from tl_keras.jobs.searching.stage import (
    FEW_FOLDS,
    FEW_LABELS,
    MANY_FOLDS,
    Searched,
    Searches,
    candidates_of_run,
    plan_for,
    reckoned_search,
    search_all,
    why_not,
)

__all__ = [
    "FEW_FOLDS", "FEW_LABELS", "MANY_FOLDS", "Searched", "Searches",
    "candidates_of_run", "known_of", "plan_for", "reckoned_search",
    "search_all", "why_not",
]  # fmt: skip
