"""A process of its own: makes files for other runtimes of a SavedModel.

    python -I convert.py PLACES-AS-JSON FOLDER FAULTS.json

In: FOLDER with `saved_model/`, of one signature from `pixels` or `token_ids` to
`probabilities`; `targets.json`, a list of [name, kind, precision, file]; and
`representative.npy`, uint8 (n, size, size, 3) or int32 (n, tokens), for int8.
Out: each file, in FOLDER; FAULTS.json says by name why one was not made.

A converter may fill standard error with pages, hold twice the model in memory,
or end the process; here none of it is the run's.
"""

import json
import os
import pathlib
import re
import shutil
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path]

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

SIGNATURE = "serving_default"
# Of 2022, and enough for every layer of Keras: what runs ONNX today knows it.
OPSET = 17
XLA = "_XlaMustCompile"
MAX_LETTERS = 300  # of a reason


def main(_: str, folder: str, faults: str) -> None:
    """Makes each file; one that fails hinders no other.

    Args:
        folder: with `targets.json` and what the files are made from; they are
            written there too.
        faults: the JSON to write: name -> why it could not be made.
    """
    place = pathlib.Path(folder)
    targets = json.loads((place / "targets.json").read_text(encoding="utf-8"))
    reasons = {}
    for name, kind, precision, file in targets:
        try:
            if kind == "onnx":
                write_onnx(place, place / file)
            else:
                write_tflite(place, place / file, precision)
        except Exception as error:  # Each converter has kinds of its own.
            reasons[name] = reason(error)
    pathlib.Path(faults).write_text(json.dumps(reasons), encoding="utf-8")


def write_tflite(place: pathlib.Path, file: pathlib.Path, precision: str):
    """float32 and float16 in weights alone, int8 in all between in and out.

    Args:
        place: the folder with `saved_model/`, and `representative.npy` for
            int8: pixels (n, size, size, 3), 0 to 255, or token ids.
        file: the .tflite to write.
        precision: "float32", "float16" or "int8".
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(place / "saved_model"), signature_keys=[SIGNATURE]
    )
    # Nothing of TensorFlow itself: a phone has LiteRT's operations alone.
    operations = tf.lite.OpsSet.TFLITE_BUILTINS
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        operations = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        examples = np.load(place / "representative.npy")
        if examples.dtype != np.int32:
            examples = examples.astype(np.float32)
        converter.representative_dataset = lambda: (
            [example[None]] for example in examples
        )
    converter.target_spec.supported_ops = [operations]
    file.write_bytes(converter.convert())


def write_onnx(place: pathlib.Path, file: pathlib.Path):
    """By tf2onnx, with the names of the SavedModel's input and output."""
    import onnx
    import tf2onnx

    folder = place / "onnx_saved_model"
    shutil.copytree(place / "saved_model", folder, dirs_exist_ok=True)
    let_functions_be_inlined(folder / "saved_model.pb")
    loaded = tf.saved_model.load(str(folder))
    answer = loaded.signatures[SIGNATURE]
    (given,) = answer.structured_input_signature[1].values()
    function = tf.function(
        lambda tensor: answer(**{given.name: tensor}), input_signature=[given]
    )
    model, _ = tf2onnx.convert.from_function(function, [given], opset=OPSET)
    take_in_constants(model.graph, function.get_concrete_function(given))
    write_erfc_by_erf(model.graph)
    # What it cannot convert it leaves as it is.
    unknown = {
        node.op_type: node.name.replace("StatefulPartitionedCall/", "")
        for node in reversed(model.graph.node)
        if not onnx.defs.has(node.op_type, domain=node.domain)
    }
    if unknown:
        told = ", ".join(f"{op} (at {at})" for op, at in unknown.items())
        raise ValueError(f"ONNX has no operation {told}")
    onnx.save(model, file)


def take_in_constants(graph, concrete) -> None:
    """Puts tensors that a layer holds, and are no variables, into the graph.

    tf2onnx makes inputs of them; a Normalization layer has two.
    """
    from onnx import numpy_helper

    held = {
        inner.name: outer
        for outer, inner in concrete.graph.captures
        if outer.dtype != tf.resource
    }
    for name, value in held.items():
        graph.initializer.append(numpy_helper.from_array(value.numpy(), name))
    inputs = [given for given in graph.input if given.name not in held]
    del graph.input[:]
    graph.input.extend(inputs)


def write_erfc_by_erf(graph) -> None:
    """Puts 1 - Erf(x) in the place of Erfc(x), which ONNX has not.

    TensorFlow makes it of every exact GELU.
    """
    from onnx import helper, numpy_helper

    if not any(node.op_type == "Erfc" for node in graph.node):
        return
    nodes, one = [], "one_of_erfc"
    for node in graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        erf = f"{node.name}/erf"
        nodes.append(helper.make_node("Erf", node.input, [erf], erf))
        nodes.append(
            helper.make_node("Sub", [one, erf], node.output, node.name)
        )
    graph.initializer.append(numpy_helper.from_array(np.float32(1), one))
    del graph.node[:]
    graph.node.extend(nodes)


def let_functions_be_inlined(file: pathlib.Path) -> None:
    """Takes XLA's mark from a SavedModel's functions.

    Keras has convolutions in groups compiled by XLA, as functions of their
    own. LiteRT's converter wants the mark; tf2onnx looks into no such function.
    """
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString(file.read_bytes())
    graph = saved.meta_graphs[0].graph_def
    functions = graph.library.function
    nodes = [node for function in functions for node in function.node_def]
    for marked in (*functions, *graph.node, *nodes):
        marked.attr.pop(XLA, None)
    file.write_bytes(saved.SerializeToString())


def reason(error: Exception) -> str:
    """What an error says that a person can use, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    words = (lines or [type(error).__name__])[-1]
    # LiteRT's converter lists the operations it has no kernel for.
    listed = re.findall(r"(?:Custom|TF Select) ops: (.+)", str(error))
    if listed:
        words = f"LiteRT has no operation {', '.join(listed)}"
    return words[:MAX_LETTERS]


if __name__ == "__main__":
    main(*sys.argv[1:])
