"""Devices that round inside, emulated on the CPU, and loaders in this process.

A GPU multiplies float32 in TF32, which keeps 10 bits of what goes in; others
keep bfloat16's 7. The graph says nothing of it. Here it is written into a copy
of the graph that is run: what each convolution and product takes is rounded.
"""

import contextlib
import hashlib
import pathlib

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tl_keras.exports.asking import Asked
from tl_keras.exports.reference import OnCpu, Reference

ROUNDED = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
FLOAT, INT = tf.float32.as_datatype_enum, tf.int32.as_datatype_enum
BITS = 23  # of float32's mantissa


def rounding(
    graph: graph_pb2.GraphDef, bits: int, nearest: bool = True
) -> graph_pb2.GraphDef:
    """A copy that keeps so many bits of what is multiplied in float32.

    Args:
        graph: computes in float32 or in less.
        bits: of the mantissa, 10 for TF32, 7 for bfloat16.
        nearest: or else towards zero, as another kernel may have it.
    """
    copy = graph_pb2.GraphDef()
    copy.CopyFrom(graph)
    _round_nodes(copy.node, bits, nearest, "")
    for function in copy.library.function:
        _round_nodes(function.node_def, bits, nearest, ":{}:0")
    return copy


def _round_nodes(nodes, bits, nearest, suffix) -> None:
    for node in list(nodes):
        if node.op not in ROUNDED or node.attr["T"].type != FLOAT:
            continue
        for place in (0, 1):
            made, name = _rounded(
                f"{node.name}/round_{place}", node.input[place], bits,
                nearest, suffix,
            )  # fmt: skip
            nodes.extend(made)
            node.input[place] = name


def _rounded(name, tensor, bits, nearest, suffix):
    """(nodes that round a tensor, the name of what they give)."""

    def node(kind, op, inputs, **types):
        made = node_def_pb2.NodeDef(name=f"{name}/{kind}", op=op, input=inputs)
        for key, value in types.items():
            made.attr[key].type = value
        return made

    def constant(kind, value):
        made = node(kind, "Const", [], dtype=INT)
        value = np.array(value, np.int64).astype(np.int32)
        made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        return made

    def out(kind, argument):
        return f"{name}/{kind}{suffix.format(argument)}"

    dropped = BITS - bits
    half = 1 << (dropped - 1) if nearest else 0
    nodes = [
        node("bits", "Bitcast", [tensor], T=FLOAT, type=INT),
        constant("half", half),
        constant("mask", -(1 << dropped)),
        node("sum", "AddV2", [out("bits", "output"), out("half", "output")],
             T=INT),
        node("and", "BitwiseAnd", [out("sum", "z"), out("mask", "output")],
             T=INT),
        node("back", "Bitcast", [out("and", "z")], T=INT, type=FLOAT),
    ]  # fmt: skip
    return nodes, out("back", "output")


class RoundingReference(Reference):
    """A model in memory on a device that rounds; exact on the CPU."""

    bits = 10
    everywhere = False  # Whether the CPU rounds as well.

    def __init__(self, model, task=None):
        super().__init__(model, task)
        self.exact_here = self.everywhere
        self._device = None

    def here(self, pixels):
        if self._device is None:
            rounded = rounding(self._graph, self.bits)
            self._device = OnCpu(self._run, rounded)
        return self._device(pixels)


class InProcess:
    """In the place of `fresh_process.start_loaders`: asks in this process.

    Args:
        bits: that the serving device keeps; None for all.
        everywhere: whether the CPU keeps no more.
    """

    # Loading takes a second, so what was loaded and answered is known.
    loaded: dict = {}  # noqa: RUF012
    known: dict = {}  # noqa: RUF012

    def __init__(self, bits: int | None = None, everywhere: bool = False):
        self.bits, self.everywhere = bits, everywhere

    @contextlib.contextmanager
    def __call__(self):
        self._folders = []
        yield self

    def begin(self, folder):
        self.ask_exactly(folder)

    def ask_exactly(self, folder):
        self._folders.append(folder)

    def exact_answers(self):
        bits = self.bits if self.everywhere else None
        return [self._answers(f, "exact", bits) for f in self._folders]

    def serve(self, pictures):
        folder, pictures = self._folders[0], list(pictures)
        answers = self._answers(folder, "export", self.bits)
        streamed = np.zeros((0, 0))
        if pictures:
            export = self._export(Asked(folder).export, self.bits)
            streamed = export.probabilities(pictures)
        return answers, {"streamed": streamed, "replayed": np.array(0)}

    def _export(self, folder: str, bits):
        key = pathlib.Path(folder, "saved_model.pb").read_bytes(), bits
        if key not in self.loaded:
            self.loaded[key] = RoundingExport(pathlib.Path(folder), bits)
        return self.loaded[key]

    def _answers(self, folder, kind, bits):
        asked = Asked(folder)
        export = self._export(getattr(asked, kind), bits)
        # Not the file of the questions: an archive holds the time.
        with np.load(folder / "questions.npz") as stored:
            texts = [stored[name].tobytes() for name in sorted(stored.files)]
        key = export, kind, hashlib.sha256(b"|".join(texts)).hexdigest()
        if key not in self.known:
            count = asked.of_session if kind == "export" else None
            self.known[key] = list(map(export.ask, asked.questions[:count]))
        return self.known[key]


class RoundingExport:
    """An export as a device computes it that keeps so many bits."""

    def __init__(self, folder: pathlib.Path, bits: int | None):
        saved = saved_model_pb2.SavedModel.FromString(
            (folder / "saved_model.pb").read_bytes()
        )
        self._meta = saved.meta_graphs[0]
        if bits is not None:
            graph = self._meta.graph_def
            graph.CopyFrom(rounding(graph, bits))
        with tf.Graph().as_default() as graph:
            saver = tf.compat.v1.train.import_meta_graph(self._meta)
            self._session = tf.compat.v1.Session(graph=graph)
            saver.restore(self._session, str(folder / "variables/variables"))

    def ask(self, question) -> dict[str, np.ndarray]:
        feeds, fetches = question
        answers = self._session.run(fetches, feeds)
        return {
            name: value.astype(bytes) if value.dtype == object else value
            for name, value in answers.items()
        }

    def probabilities(self, pictures: list[bytes]) -> np.ndarray:
        default = self._meta.signature_def["serving_default"]
        feed = default.inputs["image_bytes"].name
        fetch = default.outputs["probabilities"].name
        return self._session.run(fetch, {feed: pictures})
