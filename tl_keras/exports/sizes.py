"""What the tensors of a graph claim to be, against what is there.

    sizes.faults(meta_graph, folder)    # [] or lines

In: a graph and its folder. Out: why its constants, shapes and variables cannot
be what an exporter writes: a few bytes that claim gigabytes, sides below zero,
contents of another length, variables larger than the files that hold them.
"""

import math
import os
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.core.framework import (
    attr_value_pb2,
    tensor_pb2,
    tensor_shape_pb2,
)
from tensorflow.core.protobuf import meta_graph_pb2

# A constant that repeats its last value may claim so much memory at most.
MAX_REPEATED_BYTES = 64 << 20
MAX_SIDE = 2**31
UNKNOWN = -1
CONTENTS = {
    "float_val", "double_val", "int_val", "int64_val", "bool_val", "half_val",
    "string_val", "uint32_val", "uint64_val",
}  # fmt: skip


def faults(graph: meta_graph_pb2.MetaGraphDef, folder: str) -> list[str]:
    """What cannot be, one line each; the first of a kind a node."""
    found = [
        f"{where}: {fault}"
        for where, attribute in _attributes(graph)
        if (fault := _fault(attribute))
    ]
    return found or _variable_faults(graph, folder)


def _attributes(
    graph: meta_graph_pb2.MetaGraphDef,
) -> Iterator[tuple[str, attr_value_pb2.AttrValue]]:
    """Every attribute of every node and function, with its place."""
    for node in graph.graph_def.node:
        for attribute in node.attr.values():
            yield node.name, attribute
    for function in graph.graph_def.library.function:
        name = function.signature.name
        for attribute in function.attr.values():
            yield name, attribute
        for node in function.node_def:
            for attribute in node.attr.values():
                yield f"{name}/{node.name}", attribute


def _fault(attribute: attr_value_pb2.AttrValue) -> str:
    kind = attribute.WhichOneof("value")
    if kind == "shape":
        return _shape_fault(attribute.shape)
    if kind == "tensor":
        return _tensor_fault(attribute.tensor)
    if kind == "list":
        told = [_shape_fault(shape) for shape in attribute.list.shape]
        told += [_tensor_fault(tensor) for tensor in attribute.list.tensor]
        return next(filter(None, told), "")
    return ""


def _shape_fault(shape: tensor_shape_pb2.TensorShapeProto) -> str:
    for side in shape.dim:
        if not UNKNOWN <= side.size < MAX_SIDE:
            return f"a shape with a side of {side.size}"
    return ""


def _tensor_fault(tensor: tensor_pb2.TensorProto) -> str:
    """Whether a constant's content is that of its shape."""
    sides = [side.size for side in tensor.tensor_shape.dim]
    fault = _shape_fault(tensor.tensor_shape)
    if fault or tensor.tensor_shape.unknown_rank or UNKNOWN in sides:
        return fault or "a constant whose shape is not known"
    try:
        kind = tf.as_dtype(tensor.dtype)
    except TypeError:
        return f"a constant of the unknown type {tensor.dtype}"
    if kind in (tf.resource, tf.variant):
        return f"a constant of type {kind.name}"
    count = math.prod(sides)
    if tensor.tensor_content:
        need = count * kind.size
        if kind == tf.string or len(tensor.tensor_content) != need:
            return (
                f"a constant of shape {sides} that holds "
                f"{len(tensor.tensor_content)} bytes"
            )
        return ""
    held = sum(
        len(value)
        for field, value in tensor.ListFields()
        if field.name in CONTENTS
    )
    if held > max(count, 1) or count * kind.size > MAX_REPEATED_BYTES:
        return f"a constant of shape {sides} that holds {held} values"
    return ""


def _variable_faults(
    graph: meta_graph_pb2.MetaGraphDef, folder: str
) -> list[str]:
    """Variables of unknown shape, or larger than the files that hold them."""
    claimed = 0
    functions = graph.graph_def.library.function
    nodes = [*graph.graph_def.node, *(n for f in functions for n in f.node_def)]
    for node in nodes:
        if node.op != "VarHandleOp":
            continue
        shape, kind = node.attr["shape"].shape, node.attr["dtype"].type
        sides = [side.size for side in shape.dim]
        if shape.unknown_rank or UNKNOWN in sides:
            return [f"{node.name}: a variable whose shape is not known"]
        try:
            claimed += math.prod(sides) * tf.as_dtype(kind).size
        except TypeError:
            return [f"{node.name}: a variable of the unknown type {kind}"]
    stored = _bytes_in(os.path.join(folder, "variables"))
    if claimed > stored:
        return [
            f"its variables claim {claimed:,} bytes, the files of variables/ "
            f"hold {stored:,}"
        ]
    return []


def _bytes_in(folder: str) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(e.stat(follow_symlinks=False).st_size for e in entries)
    except FileNotFoundError:
        return 0
