"""The search: fold by fold, and the best candidate on all labels.

    found = search(fits, candidates, plan, monitor="val_loss_calibrated")
    found.standing.share, found.variables

In: fits of folds, candidates, a plan. Out: weights that all labels have taught,
and what each of them is taken for by weights that it had no part in.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tl_keras import log, progress
from tl_keras.search.candidates import Candidate
from tl_keras.search.fold_fits import FoldFit, FoldFits
from tl_keras.search.head import solved_on_all
from tl_keras.search.plan import SearchPlan
from tl_keras.search.standing import Standing, stand
from tl_keras.tasks.values import SolvedHead
from tl_keras.training import set_variables
from tl_keras.training.interpolation import between

# Of the mean cost of a candidate, in standard errors: what is told as interval.
NORMAL_95 = 1.96
# The best of some shares of some candidates looks better than it is: what is
# less sure than this, by a paired t-test against the head, stays the head. On
# 40 labels of cats_vs_dogs four candidates took the mean test loss from 0.172
# to 0.204 without it.
SURE = 0.1
NOT_SURE = "not clearly better than the frozen head"


class Tried(NamedTuple):
    """A candidate, as far as it came.

    Attributes:
        candidate: what was tried.
        standing: by its folds.
        targets: of what they judged.
        folds: how many.
        seconds: that they took.
        stopped: why there were no more; "" for the best.
    """

    candidate: Candidate | None
    standing: Standing
    targets: np.ndarray
    folds: int
    seconds: float
    stopped: str


class Found(NamedTuple):
    """What a search gives.

    Attributes:
        tried: the frozen head first, then candidates in their order.
        best: the candidate that was left.
        standing: of that one by all folds, in the order of the examples.
        at_start: (n, outputs) of the frozen heads, likewise.
        solved: the head solved on all labels.
        start: all weights with that head.
        variables: all weights at the best share; `start` where that is 0.
        made_by: "average" or "refit"; "" where the share is 0.
        rows: of history: the mean over the folds of the best candidate.
    """

    tried: tuple[Tried, ...]
    best: Candidate
    standing: Standing
    at_start: np.ndarray
    solved: SolvedHead
    start: list[np.ndarray]
    variables: list[np.ndarray]
    made_by: str
    rows: list[dict]


def search(
    fits: FoldFits,
    candidates: Sequence[Candidate],
    plan: SearchPlan,
    monitor: str,
) -> Found:
    """Fits what a plan lets in, and makes one model of the best.

    Args:
        fits: of the examples.
        candidates: all there are; those of the plan are tried.
        plan: what is tried.
        monitor: of the task; what candidates are compared by.

    Returns:
        `Found`; the model holds its `variables`.
    """
    race = _Race(fits, candidates, plan, monitor)
    total = sum(map(plan.alive, range(plan.folds)))
    with progress.doing("search", total, "fits") as work:
        for fold in range(plan.folds):
            race.run(fold, work)
    (best,) = race.left
    return _finished(race, best)


class _Race:
    """Candidates that are fitted on fold after fold, fewer each time."""

    def __init__(self, fits, candidates, plan, monitor):
        by_name = {candidate.name: candidate for candidate in candidates}
        self.fits, self.plan, self.monitor = fits, plan, monitor
        self.candidates = [by_name[name] for name in plan.names]
        self.task = fits.trainer.objective.predicts()
        self.left = list(range(len(self.candidates)))
        self.done: list[list[FoldFit]] = [[] for _ in self.candidates]
        self.why = [""] * len(self.candidates)

    def run(self, fold: int, work: progress.Work) -> None:
        """Fits a fold, and stops those that are behind."""
        for number in self.left:
            candidate = self.candidates[number]
            self.done[number].append(self.fits.fit(candidate, number, fold))
            work.advance()
            standing = self.standing(number)
            log.info(
                f"search: fold {fold + 1} of {self.plan.folds}, "
                f"{candidate.name}: cost {standing.cost:.4f} at a share of "
                f"{standing.share:g} ({self.done[number][-1].seconds:.1f} s)"
            )
        last = fold + 1 == self.plan.folds
        keep = 1 if last else self.plan.alive(fold + 1)
        ranked = sorted(self.left, key=self._rank)
        for number in ranked[keep:]:
            self.why[number] = (
                f"behind after fold {fold + 1} of {self.plan.folds}"
            )
            if self._diverged(number):
                self.why[number] = "diverged"
            self.fits.forget(number, fold + 1)
        self.left = sorted(ranked[:keep])

    def _rank(self, number: int) -> tuple:
        """The best first; of equals one whose weights are numbers."""
        return self.standing(number).cost, self._diverged(number)

    def _diverged(self, number: int) -> bool:
        return any(fit.diverged for fit in self.done[number])

    def standing(self, number: int) -> Standing:
        """Of a candidate by all its folds so far."""
        outputs = [fit.outputs for fit in self.done[number]]
        return self._stand(np.concatenate(outputs, axis=1), len(outputs))

    def at_start(self, number: int) -> Standing:
        """Of the frozen heads that a candidate began with."""
        outputs = [fit.outputs[:1] for fit in self.done[number]]
        return self._stand(np.concatenate(outputs, axis=1), len(outputs))

    def _stand(self, outputs: np.ndarray, folds: int) -> Standing:
        return stand(self.task, self.monitor, outputs, self.targets(folds))

    def targets(self, folds: int) -> np.ndarray:
        """Of what so many folds judge, fold by fold."""
        known = self.fits.known
        return known.labelled.labels[known.judged(folds)]

    def tried(self) -> tuple[Tried, ...]:
        """All, the frozen head first."""
        folds = self.plan.folds
        heads = np.concatenate(
            [self.fits.start(fold).outputs for fold in range(folds)]
        )
        targets = self.targets(folds)
        head = stand(self.task, self.monitor, heads[None], targets)
        took = round(self.fits.head_seconds, 3)
        rows = [Tried(None, head, targets, folds, took, "")]
        for number, candidate in enumerate(self.candidates):
            done = self.done[number]
            rows.append(
                Tried(
                    candidate,
                    self.standing(number),
                    self.targets(len(done)),
                    len(done),
                    round(sum(fit.seconds for fit in done), 3),
                    self.why[number],
                )
            )
        return tuple(rows)


def _finished(race: _Race, best: int) -> Found:
    fits, candidate = race.fits, race.candidates[best]
    standing, done = race.standing(best), race.done[best]
    if standing.gain["p_value"] > SURE:
        race.why[best] = NOT_SURE
        standing = race.at_start(best)
    places = fits.known.judged(race.plan.folds)
    # First: a process that goes on solves them here, which moves the weights.
    heads = np.concatenate(
        [fits.start(fold).outputs for fold in range(race.plan.folds)]
    )
    solved = solved_on_all(fits)
    fits.begin(solved)
    start = [np.array(variable) for variable in fits.model.variables]
    made_by, variables = "", start
    if standing.share:
        made_by, variables = _on_all_labels(race, best, solved, start)
    set_variables(fits.model, variables)
    return Found(
        race.tried(),
        candidate,
        standing._replace(
            outputs=_in_order(standing.outputs, places),
            costs=_in_order(standing.costs, places),
        ),
        _in_order(heads, places),
        solved,
        start,
        variables,
        made_by,
        _mean_rows([fit.rows for fit in done]),
    )


def _on_all_labels(
    race: _Race, best: int, solved: SolvedHead, start: list[np.ndarray]
) -> tuple[str, list[np.ndarray]]:
    """The best candidate's weights at its share, taught by all labels.

    The folds' weights, begun alike, are averaged. That needs no further fit;
    but where they lie in different valleys their mean answers worse than any
    of them: then the candidate is fitted once more, on all examples.
    """
    fits, candidate = race.fits, race.candidates[best]
    standing = race.standing(best)
    mean: list[np.ndarray] | None = None
    for fold in range(race.plan.folds):
        with log.silent():
            tuned = fits.tuned(candidate, best, fold)
        # One after the other: a mean of them all at once is large.
        mean = tuned if mean is None else [
            between(one, more, 1 / (fold + 1))
            for one, more in zip(mean, tuned, strict=True)
        ]  # fmt: skip

    def at_share(tuned: list[np.ndarray]) -> list[np.ndarray]:
        return [
            between(*both, standing.share)
            for both in zip(start, tuned, strict=True)
        ]

    averaged = at_share(mean)
    set_variables(fits.model, averaged)
    known = fits.known.labelled
    outputs = fits.outputs_of(candidate.phase)
    costs = race.task.costs(race.monitor, outputs, known.labels)
    # It has seen these labels, and the folds had not.
    if costs.mean() <= standing.cost:
        return "average", averaged
    return "refit", at_share(fits.refit(candidate, best, solved))


def _in_order(judged: np.ndarray, places: np.ndarray) -> np.ndarray:
    found = np.empty_like(judged)
    found[places] = judged
    return found


def _mean_rows(folds: Sequence[Sequence[Mapping]]) -> list[dict]:
    """Rows of history, the mean over folds epoch by epoch."""
    rows = []
    for epochs in zip(*folds, strict=True):
        names = [n for n, v in epochs[0].items() if isinstance(v, float)]
        means = {n: float(np.mean([row[n] for row in epochs])) for n in names}
        rows.append({**epochs[0], **means})
    return rows


def interval_of(costs: np.ndarray) -> tuple[float, float]:
    """95 % of the mean of costs (n,), by its standard error."""
    mean = float(costs.mean())
    if len(costs) < 2:
        return mean, mean
    half = NORMAL_95 * float(costs.std(ddof=1)) / math.sqrt(len(costs))
    return mean - half, mean + half
