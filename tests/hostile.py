"""Exports that an attacker could hand over, made of a good one.

Each changes a copy of a published version so that loading or asking it would
read or write files, or take the memory. `made` is the file that it would write.
The manifest is written anew, as an attacker would.
"""

import os
import pathlib
import shutil
from collections.abc import Callable

import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import function_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from tl_keras.exports.float32 import nodes_of
from tl_keras.exports.manifest import MANIFEST, write_manifest
from tl_keras.versions import LABELS_FILE, labels_text

MetaGraph = meta_graph_pb2.MetaGraphDef
Edit = Callable[[MetaGraph, pathlib.Path], None]


def copied(version: pathlib.Path, to: pathlib.Path) -> pathlib.Path:
    shutil.copytree(version, to, symlinks=True)
    return to


def rewrite(folder: pathlib.Path, edit: Callable) -> None:
    """Changes saved_model.pb, and the manifest with it."""
    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    edit(saved)
    file.write_bytes(saved.SerializeToString())
    seal(folder)


def rename_classes(folder: pathlib.Path, old: list, new: list) -> None:
    """Another order, or other names, in the graph and in labels.txt."""
    before, after = ([n.encode() for n in names] for names in (old, new))

    def edit(saved):
        for node in nodes_of(saved.meta_graphs[0].graph_def):
            # Asked first, as to look for an attribute would make it.
            if node.op != "Const":
                continue
            tensor = node.attr["value"].tensor
            if list(tensor.string_val) == before:
                tensor.string_val[:] = after

    (folder / "assets.extra" / LABELS_FILE).write_text(labels_text(new))
    rewrite(folder, edit)


def seal(folder: pathlib.Path) -> None:
    (folder / MANIFEST).unlink(missing_ok=True)
    write_manifest(folder)


def text(nodes, name: str, value: str | list[str]) -> str:
    """A string constant; gives its tensor's name."""
    node = nodes.add(name=name, op="Const")
    node.attr["dtype"].type = tf.string.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return name


def writer(nodes, made: pathlib.Path, prefix: str = "", at: str = "") -> str:
    """A WriteFile node; `at` is what follows a tensor's name in functions."""
    file = text(nodes, f"{prefix}file", str(made)) + at
    words = text(nodes, f"{prefix}words", "pwned") + at
    nodes.add(name=f"{prefix}write", op="WriteFile", input=[file, words])
    return f"{prefix}write"


def function(graph: MetaGraph, name: str) -> function_pb2.FunctionDef:
    made = graph.graph_def.library.function.add()
    made.signature.name = name
    return made


def main_op(graph: MetaGraph, node: str) -> None:
    """Lets a loader run a node when it loads."""
    value = graph.collection_def["saved_model_main_op"].node_list.value
    value[:] = [node]
    infos = graph.signature_def["__saved_model_init_op"].outputs
    infos["__saved_model_init_op"].name = node


def call(nodes, name: str, callee: str, op="StatefulPartitionedCall"):
    node = nodes.add(name=name, op=op)
    node.attr["f"].func.name = callee
    for kind in ("Tin", "Tout"):
        node.attr[kind].list.SetInParent()
    return node


def saver_nodes(graph: MetaGraph) -> tuple:
    """The nodes that save and restore."""
    nodes = {node.name: node for node in graph.graph_def.node}
    save = graph.saver_def.save_tensor_name.split(":")[0]
    return nodes[save], nodes[graph.saver_def.restore_op_name]


def body_of(graph: MetaGraph, node: node_def_pb2.NodeDef):
    (found,) = [
        f
        for f in graph.graph_def.library.function
        if f.signature.name == node.attr["f"].func.name
    ]
    return found


# Loading runs it.


def init_op_writes(graph, made):
    main_op(graph, writer(graph.graph_def.node, made))


