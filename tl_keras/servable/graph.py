"""What an export's graph may do: an allow-list of operations.

    meta_graph = read_graph(folder)
    check_operations(meta_graph)

In: a SavedModel's folder. Out: nothing, or NotPublishedError that names the
operation and where it stands. A SavedModel is a program: it could read and
write files when it is loaded or asked. Ours computes, and nothing else; the
operations that read its variables from the disk may stand only in the two
functions that the loader itself calls for that.
"""

import pathlib
from collections.abc import Iterable, Iterator

from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

from tl_keras.errors import NotPublishedError

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
# In the functions that save and restore, and there alone.
SAVER = frozenset(
    ("MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename")
)


def read_graph(folder: str | pathlib.Path) -> meta_graph_pb2.MetaGraphDef:
    """The graph that a server loads: the one with the tag `serve`.

    Raises:
        NotPublishedError: the file is none, or holds no such graph.
    """
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(
            pathlib.Path(folder, "saved_model.pb").read_bytes()
        )
    except Exception as error:  # The parser's own kind depends on its build.
        raise NotPublishedError(
            f"export not published: saved_model.pb cannot be read ({error})"
        ) from None
    for graph in saved.meta_graphs:
        if list(graph.meta_info_def.tags) == ["serve"]:
            return graph
    raise NotPublishedError(
        "export not published: saved_model.pb has no graph tagged serve"
    )


def check_operations(
    graph: meta_graph_pb2.MetaGraphDef, allowed: frozenset[str] = ALLOWED
) -> None:
    """Refuses a graph, function library included, that may do more.

    Raises:
        NotPublishedError: names each operation and one place of it.
    """
    found: dict[str, str] = {}
    savers = _saver_functions(graph)
    for node in graph.graph_def.node:
        if node.op not in allowed:
            found.setdefault(node.op, node.name)
    for function in graph.graph_def.library.function:
        name = function.signature.name
        more = SAVER if name in savers else frozenset()
        for node in function.node_def:
            if node.op not in allowed | more:
                found.setdefault(node.op, f"{name}/{node.name}")
    if found:
        told = ", ".join(f"{op} (at {where})" for op, where in found.items())
        raise NotPublishedError(
            "export not published: its graph has operations that are not on "
            f"the list: {told} - leave them out of the model"
        )


def _saver_functions(graph: meta_graph_pb2.MetaGraphDef) -> frozenset[str]:
    """Functions that nothing but the loader's save and restore calls."""
    functions = {
        f.signature.name: f.node_def for f in graph.graph_def.library.function
    }
    names = graph.saver_def
    entries = {
        names.save_tensor_name.split(":")[0],
        names.restore_op_name,
    }
    saving = [n for n in graph.graph_def.node if n.name in entries]
    others = [n for n in graph.graph_def.node if n.name not in entries]
    return frozenset(_called(saving, functions) - _called(others, functions))


def _called(nodes: Iterable, functions: dict[str, Iterable]) -> set[str]:
    """Names of all functions that nodes call, and those call, and so on."""
    found: set[str] = set()
    left = list(nodes)
    while left:
        for name in _names_in(left.pop()):
            if name in functions and name not in found:
                found.add(name)
                left += functions[name]
    return found


def _names_in(node) -> Iterator[str]:
    """Functions that one node names."""
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        for function in value.list.func:
            yield function.name
