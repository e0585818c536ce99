"""Answers of a classifier beside those that are expected.

    differs = ClassDiffers(class_names)
    difference = differs(
        {"probabilities": expected}, {"probabilities": received}
    )
    near_ties(probabilities, nats)    # classes that rounding could put first

In: probabilities, or the best few with their names. Out: a `Difference`.

Probabilities are compared twice, as they are and by their logarithms, which
are the logits but for a constant: where the model is sure, a fault in the
logits hardly moves a probability. A logarithm's difference counts as a share of
the largest of its row, since float32 holds shares.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tl_keras.tasks.difference import Answers, Difference, largest

# Below it float32 has no digits left: such a class is as good as impossible.
MIN_PROBABILITY = 1e-30


@dataclasses.dataclass(frozen=True)
class ClassDiffers:
    """The `Differs` of a task of one class an example.

    Attributes:
        class_names: in the order of the probabilities.
        floor: the probability from which on a class is in the set that is
            given; None without sets.
        least: the probability below which no class is said to be the label;
            None where one always is.
    """

    class_names: Sequence[str]
    floor: float | None = None
    least: float | None = None

    answer = "probabilities"
    unit = "a probability"

    def __call__(
        self,
        expected: Answers,
        received: Answers,
        labels: np.ndarray | None = None,
    ) -> Difference:
        """Compares.

        Args:
            expected: "probabilities", (n, num_classes).
            received: the same; or "classes", bytes (n, k), and "scores",
                (n, k), best first; or all of them.
            labels: int (n,).

        Raises:
            ValueError: answers of another shape, or another class.
        """
        want = expected["probabilities"]
        pairs = answers_beside(want, received, self.class_names)
        if "set" in received and self.floor is not None:
            in_set = received["probabilities"] >= np.float32(self.floor)
            refuse_others("set", received["set"], in_set, self.class_names)
        if "label" in received and self.least is not None:
            sure = received["scores"][:, :1] >= np.float32(self.least)
            label = np.where(sure, received["classes"][:, :1], b"")
            if (received["label"] != label).any():
                raise ValueError(
                    f"gives labels that its scores and {self.least:.3g} do "
                    "not say"
                )
        said = want.argmax(axis=-1)
        says = received.get("probabilities", want).argmax(axis=-1)
        names, places = self.class_names, np.arange(len(want))

        def ties(movement: float) -> np.ndarray:
            return (said != says) & near_ties(want, movement)[places, says]

        return Difference(
            np.max([differences(*pair) for pair in pairs], axis=0),
            np.max([largest(*pair) for pair in pairs], axis=0),
            np.max([moved(*pair) for pair in pairs], axis=0),
            said != says,
            lambda row: (names[said[row]], names[says[row]]),
            ties,
            None if labels is None else (said == labels, says == labels),
        )


def answers_beside(
    want: np.ndarray, received: Answers, names: Sequence[str]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each array of numbers that was received, beside the model's.

    Args:
        want: the model's probabilities, (n, outputs).
        received: "probabilities", or "classes" and "scores", or all of them.
        names: of the outputs.

    Returns:
        (received, the model's) of the same shapes.

    Raises:
        ValueError: the shapes are not alike, or a name is another.
    """
    pairs = []
    if "probabilities" in received:
        pairs.append((received["probabilities"], want))
    if "scores" in received:
        pairs += best_beside(want, received, names)
    for found, of_model in pairs:
        if found.shape != of_model.shape:
            raise ValueError(
                f"gives an answer of shape {found.shape}, the model "
                f"{of_model.shape}"
            )
    return pairs


def best_beside(
    want: np.ndarray, received: Answers, class_names: Sequence[str]
) -> list[tuple]:
    """The best scores beside the model's best, and each beside that of the
    class that is named with it.

    Of two classes alike either may come first: what counts is that a name
    stands beside its own probability.

    Args:
        want: the model's probabilities, (n, num_classes).
        received: "classes", bytes (n, k), and "scores", (n, k).
        class_names: in the order of the probabilities.

    Returns:
        Pairs of arrays (n, k), what was received first.

    Raises:
        ValueError: a name that is no class.
    """
    scores = received["scores"]
    column = {name.encode(): i for i, name in enumerate(class_names)}
    try:
        named = [[column[n] for n in row] for row in received["classes"]]
    except KeyError as error:
        name = error.args[0].decode("utf-8", "replace")
        raise ValueError(f"names the class {name!a}") from None
    best = -np.sort(-want, axis=-1)[:, : scores.shape[-1]]
    of_names = np.take_along_axis(want, np.array(named), axis=-1)
    return [(scores, best), (scores, of_names)]


def refuse_others(
    what: str, given: np.ndarray, says: np.ndarray, names: Sequence[str]
) -> None:
    """Raises ValueError where other names are given than should be.

    Args:
        what: they are, for the message.
        given: bytes (n, k), the name or "" in each place.
        says: bool (n, k), which should be given.
        names: of the places.
    """
    encoded = np.array([name.encode() for name in names])
    for row, wanted in zip(given, np.where(says, encoded, b""), strict=True):
        if row.tolist() != wanted.tolist():
            raise ValueError(
                f"gives the {what} {[x for x in row.tolist() if x]!a}, its "
                f"probabilities say {[x for x in wanted.tolist() if x]!a}"
            )


def differences(received: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The largest difference of each row, as `Difference.rows` has it.

    Args:
        received, expected: probabilities (n, k).

    Returns:
        float (n,); infinite where one is NaN.
    """
    logs = [logarithms(x) for x in (received, expected)]
    scale = np.maximum(1, np.abs(logs[1]).max(axis=-1))
    by_logs = largest(*logs) / scale
    return np.maximum(largest(received, expected), by_logs)


def moved(received: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """The largest difference of a row's logarithms, in nats."""
    return largest(logarithms(received), logarithms(expected))


def logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Of probabilities, 0 and less than float32 holds cut off."""
    wide = np.asarray(probabilities, np.float64)
    return np.log(np.maximum(wide, MIN_PROBABILITY))


def near_ties(probabilities: np.ndarray, nats: float) -> np.ndarray:
    """Which classes rounding could put first.

    Args:
        probabilities: (n, num_classes).
        nats: how far a logarithm of one moves, to either side.

    Returns:
        bool (n, num_classes); the class that is first, and each that is
        behind it by no more than the two together may move. None in a row of
        zeros, which stands for a picture that was not read.
    """
    logs = logarithms(probabilities)
    near = logs >= logs.max(axis=-1, keepdims=True) - 2 * nats
    return near & probabilities.any(axis=-1, keepdims=True)
