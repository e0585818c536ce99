"""The stage that does what a search planned.

    searched = search_all(prepared, plan, folder, store)

In: a run before its first step, and a plan. Out: a fit as of phases, whose
weights all labels have taught, and the table of what was tried.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

from tl_keras.features import FeatureStore
from tl_keras.jobs.final_fit import FinalFit
from tl_keras.jobs.planning import plan_phases
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.searching.fits import candidates_of_run, fits_of
from tl_keras.jobs.searching.outcome import final_of, fit_of
from tl_keras.jobs.searching.table import table_of
from tl_keras.keras_globals import standard_globals
from tl_keras.runs import RunFolder
from tl_keras.search import (
    Found,
    SearchPlan,
    search,
)
from tl_keras.strategies import set_trainable


class Searched(NamedTuple):
    """What a search leaves to a run.

    Attributes:
        phases: the head, and the best candidate's.
        final: the fit, and what all labels say of it.
        numbers: for metrics.json.
    """

    phases: list
    final: FinalFit
    numbers: Mapping


@standard_globals()
def search_all(
    prepared: Prepared, plan: SearchPlan, folder: RunFolder, store: FeatureStore
) -> Searched:
    """Does what was planned, or what is left of it.

    Args:
        prepared: the run; its model holds the kept weights afterwards.
        plan: of `plan_for`, by this process or an earlier one.
        folder: of the run.
        store: keeps what frozen layers make of examples.

    Returns:
        `Searched`; history.csv is written.
    """
    began, config = time.perf_counter(), prepared.config
    candidates = [
        c for c in candidates_of_run(prepared) if c.name in plan.names
    ]
    fits = fits_of(prepared, store, folder, candidates, plan.folds)
    try:
        objective = fits.trainer.objective
        found = search(fits, candidates, plan, objective.monitor)
    except BaseException:
        fits.backups.begin_again()  # Whoever goes on finds it as it was.
        raise
    _leave_trainable(prepared, found)
    fit = fit_of(prepared, found, fits, time.perf_counter() - began)
    fits.trainer.write_history([], fit.history)
    numbers = table_of(prepared, plan, found)
    head, _ = plan_phases(config)
    phases = [head, fit.phases[1].phase]
    return Searched(phases, final_of(prepared, found, fit), numbers)


def _leave_trainable(prepared: Prepared, found: Found) -> None:
    """As the best phase leaves it, whatever was fitted in this process."""
    phase = found.best.phase
    set_trainable(
        prepared.model,
        phase.unfreeze_from,
        train_batch_norm=phase.train_batch_norm,
    )
