"""An export is asked before it is published, in processes of their own.

    passed = check_export(folder, model, class_names, decoding, golden)

In: an export's folder, the model it was made of, and pictures. Out: what was
found, or NotPublishedError that names the worst example. Encoded bytes and
pixels, batches of 1, 2 and an odd number, one damaged picture among good ones,
through TensorFlow's C++ loader and its session loader; then, if it was
evaluated, a whole split.
"""

import dataclasses
import json
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from tl_keras.errors import NotPublishedError
from tl_keras.pixels import Decoding
from tl_keras.servable.asking import write_questions
from tl_keras.servable.children import SESSION, ask_loaders
from tl_keras.servable.graph import check_operations, read_graph
from tl_keras.servable.signatures import EXAMPLE_KEY, answering_model

# Largest difference of a probability between the model and its export; of
# pooled features, as a share of the largest one.
TOLERANCE = 1e-5
LEAST_GOLDEN = 3  # pictures, so that there is a pair and an odd batch
DAMAGED_PICTURE = b"\xff\xd8\xff"  # a JPEG that ends after its first bytes
# Signature -> its input, and the kind of golden strings or pixels it takes.
ASKED = {
    "serving_default": ("image_bytes", "bytes"),
    "serving_float": ("pixels", "pixels"),
    "features": ("image_bytes", "bytes"),
    "classify": ("inputs", "examples"),
}
OF_SESSION = ("serving_default", "serving_float")  # the first of ASKED


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """A split that was evaluated, and is asked again of the export.

    Attributes:
        ids: one a picture.
        read: number of a picture -> its encoded bytes.
        probabilities: what the evaluation found, (n, num_classes).
    """

    ids: Sequence[str]
    read: Callable[[int], bytes]
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True)
class Passed:
    """What the gate found.

    Attributes:
        difference: the largest one of a probability.
        probabilities: the export's own for the evaluated split, float32
            (n, num_classes); None where none was given.
        warm_ups: how many warm-up requests were replayed.
    """

    difference: float
    probabilities: np.ndarray | None
    warm_ups: int


def check_export(
    folder: pathlib.Path,
    model: keras.Model,
    class_names: Sequence[str],
    decoding: Decoding,
    golden: Mapping[str, bytes],
    evaluated: Evaluated | None = None,
) -> Passed:
    """Loads an export in fresh processes without Keras and compares.

    Args:
        folder: the SavedModel.
        model: pixels -> logits, of which it was made.
        class_names: in the order of the logits.
        decoding: how bytes become the model's square.
        golden: name -> encoded picture; one or more.
        evaluated: a whole split to compare too.

    Raises:
        NotPublishedError: it does not load, its graph may do what ours need
            not, or an answer differs.
    """
    graph = read_graph(folder)
    check_operations(graph)
    questions = _Questions(golden, decoding, graph.signature_def)
    memory = _Memory(model, class_names, questions.pictures)
    stream = _read_all(evaluated)
    with tempfile.TemporaryDirectory() as scratch:
        place = pathlib.Path(scratch)
        questions.write(place, folder)
        by_loader, more = ask_loaders(
            place,
            len(questions.asked),
            questions.of_session,
            stream,
        )
    comparison = _Comparison(questions, memory)
    for loader, answers in by_loader.items():
        # The session loader is asked the first ones.
        for question, answer in zip(questions.asked, answers, strict=False):
            comparison.compare(loader, *question, answer)
    if evaluated is not None:
        comparison.compare_split(evaluated, more["streamed"], class_names)
    comparison.refuse()
    return Passed(
        comparison.worst[0],
        None if evaluated is None else more["streamed"],
        int(more["replayed"]),
    )


def _read_all(evaluated: Evaluated | None):
    if evaluated is None:
        return ()
    return (evaluated.read(i) for i in range(len(evaluated.ids)))


class _Questions:
    """Which golden pictures are asked of which signature, in which batches."""

    def __init__(
        self, golden: Mapping[str, bytes], decoding: Decoding, signatures
    ):
        names = list(golden)
        while len(names) < LEAST_GOLDEN:
            names += names
        self.names = names
        self.encoded = [golden[name] for name in names]
        unlike = {n: decoding.load(tf.constant(golden[n])) for n in golden}
        self.pictures = np.stack([unlike[name] for name in names])
        self.bad = len(names)  # The number of the damaged one.
        odd = len(names) - (len(names) + 1) % 2
        batches = [[row] for row in range(len(names))]
        batches += [[0, 1], list(range(odd)), [0, self.bad, 1]]
        self.asked = [
            (signature, rows)
            for signature, (_, kind) in ASKED.items()
            for rows in batches
            if kind != "pixels" or self.bad not in rows
        ]
        self.signatures = signatures
        # Each signature costs a loader a second of optimising its graph, so
        # the process that also imports TensorFlow is asked the two main ones.
        self.of_session = sum(s in OF_SESSION for s, _ in self.asked)

    def write(self, place: pathlib.Path, export: pathlib.Path) -> None:
        """Writes them for the processes that ask."""
        strings = [*self.encoded, DAMAGED_PICTURE]
        questions = []
        for signature, rows in self.asked:
            given, kind = ASKED[signature]
            definition = self.signatures[signature]
            questions.append(
                {
                    "feeds": {definition.inputs[given].name: [kind, rows]},
                    "fetches": {
                        name: output.name
                        for name, output in definition.outputs.items()
                    },
                }
            )
        examples = [_example(encoded) for encoded in strings]
        write_questions(
            place, export, questions, self.of_session,
            {"bytes": strings, "examples": examples}, self.pictures,
        )  # fmt: skip

    def good(self, rows: list[int]) -> list[int]:
        """Without the damaged one."""
        return [row for row in rows if row != self.bad]


