"""A graph with rounding inside -> the same graph in float32 throughout.

    graph_def = in_float32(graph_def)
    with exact_export(meta_graph, folder) as view: ...   # a SavedModel of it

In: a graph that computes in bfloat16 or float16 in places. Out: a copy with
float32 in their stead. Whether two graphs are the same function cannot be
asked of answers that were rounded: a tolerance wide enough for bfloat16 lets
another resize pass. So both sides are asked in float32, on the CPU.

It is done to graphs, not to the Keras model: what a layer's `dtype_policy`
would not reach (a `keras.ops.cast` in a user's network) changes too, and it is
the exported graph that answers, every fault of it included; nothing but the
types is another.
"""

import contextlib
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import attr_value_pb2, graph_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.exports.graph import view_of

FLOAT = tf.float32.as_datatype_enum
HALVES = frozenset(kind.as_datatype_enum for kind in (tf.bfloat16, tf.float16))
VARIABLES = ("VarHandleOp", "ReadVariableOp")


def rounds_inside(graph: graph_pb2.GraphDef) -> bool:
    """Whether anything in a graph is bfloat16 or float16."""
    return any(
        kind in HALVES
        for node in nodes_of(graph)
        for value in node.attr.values()
        for kind in (value.type, value.tensor.dtype, *value.list.type)
    )


def can_be_float32(graph: graph_pb2.GraphDef) -> bool:
    """Whether the graph's variables are float32 already, as files hold them."""
    return not any(
        node.op in VARIABLES and node.attr["dtype"].type in HALVES
        for node in nodes_of(graph)
    )


def in_float32(graph: graph_pb2.GraphDef) -> graph_pb2.GraphDef:
    """A copy that is float32 wherever the graph is bfloat16 or float16."""
    copy = graph_pb2.GraphDef()
    copy.CopyFrom(graph)
    for node in nodes_of(copy):
        _widen(node.attr.values())
    for function in copy.library.function:
        signature = function.signature
        for argument in (*signature.input_arg, *signature.output_arg):
            if argument.type in HALVES:
                argument.type = FLOAT
    return copy


def nodes_of(graph: graph_pb2.GraphDef) -> Iterator[node_def_pb2.NodeDef]:
    """All nodes of a graph, those in its functions too."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _widen(values: Iterable[attr_value_pb2.AttrValue]) -> None:
    for value in values:
        if value.type in HALVES:
            value.type = FLOAT
        # Named first, as to touch `list` would make an empty one of it.
        if value.WhichOneof("value") == "list":
            kinds = value.list.type
            kinds[:] = [FLOAT if kind in HALVES else kind for kind in kinds]
        if value.tensor.dtype in HALVES:
            array = tf.make_ndarray(value.tensor).astype(np.float32)
            value.tensor.CopyFrom(tf.make_tensor_proto(array))


def exact_graph(
    graph: meta_graph_pb2.MetaGraphDef,
) -> meta_graph_pb2.MetaGraphDef:
    """An export's graph in float32; itself where it is so, or cannot be."""
    plain = graph.graph_def
    if not rounds_inside(plain) or not can_be_float32(plain):
        return graph
    exact = meta_graph_pb2.MetaGraphDef()
    exact.CopyFrom(graph)
    exact.graph_def.CopyFrom(in_float32(plain))
    return exact


@contextlib.contextmanager
def exact_export(
    graph: meta_graph_pb2.MetaGraphDef, folder: pathlib.Path
) -> Iterator[pathlib.Path]:
    """A SavedModel that computes what an export does, in float32.

    Args:
        graph: of the export, as it was checked.
        folder: of the export, whose variables are read where they lie.

    Yields:
        Its folder: the export's own where that is float32 already.
    """
    exact = exact_graph(graph)
    if exact is graph:
        yield folder
        return
    with view_of(exact, folder) as view:
        yield view
