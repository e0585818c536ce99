"""A published version, as somebody meets it later: its labels, its graph.

    version = open_version("saved_models/flowers/3")
    version.class_names; version.ask(pictures)

In: a folder. Out: what can be asked of it. Nothing of it is loaded before its
graph was read as data and found to hold allowed operations alone, and then in
a process of its own.
"""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.errors import DataError, NotPublishedError
from tl_keras.exports.extras import LABELS_FILE
from tl_keras.exports.fresh_process import PREFIX, ask_version
from tl_keras.exports.graph import check_operations, read_graph
from tl_keras.exports.rounding import movement_of


@dataclasses.dataclass(frozen=True)
class Version:
    """A version whose graph may be loaded.

    Attributes:
        folder: where it lies.
        class_names: in the order of its probabilities.
        graph: the one that was checked.
    """

    folder: pathlib.Path
    class_names: tuple[str, ...]
    graph: meta_graph_pb2.MetaGraphDef | None = None

    def ask(self, pictures: Iterable[bytes]) -> np.ndarray:
        """Probabilities of encoded pictures, float32 (n, num_classes).

        A row is zeros where the version could not read a picture.

        Raises:
            NotPublishedError: it cannot be loaded and run.
        """
        return ask_version(self.folder, pictures)

    def movement(self, pictures: Sequence[bytes], answers: np.ndarray) -> float:
        """How far rounding moves its answers on this device.

        Args:
            pictures: encoded, a few.
            answers: its probabilities of them, here.

        Returns:
            The largest difference of a probability's logarithm from the
            exact one, in nats; 0.0 where answers here are exact.

        Raises:
            NotPublishedError: it cannot be loaded and run.
        """
        return movement_of(self.graph, self.folder, pictures, answers)


def open_version(folder: str | pathlib.Path) -> Version:
    """Reads a version's graph and labels; loads nothing.

    Raises:
        DataError: it is not one of ours, or its graph may do more.
    """
    folder = pathlib.Path(folder)
    labels = folder / "assets.extra" / LABELS_FILE
    try:
        names = labels.read_text(encoding="utf-8").splitlines()
        graph = read_graph(folder)
        check_operations(graph)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{folder}: {error} - expected a version as tl_keras publishes it"
        ) from None
    except NotPublishedError as error:
        words = str(error).removeprefix(PREFIX)
        raise DataError(f"{folder}: not loaded: {words}") from None
    signature = graph.signature_def.get("serving_default")
    if signature is None or "image_bytes" not in signature.inputs:
        raise DataError(
            f"{folder}: it has no signature serving_default on image_bytes - "
            "expected a version as tl_keras publishes it"
        )
    return Version(folder, tuple(names), graph)
