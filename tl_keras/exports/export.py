"""A version as it is asked: its graph, its labels, and what it says of itself.

    export = inspect_export("saved_models/flowers/3")
    export.ask([open("rose.jpg", "rb").read()])

In: an export that `exports.inspection` found in order. Out: answers.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras.errors import ConfigError, DataError
from tl_keras.exports.encoded import Encoded
from tl_keras.exports.fresh_process import ask_version
from tl_keras.exports.manifest import AGAIN
from tl_keras.exports.rounding import movement_of
from tl_keras.inputs.kinds import BY_SERVING_NAME
from tl_keras.tasks import stored_task
from tl_keras.tasks.difference import Differs
from tl_keras.tasks.task import Task

# What is asked of a model: signature, and the output beside its answers.
SIGNATURE = "serving_default"
STATUS = "status"


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

    def ask(self, examples: Encoded | Sequence[bytes]) -> np.ndarray:
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
        found = ask_version(self.graph, self.folder, examples, self.task.answer)
        self.refuse_odd(found, len(examples))
        if not np.isfinite(found).all():
            raise self.fault(f"gives {self.task.answer} that are no numbers")
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
        """Raises DataError for answers that are no row, one a label, for each
        of `count` examples."""
        what = self.task.answer
        if found.shape != (count, len(self.labels)):
            raise self.fault(
                f"gives {found.shape} {what} for {count} pictures and "
                f"{len(self.labels)} labels"
            )

    def fault(self, what: str) -> DataError:
        """That the model is not what it should be, in one line."""
        return DataError(f"{self.flag}={self.folder}: {what} - {AGAIN}")
