"""A few labels -> what their neighbours are likely to be.

    graph = neighbour_graph(features, neighbours=20)
    likely = spread_labels(graph, labels, num_classes=2)    # -1: no label

In: features of all examples, and the labels of some. Out: for each example how
likely it is of each class. A label goes to the nearest examples, from them to
theirs, and comes back a little at each step.

Reference: Zhou and others, "Learning with Local and Global Consistency", 2004;
the weights of the edges as Iscen and others, "Label Propagation for Deep
Semi-supervised Learning", 2019, have them.
"""

import numpy as np
from scipy import sparse

NEIGHBOURS = 20
# How much of an example's label is its neighbours', against its own.
ALPHA = 0.9
# A cosine is raised to this: near neighbours count, far ones hardly do.
SHARPNESS = 3
BLOCK = 1024  # rows compared at once
TOLERANCE, MAX_STEPS = 1e-6, 200


def neighbour_graph(
    features: np.ndarray, neighbours: int = NEIGHBOURS
) -> sparse.csr_array:
    """Who is near whom, by the cosine of centred features.

    Args:
        features: (n, d), n of 2 or more.
        neighbours: of each example, 1 or more; two are joined where either
            is among the nearest of the other.

    Returns:
        Symmetric (n, n) of weights 0 to 1; its diagonal is 0.
    """
    rows = features.astype(np.float32)
    rows = rows - rows.mean(axis=0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.maximum(lengths, np.finfo(np.float32).tiny)
    count = len(rows)
    near = min(neighbours, count - 1)
    places, weights = [], []
    for start in range(0, count, BLOCK):
        cosines = rows[start : start + BLOCK] @ rows.T
        own = np.arange(len(cosines))
        cosines[own, start + own] = -np.inf
        nearest = np.argpartition(-cosines, near - 1, axis=1)[:, :near]
        places.append(nearest)
        weights.append(np.take_along_axis(cosines, nearest, axis=1))
    weights = np.maximum(np.concatenate(weights), 0.0) ** SHARPNESS
    graph = sparse.csr_array(
        (
            weights.ravel().astype(np.float64),
            np.concatenate(places).ravel(),
            np.arange(0, count * near + 1, near),
        ),
        shape=(count, count),
    )
    return graph.maximum(graph.T).tocsr()


def spread_labels(
    graph: sparse.csr_array,
    labels: np.ndarray,
    num_classes: int,
    alpha: float = ALPHA,
) -> np.ndarray:
    """How likely each example is of each class.

    Args:
        graph: symmetric (n, n), of `neighbour_graph`.
        labels: int (n,), 0 to `num_classes` - 1; -1 for no label.
        num_classes: 2 or more.
        alpha: how much the neighbours say, 0 to 1, neither included.

    Returns:
        float64 (n, num_classes), rows that add up to 1; all alike where no
        label comes to.
    """
    degrees = np.asarray(graph.sum(axis=1)).ravel()
    scale = np.where(degrees > 0, degrees, 1.0) ** -0.5
    steps = graph.multiply(scale[:, None]).multiply(scale[None, :]).tocsr()
    given = np.zeros((len(labels), num_classes))
    known = np.flatnonzero(labels >= 0)
    given[known, labels[known]] = 1 - alpha
    likely = given
    for _ in range(MAX_STEPS):
        before, likely = likely, alpha * (steps @ likely) + given
        if np.abs(likely - before).sum() < TOLERANCE:
            break
    totals = likely.sum(axis=1, keepdims=True)
    even = np.full(likely.shape, 1 / num_classes)
    return np.divide(likely, totals, out=even, where=totals > 0)
