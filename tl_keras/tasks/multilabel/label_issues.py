"""Training examples that probably lack a label, or have one too many.

    issues = find_label_issues(examples, probabilities, names)

In: out-of-fold probabilities of every label, each by a classifier that has not
seen the example. Out: examples with a label that is more probably wrong than
right, each way; none is ever changed by us. Who labels many things at once
forgets some: the missing ones are those worth looking at first.

Reference: Thyagarajan, Snorrason, Northcutt and Mueller, "Identifying
Incorrect Annotations in Multi-Label Classification Data", 2022.
"""

from collections.abc import Sequence

import numpy as np

from tl_keras.data import Examples
from tl_keras.tasks.label_issue import MAX_SUSPECTS, LabelIssue

# As likely one way as the other.
EVEN = 0.5


def find_label_issues(
    examples: Examples,
    probabilities: np.ndarray,
    names: Sequence[str],
    most: int = MAX_SUSPECTS,
) -> tuple[LabelIssue, ...]:
    """The most doubtful labels, the worst first.

    Args:
        examples: n training examples, their labels (n, labels) of 0 and 1.
        probabilities: (n, labels), each row from a model that was not fitted
            to its example.
        names: of the labels.
        most: so many at most, half of them each way; what one way leaves
            over the other takes.

    Returns:
        One an example and way, with its most doubtful label: `label` is
        "no cat" and `guess` "cat" where the label seems to be missing, the
        other way round where it seems to be one too many.
    """
    there = np.asarray(examples.labels).astype(bool)
    own = np.where(there, probabilities, 1 - probabilities)
    missing = _worst(np.where(there, 1.0, own))
    extra = _worst(np.where(there, own, 1.0))
    missing = missing[: max(most // 2, most - len(extra))]
    found = [*missing, *extra[: most - len(missing)]]
    found.sort(key=lambda cell: (own[cell], cell))
    return tuple(
        _issue(examples, cell[0], names[cell[1]], own[cell], bool(there[cell]))
        for cell in found
    )


def _worst(own: np.ndarray) -> list[tuple[int, int]]:
    """(example, its most doubtful label) of all that are doubted."""
    labels = own.argmin(axis=1)
    least = own[np.arange(len(own)), labels]
    doubted = np.flatnonzero(least < EVEN)
    order = doubted[np.argsort(least[doubted], kind="stable")]
    return [(int(row), int(labels[row])) for row in order]


def _issue(
    examples, row: int, name: str, own: float, there: bool
) -> LabelIssue:
    label, guess = (name, f"no {name}") if there else (f"no {name}", name)
    return LabelIssue(
        id=examples.ids[row],
        file=examples.files[row] if examples.files else "",
        label=label,
        guess=guess,
        own=float(own),
        other=1 - float(own),
    )
