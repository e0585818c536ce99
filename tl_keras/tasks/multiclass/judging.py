"""Two versions asked the same examples: is the new one worse?

    verdict = judge(ids, labels, names, Said(...), Said(...))
    verdict.worse, verdict.words

In: what both say. Out: a `Verdict`. Worse is: fewer of them right. How sure
that is, McNemar's test says beside it; one that is as good passes. An example
is a tie where rounding on this device could give either version the other's
answer; no version is worse by those it lost so.
"""

from collections.abc import Sequence

import numpy as np

from tl_keras.tasks.multiclass.differs import near_ties
from tl_keras.tasks.multiclass.pairing import paired_comparison, paired_counts
from tl_keras.tasks.values import Said, Verdict

MAX_PRINTED = 5  # of the examples that the new version gets wrong
MAX_SHOWN = 12  # of them, on the page
COLUMNS = ("id", "label", "old", "new", "change", "tie")
TIE = "tie"  # what rounding decides
UNREAD = ""  # the prediction for an example that a version cannot read


class _Answers:
    """What a version says, by names.

    Attributes:
        movement: as given.
        says: name of the class, UNREAD where it could not read.
    """

    def __init__(self, said: Said):
        self.movement = said.movement
        names = np.array(said.names)
        first = names[said.answers.argmax(axis=-1)]
        self.says = np.where(said.answers.any(axis=-1), first, UNREAD)
        self._column = {str(name): i for i, name in enumerate(names)}
        self._near = near_ties(said.answers, said.movement)

    def could_say(self, row: int, name: str) -> bool:
        """Whether rounding could have made it say so."""
        return name != UNREAD and bool(self._near[row, self._column[name]])


def judge(
    ids: Sequence[str],
    targets: np.ndarray,
    names: Sequence[str],
    old: Said,
    new: Said,
) -> Verdict:
    """See the module's text.

    Args:
        ids: of the examples.
        targets: int (n,), index into `names`.
        names: of the classes.
        old, new: what the versions say, probabilities.

    Returns:
        A row for each example that is answered otherwise.
    """
    labels, old, new = np.array(names)[targets], _Answers(old), _Answers(new)
    rows = _changed(ids, labels, old, new)
    counts = paired_counts(labels, old.says, new.says)
    found = {
        "examples": len(labels),
        "accuracy": float((old.says == labels).mean()),
        "accuracy_of_new": float((new.says == labels).mean()),
        "unread": int((old.says == UNREAD).sum()),
        "changed": len(rows),
        "ties": sum(row["tie"] == TIE for row in rows),
        "movement": old.movement,
        "movement_of_new": new.movement,
        "lost": [row for row in rows if row["change"] == "lost"][:MAX_SHOWN],
        **counts,
        **paired_comparison(counts),
    }
    surely_lost = sum(
        row["change"] == "lost" and row["tie"] != TIE for row in rows
    )
    return Verdict(
        counts["second_only"] < surely_lost,
        found,
        f"{_in_words(found)}{_lost(rows)}",
        COLUMNS,
        rows,
    )


def _in_words(found: dict) -> str:
    """Numbers of a comparison in a line."""
    return (
        f"on the same {found['examples']:,} test pictures: "
        f"{found['accuracy']:.4f} there, {found['accuracy_of_new']:.4f} here "
        f"({found['second_only']:,} won, {found['first_only']:,} lost, "
        f"{_ties(found['ties'])}McNemar p = {found['p_value']:.3g})"
    )


def _ties(count: int) -> str:
    """How many of the changed ones say nothing, in words."""
    return f"{count:,} of these within rounding, " * bool(count)


def _lost(rows: Sequence[dict]) -> str:
    """The first examples that the earlier version had right."""
    lost = [row for row in rows if row["change"] == "lost"]
    some = ", ".join(
        f"{row['id']} ({row['label']}, now {row['new']}"
        f"{', within rounding' * bool(row['tie'])})"
        for row in lost[:MAX_PRINTED]
    )
    return f"; lost: {some}{', ...' * (len(lost) > MAX_PRINTED)}" * bool(lost)


def _changed(
    ids: Sequence[str], labels: np.ndarray, old: _Answers, new: _Answers
) -> list[dict]:
    """A row for each example that is answered otherwise."""
    rows = []
    for row in np.flatnonzero(old.says != new.says):
        label, said, says = labels[row], old.says[row], new.says[row]
        tie = new.could_say(row, said) or old.could_say(row, says)
        rows.append(
            {
                "id": ids[row],
                "label": label,
                "old": said,
                "new": says,
                "change": _change(label, said, says),
                "tie": TIE * tie,
            }
        )
    return rows


def _change(label: str, old: str, new: str) -> str:
    """Or "other", where both are wrong."""
    if label == new:
        return "won"
    return "lost" if label == old else "other"
