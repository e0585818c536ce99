"""A SavedModel's folder -> one that may be loaded, or why not. Loads nothing.

    export = inspect_export("saved_models/flowers")
    export.folder, export.graph, export.labels, export.sha256
    export.ask(pictures)                        # in a process of its own

In: the folder of a run or of one version. Out: an `Export`, or one line. This
is the only way in, for predict, evaluate and `--not_worse_than`, and the gate
asks the same of what it is about to publish (`inspect_written`). Four things
are asked, in this order, before TensorFlow loads anything of it:

1. The folder: regular files alone, none of them a link; a binary
   `saved_model.pb` and no other form of it (`.pbtxt`, `.cpb`).
2. The manifest, `assets.extra/manifest.json`: SHA-256 and size of every file,
   none missing, none added. It proves that nothing was damaged, not who wrote
   it: whoever changes a model can write a manifest too.
3. The graph: tensors of the sizes that are there, and operations that compute
   and nothing else, whatever the manifest says.
4. The labels: labels.txt names the classes as the graph does, in its order.

`trust_model` lets a model pass that has no manifest, does more than compute, or
holds no names; what 1 asks, a manifest that is there, and names in another
order hold for it too.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.errors import DataError, NotPublishedError
from tl_keras.exports import sizes
from tl_keras.exports.export import SIGNATURE, STATUS, Export
from tl_keras.exports.fresh_process import PREFIX
from tl_keras.exports.graph import GraphFault, foreign_operations, parse_graph
from tl_keras.exports.labels import ABSENT, OTHER_ORDER, naming
from tl_keras.exports.manifest import (
    EXTRA,
    MANIFEST,
    NO_MANIFEST,
    RefusedError,
    first_of,
    hashes_of,
    manifest_doubts,
)
from tl_keras.tasks import stored_task
from tl_keras.tasks.task import Task
from tl_keras.versions import (
    LABELS_FILE,
    TASK_FILE,
    newest_version,
    read_labels,
    read_stored_task,
)

# Lists of names in a graph, of which TensorFlow makes objects when it loads.
COLLECTIONS = ("saved_model_main_op",)


def inspect_export(
    model: str | os.PathLike,
    *,
    trust_model: bool = False,
    flag: str = "--model",
    skip: Callable[[pathlib.Path], bool] = lambda version: False,
) -> Export:
    """Looks a SavedModel over; see the module's text.

    Args:
        model: a run's folder or a version.
        trust_model: also give one that lacks a manifest or does more than
            compute.
        flag: what the path is called in a message.
        skip: says of a run's version that it does not count.

    Returns:
        A version that may be loaded: the newest that counts, of a run's folder.

    Raises:
        DataError: it is damaged, or must not be loaded.

    Example:
        inspect_export("saved_models/flowers").labels
    """

    def refuse(doubt: str) -> None:
        if not trust_model:
            raise RefusedError(
                doubt,
                "--trust_model loads it, which lets it do whatever a program "
                "of yours may do",
            )

    folder = pathlib.Path(model)
    try:
        # The folder that is named may be a link; nothing in it may be one.
        folder = pathlib.Path(os.path.realpath(_version_of(folder, skip)))
        return _inspected(folder, flag, refuse)
    except RefusedError as refused:
        raise DataError(
            f"{flag}={folder}: {refused.what} - {refused.remedy}"
        ) from None


def inspect_written(folder: pathlib.Path) -> Export:
    """An export that shall be published, looked over; it may lack a manifest.

    What would be refused when it is opened is refused here, before it is
    there.

    Raises:
        NotPublishedError: with the reason.
    """

    def refuse(doubt: str) -> None:
        if doubt != NO_MANIFEST:
            raise RefusedError(f"{doubt} - change the model")

    try:
        return _inspected(folder, "", refuse)
    except RefusedError as refused:
        raise NotPublishedError(f"{PREFIX}{refused.what}") from None


def _version_of(model: pathlib.Path, skip: Callable) -> pathlib.Path:
    try:
        version = newest_version(model, skip)
    except OSError as error:
        raise RefusedError(
            f"cannot be read ({error.strerror})",
            "give a run's folder or one of its versions",
        ) from None
    if version is None:
        raise RefusedError(
            "no version in it; expected a run's folder, with 1/ or another "
            "number in it",
            "or give a folder with saved_model.pb",
        )
    return version


def _inspected(
    folder: pathlib.Path, flag: str, refuse: Callable[[str], None]
) -> Export:
    """The export; `refuse` is told, and may raise, what takes trust."""
    hashes = hashes_of(folder)
    doubts = manifest_doubts(folder, hashes)
    try:
        graph = parse_graph(folder)
    except (GraphFault, OSError) as fault:
        raise RefusedError(str(fault)) from None
    odd = sizes.faults(graph, str(folder))
    if graph.asset_file_def:
        odd.append("it reads files of assets/, which is not supported")
    if odd:
        raise RefusedError(first_of(odd))
    doubts += _graph_doubts(graph)
    for doubt in doubts:
        refuse(doubt)
    labels = _labels(folder)
    task = _task(folder, labels)
    _refuse_other_signatures(graph, task)
    order = naming(graph.graph_def, labels)
    if order == OTHER_ORDER:
        raise RefusedError(
            f"{EXTRA}/{LABELS_FILE} has the classes of its graph in another "
            "order"
        )
    if order == ABSENT:
        doubts.append(
            f"its graph does not hold the names of {EXTRA}/{LABELS_FILE}"
        )
        refuse(doubts[-1])
    hashes.pop(MANIFEST, None)
    known = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode())
    return Export(
        folder, graph, labels, known.hexdigest(), tuple(doubts), flag, task
    )


def _task(folder: pathlib.Path, labels: Sequence[str]) -> Task:
    try:
        task = stored_task(read_stored_task(folder))
        # Whether it is one of so many outputs, before anybody asks it.
        task.differs(labels)
        return task
    except (ValueError, OSError, RecursionError) as error:
        raise RefusedError(f"{'/'.join(TASK_FILE)}: {error}") from None


def _refuse_other_signatures(
    graph: meta_graph_pb2.MetaGraphDef, task: Task
) -> None:
    signature, outputs = graph.signature_def[SIGNATURE], (task.answer, STATUS)
    kinds = [given.dtype for given in signature.inputs.values()] + [
        signature.outputs[name].dtype for name in outputs
    ]
    text, number = tf.string.as_datatype_enum, tf.float32.as_datatype_enum
    if kinds != [text, number, text]:
        raise RefusedError(
            f"expected a signature {SIGNATURE} with encoded examples in and "
            f"{', '.join(outputs)} out, as tl_keras exports it"
        )


def _graph_doubts(graph: meta_graph_pb2.MetaGraphDef) -> list[str]:
    """What a graph may do that ours do not."""
    foreign = foreign_operations(graph)
    told = [f"{op} (at {where})" for op, where in foreign.items()]
    told += sorted(
        f"the collection {name!a}"
        for name in graph.collection_def
        if name not in COLLECTIONS
    )
    if not told:
        return []
    return [f"its graph may do more than compute: {first_of(told, ', ')}"]


def _labels(folder: pathlib.Path) -> tuple[str, ...]:
    try:
        return read_labels(folder / EXTRA / LABELS_FILE)
    except OSError:
        reason = "missing"
    except UnicodeDecodeError:
        reason = "no UTF-8"
    except ValueError as error:
        reason = str(error)
    raise RefusedError(
        f"{EXTRA}/{LABELS_FILE} is {reason}; expected one class name a line, "
        "in the order of the probabilities"
    )
