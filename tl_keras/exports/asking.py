"""The questions to an export and its answers, as files between processes.

    asked = Asked(folder)            # in the process that asks
    save_answers(path, answers)

In: `questions.json`, `questions.npz`. Out: an .npz of answers. Both loaders'
processes import this file by its place, without tl_keras, Keras or TensorFlow.

questions.json: {"exact": folder, "export": folder, "questions": [{"feeds":
{tensor: [kind, rows]}, "fetches": {output: tensor}}, ...]}; kind is "bytes",
"examples" or the name of an array, rows are numbers of golden examples. The C++
loader is asked all of "exact", the session loader the first "session" of
"export"; a stream of examples is asked the output "answer".

A process reads standard input: messages, each with its length before it. A
folder of questions comes when there is one, so that a process can be started
before the export is written. Answers are left in the folder.
"""

import itertools
import json
import pathlib

import numpy as np

QUESTIONS, ARRAYS = "questions.json", "questions.npz"
# What each process leaves in the folder.
C_ANSWERS, SESSION_ANSWERS = "c.npz", "session.npz"
SIZES = " sizes"  # after the name of joined strings
LENGTH = 8  # bytes before a message that say its length, big end first


def write_questions(
    folder: pathlib.Path,
    exact: pathlib.Path,
    export: pathlib.Path,
    questions: list[dict],
    of_session: int,
    strings: dict[str, list[bytes]],
    arrays: dict[str, np.ndarray],
    answer: str,
) -> None:
    """Writes what `Asked` reads.

    Args:
        folder: where to.
        exact: the SavedModel that computes in float32.
        export: the SavedModel as it will be served.
        questions: as in the module's text.
        of_session: how many of them the session loader is asked too.
        strings: kind -> the golden examples in that kind of string.
        arrays: kind -> the same as numbers.
        answer: the output of `serving_default` that a stream is asked.
    """
    stored = {"exact": str(exact), "export": str(export)}
    stored["questions"] = questions
    stored |= {"session": of_session, "answer": answer}
    text = json.dumps(stored)
    (folder / QUESTIONS).write_text(text, encoding="utf-8")
    stored = dict(arrays)
    for kind, values in strings.items():
        # Joined, since NumPy's strings lose NULs at their end.
        stored[kind] = np.frombuffer(b"".join(values), np.uint8)
        stored[kind + SIZES] = np.array([len(v) for v in values])
    np.savez(folder / ARRAYS, **stored)


class Asked:
    """The questions of a folder.

    Attributes:
        exact, export: the SavedModels' folders.
        of_session: how many of the questions the session loader is asked.
        answer: the output of `serving_default` that a stream is asked.
        questions: [(feeds, fetches)]: feeds is tensor name -> list of bytes
            or array of numbers, fetches is output -> tensor name.
    """

    def __init__(self, folder: str):
        text = pathlib.Path(folder, QUESTIONS).read_text(encoding="utf-8")
        stored = json.loads(text)
        self.exact, self.export = stored["exact"], stored["export"]
        self.of_session, self.answer = stored["session"], stored["answer"]
        with np.load(pathlib.Path(folder, ARRAYS)) as arrays:
            self._golden = {
                kind: _parted(arrays[kind].tobytes(), arrays[kind + SIZES])
                if kind + SIZES in arrays.files
                else arrays[kind]
                for kind in arrays.files
                if not kind.endswith(SIZES)
            }
        self.questions = [
            (
                {name: self._rows(*f) for name, f in q["feeds"].items()},
                q["fetches"],
            )
            for q in stored["questions"]
        ]

    def _rows(self, kind: str, rows: list[int]):
        golden = self._golden[kind]
        if isinstance(golden, list):
            return [golden[row] for row in rows]
        return golden[rows]


def _parted(data: bytes, sizes) -> list[bytes]:
    bounds = np.cumsum([0, *sizes])
    return [data[a:b] for a, b in itertools.pairwise(bounds)]


def save_answers(path: str, answers: list[dict], **more: np.ndarray) -> None:
    """Writes answers as `load_answers` reads them.

    Args:
        path: an .npz.
        answers: one a question: output -> array of numbers or bytes.
        **more: other arrays.
    """
    arrays = dict(more)
    for number, outputs in enumerate(answers):
        for name, value in outputs.items():
            value = np.asarray(value)
            # Bytes of one length: an array of objects would be a pickle.
            if value.dtype == object:
                value = value.astype(bytes)
            arrays[f"{number} {name}"] = value
    np.savez(path, **arrays)


def load_answers(
    path: pathlib.Path,
) -> tuple[list[dict], dict[str, np.ndarray]]:
    """(the answers, one a question; the other arrays)."""
    answers: dict[int, dict] = {}
    more = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            number, _, name = key.partition(" ")
            if number.isdecimal():
                answers.setdefault(int(number), {})[name] = arrays[key]
            else:
                more[key] = arrays[key]
    return [answers[number] for number in sorted(answers)], more


def messages(stream):
    """What was sent over standard input, until it ends."""
    while header := stream.read(LENGTH):
        yield stream.read(int.from_bytes(header, "big"))
