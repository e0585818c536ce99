"""Outputs of several classifiers -> weights for their sum, or one of them.

    choice = choose_mixture({"encoder": logits, "tf-idf": others}, labels)
    choice.kept, choice.weights          # "both", (0.8, 0.5)

In: raw outputs for examples that no classifier learnt from, and their labels.
Out: what each is worth alone, after a temperature, and what their weighed sum
is. Of linear heads that stand side by side the sum is a head again.

Each weight is one more number that the same labels choose; a sum is kept only
where its loss is lower by more than that gives away (Akaike, "A new look at
the statistical model identification", 1974).
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.special

# Of a weight: where few examples are all right, more would only be louder.
LEAST, MOST = 0.0, 20.0


class Mixture(NamedTuple):
    """Classifiers, weighed.

    Attributes:
        names: of those in it.
        weights: of the outputs of each, 0 or more.
        loss: cross-entropy of the examples.
        accuracy: of the examples.
        cost: loss, and what its weights may have gained by chance.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    loss: float
    accuracy: float
    cost: float

    def of(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The weighed sum, float64 (n, num_classes).

        Args:
            outputs: name -> (n, num_classes).
        """
        return sum(
            weight * outputs[name]
            for name, weight in zip(self.names, self.weights, strict=True)
        )


class MixtureChoice(NamedTuple):
    """All that was tried, the cheapest first.

    Attributes:
        candidates: one or more.
    """

    candidates: tuple[Mixture, ...]

    @property
    def kept(self) -> Mixture:
        """The one that costs least."""
        return self.candidates[0]

    def weight(self, name: str) -> float:
        """Of a classifier in what is kept; 0 if it has no part in it."""
        kept = dict(zip(self.kept.names, self.kept.weights, strict=True))
        return kept.get(name, 0.0)

    def lines(self) -> list[str]:
        """In words, one line a candidate, for people."""
        return [
            f"{' and '.join(each.names)}: {each.accuracy:.3f} right, loss "
            f"{each.loss:.3f}" + " (kept)" * (each is self.kept)
            for each in self.candidates
        ]


def choose_mixture(
    outputs: Mapping[str, np.ndarray],
    labels: np.ndarray,
    chosen: Mapping[str, int] | None = None,
) -> MixtureChoice:
    """Tries each classifier alone, and the sums of several.

    Args:
        outputs: name -> logits or logarithms of probabilities (n,
            num_classes), of examples that it did not learn from.
        labels: int (n,), n of 1 or more.
        chosen: name -> how many numbers of that classifier the same labels
            have chosen already; they count as weights do.

    Returns:
        `MixtureChoice`.

    Example:
        choice = choose_mixture(
            {"encoder": out_of_fold, "tf-idf": baseline.outputs}, labels)
        logits = choice.kept.of({"encoder": a, "tf-idf": b})
    """
    names = list(outputs)
    tried = [
        _mixture(
            some,
            [outputs[name] for name in some],
            labels,
            sum((chosen or {}).get(name, 0) for name in some),
        )
        for count in range(1, len(names) + 1)
        for some in itertools.combinations(names, count)
    ]
    return MixtureChoice(tuple(sorted(tried, key=lambda each: each.cost)))


def _mixture(
    names: Sequence[str],
    outputs: Sequence[np.ndarray],
    labels: np.ndarray,
    chosen: int,
) -> Mixture:
    """The weights of least cross-entropy; it has one valley."""
    stacked = np.stack([_centred(each) for each in outputs])
    targets = _targets(labels, stacked.shape[-1])

    def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logs = scipy.special.log_softmax(
            np.tensordot(weights, stacked, 1), axis=-1
        )
        slope = (stacked * (np.exp(logs) - targets)).sum(axis=-1)
        return -(targets * logs).sum(-1).mean(), slope.mean(axis=-1)

    found = scipy.optimize.minimize(
        cost,
        np.full(len(names), 1 / len(names)),
        jac=True,
        bounds=[(LEAST, MOST)] * len(names),
        method="L-BFGS-B",
    )
    weights = tuple(float(weight) for weight in found.x)
    summed = np.tensordot(found.x, stacked, 1)
    right = summed.argmax(axis=-1) == labels
    return Mixture(
        tuple(names),
        weights,
        float(found.fun),
        float(right.mean()),
        float(found.fun) + (len(names) + chosen) / len(labels),
    )


def _centred(outputs: np.ndarray) -> np.ndarray:
    return outputs - outputs.mean(axis=-1, keepdims=True)


def _targets(labels: np.ndarray, classes: int) -> np.ndarray:
    """Each label is believed but for one in n + 2, as in Platt's method."""
    doubt = 1 / (len(labels) + 2)
    targets = np.full((len(labels), classes), doubt / (classes - 1))
    targets[np.arange(len(labels)), labels] = 1 - doubt
    return targets
