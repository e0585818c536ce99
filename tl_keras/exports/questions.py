"""Which pictures an export is asked, of which signature, in which batches.

    questions = Questions(golden, decoding, graph.signature_def)
    questions.write(folder, view, export)     # for the processes that ask

In: named pictures. Out: `questions.asked`, a list of (signature, rows), and
the files that the loaders' processes read. Batches of 1, 2 and an odd number,
and one with a damaged picture among good ones.
"""

import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tl_keras.exports.asking import write_questions
from tl_keras.exports.signatures import EXAMPLE_KEY
from tl_keras.inputs.image.pixels import Decoding

MIN_GOLDEN = 3  # pictures, so that there is a pair and an odd batch
DAMAGED_PICTURE = b"\xff\xd8\xff"  # a JPEG that ends after its first bytes
DRAWN = "a drawn picture"
# Signature -> its input, and the kind of golden strings or pixels it takes.
ASKED = {
    "serving_default": ("image_bytes", "bytes"),
    "serving_float": ("pixels", "pixels"),
    "features": ("image_bytes", "bytes"),
    "classify": ("inputs", "examples"),
}
OF_SESSION = ("serving_default", "serving_float")  # the first of ASKED


class Questions:
    """Golden pictures and the batches in which they are asked.

    Args:
        golden: name -> encoded picture; one or more.
        decoding: how bytes become the model's square.
        signatures: of the export.

    Attributes:
        names: of the pictures, by row.
        pictures: uint8 (n, size, size, 3), as training sees them.
        together: the rows of the largest batch.
        bad: the row of the damaged picture, which has no name.
        asked: (signature, rows) for each question, the session loader's
            first.
        of_session: how many of them the session loader is asked.
    """

    def __init__(
        self, golden: Mapping[str, bytes], decoding: Decoding, signatures
    ):
        golden = {**golden, **drawn_picture(decoding)}
        names = list(golden)
        while len(names) < MIN_GOLDEN:
            names += names
        self.together = list(range(len(names) - (len(names) + 1) % 2))
        self.bad = len(names)
        batches = [[row] for row in range(len(names))]
        batches += [[0, 1], self.together, [0, self.bad, 1]]
        self._set(golden, names, decoding, signatures)
        self.asked = [
            (signature, rows)
            for signature, (_, kind) in ASKED.items()
            for rows in batches
            if kind != "pixels" or self.bad not in rows
        ]
        # Each signature costs a loader a second of optimising its graph, so
        # the process that also imports TensorFlow is asked the two main ones.
        self.of_session = sum(s in OF_SESSION for s, _ in self.asked)

    @classmethod
    def each_alone(
        cls, golden: Mapping[str, bytes], decoding: Decoding, signatures
    ) -> "Questions":
        """Only the bytes of each, in a batch of its own.

        Args:
            golden: name -> encoded picture; none is added.
            decoding: how bytes become the model's square.
            signatures: of the export.

        Returns:
            Those to `serving_default`; none is for the session loader.
        """
        self = cls.__new__(cls)
        self._set(golden, list(golden), decoding, signatures)
        self.bad, self.together = len(golden), list(range(len(golden)))
        self.asked = [("serving_default", [row]) for row in range(self.bad)]
        self.of_session = 0
        return self

    def _set(self, golden, names, decoding, signatures) -> None:
        unlike = {n: decoding.load(tf.constant(golden[n])) for n in golden}
        self.names = names
        self.pictures = np.stack([unlike[name] for name in names])
        self._encoded = [golden[name] for name in names]
        self._signatures = signatures

    def write(
        self, place: pathlib.Path, exact: pathlib.Path, export: pathlib.Path
    ) -> None:
        """Writes them for the processes that ask.

        Args:
            place: where to.
            exact: the SavedModel that the C++ loader is asked of.
            export: the one that the session loader is asked of.
        """
        strings = [*self._encoded, DAMAGED_PICTURE]
        questions = []
        for signature, rows in self.asked:
            given, kind = ASKED[signature]
            definition = self._signatures[signature]
            questions.append(
                {
                    "feeds": {definition.inputs[given].name: [kind, rows]},
                    "fetches": {
                        name: output.name
                        for name, output in definition.outputs.items()
                    },
                }
            )
        examples = [example_of(encoded) for encoded in strings]
        write_questions(
            place, exact, export, questions, self.of_session,
            {"bytes": strings, "examples": examples}, self.pictures,
        )  # fmt: skip

    def good(self, rows: list[int]) -> list[int]:
        """Without the damaged one."""
        return [row for row in rows if row != self.bad]


def example_of(encoded: bytes) -> bytes:
    """A picture as the tf.Example that `classify` takes."""
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded]))
    features = tf.train.Features(feature={EXAMPLE_KEY: value})
    return tf.train.Example(features=features).SerializeToString()


def drawn_picture(decoding: Decoding) -> dict[str, bytes]:
    """{name: a PNG} that shows what a data set's own pictures may not.

    Grey ones look alike in RGB and BGR, and those that have the model's size
    in every resize. This one is coloured, oblong, larger than the square, and
    has edges at all places. {} where it would be too large to decode.
    """
    size = decoding.image_size
    height, width = 5 * size // 3 + 1, 9 * size // 4 + 1
    if height * width > decoding.max_pixels:
        return {}
    blocks = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    rows = np.arange(height) * 9 // height
    columns = np.arange(width) * 13 // width
    picture = blocks[rows][:, columns]
    return {DRAWN: tf.io.encode_png(picture).numpy()}
