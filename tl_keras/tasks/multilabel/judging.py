"""Two versions asked the same examples: is the new one worse?

In: what both say. Out: a `Verdict`. Worse is: a lower mAP. How sure that is, a
paired bootstrap over examples says beside it; one that is as good passes, and
so does one whose ranks rounding on this device could turn.
"""

from collections.abc import Sequence

import numpy as np

from tl_keras.tasks.bootstrap import paired
from tl_keras.tasks.multilabel.evaluation import count
from tl_keras.tasks.values import Said, Verdict

COLUMNS = ("id", "label", "old", "new", "change")
MAX_SHOWN = 12


def judge(
    ids: Sequence[str],
    targets: np.ndarray,
    names: Sequence[str],
    old: Said,
    new: Said,
    thresholds: tuple[np.ndarray, np.ndarray],
) -> Verdict:
    """See the module's text.

    Args:
        ids: of the examples.
        targets: (n, labels) of 0 and 1.
        names: of the labels.
        old, new: what the versions say.
        thresholds: of the earlier and of the new one, in their own orders.

    Returns:
        A row for each example that is given other labels.
    """
    both = [
        count(*_in_order(said, some, targets, names))
        for said, some in zip((old, new), thresholds, strict=True)
    ]
    first, second = (one.metrics for one in both)
    unread = ~old.answers.any(axis=1)
    rows = _changed(ids, targets.astype(bool), names, *both)
    found = {
        "examples": len(ids),
        "map": first["map"],
        "map_of_new": second["map"],
        "exact_match": first["exact_match"],
        "exact_match_of_new": second["exact_match"],
        "unread": int(unread.sum()),
        "changed": len(rows),
        "movement": old.movement,
        "movement_of_new": new.movement,
        "lost": [row for row in rows if row["change"] == "lost"][:MAX_SHOWN],
        **paired(
            second["map"] - first["map"],
            both[1].draws - both[0].draws,
            more_is_better=True,
        ),
    }
    # Ranks that less than rounding keeps apart say nothing.
    slack = 1e-9 + old.movement + new.movement
    worse = second["map"] < first["map"] - slack
    return Verdict(worse, found, _in_words(found), COLUMNS, rows)


def _in_words(found: dict) -> str:
    """Numbers of a comparison in a line."""
    return (
        f"on the same {found['examples']:,} test pictures: mAP "
        f"{found['map']:.4f} there, {found['map_of_new']:.4f} here "
        f"({found['changed']:,} are given other labels, bootstrap p = "
        f"{found['p_value']:.3g})"
    )


def _in_order(said: Said, thresholds, targets, names) -> tuple:
    """Arguments of `count`, with the version's labels in the order of ours."""
    place = [list(said.names).index(name) for name in names]
    return said.answers[:, place], targets, names, thresholds[place]


def _changed(ids, truth, names, old, new) -> list[dict]:
    def words(given) -> str:
        return "|".join(n for n, x in zip(names, given, strict=True) if x)

    rows = []
    for row in np.flatnonzero((old.given != new.given).any(axis=1)):
        before = (old.given[row] != truth[row]).sum()
        now = (new.given[row] != truth[row]).sum()
        change = "other" if before == now else "won"
        rows.append(
            {
                "id": ids[row],
                "label": words(truth[row]),
                "old": words(old.given[row]),
                "new": words(new.given[row]),
                "change": "lost" if now > before else change,
            }
        )
    return rows
