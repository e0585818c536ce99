"""Answers of an export beside those of the model: how far, and where.

    comparison = Comparison(questions, reference.exact)
    comparison.compare(loader, signature, rows, answer)    # for each
    comparison.refuse(limit)

In: answers to golden questions. Out: the worst difference, or
NotPublishedError that names its picture.

What answers say is the task's: its `differs` compares them. What all tasks have
is compared here: features, and the rows of what cannot be read.
"""

import json
from collections.abc import Callable, Sequence

import numpy as np

from tl_keras.errors import NotPublishedError
from tl_keras.exports.fresh_process import PREFIX
from tl_keras.exports.questions import Questions
from tl_keras.tasks.difference import Differs, largest

# Of `Difference.rows`, or of a feature as a share of the largest one, between
# the model and its export where both are computed in float32.
TOLERANCE = 1e-5


class Comparison:
    """Collects the worst difference; what is no number is refused at once.

    Args:
        questions: what was asked.
        answers_of: the model's inputs -> its `Task.answer` and
            "features".
        differs: the task's comparison of answers.
        kind: of the examples, for a message.

    Attributes:
        worst: (difference, what differs, in words).
        plain: the largest difference of an answer, as people read it.
    """

    def __init__(
        self,
        questions: Questions,
        answers_of: Callable,
        differs: Differs,
        kind: str = "golden example",
    ):
        self.questions = questions
        self.worst = (0.0, "")
        self.plain = 0.0
        self._answers_of = answers_of
        self._differs = differs
        self._kind = kind
        self._known: dict = {}

    def want(self, rows: list[int]) -> dict[str, np.ndarray]:
        """The model's answers in a batch of the same examples."""
        key = tuple(rows)
        if key not in self._known:
            self._known[key] = self._answers_of(self.questions.batch(rows))
        return self._known[key]

    def again(self) -> "Comparison":
        """The same questions anew; what the model answers is known."""
        other = Comparison(
            self.questions, self._answers_of, self._differs, self._kind
        )
        other._known = self._known
        return other

    def compare_all(
        self, loader: str, answers: Sequence[dict], count: int | None = None
    ) -> None:
        """A loader's answers to the first questions; to all, if None.

        Args:
            loader: its name, in words.
            answers: one a question, output name -> array.
            count: how many questions it was asked, from the first on.

        Raises:
            NotPublishedError: as `compare`.
        """
        asked = self.questions.asked[:count]
        for question, answer in zip(asked, answers, strict=True):
            self.compare(loader, *question, answer)

    def compare(
        self, loader: str, signature: str, rows: list[int], answer: dict
    ) -> None:
        """One answer of one loader.

        Args:
            loader: its name, in words.
            signature: that was asked.
            rows: of the pictures in the batch.
            answer: output name -> array (len(rows), ...).

        Raises:
            NotPublishedError: a status is another than expected, or an answer
                is not of the model's shapes and names.
        """
        what = f"{signature} in a batch of {len(rows)} through {loader}"
        good = self.questions.good(rows)
        kept = [rows.index(row) for row in good]
        self._compare_status(what, signature, rows, answer)
        want = self.want(good)
        if signature == "features":
            self._features(what, good, answer["features"][kept], want)
            return
        found = {name: value[kept] for name, value in answer.items()}
        try:
            difference = self._differs(want, found)
        except ValueError as error:
            raise refusal(f"{what} {error}") from None
        self.plain = max(self.plain, float(difference.plain.max()))
        self._note(what, good, difference.rows)

    def _compare_status(self, what, signature, rows, answer) -> None:
        """A damaged picture's row is blank, and no other is."""
        bad = np.array([row == self.questions.bad for row in rows])
        told = answer.get("status")
        if told is not None and ((told != b"") != bad).any():
            shown = json.dumps([text.decode() for text in told])
            raise refusal(f"{what} says status {shown}")
        for name, value in answer.items():
            blank = b"" if value.dtype.kind == "S" else 0
            if name != "status" and (value[bad] != blank).any():
                raise refusal(
                    f"{what} answers for an example that it cannot read"
                )

    def _features(self, what, rows, found, want) -> None:
        want = want["features"]
        if found.shape != want.shape:
            raise refusal(
                f"{what} gives an answer of shape {found.shape}, the model "
                f"{want.shape}"
            )
        scale = max(1.0, float(np.abs(want).max()))
        self._note(what, rows, largest(found / scale, want / scale))

    def _note(self, what, rows, difference) -> None:
        row = int(difference.argmax())
        if difference[row] > self.worst[0]:
            name = self.questions.names[rows[row]]
            self.worst = (
                float(difference[row]),
                f"{what} differs from the model by {difference[row]:.2g} for "
                f"{self._kind} {name}",
            )

    def refuse(self, limit: float) -> None:
        """Raises what was worst, if it is more than `limit`."""
        difference, words = self.worst
        if difference > limit:
            raise refusal(f"{words}; allowed is {limit:.2g}")


def refusal(words: str) -> NotPublishedError:
    """That an export is not published, and why."""
    return NotPublishedError(f"{PREFIX}{words}")