def init_op_writes_in_a_nested_function(graph, made):
    writer(function(graph, "inner").node_def, made, at=":output:0")
    call(function(graph, "outer").node_def, "deeper", "inner")
    call(graph.graph_def.node, "start", "outer")
    function_named(graph, "inner").control_ret["w"] = "write"
    function_named(graph, "outer").control_ret["w"] = "deeper"
    function_named(graph, "inner").signature.control_output.append("w")
    function_named(graph, "outer").signature.control_output.append("w")
    main_op(graph, "start")


def function_named(graph, name):
    return next(
        f for f in graph.graph_def.library.function if f.signature.name == name
    )


def restoring_saves(graph, made):
    """The node that a loader runs to restore calls what saves."""
    save, restore = saver_nodes(graph)
    graph.saver_def.restore_op_name = save.name
    graph.saver_def.save_tensor_name = restore.name + ":0"


def restoring_writes_a_checkpoint(graph, made):
    _, restore = saver_nodes(graph)
    body = body_of(graph, restore)
    prefix = text(body.node_def, "prefix", str(made)) + ":output:0"
    one = text(body.node_def, "names", ["x"]) + ":output:0"
    two = text(body.node_def, "slices", [""]) + ":output:0"
    value = text(body.node_def, "value", "pwned") + ":output:0"
    node = body.node_def.add(
        name="save", op="SaveV2", input=[prefix, one, two, value]
    )
    node.attr["dtypes"].list.type.append(tf.string.as_datatype_enum)
    body.signature.control_output.append("save")
    body.control_ret["save"] = "save"


def restoring_and_saving_are_one(graph, made):
    save, _ = saver_nodes(graph)
    graph.saver_def.restore_op_name = save.name


def init_op_waits_for_the_saver(graph, made):
    save, _ = saver_nodes(graph)
    graph.graph_def.node.add(name="late", op="NoOp", input=[f"^{save.name}"])
    main_op(graph, "late")


def init_op_is_the_saver(graph, made):
    save, _ = saver_nodes(graph)
    main_op(graph, save.name)


def restores_another_file(graph, made):
    _, restore = saver_nodes(graph)
    body = body_of(graph, restore)
    text(body.node_def, "elsewhere", "/home/somebody/secret/variables")
    for node in body.node_def:
        if node.op == "RestoreV2":
            node.input[0] = "elsewhere:output:0"


def the_path_is_a_constant(graph, made):
    for node in graph.graph_def.node:
        if node.name == "saver_filename":
            node.op = "Const"
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(str(made)))


# Asking runs it.


def a_signature_gives_the_savers_path(graph, made):
    infos = graph.signature_def["serving_default"].inputs
    infos["image_bytes"].name = "saver_filename:0"


def a_signature_fetches_the_saver(graph, made):
    save, _ = saver_nodes(graph)
    infos = graph.signature_def["serving_default"].outputs
    infos["status"].name = save.name + ":0"


def save_is_called_by_its_name(graph, made):
    save, _ = saver_nodes(graph)
    graph.graph_def.node.add(name="again", op=save.attr["f"].func.name)


def save_is_called_from_a_function(graph, made):
    save, _ = saver_nodes(graph)
    call(function(graph, "plain").node_def, "c", save.attr["f"].func.name)


def save_is_given_as_a_functions_attribute(graph, made):
    save, _ = saver_nodes(graph)
    node = call(graph.graph_def.node, "again", "plain")
    function(graph, "plain")
    node.attr["f"].func.attr["g"].func.name = save.attr["f"].func.name


def save_is_a_gradient(graph, made):
    save, _ = saver_nodes(graph)
    graph.graph_def.library.gradient.add(
        function_name="plain", gradient_func=save.attr["f"].func.name
    )


def save_stands_in_for_another_function(graph, made):
    save, _ = saver_nodes(graph)
    body_of(graph, save).attr["api_implements"].s = b"plain"


def a_function_names_save_in_a_text(graph, made):
    save, _ = saver_nodes(graph)
    name = save.attr["f"].func.name.encode()
    function(graph, "plain").attr["backward_function_name"].s = name


