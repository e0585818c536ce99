"""Which of the examples that a model is asked its own run has learnt from.

    seen = seen_before(export.folder, examples)
    seen.sum(), len(seen)

In: a version, and examples. Out: which of them are in the training or the
validation split of the run that published it, where that run lies beside it;
by their bytes, so that another name or folder hides none.
"""

import csv
import pathlib
from collections.abc import Sequence

import numpy as np

from tl_keras import run_card
from tl_keras.data import Examples
from tl_keras.exports import run_of
from tl_keras.inputs.kinds import nouns
from tl_keras.runs import RunFolder
from tl_keras.runs.state import read_state
from tl_keras.tasks.task import Task
from tl_keras.tasks.values import Evaluation

LEARNT = ("train", "val")


def seen_before(version: pathlib.Path, examples: Examples) -> np.ndarray:
    """Which examples the model's run has learnt from, or chosen it by.

    Args:
        version: the folder of a published version.
        examples: that it is asked.

    Returns:
        bool (n,); all False where its run does not lie beside it.
    """
    known = _learnt_by(version)
    if not known:
        return np.zeros(len(examples), bool)
    try:
        return np.array([c in known for c in examples.content_ids()])
    except OSError:
        # Gone since they were asked.
        return np.zeros(len(examples), bool)


def seen_in_words(
    seen: np.ndarray,
    evaluation: Evaluation,
    task: Task,
    labels: Sequence[str],
    kind: str,
) -> str:
    """That numbers are too good, and how good they are without that.

    Args:
        seen: of `seen_before`, with at least one.
        evaluation: of all of them.
        task, labels: of the model.
        kind: of input.

    Returns:
        A line without its end.
    """
    _, many = nouns(kind)
    line = (
        f"{int(seen.sum()):,} of {len(seen):,} {many} are those that this "
        "model was trained or chosen on, so that its numbers are too good"
    )
    if seen.all():
        return f"{line} - ask it others"
    rest = task.count_answers(
        evaluation.answers[~seen], evaluation.targets[~seen], labels
    )
    first = task.main
    number = run_card.shown(first, rest.metrics[first], 4)
    return (
        f"{line} - without them {run_card.title(first)} {number} on "
        f"{int((~seen).sum()):,}"
    )


def _learnt_by(version: pathlib.Path) -> set[str]:
    """SHA-256 of what the run of a version learnt from; {} if unknown."""
    run_id = run_of(version)
    for place in sorted(version.parent.glob("run*")) if run_id else []:
        folder = RunFolder(place)
        try:
            if read_state(folder).id != run_id:
                continue
            with open(folder.split, newline="", encoding="utf-8") as stream:
                return {
                    row["sha256"]
                    for row in csv.DictReader(stream)
                    if row["split"] in LEARNT
                }
        except (OSError, ValueError, TypeError, KeyError, csv.Error):
            continue
    return set()
