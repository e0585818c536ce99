"""A SavedModel's folder -> one that may be loaded, or why not. Loads nothing.

    write_manifest(folder)                      # when it is exported
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
import stat
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.errors import DataError, NotPublishedError
from tl_keras.exports import sizes
from tl_keras.exports.fresh_process import PREFIX, ask_version
from tl_keras.exports.graph import (
    GRAPH_FILE,
    GraphFault,
    foreign_operations,
    parse_graph,
)
from tl_keras.exports.labels import ABSENT, OTHER_ORDER, naming
from tl_keras.exports.rounding import movement_of
from tl_keras.versions import LABELS_FILE, newest_version, read_labels

EXTRA = "assets.extra"
MANIFEST = f"{EXTRA}/manifest.json"
FORMAT = 1
# Lists of names in a graph, of which TensorFlow makes objects when it loads.
COLLECTIONS = ("saved_model_main_op",)
# Other forms of a graph, which a loader may prefer to the one that is checked.
OTHER_FORMS = (".pbtxt", ".cpb")
MAX_MANIFEST_BYTES = 16 << 20
MAX_SHOWN = 5
AGAIN = "export it again"
# What is asked of a model: signature, input -> outputs.
SIGNATURE, INPUT, OUTPUTS = (
    "serving_default", "image_bytes", ("probabilities", "status"),
)  # fmt: skip


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
    """

    folder: pathlib.Path
    graph: meta_graph_pb2.MetaGraphDef
    labels: tuple[str, ...]
    sha256: str
    warnings: tuple[str, ...] = ()
    flag: str = "--model"

    def tensors(self) -> tuple[str, list[str]]:
        """Names of the tensors to feed with encoded pictures, and to fetch:
        probabilities and status."""
        signature = self.graph.signature_def[SIGNATURE]
        outputs = [signature.outputs[name].name for name in OUTPUTS]
        return signature.inputs[INPUT].name, outputs

    def ask(self, pictures: Iterable[bytes]) -> np.ndarray:
        """Asks about encoded pictures in a fresh process.

        Args:
            pictures: bytes of picture files, any number.

        Returns:
            Probabilities, float32 (n, num_classes); a row is zeros where the
            model could not read a picture.

        Raises:
            NotPublishedError: it cannot be loaded and run.
            DataError: its answers are no probabilities of its labels.
        """
        given = 0

        def counted():
            nonlocal given
            for given, picture in enumerate(pictures, 1):  # noqa: B007
                yield picture

        found = ask_version(self.graph, self.folder, counted())
        self.refuse_odd(found, given)
        return found

    def movement(self, pictures: Sequence[bytes], answers: np.ndarray) -> float:
        """How far rounding moves its answers on this device.

        Args:
            pictures: encoded, a few.
            answers: its probabilities of them, here.

        Returns:
            The largest difference of a probability's logarithm from the
            exact one, in nats; 0.0 where answers here are exact.

        Raises:
            NotPublishedError: it cannot be loaded and run on the CPU.
        """
        return movement_of(self.graph, self.folder, pictures, answers)

    def refuse_odd(self, found: np.ndarray, count: int) -> None:
        """Raises DataError for answers that are no row of probabilities, one
        a label, for each of `count` pictures."""
        if found.shape != (count, len(self.labels)):
            raise self.fault(
                f"gives {found.shape} probabilities for {count} pictures and "
                f"{len(self.labels)} labels"
            )
        if not np.isfinite(found).all():
            raise self.fault("gives probabilities that are no numbers")

    def fault(self, what: str) -> DataError:
        """That the model is not what it should be, in one line."""
        return DataError(f"{self.flag}={self.folder}: {what} - {AGAIN}")


class _Refused(Exception):
    """What is wrong with a folder, and what helps."""

    def __init__(self, what: str, remedy: str = AGAIN):
        super().__init__(what)
        self.what, self.remedy = what, remedy


