"""Asks a file for another runtime, in a fresh process that has no TensorFlow.

    with start_runtime("onnx", "ONNX Runtime") as asking:
        asking.begin(file)
        _, more = asking.serve(square.tobytes() for square in squares)
        more["streamed"]

In: a file, and squares of pixels as bytes. Out: its answers. It is asked
as `fresh_process.Loaders` are, so that one gate asks all formats.
"""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from tl_keras.exports.fresh_process import BATCH, FreshPython, fresh_python

HERE = pathlib.Path(__file__).parent
ANSWERS = "answers.npz"


class RuntimeProcess:
    """A fresh process with a runtime, while it runs.

    Args:
        process: of ask_file.py.
        runtime: its name, for a message.
        place: the folder that it leaves its answers in.
    """

    def __init__(self, process: FreshPython, runtime: str, place: pathlib.Path):
        self._process, self._runtime, self._place = process, runtime, place

    def begin(self, file: pathlib.Path) -> None:
        """Says which file is asked."""
        self._process.send([os.fsencode(file)])

    def serve(
        self, squares: Iterable[bytes]
    ) -> tuple[list[dict], dict[str, np.ndarray]]:
        """Sends a stream, and waits.

        Args:
            squares: uint8 (size, size, 3) each, as bytes.

        Returns:
            No answers to questions, of which there are none; and `streamed`,
            answers, float32 (n, outputs).

        Raises:
            NotPublishedError: the process failed; says how.
        """
        self._process.send(squares)
        self._process.finish(self._runtime)
        with np.load(self._place / ANSWERS) as stored:
            return [], {"streamed": stored["answers"]}


@contextlib.contextmanager
def start_runtime(kind: str, runtime: str) -> Iterator[RuntimeProcess]:
    """Starts a process that waits until it is asked.

    Args:
        kind: "tflite" or "onnx".
        runtime: what runs it, in words.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = pathlib.Path(scratch)
        script, arguments = HERE / "ask_file.py", (place / ANSWERS, kind, BATCH)
        with fresh_python(script, *arguments, on_cpu=True) as process:
            yield RuntimeProcess(process, runtime, place)
