"""A file for another runtime is asked a split before anybody gets it.

    answers = ask_file(file, target, squares)      # in a fresh process
    verdict = judge(target, answers, expected)

In: a file, pictures, and what the model itself answers. Out: how far the file
is from the model, and whether that is more than its target allows.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterable, Sequence

import numpy as np

from tl_keras.exports import SPREAD, STILL, Movement, near_ties
from tl_keras.exports.fresh_process import BATCH, fresh_python
from tl_keras.exports.runtimes.targets import Target

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a file is compared with: one entry a picture of a split.

    Attributes:
        ids: one text each.
        labels: int (n,), index into the class names.
        probabilities: the model's, in float32 arithmetic, (n, num_classes).
        class_names: in the order of the probabilities.
        movement: how far rounding moves the model's own answers.
    """

    ids: Sequence[str]
    labels: np.ndarray
    probabilities: np.ndarray
    class_names: Sequence[str]
    movement: Movement = STILL


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How a file did.

    Attributes:
        accuracy: of its answers.
        largest_difference: of a probability, over all pictures; infinite
            where an answer is no number.
        mean_difference: over pictures, of each one's largest.
        changed: pictures whose predicted class is another.
        ties: of these, those for which rounding could give the model the
            file's answer; none is lost by it.
        refusal: why it may not be used, with the worst picture; "" if it may.
    """

    accuracy: float
    largest_difference: float
    mean_difference: float
    changed: int
    ties: int
    refusal: str


def ask_file(
    file: pathlib.Path, target: Target, squares: Iterable[np.ndarray]
) -> np.ndarray:
    """A file's answers through its own runtime, without the model beside it.

    Args:
        file: of the target's kind.
        target: which one.
        squares: uint8 (size, size, 3) each.

    Returns:
        Probabilities, float32 (n, num_classes).

    Raises:
        NotPublishedError: the process failed; says how.
    """
    with tempfile.TemporaryDirectory() as scratch:
        answers = pathlib.Path(scratch, "answers.npz")
        arguments = (file, answers, target.kind, BATCH)
        with fresh_python(HERE / "ask_file.py", *arguments) as process:
            process.send(square.tobytes() for square in squares)
            process.finish(target.runtime)
        with np.load(answers) as stored:
            return stored["probabilities"]


def judge(target: Target, found: np.ndarray, expected: Expected) -> Verdict:
    """Compares a file's answers with the model's, of the same shape."""
    want, labels = expected.probabilities, expected.labels
    # A NaN would compare as "not larger" and pass.
    apart = np.abs(found - want).max(axis=-1)
    apart = np.nan_to_num(apart, nan=np.inf, posinf=np.inf)
    said, says = want.argmax(axis=-1), found.argmax(axis=-1)
    right = int((says == labels).sum())
    near = near_ties(want, expected.movement.nats)
    ties = (said != says) & near[np.arange(len(says)), says]
    lost = int((said == labels).sum()) - right
    lost -= int((ties & (said == labels)).sum())
    reasons = _reasons(target, apart, lost, expected.movement)
    return Verdict(
        right / len(labels),
        float(apart.max()),
        float(apart.mean()),
        int((said != says).sum()),
        int(ties.sum()),
        reasons and f"{reasons}; {_worst(apart, said, says, expected)}",
    )


def _reasons(
    target: Target, apart: np.ndarray, lost: int, movement: Movement
) -> str:
    """What is beyond the target's limits, with them; "" if nothing is.

    A network that rounds inside, or a device, moves its own answers; a file
    may be as far from them as two ways of computing the same.
    """
    reasons = []
    largest, mean = float(apart.max()), float(apart.mean())
    own = SPREAD * movement.here
    if target.largest is not None and largest > max(target.largest, own):
        reasons.append(
            f"a probability differs by {largest:.2g}, allowed is "
            f"{max(target.largest, own):.2g}"
        )
    if mean > max(target.mean, own):
        reasons.append(
            f"probabilities differ by {mean:.2g} on average, allowed is "
            f"{max(target.mean, own):.2g}"
        )
    allowed = max(1, int(target.lost * len(apart)))
    if lost > allowed:
        reasons.append(
            f"{lost} of {len(apart)} pictures fewer are right, allowed is "
            f"{allowed}"
        )
    return ", ".join(reasons)


def _worst(
    apart: np.ndarray, said: np.ndarray, says: np.ndarray, expected: Expected
) -> str:
    """The picture on which the two are furthest apart."""
    row = int(apart.argmax())
    names = expected.class_names
    return (
        f"worst is {expected.ids[row]}, by {apart[row]:.2g} "
        f"({names[said[row]]} for the model, {names[says[row]]} in the file)"
    )