def branch_writes(graph, made):
    writer(function(graph, "branch").node_def, made)
    node = graph.graph_def.node.add(name="choice", op="Case")
    node.attr["branches"].list.func.add(name="branch")


def loop_writes(graph, made):
    writer(function(graph, "body").node_def, made)
    node = graph.graph_def.node.add(name="loop", op="While")
    node.attr["body"].func.name = "body"


def gradient_writes(graph, made):
    writer(function(graph, "slope").node_def, made)
    graph.graph_def.library.gradient.add(
        function_name="plain", gradient_func="slope"
    )


def function_that_is_named_like_an_operation(graph, made):
    writer(function(graph, "Relu").node_def, made)


def python_code(graph, made):
    node = graph.graph_def.node.add(name="python", op="EagerPyFunc")
    node.attr["token"].s = b"pyfunc_0"


def prints_to_a_file(graph, made):
    words = text(graph.graph_def.node, "words", "pwned")
    node = graph.graph_def.node.add(name="say", op="PrintV2", input=[words])
    node.attr["output_stream"].s = f"file://{made}".encode()
    main_op(graph, "say")


FILES = (
    "ReadFile", "WriteFile", "MatchingFiles", "WholeFileReaderV2",
    "TextLineReaderV2", "TFRecordDataset", "TextLineDataset", "SaveDatasetV2",
    "LoadDataset", "CacheDatasetV2", "InitializeTableFromTextFileV2",
    "DebugIdentityV2", "CreateSummaryFileWriter", "SaveSlices", "Save",
    "Restore", "RestoreSlice", "PyFunc", "PyFuncStateless", "XlaLaunch",
    "GcsConfigureCredentials", "SqlDataset", "DumpTensor", "Print",
)  # fmt: skip


# What it claims.


def asset_out_of_the_folder(graph, made):
    asset = graph.asset_file_def.add(filename="../../../../etc/passwd")
    asset.tensor_info.name = text(graph.graph_def.node, "asset", "") + ":0"


def unknown_collection(graph, made):
    graph.collection_def["queue_runners"].bytes_list.value.append(b"x")


