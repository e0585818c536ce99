"""An inspected export -> answers and names for batches of pictures.

    loaded = Loaded(inspect_export("saved_models/flowers"))
    answers, status = loaded.answers([open("a.jpg", "rb").read()])
    Predictor(loaded, top_k=5)(encoded)     # the best names of each

In: encoded pictures. Out: what the export's `serving_default` answers. The
graph that was inspected is the one that runs: it is not read a second time.
What training mended through Pillow is mended here too, so that a picture that
was trained on can be predicted.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tl_keras.errors import DataError, MachineError
from tl_keras.exports import Export
from tl_keras.inputs.kinds import kind_named
from tl_keras.out_of_memory import is_out_of_memory
from tl_keras.tasks.values import Answer

INIT = "__saved_model_init_op"
NO_NUMBER = (
    "the model's answer to it is NaN or infinite - leave it out, or train a "
    "network that can take it"
)


def explained(kind: str, encoded: bytes, status: str) -> str:
    """Why an example has no answer, with the remedy.

    Args:
        kind: of input, a name of `inputs.kinds`.
        encoded: the example's bytes.
        status: as `Loaded.answers` has it, not "".

    Returns:
        One line.
    """
    if status == NO_NUMBER:
        return status
    return kind_named(kind).explain(encoded, status)


class Loaded:
    """An export in a TensorFlow session of its own.

    Args:
        export: as `tl_keras.exports.inspect_export` gives it.

    Attributes:
        labels: names in the order of the answers.
        task: what it predicts.
        kind: of input that it takes, a name of `inputs.kinds`.

    Raises:
        DataError: it does not load.
    """

    def __init__(self, export: Export):
        self.labels, self.task = export.labels, export.task
        self.kind = export.kind
        self._kind = kind_named(export.kind)
        self._export = export
        self._feed, self._fetches = export.tensors()
        options = tf.compat.v1.ConfigProto()
        options.gpu_options.allow_growth = True
        try:
            with tf.Graph().as_default() as graph:
                saver = tf.compat.v1.train.import_meta_graph(export.graph)
                self._session = tf.compat.v1.Session(
                    graph=graph, config=options
                )
                if saver is not None:
                    path = os.path.join(export.folder, "variables", "variables")
                    saver.restore(self._session, path)
                start = export.graph.signature_def[INIT].outputs.get(INIT)
                if start is not None and start.name:
                    self._session.run(graph.get_operation_by_name(start.name))
        except (tf.errors.OpError, ValueError, KeyError, TypeError) as error:
            if is_out_of_memory(error):
                raise MachineError(
                    f"out of memory as {export.folder} is loaded - end what "
                    "else uses the GPU, or hide it: CUDA_VISIBLE_DEVICES=-1"
                ) from None
            raise self._fault("does not load", error) from None

    def answers(self, encoded: Sequence[bytes]) -> tuple[np.ndarray, list[str]]:
        """Asks for a batch.

        Args:
            encoded: bytes of picture files, one or more.

        Returns:
            float32 (batch, outputs), 0 where a picture was not read or its
            answer is no number; and for each "" or why there is none.
        """
        found, status = self._run(encoded)
        for row in (row for row, why in enumerate(status) if why):
            mended = self._kind.mended(encoded[row])
            if mended is not None:
                more, (status[row],) = self._run([mended])
                found[row] = more[0]
        for row in np.flatnonzero(~np.isfinite(found).all(-1)):
            found[row], status[row] = 0, status[row] or NO_NUMBER
        return found, status

    def _run(self, encoded: Sequence[bytes]) -> tuple[np.ndarray, list[str]]:
        # Left as it is, NumPy would cut NULs off the ends.
        batch = np.empty(len(encoded), object)
        batch[:] = encoded
        try:
            found, status = self._session.run(
                self._fetches, {self._feed: batch}
            )
        except tf.errors.OpError as error:
            if is_out_of_memory(error):
                raise MachineError(
                    f"out of memory with {len(encoded)} {self._kind.many} at "
                    "once - "
                    "give a smaller --batch_size"
                ) from None
            raise self._fault("cannot be asked", error) from None
        self._export.refuse_odd(found, len(encoded))
        told = [text.decode("utf-8", "replace") for text in status]
        return np.array(found), told

    def _fault(self, what: str, error: Exception) -> DataError:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return self._export.fault(f"{what} ({reason[0][:200]})")


@dataclasses.dataclass(frozen=True)
class Predictor:
    """The best names for each picture of a batch.

    Attributes:
        loaded: the export.
        top_k: how many names at most.
    """

    loaded: Loaded
    top_k: int

    def __call__(self, encoded: Sequence[bytes]) -> list[Answer]:
        """One answer a picture, in their order."""
        found, told = self.loaded.answers(encoded)
        said = self.loaded.task.say(found, self.loaded.labels, self.top_k)
        return [
            Answer((), (), status) if status else answer
            for answer, status in zip(said, told, strict=True)
        ]
