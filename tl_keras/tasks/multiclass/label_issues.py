"""Training pictures whose label may be wrong, for a person to look at.

    issues = find_label_issues(examples, probabilities, class_names)

In: out-of-fold probabilities: what a classifier that has not seen a picture
thinks of it. Out: the pictures that it takes for another class, those first
whose own label it believes in least. None is ever removed by us: a rare kind
of cat is not a wrong label.

Reference: Northcutt, Jiang and Chuang, "Confident Learning: Estimating
Uncertainty in Dataset Labels", 2021.
"""

from collections.abc import Sequence

import numpy as np

from tl_keras.data import Examples
from tl_keras.tasks.label_issue import MAX_SUSPECTS, LabelIssue


def find_label_issues(
    examples: Examples,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    most: int = MAX_SUSPECTS,
) -> tuple[LabelIssue, ...]:
    """The most doubtful labels, the worst first.

    Args:
        examples: n training pictures.
        probabilities: (n, num_classes), each row from a model that was not
            fitted to its picture.
        class_names: in the order of the labels.
        most: so many at most.

    Returns:
        Those whose own class is not the most probable; () for none.
    """
    places = np.arange(len(examples))
    own = probabilities[places, examples.labels]
    guesses = probabilities.argmax(axis=-1)
    doubted = places[guesses != examples.labels]
    worst = doubted[np.argsort(own[doubted], kind="stable")][:most]
    return tuple(
        LabelIssue(
            id=examples.ids[place],
            file=examples.files[place] if examples.files else "",
            label=class_names[examples.labels[place]],
            guess=class_names[guesses[place]],
            own=float(own[place]),
            other=float(probabilities[place, guesses[place]]),
        )
        for place in worst
    )
