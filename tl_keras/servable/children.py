"""Asks an export in two fresh processes, one for each of TensorFlow's loaders.

    by_loader, more = ask_loaders(folder, count, of_session, pictures)

In: questions, and a stream of encoded pictures. Out: the answers, by loader.
Both processes run at once, since importing TensorFlow is most of their time.
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

from tl_keras.errors import NotPublishedError
from tl_keras.servable.asking import load_answers, write_questions

HERE = pathlib.Path(__file__).parent
SESSION, C_LOADER = "the session loader", "the C++ loader"
PREFIX = "export not published: "
# A process that answers nothing for so long is given up.
SECONDS = 600
BATCH = 32  # pictures of the stream that are asked at once


def ask_loaders(
    questions_folder: pathlib.Path,
    count: int,
    of_session: int,
    stream: Iterable[bytes],
) -> tuple[dict[str, list[dict]], dict]:
    """Starts both processes, sends the stream, waits, reads the answers.

    Args:
        questions_folder: as `asking.write_questions` wrote it.
        count: how many questions lie there.
        of_session: how many of them the session loader is asked.
        stream: encoded pictures.

    Returns:
        loader -> its answers; and `streamed`, an array of a row a picture,
        and `replayed`, how many warm-up requests were run.

    Raises:
        NotPublishedError: a process failed; says how.
    """
    answers = questions_folder / "c.npz", questions_folder / "session.npz"
    with (
        fresh_python("ask_c.py", questions_folder, answers[0]) as c_loader,
        fresh_python(
            "ask_session.py", questions_folder, answers[1], str(BATCH)
        ) as session,
    ):
        session.send(stream)
        c_loader.send(())
        c_loader.finish(C_LOADER)
        session.finish(SESSION)
    by_loader = {C_LOADER: load_answers(answers[0], count)[0]}
    by_loader[SESSION], more = load_answers(answers[1], of_session)
    return by_loader, more


def ask_version(version: pathlib.Path, stream: Iterable[bytes]) -> np.ndarray:
    """A published version's answers to encoded pictures, in a fresh process.

    The caller has checked its graph (`graph.check_operations`).

    Returns:
        Probabilities, float32 (n, num_classes), a row of zeros where it could
        not read a picture.

    Raises:
        NotPublishedError: the process failed; says how.
    """
    with tempfile.TemporaryDirectory() as scratch:
        place = pathlib.Path(scratch)
        write_questions(place, version, [], 0, {}, np.zeros((0, 1, 1, 3)))
        answers = place / "answers.npz"
        with fresh_python(
            "ask_session.py", place, answers, str(BATCH)
        ) as session:
            session.send(stream)
            session.finish(SESSION)
        return load_answers(answers, 0)[1]["streamed"]


class FreshPython:
    """A child that reads standard input and ends."""

    def __init__(self, command: list[str], complaints):
        self.complaints = complaints
        self.child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=_surroundings(),
        )

    def send(self, stream: Iterable[bytes]) -> None:
        """Each item with its length before it; then the end."""
        watch = self._watch()
        # A child that ended says why when it is finished.
        with contextlib.suppress(BrokenPipeError):
            for number, item in enumerate(stream, 1):
                self.child.stdin.write(len(item).to_bytes(8, "big"))
                self.child.stdin.write(item)
                if number % BATCH == 0:
                    watch.cancel()
                    watch = self._watch()
        watch.cancel()
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()

    def _watch(self) -> threading.Timer:
        watch = threading.Timer(SECONDS, self.child.kill)
        watch.daemon = True
        watch.start()
        return watch

    def finish(self, loader: str, seconds: float = SECONDS) -> None:
        """Waits for the end; raises NotPublishedError if it was a bad one."""
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
            self.complaints.seek(0)
            text = self.complaints.read().decode(errors="replace")
            lines = text.strip().splitlines() or ["no message"]
            raise NotPublishedError(
                f"{PREFIX}a fresh process with {loader} cannot load and run "
                f"it (exit code {code}): {json.dumps(lines[-1])}"
            )


@contextlib.contextmanager
def fresh_python(script: str, *arguments) -> Iterator[FreshPython]:
    """A fresh Python that runs a script of this folder."""
    # -I keeps PYTHON* variables out of it; our own places of packages go in
    # by name, for those that came by such a variable.
    places = json.dumps([place for place in sys.path if place])
    folder, answers, *more = map(str, arguments)
    command = [sys.executable, "-I", str(HERE / script), folder, answers,
               places, *more]  # fmt: skip
    with tempfile.TemporaryFile() as complaints:
        process = FreshPython(command, complaints)
        try:
            yield process
        finally:
            process.child.kill()
            process.child.wait()
            with contextlib.suppress(BrokenPipeError):
                process.child.stdin.close()


def _surroundings() -> dict[str, str]:
    """The environment in which a child computes on the device that we do."""
    surroundings = {**os.environ, "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    if not tf.config.get_visible_devices("GPU"):
        surroundings["CUDA_VISIBLE_DEVICES"] = "-1"
    return surroundings
