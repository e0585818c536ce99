"""A SavedModel's folder -> one that may be loaded, or why not. Loads nothing.

    write_manifest(folder)                      # when it is exported
    export = inspect_export("saved_models/flowers")
    export.folder, export.graph, export.labels, export.sha256

In: the folder of a run or of one version. Out: an `Export`, or one line. Three
things are asked, in this order, before TensorFlow loads anything of it:

1. The folder: regular files alone, none of them a link; a binary
   `saved_model.pb` and no other form of it (`.pbtxt`, `.cpb`).
2. The manifest, `assets.extra/manifest.json`: SHA-256 and size of every file,
   none missing, none added. It proves that nothing was damaged, not who wrote
   it: whoever changes a model can write a manifest too.
3. The graph: operations that compute and nothing else, whatever the manifest
   says.

`trust_model` lets a model pass that has no manifest, or does more than compute;
what 1 asks, and a manifest that is there, hold for it too.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import stat

from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.errors import DataError
from tl_keras.exports import sizes
from tl_keras.exports.extras import LABELS_FILE
from tl_keras.exports.graph import (
    GRAPH_FILE,
    GraphFault,
    foreign_operations,
    parse_graph,
)

EXTRA = "assets.extra"
MANIFEST = f"{EXTRA}/manifest.json"
FORMAT = 1
# Lists of names in a graph, of which TensorFlow makes objects when it loads.
COLLECTIONS = ("saved_model_main_op",)
# Other forms of a graph, which a loader may prefer to the one that is checked.
OTHER_FORMS = (".pbtxt", ".cpb")
MOST_MANIFEST_BYTES = 16 << 20
MOST_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class Export:
    """A SavedModel that was inspected.

    Attributes:
        folder: of the version.
        graph: the one that was inspected; load this, not the file again.
        labels: class names in the order of the probabilities.
        sha256: of all its files' names and hashes: which model it is.
        warnings: what `trust_model` let pass, one line each.
    """

    folder: pathlib.Path
    graph: meta_graph_pb2.MetaGraphDef
    labels: tuple[str, ...]
    sha256: str
    warnings: tuple[str, ...] = ()


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


def version_folder(model: str | os.PathLike) -> pathlib.Path:
    """The version that `model` names: itself, or its largest number.

    Raises:
        DataError: there is none.
    """
    folder = pathlib.Path(model)
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise DataError(
            f"--model={model}: cannot be read ({error.strerror}) - give a "
            "run's folder or one of its versions"
        ) from None
    if any(name.startswith("saved_model.") for name in names):
        return folder
    numbers = [name for name in names if name.isdecimal() and name.isascii()]
    if not numbers:
        raise DataError(
            f"--model={model}: no version in it; expected a run's folder, with "
            "1/ or another number in it, or a folder with saved_model.pb"
        )
    return folder / max(numbers, key=int)


def inspect_export(
    model: str | os.PathLike, *, trust_model: bool = False
) -> Export:
    """Looks a SavedModel over; see the module's text.

    Args:
        model: a run's folder or a version.
        trust_model: also give one that lacks a manifest or does more than
            compute.

    Raises:
        DataError: it is damaged, or must not be loaded.
    """
    # The folder that is named may be a link; nothing in it may be one.
    folder = pathlib.Path(os.path.realpath(version_folder(model)))
    files = _files(folder)
    hashes = {name: _sha256(folder / name) for name in sorted(files)}
    doubts = _manifest_doubts(folder, files, hashes)
    try:
        graph = parse_graph(folder)
    except (GraphFault, OSError) as fault:
        raise _refusal(folder, str(fault)) from None
    odd = sizes.faults(graph, str(folder))
    if graph.asset_file_def:
        odd.append("it reads files of assets/, which is not supported")
    if odd:
        raise _refusal(folder, _first(odd))
    doubts += _graph_doubts(graph)
    if doubts and not trust_model:
        raise _refusal(folder, doubts[0], "--trust_model loads it, which lets "
                       "it do whatever a program of yours may do")  # fmt: skip
    del hashes[MANIFEST]
    known = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode())
    return Export(
        folder, graph, _labels(folder), known.hexdigest(), tuple(doubts)
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
                    raise _refusal(folder, f"{name} is {kind}")
    for name in found:
        if name.startswith("saved_model") and name.endswith(OTHER_FORMS):
            raise _refusal(
                folder,
                f"{name} is another form of a graph; expected {GRAPH_FILE} "
                "alone",
            )
    if GRAPH_FILE not in found:
        raise _refusal(folder, f"{GRAPH_FILE} is missing")
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
        raise _refusal(
            folder,
            f"not what {MANIFEST} says: {_first(sorted(changed))}",
            "export it again or restore it",
        )
    return []


def _read_manifest(folder: pathlib.Path, size: int) -> dict[str, str]:
    """Name -> SHA-256, as the manifest says."""
    try:
        if size > MOST_MANIFEST_BYTES:
            raise ValueError("too large")
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        stored = json.loads(text)
        if stored["format"] != FORMAT:
            raise ValueError(f"format {stored['format']!r}")
        return {n: str(f["sha256"]) for n, f in stored["files"].items()}
    except (
        ValueError, KeyError, TypeError, AttributeError, RecursionError,
    ) as error:  # fmt: skip
        raise _refusal(
            folder,
            f"{MANIFEST} cannot be read ({type(error).__name__}: {error})",
        ) from None


def _labels(folder: pathlib.Path) -> tuple[str, ...]:
    file = folder / EXTRA / LABELS_FILE
    try:
        labels = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        raise _refusal(
            folder,
            f"{EXTRA}/{LABELS_FILE} is missing or no UTF-8; expected one class "
            "name a line, in the order of the probabilities",
        ) from None
    if labels[-1] == "":
        labels.pop()
    if len(set(labels)) < len(labels) or not labels:
        raise _refusal(
            folder, f"{EXTRA}/{LABELS_FILE} is empty or has a name twice"
        )
    return tuple(labels)


def _sha256(file: pathlib.Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _first(lines: list[str], between: str = "; ") -> str:
    more = len(lines) - MOST_SHOWN
    shown = between.join(lines[:MOST_SHOWN])
    return f"{shown}{between}and {more} more" if more > 0 else shown


def _refusal(
    folder: pathlib.Path, what: str, remedy: str = "export it again"
) -> DataError:
    return DataError(f"--model={folder}: {what} - {remedy}")
