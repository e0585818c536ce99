"""Answers of an export beside those of the model: how far, and where.

    comparison = Comparison(questions, reference.exact)
    comparison.compare(loader, signature, rows, answer)    # for each
    comparison.refuse(limit)

In: answers to golden questions. Out: the worst difference, or
NotPublishedError that names its picture.

Probabilities are compared twice, as they are and by their logarithms, which
are the logits but for a constant: where the model is sure, a fault in the
logits hardly moves a probability. A logarithm's difference counts as a share of
the largest of its row, since float32 holds shares.
"""

import json
from collections.abc import Callable, Sequence

import numpy as np

from tl_keras.errors import NotPublishedError
from tl_keras.exports.fresh_process import PREFIX
from tl_keras.exports.questions import Questions

# Of a probability, or of a logit or feature as a share of the largest one,
# between the model and its export where both are computed in float32.
TOLERANCE = 1e-5
# Below it float32 has no digits left: such a class is as good as impossible.
LEAST_PROBABILITY = 1e-30


def differences(found: np.ndarray, want: np.ndarray) -> np.ndarray:
    """The largest difference of each row, as TOLERANCE measures it.

    Args:
        found, want: probabilities (n, k).

    Returns:
        float (n,); infinite where one is NaN.
    """
    logs = [logarithms(x) for x in (found, want)]
    scale = np.maximum(1, np.abs(logs[1]).max(axis=-1))
    by_logs = largest(*logs) / scale
    return np.maximum(largest(found, want), by_logs)


def logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Of probabilities, 0 and less than float32 holds cut off."""
    wide = np.asarray(probabilities, np.float64)
    return np.log(np.maximum(wide, LEAST_PROBABILITY))


def largest(found: np.ndarray, want: np.ndarray) -> np.ndarray:
    """The largest difference of each row; infinite where one is NaN."""
    difference = np.abs(found - want).reshape(len(want), -1).max(axis=-1)
    # A NaN would compare as "not larger" and pass.
    return np.nan_to_num(difference, nan=np.inf, posinf=np.inf)


class Comparison:
    """Collects the worst difference; what is no number is refused at once.

    Args:
        questions: what was asked.
        answers_of: pixels (b, size, size, 3) -> the model's "probabilities"
            and "features".
        names: of the classes, in the order of the probabilities.
        kind: of the pictures, for a message.

    Attributes:
        worst: (difference, what differs, in words).
        of_probability: the largest plain difference of a probability.
    """

    def __init__(
        self,
        questions: Questions,
        answers_of: Callable,
        names: Sequence[str],
        kind: str = "golden picture",
    ):
        self.questions = questions
        self.worst = (0.0, "")
        self.of_probability = 0.0
        self._answers_of = answers_of
        self._names = names
        self._kind = kind
        self._column = {name.encode(): i for i, name in enumerate(names)}
        self._known: dict = {}

    def want(self, what: str, rows: list[int]) -> np.ndarray:
        """The model's answer in a batch of the same pictures."""
        key = tuple(rows)
        if key not in self._known:
            batch = self.questions.pictures[rows].astype(np.float32)
            self._known[key] = self._answers_of(batch)
        return self._known[key][what]

    def again(self) -> "Comparison":
        """The same questions anew; what the model answers is known."""
        other = Comparison(
            self.questions, self._answers_of, self._names, self._kind
        )
        other._known = self._known
        return other

    def compare_all(
        self, loader: str, answers: Sequence[dict], count: int | None = None
    ) -> None:
        """A loader's answers to the first questions; to all, if None."""
        asked = self.questions.asked[:count]
        for question, answer in zip(asked, answers, strict=True):
            self.compare(loader, *question, answer)

    def compare(
        self, loader: str, signature: str, rows: list[int], answer: dict
    ) -> None:
        """One answer of one loader."""
        what = f"{signature} in a batch of {len(rows)} through {loader}"
        good = self.questions.good(rows)
        kept = [rows.index(row) for row in good]
        self._compare_status(what, signature, rows, answer)
        if signature == "features":
            want = self.want("features", good)
            scale = max(1.0, float(np.abs(want).max()))
            self._features(what, good, answer["features"][kept], want, scale)
            return
        want = self.want("probabilities", good)
        if "probabilities" in answer:
            found = answer["probabilities"][kept]
            self._probabilities(what, good, found, want)
        best = -np.sort(-want, axis=-1)[:, : answer["scores"].shape[-1]]
        self._probabilities(what, good, answer["scores"][kept], best)
        # Of two classes alike either may come first: what counts is that a
        # name stands beside its own probability.
        try:
            places = [
                [self._column[n] for n in answer["classes"][i]] for i in kept
            ]
        except KeyError as error:
            raise refusal(f"{what} names the class {error}") from None
        named = np.take_along_axis(want, np.array(places), axis=-1)
        self._probabilities(what, good, answer["scores"][kept], named)

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
                    f"{what} answers for a picture that it cannot read"
                )

    def _features(self, what, rows, found, want, scale) -> None:
        _refuse_shape(what, found, want)
        self._note(what, rows, largest(found / scale, want / scale))

    def _probabilities(self, what, rows, found, want) -> None:
        _refuse_shape(what, found, want)
        plain = float(largest(found, want).max())
        self.of_probability = max(self.of_probability, plain)
        self._note(what, rows, differences(found, want))

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


def _refuse_shape(what, found, want) -> None:
    if found.shape != want.shape:
        raise refusal(
            f"{what} gives an answer of shape {found.shape}, the model "
            f"{want.shape}"
        )


def refusal(words: str) -> NotPublishedError:
    """That an export is not published, and why."""
    return NotPublishedError(f"{PREFIX}{words}")
