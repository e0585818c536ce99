"""What a search may take: of `--budget_minutes`, or of the fixed rule's time.

In: a run before its first step, and what steps take. Out: seconds.
"""

import math

from tl_keras.jobs.preparation import Prepared
from tl_keras.networks import ordered_nodes
from tl_keras.search import Candidate, FoldFits, forward_seconds
from tl_keras.search.measuring import GRAPH
from tl_keras.search.plan import EPOCH, Costs
from tl_keras.training.interpolation import SHARES

# Of the fixed rule's whole time, what a search may add to it: where the frozen
# head fits the data, and where it is poor.
SHARE_MORE, SHARE_MORE_IF_POOR = 0.2, 1.0
# Seconds before the first step, most of them Python's imports; and after the
# last: evaluation, the export with its two fresh processes, the page, and for
# each call of the network what its graphs take there. Two quiet cores took 19
# in all for letters_vgg and 30 for MobileNetV2 (`benchmarks.search_time`).
BEGIN, REST, A_CALL = 6.0, 11.0, 0.08


def beginning(fits: FoldFits, prepared: Prepared) -> float:
    """Reckoned, what a run has taken before it searches.

    Args:
        fits: of the run.
        prepared: the run.

    Returns:
        Seconds, of the pass through the frozen layers for the most part.
    """
    labelled = prepared.labelled
    taught = len(labelled.train) + len(labelled.val)
    return BEGIN + forward_seconds(fits, taught)


def share_of_run(
    prepared: Prepared,
    costs: Costs,
    usual: Candidate,
    elapsed: float,
    more: float = SHARE_MORE,
) -> float:
    """What a search may take where nobody has said: what the fixed rule's
    fine-tune would, and a share of the whole run more.

    Args:
        prepared: the run.
        costs: of its candidates.
        usual: that of the fixed rule's depth.
        elapsed: seconds of the run before.
        more: that share.

    Returns:
        Seconds.
    """
    fixed = fixed_rule(prepared, costs, usual)
    return fixed + more * (elapsed + fixed + rest(prepared, costs, usual))


def fixed_rule(prepared: Prepared, costs: Costs, usual: Candidate) -> float:
    """What the fine-tune of the fixed rule would take.

    Args:
        prepared: the run.
        costs: of its candidates.
        usual: that of the fixed rule's depth.

    Returns:
        Seconds.
    """
    if len(prepared.phases) < 2:
        return 0.0  # Too few would judge it: the rule leaves it out.
    labelled, size = prepared.labelled, costs.batch_size
    steps = math.ceil(len(labelled.train) / size)
    # Forward is a third of a step.
    judged = math.ceil(len(labelled.val) / size) / 3
    epochs = costs.epochs * (steps + judged) + len(SHARES) * judged
    return costs.graph + epochs * costs.step[usual.name] + costs.epochs * EPOCH


def rest(prepared: Prepared, costs: Costs, usual: Candidate) -> float:
    """What follows a search: the test split's pass, and what is constant.

    Args:
        prepared: the run.
        costs: of its candidates.
        usual: that of the fixed rule's depth.

    Returns:
        Seconds.
    """
    test = len(prepared.labelled.test)
    whole = costs.step[usual.name] / (3 * costs.batch_size * costs.trains)
    calls = len(ordered_nodes(prepared.model))
    # A machine that is slower at tracing a graph is slower at all of it.
    slower = max(1.0, costs.graph / GRAPH)
    return test * whole + (REST + A_CALL * calls) * slower
