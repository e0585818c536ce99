"""How much a run tries: decided once, before its first step.

    found = plan_for(prepared, store, folder, elapsed)
    found.plan, found.why

In: a run. Out: a plan, or why the fixed rule is taken. Within the default
budget no clock has a part in it; how poor the frozen head is has.
"""

import dataclasses
import math
import time
from typing import NamedTuple

from tl_keras.features import FeatureStore
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.preparation import Prepared, many_of
from tl_keras.jobs.searching.budget import (
    SHARE_MORE,
    SHARE_MORE_IF_POOR,
    beginning,
    rest,
    share_of_run,
)
from tl_keras.jobs.searching.fits import (
    candidates_of_run,
    fits_of,
    folds_of,
)
from tl_keras.jobs.searching.known import known_of
from tl_keras.keras_globals import standard_globals
from tl_keras.runs import RunFolder
from tl_keras.search import (
    HeadAnswers,
    SearchPlan,
    bolder,
    head_answers,
    measure_costs,
    plan_search,
    reckon_costs,
)
from tl_keras.search.plan import Costs, predicted
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.training import FEWEST_TO_JUDGE

# Of few labels each fold shall learn from most. Halves learn too little to tell
# how far a fine-tune goes on all of them.
MANY_FOLDS, FEW_FOLDS, FEW_LABELS = 5, 3, 500
ADDS = "a search would add more than a fifth to the run"


class Searches(NamedTuple):
    """Whether a run searches.

    Attributes:
        plan: what is tried, or None.
        why: the fixed rule is taken; "" where it is not.
        if_poor: what is tried in the place of that where the frozen head turns
            out to be poor; None where it would be no more, or is not asked.
    """

    plan: SearchPlan | None
    why: str
    if_poor: SearchPlan | None = None

    def after(self, head: HeadAnswers | None) -> "Searches":
        """What it comes to once the frozen head is known.

        Args:
            head: what it answers; None where nothing can be said.

        Returns:
            The one or the other, and the head among the reasons.
        """
        if head is None or self.if_poor is None:
            return Searches(self.plan, self.why)
        told = head.describe()
        if head.is_poor():
            return Searches(dataclasses.replace(self.if_poor, why=told), "")
        if self.plan is None:
            return Searches(None, f"{told}, and {self.why}")
        return Searches(dataclasses.replace(self.plan, why=told), "")


def why_not(prepared: Prepared) -> str:
    """What of the data or the network keeps a run from a search; or ""."""
    known = known_of(prepared)
    if prepared.config.feature_cache == "off":
        return "nothing keeps what frozen layers make of examples"
    if prepared.config.solver() != "lbfgs" or any(
        phase.solver != "lbfgs" for phase in prepared.phases[:1]
    ):
        return "the head is not solved"
    if runs_of(prepared.config).baseline and prepared.config.baseline != "show":
        return "the head weighs words beside the network (--baseline=show)"
    if len(known) < FEWEST_TO_JUDGE:
        return (
            f"{len(known)} labelled {many_of(prepared)} cannot tell whether a "
            f"fine-tune is better; expected {FEWEST_TO_JUDGE} or more"
        )
    return ""


def _makes_no_folds(prepared: Prepared) -> str:
    """The same of folds, which take seconds to cut of a million labels."""
    if len(folds_of(prepared, FEW_FOLDS)) < FEW_FOLDS:
        return f"a class, or all there is, makes no {FEW_FOLDS} folds"
    return ""


@standard_globals()
def plan_for(
    prepared: Prepared, store: FeatureStore, folder: RunFolder, elapsed: float
) -> Searches:
    """How much is tried: what a share of the run lets in, reckoned by its
    multiply-adds, the larger where the frozen head is poor; or what
    `--budget_minutes` lets in by what steps take here.

    Args:
        prepared: the run; its model as it was loaded, also afterwards.
        store: keeps what frozen layers make of examples.
        folder: of the run; nothing is written there.
        elapsed: seconds since the run began.

    Returns:
        The plan, or why the fixed rule is taken.
    """
    if why := why_not(prepared):
        return Searches(None, why)
    if prepared.config.budget_minutes is not None:
        return _within_minutes(prepared, store, folder, elapsed)
    found = _within_a_share(prepared, store, folder)
    if found.if_poor is None:
        return found
    candidates = candidates_of_run(prepared)[:1]
    fits = fits_of(prepared, store, folder, candidates, 0)
    return found.after(head_answers(fits))


