"""A whole split: what is expected, and what a format answers, compared.

    split = Split(evaluated, received, differs, "LiteRT")
    split.furthest(limit)             # the rows to ask again, exactly
    report = split.report(format, movement)
    report.refusal, report.numbers()

In: answers of both. Out: how far they are apart, what that changes, and
whether it is more than the format allows. Every format is judged here.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tl_keras.exports.comparison import refusal
from tl_keras.exports.encoded import Encoded
from tl_keras.exports.formats import Format
from tl_keras.exports.movement import SPREAD, Movement
from tl_keras.tasks.difference import Differs

ASKED_AGAIN = 3  # examples of the split, those that differ most
MAX_NAMED = 20  # of those whose answer is another, in metrics.json


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """A split that was evaluated, and is asked again of an export.

    Attributes:
        ids: one an example.
        read: number of an example -> its encoded bytes; None where they are
            not asked by these.
        answers: what the evaluation found, (n, outputs).
        labels: what is true, (n, ...), where it is known.
    """

    ids: Sequence[str]
    read: Callable[[int], bytes] | None
    answers: np.ndarray
    labels: np.ndarray | None = None

    def encoded(self) -> Encoded:
        """All examples' bytes."""
        return Encoded(len(self.ids), self.read, "verifying")

    def in_order(self, order: np.ndarray) -> "Evaluated":
        """The same examples in another order.

        Args:
            order: int (n,), each place once.
        """
        return Evaluated(
            [self.ids[place] for place in order],
            self.read and (lambda number: self.read(order[number])),
            self.answers[order],
            None if self.labels is None else self.labels[order],
        )

    def by_length(self) -> np.ndarray:
        """Places of the examples, the shortest first, int (n,): a batch of
        texts costs what its longest costs."""
        lengths = [len(self.read(number)) for number in range(len(self.ids))]
        return np.argsort(lengths, kind="stable")


@dataclasses.dataclass(frozen=True)
class SplitReport:
    """How a format did on a split.

    Attributes:
        largest_difference: of an answer, over all examples; infinite
            where an answer is no number.
        mean_difference: over examples, of each one's largest.
        movement: of the model itself, as `Movement.moved`.
        changed: (id, expected answer, received answer) of the examples whose
            answer a person would read otherwise.
        ties: of these, those for which rounding could give the model the
            other answer; none is lost by it.
        accuracy: the share of the received answers that are right; None
            without labels, or where none is right or wrong.
        refusal: why it may not be used, with the worst example; "" if it may.
    """

    largest_difference: float
    mean_difference: float
    movement: float
    changed: tuple[tuple[str, str, str], ...]
    ties: int = 0
    accuracy: float | None = None
    refusal: str = ""

    def numbers(self) -> dict:
        """As metrics.json holds them of a SavedModel."""
        keys = ("id", "evaluation", "export")
        return {
            "largest_difference": self.largest_difference,
            "mean_difference": self.mean_difference,
            "movement": self.movement,
            "changed": len(self.changed),
            "changed_pictures": [
                dict(zip(keys, row, strict=True))
                for row in self.changed[:MAX_NAMED]
            ],
        }


class Split:
    """An evaluated split and what a format answers to it.

    Args:
        evaluated: what is expected.
        received: its answers, float32 (n, outputs).
        differs: the task's comparison of answers.
        who: answered, for a message.

    Attributes:
        received: as given.
        difference: of all rows.
        worst: the largest of them; infinite where an answer is no number.

    Raises:
        NotPublishedError: the shapes are not alike.
    """

    def __init__(
        self,
        evaluated: Evaluated,
        received: np.ndarray,
        differs: Differs,
        who: str,
    ):
        self.evaluated, self.received = evaluated, received
        self.unit = differs.unit
        try:
            self.difference = differs(
                {differs.answer: evaluated.answers},
                {differs.answer: received},
                evaluated.labels,
            )
        except ValueError as error:
            raise refusal(f"{who} {error} for the evaluated split") from None
        self.worst = float(self.difference.rows.max())

    def furthest(self, limit: float) -> list[int]:
        """The rows that differ most, of those beyond a limit."""
        rows = self.difference.rows
        order = np.argsort(-rows, kind="stable")[:ASKED_AGAIN]
        return [int(row) for row in order if rows[row] > limit]

    def report(self, kind: Format, movement: Movement) -> SplitReport:
        """Judges the answers by what the format allows."""
        difference, ids = self.difference, self.evaluated.ids
        ties = difference.ties(movement.moved)
        reasons = (
            self._far(movement)
            if kind.exact
            else self._beyond(kind, movement, ties)
        )
        return SplitReport(
            float(difference.plain.max()),
            float(difference.plain.mean()),
            movement.moved,
            tuple(
                (ids[row], *difference.words(row))
                for row in np.flatnonzero(difference.changed)
            ),
            int(ties.sum()),
            difference.right and float(difference.right[1].mean()),
            reasons,
        )

    def _far(self, movement: Movement) -> str:
        """What is far beyond rounding; "" if nothing is.

        For a format that is known to be the same function already: its
        answers here are the device's.
        """
        if self.worst <= movement.far:
            return ""
        row = int(self.difference.rows.argmax())
        said, says = self.difference.words(row)
        return (
            f"serving_default differs from the evaluation by {self.worst:.2g} "
            f"for {self.evaluated.ids[row]} ({said} in the evaluation, {says} "
            f"in the export), far beyond the {movement.here:.2g} by which "
            f"rounding moves the model here; allowed is {movement.far:.2g}"
        )

    def _beyond(self, kind: Format, movement: Movement, ties) -> str:
        """What is beyond the format's limits, with them; "" if nothing is.

        A network that rounds inside, or a device, moves its own answers; a
        file may be as far from them as two ways of computing the same.
        """
        reasons = []
        plain = self.difference.plain
        largest, mean = float(plain.max()), float(plain.mean())
        own = SPREAD * movement.here
        if kind.largest is not None and largest > max(kind.largest, own):
            reasons.append(
                f"{self.unit} differs by {largest:.2g}, allowed is "
                f"{max(kind.largest, own):.2g}"
            )
        if mean > max(kind.mean, own):
            reasons.append(
                f"{self.unit} differs by {mean:.2g} on average, allowed is "
                f"{max(kind.mean, own):.2g}"
            )
        lost, allowed = self._lost(ties), max(1, int(kind.lost * len(plain)))
        if lost > allowed:
            reasons.append(
                f"{lost} of {len(plain)} pictures fewer are right, allowed is "
                f"{allowed}"
            )
        if not reasons:
            return ""
        row = int(plain.argmax())
        said, says = self.difference.words(row)
        return (
            f"{', '.join(reasons)}; worst is {self.evaluated.ids[row]}, by "
            f"{plain[row]:.2g} ({said} for the model, {says} in the file)"
        )

    def _lost(self, ties: np.ndarray) -> int:
        """How many fewer are right, and not by a tie."""
        if self.difference.right is None:
            return 0
        before, now = self.difference.right
        return int(before.sum()) - int(now.sum()) - int((ties & before).sum())
