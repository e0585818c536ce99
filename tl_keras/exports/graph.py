"""What an export's graph may do: an allow-list of operations.

    meta_graph = parse_graph(folder)
    foreign_operations(meta_graph)       # {} or {"WriteFile": where it stands}

In: a SavedModel's folder. Out: its graph, and what it may do that ours do not.
A SavedModel is a program: it could read and
write files when it is loaded or asked. Ours computes, and nothing else; the
operations that read its variables from the disk may stand only in the two
functions that the loader itself calls for that (`save_functions`).

The graph is read by protobuf alone, from the binary `saved_model.pb`; nothing
of it is loaded here.
"""

import contextlib
import os
import pathlib
import stat
import tempfile
from collections.abc import Iterator

from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

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
TEXTS = """ArgMin Bincount DenseBincount LowerBound RaggedGather RaggedRange
RaggedTensorToTensor RegexFullMatch RegexReplace SegmentMax SegmentSum
StaticRegexReplace StringLower StringNGrams StringSplit StringSplitV2
StringStrip StringToHashBucketFast StringToNumber StringUpper
UnicodeDecodeWithOffsets UnicodeEncode UnicodeScript UnicodeTranscode Unique
UniqueV2 UnsortedSegmentJoin UnsortedSegmentMax UnsortedSegmentMin
UnsortedSegmentSum UpperBound"""
ROWS = """BatchDatasetV2 ConcatenateDataset DatasetToSingleElement
IgnoreErrorsDataset MapDataset OptionsDataset ParallelMapDatasetV2 RangeDataset
RewriteDataset TensorDataset TensorSliceDataset ZipDataset"""
# Assert only fails; the variables are the export's own.
STATE = "Assert AssignVariableOp DisableCopyOnRead ReadVariableOp VarHandleOp"
ALLOWED = frozenset(
    " ".join(
        [CALLS, ARITHMETIC, SHAPES, NETWORKS, PICTURES, TEXTS, ROWS, STATE]
    ).split()
)
# A protobuf message cannot be larger.
MAX_BYTES = 2**31
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
        if not stat.S_ISREG(status.st_mode) or status.st_size >= MAX_BYTES:
            raise GraphFault(f"{GRAPH_FILE} is no file below 2 GiB")
        return stream.read()


@contextlib.contextmanager
def view_of(
    graph: meta_graph_pb2.MetaGraphDef, folder: str | os.PathLike
) -> Iterator[pathlib.Path]:
    """A SavedModel of a graph in memory and the variables of a folder.

    So that what a loader reads is the graph that was checked, and no file
    that was exchanged since.

    Yields:
        Its folder, which is gone afterwards.
    """
    saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    saved.meta_graphs.add().CopyFrom(graph)
    with tempfile.TemporaryDirectory() as scratch:
        view = pathlib.Path(scratch)
        os.symlink(
            pathlib.Path(folder, "variables").absolute(), view / "variables"
        )
        (view / GRAPH_FILE).write_bytes(saved.SerializeToString())
        yield view


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
