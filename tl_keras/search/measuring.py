"""What candidates take: reckoned by multiply-adds, or a few steps timed.

    costs = reckon_costs(fits, candidates)       # the same on every machine
    costs = measure_costs(fits, candidates)      # as long as it takes here

In: folds and candidates. Out: `Costs`, for each by how many multiply-adds it
trains.
"""

import time
from collections.abc import Sequence

import numpy as np

from tl_keras.networks import LOGITS, multiply_adds, ordered_nodes
from tl_keras.search.candidates import Candidate
from tl_keras.search.fold_fits import FIRST, FoldFits
from tl_keras.search.plan import Costs
from tl_keras.training import Phase, set_variables

TIMED_STEPS = 4
BACK_AND_FORTH = 3  # a step's multiply-adds in those of its forward pass
FLIPS = 2  # views of an example

# Of two cores, measured with MobileNetV2 and letters_vgg: multiply-adds a
# second; seconds of a step that computes nothing, of a graph to be traced, and
# of a head with its folds.
RATE, STEP, GRAPH, HEAD = 40e9, 0.005, 1.0, 0.5
SOLVED = 8e6  # of larger heads: features of examples times classes, a second


def forward_seconds(fits: FoldFits, examples: int) -> float:
    """Reckoned, of a pass of so many examples through all of the network."""
    nodes = ordered_nodes(fits.model)
    return examples * sum(map(multiply_adds, nodes)) / RATE


def reckon_costs(fits: FoldFits, candidates: Sequence[Candidate]) -> Costs:
    """By what two cores do in a second; nothing is computed.

    Args:
        fits: of the examples; its trainer's frozen work knows the candidates.
        candidates: what may be tried.

    Returns:
        `Costs`, which no clock has a part in.
    """
    size = fits.known.batches(fits.known.labelled, "none").batch_size
    a_batch = BACK_AND_FORTH * forward_seconds(fits, size)
    width, outputs = fits.model.get_layer(LOGITS).kernel.shape
    solved = HEAD + len(fits.known.labelled) * width * outputs / SOLVED
    trains = _trains(fits, candidates[0].phase)
    step = STEP + a_batch * trains
    return _costs(fits, candidates, step=step, graph=GRAPH, head=solved)


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
    first_step, step = _seconds_of_steps(fits, candidates[0].phase)
    began = time.perf_counter()
    fits.start(0)
    head = time.perf_counter() - began
    set_variables(fits.model, fits.backups.initial)
    graph = max(0.0, first_step - step)
    return _costs(fits, candidates, step=step, graph=graph, head=head)


def _trains(fits: FoldFits, phase: Phase) -> float:
    """Of the multiply-adds, the share that trains."""
    cut = fits.trainer.frozen.cut_of(phase)
    return 1.0 if cut is None else max(1 - cut.trunk_share, 1e-6)


def _costs(
    fits: FoldFits,
    candidates: Sequence[Candidate],
    *,
    step: float,
    graph: float,
    head: float,
) -> Costs:
    """Of all candidates, from those of the first."""
    known = fits.known
    size = known.batches(known.labelled, "none").batch_size
    shares = {each.name: _trains(fits, each.phase) for each in candidates}
    first, rows = candidates[0], len(known.labelled)
    trains = shares[first.name]
    per_share = step / trains
    a_pass = rows * per_share / (BACK_AND_FORTH * size)
    passes = {}
    for each in candidates:
        mine = shares[each.name]
        again = FLIPS if each.augment != "none" else int(mine > trains)
        passes[each.name] = again * a_pass * (1 - mine)
    return Costs(
        step={name: per_share * share for name, share in shares.items()},
        graph=graph,
        passes=passes,
        head=head,
        trains=trains,
        examples=rows,
        batch_size=size,
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
        # On a GPU a step that nobody looks at has only been begun.
        np.asarray(fits.model.trainable_variables[-1])
        seconds.append(time.perf_counter() - began)
    phase.adapts_by().merge(fits.model)
    set_variables(fits.model, fits.backups.initial)
    return seconds[0], min(seconds[1:])
