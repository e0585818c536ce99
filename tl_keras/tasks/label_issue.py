"""A training example whose label may be wrong, for a person to look at.

In: what a task's `doubted` found. Out: plain values, for a report and a page.
"""

import dataclasses

MAX_SUSPECTS = 24


@dataclasses.dataclass(frozen=True)
class LabelIssue:
    """An example whose label is doubted.

    Attributes:
        id: of the example.
        file: where it lies, or "" when it is in memory.
        label: what it is filed under.
        guess: what it is taken for.
        own: probability of its label, 0 to 1.
        other: probability of the guess.
    """

    id: str
    file: str
    label: str
    guess: str
    own: float
    other: float
