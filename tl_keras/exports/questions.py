"""Which examples an export is asked, of which signature, in which batches.

    questions = Questions(golden, decoding, graph.signature_def)
    questions.write(folder, view, export)     # for the processes that ask

In: named examples. Out: `questions.asked`, a list of (signature, rows), and
the files that the loaders' processes read. Batches of 1, 2 and an odd number,
and one with a damaged example among good ones.
"""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tl_keras.exports.asking import write_questions
from tl_keras.inputs.input import Input, Tensors

MIN_GOLDEN = 3  # examples, so that there is a pair and an odd batch
# Kinds of golden strings; numbers have the name of their tensor.
BYTES, EXAMPLES = "bytes", "examples"
OF_SESSION = 2  # signatures, the first of `_kinds`


def _kinds(decoding: Input) -> dict[str, dict[str, str]]:
    """Signature -> its inputs, each with the kind that it takes."""
    named = [spec.name for spec in tf.nest.flatten(decoding.served_specs)]
    return {
        "serving_default": {decoding.serving_name: BYTES},
        decoding.loaded_signature: {name: name for name in named},
        "features": {decoding.serving_name: BYTES},
        "classify": {"inputs": EXAMPLES},
    }


class Questions:
    """Golden examples and the batches in which they are asked.

    Args:
        golden: name -> encoded example; one or more.
        decoding: how bytes become the model's inputs.
        signatures: of the export.
        answer: the output of `serving_default` that a stream is asked.

    Attributes:
        names: of the examples, by row.
        tensors: of all, as the model takes them (`served_specs`).
        together: the rows of the largest batch.
        bad: the row of the damaged example, which has no name.
        asked: (signature, rows) for each question, the session loader's
            first.
        of_session: how many of them the session loader is asked.
    """

    def __init__(
        self,
        golden: Mapping[str, bytes],
        decoding: Input,
        signatures,
        answer: str,
    ):
        golden = {**golden, **decoding.probe()}
        names = list(golden)
        while len(names) < MIN_GOLDEN:
            names += names
        self.together = list(range(len(names) - (len(names) + 1) % 2))
        self.bad = len(names)
        batches = [[row] for row in range(len(names))]
        batches += [[0, 1], self.together, [0, self.bad, 1]]
        self._set(golden, names, decoding, signatures, answer)
        self.asked = [
            (signature, rows)
            for signature in self._kinds
            for rows in batches
            if signature in signatures
            # What is loaded already cannot be damaged.
            if signature != decoding.loaded_signature or self.bad not in rows
        ]
        # Each signature costs a loader a second of optimising its graph, so
        # the process that also imports TensorFlow is asked the two main ones.
        main = list(self._kinds)[:OF_SESSION]
        self.of_session = sum(s in main for s, _ in self.asked)

    @classmethod
    def each_alone(
        cls,
        golden: Mapping[str, bytes],
        decoding: Input,
        signatures,
        answer: str,
    ) -> "Questions":
        """Only the bytes of each, in a batch of its own.

        Args:
            golden: name -> encoded example; none is added.
            decoding: how bytes become the model's inputs.
            signatures: of the export.
            answer: as of the class.

        Returns:
            Those to `serving_default`; none is for the session loader.
        """
        self = cls.__new__(cls)
        self._set(golden, list(golden), decoding, signatures, answer)
        self.bad, self.together = len(golden), list(range(len(golden)))
        self.asked = [("serving_default", [row]) for row in range(self.bad)]
        self.of_session = 0
        return self

    def _set(self, golden, names, decoding, signatures, answer) -> None:
        unlike = {n: decoding.load(tf.constant(golden[n])) for n in golden}
        self.names = names
        self.tensors = tf.nest.map_structure(
            lambda spec, *each: np.stack(each).astype(
                spec.dtype.as_numpy_dtype
            ),
            decoding.served_specs,
            *(unlike[name] for name in names),
        )
        self._kinds = _kinds(decoding)
        self._specs = tf.nest.flatten(decoding.served_specs)
        self._key = decoding.example_key
        self._encoded = [golden[name] for name in names]
        self._damaged = decoding.damaged
        self._signatures, self._answer = signatures, answer

    def batch(self, rows: Sequence[int]) -> Tensors:
        """What the model takes for some rows."""
        rows = list(rows)
        return tf.nest.map_structure(lambda array: array[rows], self.tensors)

    def write(
        self, place: pathlib.Path, exact: pathlib.Path, export: pathlib.Path
    ) -> None:
        """Writes them for the processes that ask.

        Args:
            place: where to.
            exact: the SavedModel that the C++ loader is asked of.
            export: the one that the session loader is asked of.
        """
        strings = [*self._encoded, self._damaged]
        questions = []
        for signature, rows in self.asked:
            definition = self._signatures[signature]
            questions.append(
                {
                    "feeds": {
                        definition.inputs[given].name: [kind, rows]
                        for given, kind in self._kinds[signature].items()
                    },
                    "fetches": {
                        name: output.name
                        for name, output in definition.outputs.items()
                    },
                }
            )
        examples = [example_of(encoded, self._key) for encoded in strings]
        arrays = tf.nest.flatten(self.tensors)
        write_questions(
            place, exact, export, questions, self.of_session,
            {BYTES: strings, EXAMPLES: examples},
            {s.name: a for s, a in zip(self._specs, arrays, strict=True)},
            self._answer,
        )  # fmt: skip

    def good(self, rows: list[int]) -> list[int]:
        """Without the damaged one."""
        return [row for row in rows if row != self.bad]


def example_of(encoded: bytes, key: str) -> bytes:
    """An example as the tf.Example that `classify` takes."""
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    features = tf.train.Features(feature={key: value})
    return tf.train.Example(features=features).SerializeToString()
