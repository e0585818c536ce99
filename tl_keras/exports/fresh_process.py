"""Asks an export in two fresh processes, one for each of TensorFlow's loaders.

    with start_loaders() as asking:      # they start; nothing is asked yet
        asking.begin(folder)             # of questions
        answers, more = asking.serve(pictures)
        asking.ask_exactly(other_folder)
        of_folder, of_other = asking.exact_answers()

In: questions, and a stream of encoded pictures. Out: answers. The C++ loader's
process has the CPU alone, where float32 is exact; the session loader's has the
device that we have, as the server will, or the CPU where we hold so much of a
GPU's memory that it finds no room: TensorFlow gives none back. Both run at
once, since importing TensorFlow is most of their time, and may be started
before there is an export.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from tl_keras import log
from tl_keras.errors import NotPublishedError
from tl_keras.exports.asking import (
    C_ANSWERS,
    LENGTH,
    SESSION_ANSWERS,
    load_answers,
    write_questions,
)
from tl_keras.exports.float32 import exact_graph, rounds_inside
from tl_keras.exports.graph import view_of
from tl_keras.out_of_memory import tells_of_memory

HERE = pathlib.Path(__file__).parent
SESSION, C_LOADER = "the session loader", "the C++ loader"
PREFIX = "export not published: "
# A process that answers nothing for so long is given up.
SECONDS = 600
BATCH = 32  # pictures of the stream that are asked at once
ON_CPU = (
    "export: asked on the CPU, as this process holds the GPU's memory and a "
    "second one finds no room there"
)


class NoRoomError(NotPublishedError):
    """A process of ours found no room on the device; a CPU has some."""


class Loaders:
    """Both processes, while they run.

    Args:
        c_loader: answers in float32 on the CPU.
        session: answers on our device, in the export's precision.
    """

    def __init__(self, c_loader: "FreshPython", session: "FreshPython"):
        self._c_loader, self._session = c_loader, session
        self._folders: list[pathlib.Path] = []

    def begin(self, folder: pathlib.Path) -> None:
        """Puts the questions of a folder to both."""
        self.ask_exactly(folder)
        self._session.send([os.fsencode(folder)])

    def ask_exactly(self, folder: pathlib.Path) -> None:
        """Puts the questions of one more folder to the C++ loader."""
        self._folders.append(folder)
        self._c_loader.send([os.fsencode(folder)])

    def serve(
        self, examples: Iterable[bytes]
    ) -> tuple[list[dict], dict[str, np.ndarray]]:
        """Sends the session loader a stream of encoded pictures, and waits.

        Args:
            examples: may be gone through once more, where the device has no
                room for a second process.

        Returns:
            its answers to the first folder's questions; and `streamed`, an
            array of a row a picture, and `replayed`, how many warm-up
            requests were run.

        Raises:
            NotPublishedError: the process failed; says how.
        """
        return _served(self._session, self._folders[0], examples)

    def exact_answers(self) -> list[list[dict]]:
        """The C++ loader's answers, a list a folder; waits for them.

        Raises:
            NotPublishedError: the process failed; says how.
        """
        self._c_loader.finish(C_LOADER)
        return [load_answers(f / C_ANSWERS)[0] for f in self._folders]


def _served(
    session: "FreshPython", place: pathlib.Path, examples: Iterable[bytes]
) -> tuple[list[dict], dict[str, np.ndarray]]:
    """As `Loaders.serve`, of a process that knows the folder."""
    try:
        return _streamed(session, place, examples)
    except NoRoomError:
        log.info(ON_CPU)
    with fresh_python("ask_session.py", BATCH, on_cpu=True) as other:
        other.send([os.fsencode(place)])
        return _streamed(other, place, examples)


def _streamed(session: "FreshPython", place: pathlib.Path, examples):
    session.send(examples)
    session.finish(SESSION)
    return load_answers(place / SESSION_ANSWERS)


@contextlib.contextmanager
def start_loaders() -> Iterator[Loaders]:
    """Starts both processes; they wait until they are asked."""
    with (
        fresh_python("ask_c.py", on_cpu=True) as c_loader,
        fresh_python("ask_session.py", BATCH) as session,
    ):
        yield Loaders(c_loader, session)


def ask_version(
    graph: meta_graph_pb2.MetaGraphDef,
    version: pathlib.Path,
    stream: Iterable[bytes],
    answer: str,
) -> np.ndarray:
    """A published version's answers to encoded pictures, in a fresh process.

    Args:
        graph: of the version, as it was checked; this one answers.
        version: its folder.
        stream: encoded pictures, as of `Loaders.serve`.
        answer: the output of `serving_default` that is wanted.

    Returns:
        That, float32 (n, outputs), a row of zeros where it could
        not read a picture.

    Raises:
        NotPublishedError: the process failed; says how.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        view_of(graph, version) as view,
        fresh_python("ask_session.py", BATCH) as session,
    ):
        place = pathlib.Path(scratch)
        write_questions(place, view, view, [], 0, {}, {}, answer)
        session.send([os.fsencode(place)])
        return _served(session, place, stream)[1]["streamed"]


