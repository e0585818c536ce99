"""The class names of an export: those in labels.txt, and those in its graph.

    naming(graph.graph_def, labels)            # IN_ORDER
    check_labels(folder, graph, class_names)   # in the gate

In: a graph and names. Out: whether they agree. A graph answers with the names
that it holds, and people read labels.txt: where two lines of it are swapped,
every number that is counted by it is of another class.
"""

import pathlib
from collections.abc import Iterator, Sequence

import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.errors import NotPublishedError
from tl_keras.exports.float32 import nodes_of
from tl_keras.exports.fresh_process import PREFIX
from tl_keras.versions import LABELS_FILE, labels_text

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


def check_labels(
    folder: pathlib.Path,
    graph: meta_graph_pb2.MetaGraphDef,
    class_names: Sequence[str],
) -> None:
    """The names in the graph and in labels.txt are the model's, in order.

    Answers show the best few alone: two of a hundred names exchanged would
    not be seen in those.

    Raises:
        NotPublishedError: says which file has them otherwise.
    """
    file = folder / "assets.extra" / LABELS_FILE
    try:
        text = file.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise NotPublishedError(f"{PREFIX}{error}") from None
    if text != labels_text(class_names):
        raise NotPublishedError(
            f"{PREFIX}{LABELS_FILE} does not name the model's classes in "
            "their order"
        )
    if naming(graph.graph_def, class_names) != IN_ORDER:
        raise NotPublishedError(
            f"{PREFIX}its graph does not name the model's classes in their "
            "order"
        )