def constant(graph, **shape) -> tf.compat.v1.AttrValue:
    node = graph.graph_def.node.add(name="big", op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    tensor = node.attr["value"].tensor
    tensor.dtype = tf.float32.as_datatype_enum
    return tensor


def few_bytes_that_claim_terabytes(graph, made):
    tensor = constant(graph)
    for _ in range(4):
        tensor.tensor_shape.dim.add(size=1000)
    tensor.float_val.append(1.0)


def side_below_zero(graph, made):
    tensor = constant(graph)
    tensor.tensor_shape.dim.add(size=-7)
    tensor.float_val.append(1.0)


def content_of_another_length(graph, made):
    tensor = constant(graph)
    tensor.tensor_shape.dim.add(size=4)
    tensor.tensor_content = b"123"


def more_values_than_places(graph, made):
    tensor = constant(graph)
    tensor.tensor_shape.dim.add(size=2)
    tensor.float_val.extend([1.0] * 9)


def shape_past_counting(graph, made):
    node = graph.graph_def.node.add(name="p", op="Placeholder")
    node.attr["shape"].shape.dim.add(size=2**62)


def variable_larger_than_its_file(graph, made):
    for node in graph.graph_def.node:
        if node.op == "VarHandleOp":
            node.attr["shape"].shape.dim.add(size=10**6)


def unknown_type(graph, made):
    constant(graph).dtype = 9999


GRAPHS: tuple[Edit, ...] = (
    init_op_writes, init_op_writes_in_a_nested_function, restoring_saves,
    restoring_writes_a_checkpoint,
    restoring_and_saving_are_one, init_op_waits_for_the_saver,
    init_op_is_the_saver, restores_another_file, the_path_is_a_constant,
    a_signature_gives_the_savers_path, a_signature_fetches_the_saver,
    save_is_called_by_its_name, save_is_called_from_a_function,
    save_is_given_as_a_functions_attribute, save_is_a_gradient,
    save_stands_in_for_another_function, a_function_names_save_in_a_text,
    branch_writes, loop_writes, gradient_writes,
    function_that_is_named_like_an_operation, python_code, prints_to_a_file,
    asset_out_of_the_folder, unknown_collection,
    few_bytes_that_claim_terabytes, side_below_zero,
    content_of_another_length, more_values_than_places, shape_past_counting,
    variable_larger_than_its_file, unknown_type,
)  # fmt: skip


# The folder, in which the graph may be a good one.


def graph_as_text_alone(folder, made):
    as_text(folder)
    (folder / "saved_model.pb").unlink()


def graph_as_text_too(folder, made):
    as_text(folder)


def as_text(folder):
    content = (folder / "saved_model.pb").read_bytes()
    saved = saved_model_pb2.SavedModel.FromString(content)
    init_op_writes(saved.meta_graphs[0], folder / "made")
    (folder / "saved_model.pbtxt").write_text(
        text_format.MessageToString(saved)
    )


def graph_in_pieces_too(folder, made):
    shutil.copy(folder / "saved_model.pb", folder / "saved_model.cpb")


def graph_is_a_link(folder, made):
    shutil.move(folder / "saved_model.pb", folder.parent / "elsewhere.pb")
    (folder / "saved_model.pb").symlink_to(folder.parent / "elsewhere.pb")


def variables_are_a_link(folder, made):
    shutil.move(folder / "variables", folder.parent / "elsewhere")
    (folder / "variables").symlink_to(folder.parent / "elsewhere")


def graph_is_a_pipe(folder, made):
    (folder / "saved_model.pb").unlink()
    os.mkfifo(folder / "saved_model.pb")


def graph_is_no_graph(folder, made):
    (folder / "saved_model.pb").write_bytes(b"\xff" * 99)
    seal(folder)


def second_graph_with_the_same_tag(folder, made):
    rewrite(folder, lambda saved: saved.meta_graphs.append(hidden(saved, made)))


def second_graph_with_another_tag(folder, made):
    def add(saved):
        graph = hidden(saved, made)
        graph.meta_info_def.tags[:] = ["gpu", "serve"]
        saved.meta_graphs.append(graph)

    rewrite(folder, add)


def another_tag_alone(folder, made):
    def change(saved):
        saved.meta_graphs[0].meta_info_def.tags[:] = ["train"]

    rewrite(folder, change)


def hidden(saved, made) -> MetaGraph:
    graph = MetaGraph()
    graph.CopyFrom(saved.meta_graphs[0])
    init_op_writes(graph, made)
    return graph


def weights_changed(folder, made):
    (file,) = (folder / "variables").glob("*.data-*")
    content = bytearray(file.read_bytes())
    content[0] ^= 1
    file.write_bytes(content)


def file_added(folder, made):
    (folder / "variables" / "more").write_text("x")


def file_missing(folder, made):
    (folder / "fingerprint.pb").unlink()


def labels_swapped(folder, made):
    """Two lines, and a manifest that agrees with them."""
    file = folder / "assets.extra" / LABELS_FILE
    first, second, *rest = file.read_text().splitlines()
    file.write_text(labels_text([second, first, *rest]))
    seal(folder)


def labels_without_end(folder, made):
    (folder / "assets.extra" / LABELS_FILE).write_bytes(b"a" * (17 << 20))
    seal(folder)


def manifest_of_another_kind(folder, made):
    (folder / MANIFEST).write_text('{"format": 1, "files": [1]}')


def manifest_nested_without_end(folder, made):
    (folder / MANIFEST).write_text("[" * 200_000)


FOLDERS = (
    graph_as_text_alone, graph_as_text_too, graph_in_pieces_too,
    graph_is_a_link, variables_are_a_link, graph_is_a_pipe, graph_is_no_graph,
    second_graph_with_the_same_tag, second_graph_with_another_tag,
    another_tag_alone, labels_swapped, labels_without_end, weights_changed,
    file_added, file_missing,
    manifest_of_another_kind, manifest_nested_without_end,
)  # fmt: skip
