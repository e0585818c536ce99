"""The class names of an export: those in labels.txt, and those in its graph.

    naming(graph.graph_def, labels)      # IN_ORDER

In: a graph and names. Out: whether they agree. A graph answers with the names
that it holds, and people read labels.txt: where two lines of it are swapped,
every number that is counted by it is of another class.
"""

from collections.abc import Iterator, Sequence

import tensorflow as tf
from tensorflow.core.framework import graph_pb2

from tl_keras.exports.float32 import nodes_of

STRING = tf.string.as_datatype_enum
IN_ORDER, OTHER_ORDER, ABSENT = "in order", "in another order", "absent"


def naming(graph: graph_pb2.GraphDef, class_names: Sequence[str]) -> str:
    """How a graph names classes: IN_ORDER, in OTHER_ORDER, or ABSENT."""
    names = [name.encode() for name in class_names]
    found = [
        texts
        for texts in _text_constants(graph, len(names))
        if sorted(texts) == sorted(names)
    ]
    if not found:
        return ABSENT
    return IN_ORDER if all(texts == names for texts in found) else OTHER_ORDER


def _text_constants(
    graph: graph_pb2.GraphDef, length: int
) -> Iterator[list[bytes]]:
    """All constant lists of so many texts in a graph."""
    for node in nodes_of(graph):
        if node.op != "Const" or node.attr["dtype"].type != STRING:
            continue
        tensor = node.attr["value"].tensor
        # Asked before an array is made of it, which may be as large as it
        # claims.
        if [side.size for side in tensor.tensor_shape.dim] == [length]:
            yield tf.make_ndarray(tensor).tolist()