def computes_exactly(graph: meta_graph_pb2.MetaGraphDef) -> bool:
    """Whether an export's answers here are those of float32 on a CPU."""
    return not (rounds_inside(graph.graph_def) or has_gpu())


def ask_exactly(
    graph: meta_graph_pb2.MetaGraphDef,
    version: pathlib.Path,
    examples: list[bytes],
    answer: str,
) -> np.ndarray:
    """A version's answers in float32 on the CPU, in a fresh process.

    Args:
        graph: of the version, as it was checked.
        version: its folder.
        examples: encoded, one or more.
        answer: the output of `serving_default` that is wanted.

    Returns:
        That, float32 (n, outputs).

    Raises:
        NotPublishedError: the process failed; says how.
    """
    default = graph.signature_def["serving_default"]
    rows = list(range(len(examples)))
    (given,) = default.inputs.values()
    question = {
        "feeds": {given.name: ["bytes", rows]},
        "fetches": {answer: default.outputs[answer].name},
    }
    with (
        tempfile.TemporaryDirectory() as scratch,
        view_of(exact_graph(graph), version) as exact,
        fresh_python("ask_c.py", on_cpu=True) as c_loader,
    ):
        place = pathlib.Path(scratch)
        strings = {"bytes": examples}
        write_questions(place, exact, exact, [question], 0, strings, {}, answer)
        c_loader.send([os.fsencode(place)])
        c_loader.finish(C_LOADER)
        ((given,), _) = load_answers(place / C_ANSWERS)
        return given[answer]


class FreshPython:
    """A child that reads standard input and ends."""

    def __init__(self, command: list[str], stderr, on_cpu: bool):
        self.stderr = stderr
        self._on_gpu = not on_cpu and has_gpu()
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=_surroundings(on_cpu),
        )

    def send(self, stream: Iterable[bytes]) -> None:
        """Each item with its length before it."""
        watch = self._watch()
        # A child that ended says why when it is finished.
        with contextlib.suppress(BrokenPipeError):
            for number, item in enumerate(stream, 1):
                self.child.stdin.write(len(item).to_bytes(LENGTH, "big"))
                self.child.stdin.write(item)
                if number % BATCH == 0:
                    watch.cancel()
                    watch = self._watch()
            # What it waits for may be all that there is for now.
            self.child.stdin.flush()
        watch.cancel()

    def _watch(self) -> threading.Timer:
        watch = threading.Timer(SECONDS, self.child.kill)
        watch.daemon = True
        watch.start()
        return watch

    def finish(self, loader: str, seconds: float = SECONDS) -> None:
        """Ends what it reads, waits for its own end.

        Raises:
            NoRoomError: it ran on a GPU that had no memory left.
            NotPublishedError: it was a bad one, or did not come in time.
        """
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise NotPublishedError(
                f"{PREFIX}{loader} gave no answer within {seconds} s"
            ) from None
        if code == -signal.SIGKILL:
            raise NotPublishedError(
                f"{PREFIX}a fresh process with {loader} was killed, as happens "
                "where memory runs out"
            )
        if code:
            self.stderr.seek(0)
            text = self.stderr.read().decode(errors="replace")
            if self._on_gpu and tells_of_memory(text):
                raise NoRoomError(f"{PREFIX}{loader} found no memory left")
            lines = text.strip().splitlines() or ["no message"]
            raise NotPublishedError(
                f"{PREFIX}a fresh process with {loader} cannot load and run "
                f"it (exit code {code}): {json.dumps(lines[-1])}"
            )


@contextlib.contextmanager
def fresh_python(
    script: str, *arguments, on_cpu: bool = False
) -> Iterator[FreshPython]:
    """A fresh Python that runs a script of this folder.

    Args:
        script: its name, or the path of one elsewhere.
        arguments: after the first, which is where packages lie.
        on_cpu: hide GPUs from it.

    Returns:
        A context of the process, which is ended when that is left.
    """
    # -I keeps PYTHON* variables out of it; our own places of packages go in
    # by name, for those that came by such a variable.
    places = json.dumps([place for place in sys.path if place])
    command = [sys.executable, "-I", str(HERE / script), places]
    command += map(str, arguments)
    with tempfile.TemporaryFile() as stderr:
        process = FreshPython(command, stderr, on_cpu)
        try:
            yield process
        finally:
            process.child.kill()
            process.child.wait()
            with contextlib.suppress(BrokenPipeError):
                process.child.stdin.close()


def has_gpu() -> bool:
    """Whether this process computes on a GPU, and those it starts may."""
    return bool(tf.config.get_visible_devices("GPU"))


def _surroundings(on_cpu: bool) -> dict[str, str]:
    """The environment of a child that has the CPU alone, or what we have."""
    surroundings = {**os.environ, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    if on_cpu or not has_gpu():
        surroundings["CUDA_VISIBLE_DEVICES"] = "-1"
    return surroundings
