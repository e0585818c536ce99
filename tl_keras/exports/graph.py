"""What an export's graph may do: an allow-list of operations.

    meta_graph = read_graph(folder)
    check_operations(meta_graph)

In: a SavedModel's folder. Out: nothing, or NotPublishedError that names the
operation and where it stands. A SavedModel is a program: it could read and
write files when it is loaded or asked. Ours computes, and nothing else; the
operations that read its variables from the disk may stand only in the two
functions that the loader itself calls for that (`save_functions`).

The graph is read by protobuf alone, from the binary `saved_model.pb`; nothing
of it is loaded here.
"""

import os
import pathlib
import stat

from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from tl_keras.errors import NotPublishedError
from tl_keras.exports import save_functions

CALLS = """If Case While StatelessIf StatelessCase StatelessWhile
PartitionedCall StatefulPartitionedCall"""
ARITHMETIC = """Abs Add AddN AddV2 All Any ArgMax AsString BatchMatMul
BatchMatMulV2 BatchMatMulV3 BiasAdd BitwiseAnd BitwiseOr Ceil ClipByValue Cos
Cumprod Cumsum Div DivNoNan Einsum Elu Equal Erf Erfc Exp Expm1 Floor FloorDiv
FloorMod Greater GreaterEqual Inv Invert LeakyRelu LeftShift Less LessEqual Log
Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min
Minimum Mod Mul MulNoNan Neg NotEqual Pow Prod RealDiv Reciprocal Relu Relu6
RightShift Round Rsqrt Select SelectV2 Selu Sigmoid Sign Sin Softmax Softplus
Softsign Sqrt Square SquaredDifference StopGradient Sub Sum Tanh TopKV2
TruncateDiv TruncateMod Xdivy"""
SHAPES = """BatchToSpaceND BroadcastArgs BroadcastTo Cast Concat ConcatV2 Const
DepthToSpace EnsureShape ExpandDims Fill Gather GatherNd GatherV2 Identity
IdentityN InvertPermutation LinSpace MirrorPad NoOp OneHot OnesLike Pack Pad
PadV2 Placeholder PlaceholderWithDefault Range Rank Reshape Reverse ReverseV2
Roll ScatterNd Shape ShapeN Size Slice SpaceToBatchND SpaceToDepth Split SplitV
Squeeze StridedSlice TensorScatterUpdate Tile Transpose Unpack Where ZerosLike
TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem
TensorListStack TensorListLength TensorListElementShape"""
NETWORKS = """AvgPool Conv2D DepthwiseConv2dNative FusedBatchNorm
FusedBatchNormV2 FusedBatchNormV3 LRN MaxPool ResizeArea ResizeBicubic
ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate"""
PICTURES = """DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePaddedRaw
DecodePng DecodeRaw DecodeWebP ExtractJpegShape ParseExampleV2 ReduceJoin
StaticRegexFullMatch StringJoin StringLength Substr UnicodeDecode"""
ROWS = """BatchDatasetV2 ConcatenateDataset DatasetToSingleElement
IgnoreErrorsDataset MapDataset ParallelMapDatasetV2 RangeDataset RewriteDataset
TensorDataset TensorSliceDataset ZipDataset"""
# Assert only fails; the variables are the export's own.
STATE = "Assert AssignVariableOp DisableCopyOnRead ReadVariableOp VarHandleOp"
ALLOWED = frozenset(
    " ".join(
        [CALLS, ARITHMETIC, SHAPES, NETWORKS, PICTURES, ROWS, STATE]
    ).split()
)
# A protobuf message cannot be larger.
MOST_BYTES = 2**31
GRAPH_FILE = "saved_model.pb"


class GraphFault(ValueError):
    """The file of a graph cannot be read, or holds other graphs than ours."""


def parse_graph(folder: str | os.PathLike) -> meta_graph_pb2.MetaGraphDef:
    """The only graph of a SavedModel, which has the tag `serve`.

    Raises:
        GraphFault: the file is none, or holds other graphs.
    """
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(_content(pathlib.Path(folder, GRAPH_FILE)))
    except GraphFault:
        raise
    except Exception as error:  # The parser's own kind depends on its build.
        raise GraphFault(f"{GRAPH_FILE} cannot be read ({error})") from None
    tags = [sorted(graph.meta_info_def.tags) for graph in saved.meta_graphs]
    if ["serve"] not in tags:
        raise GraphFault(f"{GRAPH_FILE} has no graph tagged serve")
    # A loader that asks for other tags would take another graph than the one
    # that was checked.
    if len(tags) > 1:
        shown = ", ".join("+".join(tag) or "none" for tag in tags)
        raise GraphFault(
            f"{GRAPH_FILE} holds {len(tags)} graphs, tagged {shown}; expected "
            "one, tagged serve"
        )
    return saved.meta_graphs[0]


def _content(file: pathlib.Path) -> bytes:
    """A regular file's bytes; a pipe would hold up a plain `open`."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size >= MOST_BYTES:
            raise GraphFault(f"{GRAPH_FILE} is no file below 2 GiB")
        return stream.read()


def read_graph(folder: str | os.PathLike) -> meta_graph_pb2.MetaGraphDef:
    """`parse_graph`, for an export that shall be published.

    Raises:
        NotPublishedError: the file is none, or holds other graphs.
    """
    try:
        return parse_graph(folder)
    except GraphFault as fault:
        raise NotPublishedError(f"export not published: {fault}") from None


def foreign_operations(
    graph: meta_graph_pb2.MetaGraphDef, allowed: frozenset[str] = ALLOWED
) -> dict[str, str]:
    """Operations that are not on the list -> one place of each.

    The function library is walked as a whole, called or not: bodies of
    conditions and loops, gradients and functions named by attributes are all
    functions of it.
    """
    found: dict[str, str] = {}
    more = save_functions.allowed_in(graph)
    for node in graph.graph_def.node:
        if node.op not in allowed:
            found.setdefault(node.op, node.name)
    for function in graph.graph_def.library.function:
        name = function.signature.name
        here = allowed | more.get(name, frozenset())
        for node in function.node_def:
            if node.op not in here:
                found.setdefault(node.op, f"{name}/{node.name}")
    return found


def check_operations(
    graph: meta_graph_pb2.MetaGraphDef, allowed: frozenset[str] = ALLOWED
) -> None:
    """Refuses a graph, function library included, that may do more.

    Raises:
        NotPublishedError: names each operation and one place of it.
    """
    found = foreign_operations(graph, allowed)
    if found:
        told = ", ".join(f"{op} (at {where})" for op, where in found.items())
        raise NotPublishedError(
            "export not published: its graph has operations that are not on "
            f"the list: {told} - leave them out of the model"
        )