def _within_a_share(
    prepared: Prepared, store: FeatureStore, folder: RunFolder
) -> Searches:
    """By no clock: two runs of the same seed shall try the same."""
    candidates = candidates_of_run(prepared)
    usual = candidates[0]
    fits = fits_of(prepared, store, folder, candidates[:1], 0)
    costs = reckon_costs(fits, candidates)
    elapsed = beginning(fits, prepared)
    budget, larger = (
        share_of_run(prepared, costs, usual, elapsed, more)
        for more in (SHARE_MORE, SHARE_MORE_IF_POOR)
    )
    # Of other answers nobody has measured what a poor head is.
    asks = isinstance(prepared.task, Multiclass)
    least = predicted(candidates[:1], costs, FEW_FOLDS)
    if least > (larger if asks else budget):
        return _no_room(ADDS, elapsed, costs, prepared)
    if why := _makes_no_folds(prepared):
        return Searches(None, why)
    counts = _counts(prepared)
    plan = plan_search(candidates, costs, folds=counts, seconds=budget)
    found = Searches(plan, "")
    if plan is None:
        found = _no_room(ADDS, elapsed, costs, prepared)
    if not asks:
        return found
    more = plan_search(bolder(candidates), costs, folds=counts, seconds=larger)
    if plan and (more.folds, more.names) == (plan.folds, plan.names):
        return found
    return found._replace(if_poor=more)


def _within_minutes(
    prepared: Prepared, store: FeatureStore, folder: RunFolder, elapsed: float
) -> Searches:
    """By what the first steps take here."""
    began, candidates = time.perf_counter(), candidates_of_run(prepared)
    if why := _makes_no_folds(prepared):
        return Searches(None, why)
    counts = _counts(prepared)
    fits = fits_of(prepared, store, folder, candidates[:1], counts[0])
    costs = measure_costs(fits, candidates)
    elapsed += time.perf_counter() - began
    seconds = 60 * prepared.config.budget_minutes - elapsed
    seconds -= rest(prepared, costs, candidates[0])
    plan = plan_search(candidates, costs, folds=counts, seconds=seconds)
    if plan is None:
        why = f"its first candidate does not fit {seconds:.0f} s"
        return _no_room(why, elapsed, costs, prepared)
    return Searches(plan, "")


def _counts(prepared: Prepared) -> tuple[int, ...]:
    """Numbers of folds that may be taken, the best one first."""
    counts = (FEW_FOLDS,)
    if len(known_of(prepared)) <= FEW_LABELS:
        counts = MANY_FOLDS, FEW_FOLDS
    # Those of small classes are fewer than was asked for.
    folds = (len(folds_of(prepared, count)) for count in counts)
    return tuple(dict.fromkeys(folds))


def _no_room(
    why: str, elapsed: float, costs: Costs, prepared: Prepared
) -> Searches:
    """No search, with the minutes that the least one wants."""
    some = candidates_of_run(prepared)[:1]
    whole = elapsed + predicted(some, costs, FEW_FOLDS)
    whole += rest(prepared, costs, some[0])
    minutes = math.ceil(whole / 60)
    return Searches(None, f"{why} - --budget_minutes={minutes} has room for it")


@standard_globals()
def reckoned_search(prepared: Prepared, store: FeatureStore | None) -> Searches:
    """What a run will try, as far as no clock is needed to say it.

    Args:
        prepared: the run; its model as it was loaded, also afterwards.
        store: of its features; nothing is computed.

    Returns:
        What is tried where the frozen head fits the data, and where it is
        poor. Neither a plan nor a reason where nothing is searched, or the
        budget is one of minutes.
    """
    config = prepared.config
    if not config.searches():
        return Searches(None, "")
    if why := why_not(prepared):
        return Searches(None, why)
    if config.budget_minutes is not None:
        return Searches(None, _makes_no_folds(prepared))
    folder = RunFolder.of(config.run_folder())
    return _within_a_share(prepared, store, folder)
