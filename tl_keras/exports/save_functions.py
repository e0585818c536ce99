"""The two functions of a SavedModel that may touch the disk, and how.

    savers.allowed_in(meta_graph)       # {"__inference__traced_restore_7": ...}

In: a graph. Out: function -> the operations that it may hold beside those that
compute. A loader feeds the path of the variables' files to one placeholder and
runs one node, which calls the function that restores; another node calls the
function that saves, which nobody runs who only asks. In any other place the
same operations would read and write the files of whoever loads the model, so a
graph in which anything else leads to those nodes or functions gets none of
them.
"""

from collections.abc import Iterable, Iterator, Mapping

from tensorflow.core.framework import attr_value_pb2, function_pb2
from tensorflow.core.protobuf import meta_graph_pb2

RESTORING = frozenset(("RestoreV2",))
SAVING = frozenset(("MergeV2Checkpoints", "SaveV2", "ShardedFilename"))
CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def allowed_in(
    graph: meta_graph_pb2.MetaGraphDef,
) -> Mapping[str, frozenset[str]]:
    """Function -> the operations on files that it may hold."""
    nodes = {node.name: node for node in graph.graph_def.node}
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    saver = graph.saver_def
    file, save = (
        _node_of(name)
        for name in (saver.filename_tensor_name, saver.save_tensor_name)
    )
    entries = {file, save, saver.restore_op_name}
    if len(entries) < 3 or not entries <= set(nodes):
        return {}
    if nodes[file].op != "Placeholder" or _led_to(graph, entries):
        return {}
    others = _called_by_others(graph, functions, entries - {file})
    allowed = {}
    for name, operations in (
        (saver.restore_op_name, RESTORING),
        (save, SAVING),
    ):
        node = nodes[name]
        function = node.attr["f"].func.name
        if (
            node.op in CALLS
            and node.input
            and _node_of(node.input[0]) == file
            and function in set(functions) - others
            and _only_restores_the_path_given(functions[function])
        ):
            allowed[function] = operations
    # Both or none: one function for both would save when it is loaded.
    return allowed if len(allowed) == 2 else {}


def _node_of(tensor: str) -> str:
    """ "^name", "name:0" or "name" -> "name"."""
    return tensor.removeprefix("^").split(":")[0]


def _led_to(graph: meta_graph_pb2.MetaGraphDef, entries: set[str]) -> bool:
    """Whether anything but the loader's own call reaches the entries."""
    for node in graph.graph_def.node:
        given = {_node_of(tensor) for tensor in node.input}
        if given & entries and node.name not in entries:
            return True
    named = [
        _node_of(info.name)
        for signature in graph.signature_def.values()
        for infos in (signature.inputs, signature.outputs)
        for info in infos.values()
    ]
    for collection in graph.collection_def.values():
        named += map(_node_of, collection.node_list.value)
    named += [_node_of(a.tensor_info.name) for a in graph.asset_file_def]
    return bool(entries.intersection(named))


def _called_by_others(
    graph: meta_graph_pb2.MetaGraphDef,
    functions: Mapping[str, function_pb2.FunctionDef],
    entries: set[str],
) -> set[str]:
    """Functions that anything but the two entry nodes can lead to."""
    library = graph.graph_def.library
    found = {g.gradient_func for g in library.gradient}
    found |= {g.gradient_func for g in library.registered_gradients}
    for node in graph.graph_def.node:
        if node.name not in entries:
            found.update(_names_in(node.op, node.attr))
    # Functions of the library name each other, whoever calls them.
    for function in functions.values():
        found.update(_names_in("", function.attr))
        for node in function.node_def:
            found.update(_names_in(node.op, node.attr))
    return found


def _names_in(
    operation: str, attributes: Mapping[str, attr_value_pb2.AttrValue]
) -> Iterator[str]:
    """What may be a function's name: texts too, as some name one."""
    yield operation
    for value in attributes.values():
        yield from _texts([value.s, *value.list.s])
        for called in (value.func, *value.list.func):
            # An attribute of a function given may give a function again.
            yield from _names_in(called.name, called.attr)


def _texts(values: Iterable[bytes]) -> Iterator[str]:
    for value in values:
        yield value.decode("utf-8", "replace")


def _only_restores_the_path_given(function: function_pb2.FunctionDef) -> bool:
    """Whether it restores from its first argument, which the loader gives.

    An attribute that does not begin with "_" could make TensorFlow take it for
    an implementation of another function.
    """
    if any(not name.startswith("_") for name in function.attr):
        return False
    arguments = [argument.name for argument in function.signature.input_arg]
    return all(
        node.input and node.input[0] == arguments[0]
        for node in function.node_def
        if node.op in RESTORING
    )
