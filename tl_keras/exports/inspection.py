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

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.errors import ConfigError, DataError, NotPublishedError
from tl_keras.exports import sizes
from tl_keras.exports.fresh_process import PREFIX, ask_version
from tl_keras.exports.graph import (
    GraphFault,
    foreign_operations,
    parse_graph,
)
from tl_keras.exports.labels import ABSENT, OTHER_ORDER, naming
from tl_keras.exports.manifest import (
    AGAIN,
    EXTRA,
    MANIFEST,
    NO_MANIFEST,
    RefusedError,
    first_of,
    hashes_of,
    manifest_doubts,
)
from tl_keras.exports.rounding import movement_of
from tl_keras.inputs.kinds import BY_SERVING_NAME
from tl_keras.tasks import stored_task
from tl_keras.tasks.difference import Differs
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
# What is asked of a model: signature, and the output beside its answers.
SIGNATURE, STATUS = "serving_default", "status"


@dataclasses.dataclass(frozen=True)
class Export:
    """A SavedModel that was inspected.

    Attributes:
        folder: of the version.
        graph: the one that was inspected; load this, not the file again.
        labels: class names in the order of the probabilities.
        sha256: of all its files' names and hashes: which model it is.
        warnings: what `trust_model` let pass, one line each.
        flag: how the model was named, for a message.
        task: what it predicts.
    """

    folder: pathlib.Path
    graph: meta_graph_pb2.MetaGraphDef
    labels: tuple[str, ...]
    sha256: str
    warnings: tuple[str, ...] = ()
    flag: str = "--model"
    task: Task = dataclasses.field(default_factory=lambda: stored_task({}))

    @property
    def kind(self) -> str:
        """The kind of input that it takes, a name of `inputs.kinds`."""
        (name,) = self.graph.signature_def[SIGNATURE].inputs
        return BY_SERVING_NAME.get(name, "image")

    def tensors(self) -> tuple[str, list[str]]:
        """Names of the tensors to feed with encoded examples, and to fetch:
        answers and status."""
        signature = self.graph.signature_def[SIGNATURE]
        outputs = [
            signature.outputs[name].name for name in (self.task.answer, STATUS)
        ]
        (given,) = signature.inputs.values()
        return given.name, outputs

    def ask(self, examples: Iterable[bytes]) -> np.ndarray:
        """Asks about encoded pictures in a fresh process.

        Args:
            examples: bytes of picture files, any number.

        Returns:
            Answers, float32 (n, outputs); a row is zeros where the model
            could not read a picture.

        Raises:
            NotPublishedError: it cannot be loaded and run.
            DataError: its answers are none of its labels.
        """
        given = 0

        def counted():
            nonlocal given
            for given, example in enumerate(examples, 1):  # noqa: B007
                yield example

        found = ask_version(
            self.graph, self.folder, counted(), self.task.answer
        )
        self.refuse_odd(found, given)
        return found

    def covering(self, coverage: float | None) -> "Export":
        """The same, with sets or intervals of so large a coverage.

        Args:
            coverage: 0.5 to 0.999; None for those it was made with.

        Raises:
            ConfigError: it does not know what they take.
        """
        if coverage is None:
            return self
        try:
            task = self.task.covering(coverage)
        except ValueError as fault:
            raise ConfigError(
                f"--coverage={coverage:g}: {self.folder} cannot give it: "
                f"{fault} - leave --coverage out"
            ) from None
        return dataclasses.replace(self, task=task)

    def movement(
        self, examples: Sequence[bytes], answers: np.ndarray, differs: Differs
    ) -> float:
        """How far rounding moves its answers on this device.

        Args:
            examples: encoded, a few.
            answers: its own to them, here.
            differs: the task's comparison of answers.

        Returns:
            The largest `Difference.moved` from exact ones: of a class, of a
            probability's logarithm, in nats; 0.0 where answers here are exact.

        Raises:
            NotPublishedError: it cannot be loaded and run on the CPU.
        """
        return movement_of(self.graph, self.folder, examples, answers, differs)

    def refuse_odd(self, found: np.ndarray, count: int) -> None:
        """Raises DataError for answers that are no row of numbers, one a
        label, for each of `count` pictures."""
        what = self.task.answer
        if found.shape != (count, len(self.labels)):
            raise self.fault(
                f"gives {found.shape} {what} for {count} pictures and "
                f"{len(self.labels)} labels"
            )
        if not np.isfinite(found).all():
            raise self.fault(f"gives {what} that are no numbers")

    def fault(self, what: str) -> DataError:
        """That the model is not what it should be, in one line."""
        return DataError(f"{self.flag}={self.folder}: {what} - {AGAIN}")


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