def _example(encoded: bytes) -> bytes:
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    features = tf.train.Features(feature={EXAMPLE_KEY: value})
    return tf.train.Example(features=features).SerializeToString()


class _Memory:
    """The model in memory, asked what the export is asked."""

    def __init__(self, model, class_names, pictures):
        self.names = np.array([name.encode() for name in class_names])
        self._pictures = pictures
        size = pictures.shape[1]
        answering = answering_model(model)
        self._run = tf.function(
            lambda batch: answering(batch, training=False),
            input_signature=[tf.TensorSpec((None, size, size, 3), tf.float32)],
        )
        self._known: dict = {}

    def __call__(self, what: str, rows: list[int]) -> np.ndarray:
        """Its answer in a batch of the same pictures."""
        key = tuple(rows)
        if key not in self._known:
            batch = self._pictures[rows].astype(np.float32)
            answers = self._run(batch)
            self._known[key] = {k: v.numpy() for k, v in answers.items()}
        return self._known[key][what]


class _Comparison:
    """Collects the worst difference; what is no number is refused at once."""

    def __init__(self, questions: _Questions, memory: _Memory):
        self.questions = questions
        self.memory = memory
        self.worst = (0.0, "")

    def compare(
        self, loader: str, signature: str, rows: list[int], answer: dict
    ) -> None:
        """One answer of one loader."""
        what = f"{signature} in a batch of {len(rows)} through {loader}"
        good = self.questions.good(rows)
        kept = [rows.index(row) for row in good]
        self._compare_status(what, signature, rows, answer)
        if signature == "features":
            want = self.memory("features", good)
            scale = max(1.0, float(np.abs(want).max()))
            found = answer["features"][kept]
            self._numbers(what, good, found / scale, want / scale)
            return
        want = self.memory("probabilities", good)
        if "probabilities" in answer:
            found = answer["probabilities"][kept]
            self._numbers(what, good, found, want)
        best = -np.sort(-want, axis=-1)[:, : answer["scores"].shape[-1]]
        self._numbers(what, good, answer["scores"][kept], best)
        # Of two classes alike either may come first: what counts is that a
        # name stands beside its own probability.
        column = {name: i for i, name in enumerate(self.memory.names)}
        try:
            places = [[column[n] for n in answer["classes"][i]] for i in kept]
        except KeyError as error:
            raise _refusal(f"{what} names the class {error}") from None
        named = np.take_along_axis(want, np.array(places), axis=-1)
        self._numbers(what, good, answer["scores"][kept], named)

    def _compare_status(self, what, signature, rows, answer) -> None:
        """A damaged picture's row is blank, and no other is."""
        bad = np.array([row == self.questions.bad for row in rows])
        told = answer.get("status")
        if told is not None and ((told != b"") != bad).any():
            shown = json.dumps([text.decode() for text in told])
            raise _refusal(f"{what} says status {shown}")
        for name, value in answer.items():
            blank = b"" if value.dtype.kind == "S" else 0
            if name != "status" and (value[bad] != blank).any():
                raise _refusal(
                    f"{what} answers for a picture that it cannot read"
                )

    def _numbers(self, what, rows, found, want) -> None:
        if found.shape != want.shape:
            raise _refusal(
                f"{what} gives an answer of shape {found.shape}, the model "
                f"{want.shape}"
            )
        difference = _differences(found, want)
        row = int(difference.argmax())
        name = self.questions.names[rows[row]]
        self._note(
            float(difference[row]),
            f"{what} differs from the model by {difference[row]:.2g} for "
            f"golden picture {name}",
        )

    def compare_split(
        self,
        evaluated: Evaluated,
        found: np.ndarray,
        class_names: Sequence[str],
    ) -> None:
        """Every example of an evaluated split."""
        want = evaluated.probabilities
        if found.shape != want.shape:
            raise _refusal(
                f"{SESSION} gives probabilities of shape {found.shape} for "
                f"the evaluated split, the evaluation {want.shape}"
            )
        difference = _differences(found, want)
        row = int(difference.argmax())
        says = class_names[int(found[row].argmax())]
        said = class_names[int(want[row].argmax())]
        self._note(
            float(difference[row]),
            f"serving_default differs from the evaluation by "
            f"{difference[row]:.2g} for {evaluated.ids[row]} ({said} in the "
            f"evaluation, {says} in the export)",
        )

    def _note(self, difference: float, words: str) -> None:
        if difference > self.worst[0]:
            self.worst = (difference, words)

    def refuse(self) -> None:
        """Raises what was worst, if it is too much."""
        difference, words = self.worst
        if difference > TOLERANCE:
            raise _refusal(f"{words}; allowed is {TOLERANCE:g}")


def _differences(found: np.ndarray, want: np.ndarray) -> np.ndarray:
    """The largest difference of each row; infinite where one is NaN."""
    difference = np.abs(found - want).reshape(len(want), -1).max(axis=-1)
    # A NaN would compare as "not larger" and pass.
    return np.nan_to_num(difference, nan=np.inf, posinf=np.inf)


def _refusal(words: str) -> NotPublishedError:
    return NotPublishedError(f"export not published: {words}")