def write_manifest(folder: str | os.PathLike) -> None:
    """Writes `assets.extra/manifest.json`: hash and size of all files."""
    folder = pathlib.Path(folder)
    files = {
        name: {"bytes": size, "sha256": _sha256(folder / name)}
        for name, size in sorted(_files(folder).items())
        if name != MANIFEST
    }
    text = json.dumps({"format": FORMAT, "files": files}, indent=2)
    (folder / EXTRA).mkdir(exist_ok=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


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

    Raises:
        DataError: it is damaged, or must not be loaded.

    Example:
        inspect_export("saved_models/flowers").labels
    """
    folder = pathlib.Path(model)
    try:
        # The folder that is named may be a link; nothing in it may be one.
        folder = pathlib.Path(os.path.realpath(_version_of(folder, skip)))
        export, doubts = _inspected(folder, flag)
        if doubts and not trust_model:
            raise _Refused(
                doubts[0],
                "--trust_model loads it, which lets it do whatever a program "
                "of yours may do",
            )
    except _Refused as refused:
        raise DataError(
            f"{flag}={folder}: {refused.what} - {refused.remedy}"
        ) from None
    return dataclasses.replace(export, warnings=tuple(doubts))


def inspect_written(folder: pathlib.Path) -> meta_graph_pb2.MetaGraphDef:
    """The graph of an export that shall be published; it may lack a manifest.

    What would be refused when it is opened is refused here, before it is
    there.

    Raises:
        NotPublishedError: with the reason.
    """
    try:
        export, doubts = _inspected(folder, "")
        doubts = [doubt for doubt in doubts if MANIFEST not in doubt]
        if doubts:
            raise _Refused(f"{doubts[0]} - leave it out of the model")
    except _Refused as refused:
        raise NotPublishedError(f"{PREFIX}{refused.what}") from None
    return export.graph


def _version_of(model: pathlib.Path, skip: Callable) -> pathlib.Path:
    try:
        version = newest_version(model, skip)
    except OSError as error:
        raise _Refused(
            f"cannot be read ({error.strerror})",
            "give a run's folder or one of its versions",
        ) from None
    if version is None:
        raise _Refused(
            "no version in it; expected a run's folder, with 1/ or another "
            "number in it",
            "or give a folder with saved_model.pb",
        )
    return version


def _inspected(folder: pathlib.Path, flag: str) -> tuple[Export, list[str]]:
    """The export, and what it must be trusted for."""
    files = _files(folder)
    hashes = {name: _sha256(folder / name) for name in sorted(files)}
    doubts = _manifest_doubts(folder, files, hashes)
    try:
        graph = parse_graph(folder)
    except (GraphFault, OSError) as fault:
        raise _Refused(str(fault)) from None
    odd = sizes.faults(graph, str(folder))
    if graph.asset_file_def:
        odd.append("it reads files of assets/, which is not supported")
    if odd:
        raise _Refused(_first(odd))
    doubts += _graph_doubts(graph)
    _refuse_other_signatures(graph)
    labels = _labels(folder)
    order = naming(graph.graph_def, labels)
    if order == OTHER_ORDER:
        raise _Refused(
            f"{EXTRA}/{LABELS_FILE} has the classes of its graph in another "
            "order"
        )
    if order == ABSENT:
        doubts.append(
            f"its graph does not hold the names of {EXTRA}/{LABELS_FILE}"
        )
    del hashes[MANIFEST]
    known = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode())
    return Export(folder, graph, labels, known.hexdigest(), (), flag), doubts


def _refuse_other_signatures(graph: meta_graph_pb2.MetaGraphDef) -> None:
    signature = graph.signature_def[SIGNATURE]
    kinds = [signature.inputs[INPUT].dtype] + [
        signature.outputs[name].dtype for name in OUTPUTS
    ]
    text, number = tf.string.as_datatype_enum, tf.float32.as_datatype_enum
    if kinds != [text, number, text]:
        raise _Refused(
            f"expected a signature {SIGNATURE} with {INPUT} in and "
            f"{', '.join(OUTPUTS)} out, as tl_keras exports it"
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
    return [f"its graph may do more than compute: {_first(told, ', ')}"]


def _files(folder: pathlib.Path) -> dict[str, int]:
    """Name -> size of all files; raises what may not stand there."""
    found: dict[str, int] = {}
    left = [folder]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                name = os.path.relpath(entry.path, folder)
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    left.append(pathlib.Path(entry.path))
                elif stat.S_ISREG(status.st_mode):
                    found[name] = status.st_size
                else:
                    kind = "a link" if entry.is_symlink() else "no file"
                    raise _Refused(f"{name} is {kind}")
    for name in found:
        if name.startswith("saved_model") and name.endswith(OTHER_FORMS):
            raise _Refused(
                f"{name} is another form of a graph; expected {GRAPH_FILE} "
                "alone"
            )
    if GRAPH_FILE not in found:
        raise _Refused(f"{GRAPH_FILE} is missing")
    return found


def _manifest_doubts(
    folder: pathlib.Path, files: dict[str, int], hashes: dict[str, str]
) -> list[str]:
    """Says that there is no manifest; raises where it does not agree."""
    if MANIFEST not in files:
        hashes[MANIFEST] = ""
        return [f"it has no {MANIFEST}, so tl_keras did not export it"]
    listed = _read_manifest(folder, files[MANIFEST])
    present = {name: hashes[name] for name in files if name != MANIFEST}
    changed = [
        *(f"{name} is missing" for name in listed if name not in present),
        *(f"{name} was added" for name in present if name not in listed),
        *(
            f"{name} was changed"
            for name in present
            if name in listed and present[name] != listed[name]
        ),
    ]
    if changed:
        raise _Refused(
            f"not what {MANIFEST} says: {_first(sorted(changed))}",
            "export it again or restore it",
        )
    return []


def _read_manifest(folder: pathlib.Path, size: int) -> dict[str, str]:
    """Name -> SHA-256, as the manifest says."""
    try:
        if size > MAX_MANIFEST_BYTES:
            raise ValueError("too large")
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        stored = json.loads(text)
        if stored["format"] != FORMAT:
            raise ValueError(f"format {stored['format']!r}")
        return {n: str(f["sha256"]) for n, f in stored["files"].items()}
    except (
        ValueError, KeyError, TypeError, AttributeError, RecursionError,
    ) as error:  # fmt: skip
        raise _Refused(
            f"{MANIFEST} cannot be read ({type(error).__name__}: {error})"
        ) from None


def _labels(folder: pathlib.Path) -> tuple[str, ...]:
    try:
        return read_labels(folder / EXTRA / LABELS_FILE)
    except OSError:
        reason = "missing"
    except UnicodeDecodeError:
        reason = "no UTF-8"
    except ValueError as error:
        reason = str(error)
    raise _Refused(
        f"{EXTRA}/{LABELS_FILE} is {reason}; expected one class name a line, "
        "in the order of the probabilities"
    )


def _sha256(file: pathlib.Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _first(lines: list[str], between: str = "; ") -> str:
    more = len(lines) - MAX_SHOWN
    shown = between.join(lines[:MAX_SHOWN])
    return f"{shown}{between}and {more} more" if more > 0 else shown
