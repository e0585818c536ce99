"""Two versions asked the same examples: is the new one worse?

In: what both say. Out: a `Verdict`. Worse is: a larger mean absolute error, by
more than rounding on this device moves it. How sure that is, Wilcoxon's
signed-rank test says beside it, and a paired bootstrap how much.
"""

from collections.abc import Sequence

import numpy as np
import scipy.stats

from tl_keras.tasks.bootstrap import paired
from tl_keras.tasks.regression.evaluation import count
from tl_keras.tasks.values import Said, Verdict

COLUMNS = ("id", "target", "true", "old", "new", "change")
MAX_SHOWN = 12


def judge(
    ids: Sequence[str],
    targets: np.ndarray,
    names: Sequence[str],
    old: Said,
    new: Said,
    scale: np.ndarray,
) -> Verdict:
    """See the module's text.

    Args:
        ids: of the examples.
        targets: float (n, columns).
        names: of the columns.
        old, new: what the versions say.
        scale: of the targets in training, (columns,): errors of several
            columns are compared as shares of it.

    Returns:
        A row for each number that is answered otherwise, by more than a
        thousandth of `scale`; those that got worst first.
    """
    place = [list(old.names).index(name) for name in names]
    values = old.answers[:, place], new.answers
    both = [count(one / scale, targets / scale, names) for one in values]
    errors = [np.abs(one.answers - one.targets) for one in both]
    unread = ~old.answers.any(axis=1)
    rows = _changed(ids, targets, names, values, errors)
    change = (errors[1] - errors[0]).mean(axis=1)
    found = {
        "examples": len(ids),
        "mae": float(np.abs(values[0] - targets).mean()),
        "mae_of_new": float(np.abs(values[1] - targets).mean()),
        "unread": int(unread.sum()),
        "changed": len(rows),
        "movement": old.movement,
        "movement_of_new": new.movement,
        "lost": [row for row in rows if row["change"] == "lost"][:MAX_SHOWN],
        **paired(
            float(change.mean()),
            both[1].draws - both[0].draws,
            more_is_better=False,
        ),
    }
    found["p_value"] = _wilcoxon(change)
    words = (
        f"on the same {len(ids):,} test pictures: mean absolute error "
        f"{found['mae']:.6g} there, {found['mae_of_new']:.6g} here (Wilcoxon "
        f"p = {found['p_value']:.3g})"
    )
    slack = 1e-9 + old.movement + new.movement
    return Verdict(change.mean() > slack, found, words, COLUMNS, rows)


def _wilcoxon(change: np.ndarray) -> float:
    """The p value of the signed-rank test; 1 where nothing changed."""
    # Of numbers that are all the same it has nothing to rank.
    if not change.any():
        return 1.0
    return float(scipy.stats.wilcoxon(change).pvalue)


def _changed(ids, targets, names, values, errors) -> list[dict]:
    rows = []
    growth = errors[1] - errors[0]
    for flat in np.argsort(-growth, axis=None, kind="stable"):
        row, column = np.unravel_index(flat, growth.shape)
        if abs(growth[row, column]) <= 1e-3:
            continue
        rows.append(
            {
                "id": ids[row],
                "target": names[column],
                "true": f"{targets[row, column]:.6g}",
                "old": f"{values[0][row, column]:.6g}",
                "new": f"{values[1][row, column]:.6g}",
                "change": "lost" if growth[row, column] > 0 else "won",
            }
        )
    return rows
