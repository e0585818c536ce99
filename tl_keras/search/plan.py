"""How much is tried: fixed once, from what a step takes, before the first.

    plan = plan_search(candidates, costs, folds=3, seconds=60.0)
    plan.alive(0), plan.alive(1), plan.alive(2)      # 4, 2, 1

In: candidates, what each takes, a budget. Out: which are tried on how many
folds. It is kept with the run: no clock alters the choice afterwards.

Successive halving: all are fitted on the first fold, the better half of them on
the second, and so on; the last one left is judged by all labels.

Reference: Jamieson and Talwalkar, "Non-stochastic best arm identification and
hyperparameter optimization", 2016.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from tl_keras.search.candidates import Candidate
from tl_keras.training.interpolation import SHARES

# Seconds that an epoch takes besides its steps: callbacks, a new iterator.
EPOCH = 0.1


@dataclasses.dataclass(frozen=True)
class Costs:
    """What fits are predicted to take, in seconds.

    Attributes:
        step: of training, by candidate's name.
        graph: to trace and compile one.
        passes: by candidate's name, of the frozen layers over all examples
            where it has a cut, or examples, of its own; 0 where that is
            stored.
        head: to solve the head of one fold.
        trains: share of the multiply-adds that the first candidate trains.
        examples, batch_size, epochs: of a fit on all examples.
    """

    step: Mapping[str, float]
    graph: float
    passes: Mapping[str, float]
    head: float
    trains: float
    examples: int
    batch_size: int
    epochs: int

    def fit(self, name: str, folds: int) -> float:
        """Of a candidate on one of so many folds, and of asking it."""
        judged = self.examples / folds
        steps = self.epochs * math.ceil(
            (self.examples - judged) / self.batch_size
        )
        # Forward is a third of a step.
        asked = (len(SHARES) - 1) * math.ceil(judged / self.batch_size) / 3
        return (steps + asked) * self.step[name] + self.epochs * EPOCH


@dataclasses.dataclass(frozen=True)
class SearchPlan:
    """What is tried.

    Attributes:
        names: of candidates, in their order.
        folds: how many.
        predicted: seconds that it takes.
        budget: seconds that it may take.
        why: what gave it its budget, in words; "" where nothing is to say.
    """

    names: tuple[str, ...]
    folds: int
    predicted: float
    budget: float
    why: str = ""

    def alive(self, fold: int) -> int:
        """How many candidates are fitted on a fold, counted from 0."""
        return alive(len(self.names), fold)

    def describe(self) -> str:
        """In a line."""
        tried = len(self.names)
        since = f", since {self.why}" if self.why else ""
        return (
            f"{tried} way{'s' * (tried > 1)} to fine-tune, on {self.folds} "
            f"folds of all labels; about {self.predicted:.0f} of "
            f"{self.budget:.0f} s{since}"
        )

    def numbers(self) -> dict:
        """Plain values, for JSON."""
        return {**dataclasses.asdict(self), "names": list(self.names)}

    @classmethod
    def of_numbers(cls, numbers: Mapping) -> "SearchPlan":
        """The plan of `numbers`."""
        return cls(**{**numbers, "names": tuple(numbers["names"])})


def alive(candidates: int, fold: int) -> int:
    """How many of so many candidates are left for a fold, counted from 0."""
    return max(1, math.ceil(candidates / 2**fold))


def plan_search(
    candidates: Sequence[Candidate],
    costs: Costs,
    *,
    folds: Sequence[int],
    seconds: float,
) -> SearchPlan | None:
    """The most that a budget lets in.

    Args:
        candidates: likelier ones first.
        costs: what they take.
        folds: numbers of folds that may be taken, the best one first.
        seconds: the budget.

    Returns:
        A plan; None where not even the first candidate fits.
    """
    for count in folds:
        best = None
        for tried in range(1, len(candidates) + 1):
            some = candidates[:tried]
            takes = predicted(some, costs, count)
            if takes <= seconds:
                names = tuple(candidate.name for candidate in some)
                best = SearchPlan(names, count, round(takes, 3), seconds)
        if best is not None:
            return best
    return None


def predicted(
    candidates: Sequence[Candidate], costs: Costs, folds: int
) -> float:
    """Seconds that a search of candidates over folds takes.

    Which of them go on is not known before: the dearest are taken to.

    Args:
        candidates: those that are tried.
        costs: what they take.
        folds: how many.

    Returns:
        Seconds.
    """
    fits = sorted(
        (costs.fit(each.name, folds) for each in candidates), reverse=True
    )
    total = folds * costs.head
    for fold in range(folds):
        total += sum(fits[: alive(len(candidates), fold)])
    total += costs.graph * len({each.graph for each in candidates})
    return total + sum(costs.passes[each.name] for each in candidates)
