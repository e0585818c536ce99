"""What candidates take: a few steps of the first one, timed.

    costs = measure_costs(trainer, candidates, known)

In: a trainer and candidates. Out: `Costs`, predicted for each by how many
multiply-adds it trains.
"""

import time
from collections.abc import Sequence

from tl_keras.search.candidates import Candidate
from tl_keras.search.fold_fits import FIRST, FoldFits
from tl_keras.search.plan import Costs
from tl_keras.training import Phase, set_variables

TIMED_STEPS = 4
BACK_AND_FORTH = 3  # a step's multiply-adds in those of its forward pass
FLIPS = 2  # views of an example


def measure_costs(fits: FoldFits, candidates: Sequence[Candidate]) -> Costs:
    """Times steps of the first candidate, and the head of the first fold.

    What its frozen layers make of all examples is computed on the way, and
    kept; it is not counted.

    Args:
        fits: of the examples; its trainer's frozen work knows the head and
            the first candidate.
        candidates: what may be tried.

    Returns:
        `Costs`; the model has the weights that it had.
    """
    trainer, first = fits.trainer, candidates[0]
    known = fits.known
    source = known.batches(known.labelled, "none")
    first_step, step = _seconds_of_steps(fits, first.phase)
    began = time.perf_counter()
    fits.start(0)
    head = time.perf_counter() - began
    set_variables(fits.model, fits.backups.initial)

    def share(phase: Phase) -> float:
        """Of the multiply-adds, that which trains."""
        cut = trainer.frozen.cut_of(phase)
        return 1.0 if cut is None else max(1 - cut.trunk_share, 1e-6)

    trains = share(first.phase)
    per_share = step / trains
    rows = len(known.labelled)
    a_pass = rows * per_share / (BACK_AND_FORTH * source.batch_size)
    passes = {}
    for each in candidates:
        mine = share(each.phase)
        again = FLIPS if each.augment != "none" else int(mine > trains)
        passes[each.name] = again * a_pass * (1 - mine)
    return Costs(
        step={each.name: per_share * share(each.phase) for each in candidates},
        graph=max(0.0, first_step - step),
        passes=passes,
        head=head,
        trains=trains,
        examples=rows,
        batch_size=source.batch_size,
        epochs=first.phase.epochs,
    )


def _seconds_of_steps(fits: FoldFits, phase: Phase) -> tuple[float, float]:
    """Seconds of the first, which traces, and of the fastest that follow."""
    source = fits.known.batches(fits.known.labelled, "none")
    # What is frozen is computed here, if it is not stored.
    step = fits.trainer_of(source).steps_of(phase, FIRST)
    seconds = []
    for _ in range(TIMED_STEPS):
        began = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - began)
    phase.adapts_by().merge(fits.model)
    set_variables(fits.model, fits.backups.initial)
    return seconds[0], min(seconds[1:])
