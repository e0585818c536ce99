"""How far rounding on a device moves the answers of a published version.

    moved = movement_of(graph, folder, pictures, answers, differs)

In: a version, and its answers here. Out: how far they are from exact ones. It
is measured and told, and no fault.
"""

import pathlib
from collections.abc import Sequence

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.exports.fresh_process import ask_exactly, computes_exactly
from tl_keras.tasks.difference import Differs


def movement_of(
    graph: meta_graph_pb2.MetaGraphDef,
    folder: pathlib.Path,
    examples: Sequence[bytes],
    answers: np.ndarray,
    differs: Differs,
) -> float:
    """How far rounding moves the answers of a published version here.

    Args:
        graph: of the version, as it was checked.
        folder: of the version.
        examples: encoded, a few.
        answers: its answers to them on this device, (n, outputs).
        differs: the task's comparison of answers.

    Returns:
        The largest `Difference.moved`; 0.0 where answers here are exact:
        float32 on a CPU.

    Raises:
        NotPublishedError: it cannot be loaded and run on the CPU.
    """
    if computes_exactly(graph) or not len(examples):
        return 0.0
    exact = ask_exactly(graph, folder, list(examples), differs.answer)
    # Zeros stand for what was not read.
    read = exact.any(axis=-1) & answers.any(axis=-1)
    if not read.any():
        return 0.0
    difference = differs(
        {differs.answer: exact[read]}, {differs.answer: answers[read]}
    )
    return float(difference.moved.max())
