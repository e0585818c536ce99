"""A search -> the table of metrics.json and of the page.

In: what was found. Out: plain values.
"""

from collections.abc import Sequence

import numpy as np

from tl_keras.jobs.preparation import Prepared
from tl_keras.search import Found, SearchPlan, Tried
from tl_keras.search.searching import interval_of


def table_of(prepared: Prepared, plan: SearchPlan, found: Found) -> dict:
    """What was tried, and what became of it.

    Args:
        prepared: the run.
        plan: what was to be tried.
        found: what came of it.

    Returns:
        `candidates`, each with `name`, `folds`, `examples` that these judged,
        `cost` (as the monitor means it) with its interval, the task's main
        number with its own, `share`, `seconds` and `stopped`; which is `kept`,
        how it was `made`, and the `plan`.
    """
    names = prepared.labelled.class_names
    share = found.standing.share
    return {
        "kept": found.best.name if share else "frozen",
        "made": found.made_by,
        "share": share,
        "gain": found.standing.gain,
        "plan": plan.numbers(),
        "candidates": [row_of(prepared, names, row) for row in found.tried],
    }


def row_of(prepared: Prepared, names: Sequence[str], row: Tried) -> dict:
    """A candidate, or the frozen head, in plain values.

    Args:
        prepared: the run.
        names: of the classes.
        row: what came of it.

    Returns:
        As of `table_of`.
    """
    task, standing = prepared.task, row.standing
    metrics = task.count(
        standing.outputs.astype(np.float32), row.targets, names
    ).metrics
    return {
        "name": row.candidate.name if row.candidate else "frozen",
        "folds": row.folds,
        "examples": len(row.targets),
        "cost": standing.cost,
        "cost_interval": list(interval_of(standing.costs)),
        task.main: metrics[task.main],
        f"{task.main}_interval": metrics[f"{task.main}_interval"],
        "share": standing.share,
        "seconds": row.seconds,
        "stopped": row.stopped,
    }
