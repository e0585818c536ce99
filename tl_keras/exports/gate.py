"""An export is asked before it is published, in processes of their own.

    passed = check_export(folder, model, class_names, decoding, golden)

In: an export's folder, the model it was made of, and pictures. Out: what was
found, or NotPublishedError that names the worst example.

Two questions, since a GPU or bfloat16 moves answers further than many a fault:

1. *Is it the same function?* What it stores is the model's, bit for bit
   (`stored`); and where both compute in float32 on the CPU, they answer alike:
   encoded bytes and pixels, batches of 1, 2 and an odd number, one damaged
   picture among good ones, all signatures, through TensorFlow's C++ loader, the
   one that the server links. A difference is refused on every device.
2. *How far do answers move here?* A whole split is asked on the device that
   will serve, in the export's own precision, through the session loader. How
   far it is from the evaluation is measured, and told beside the model's own
   movement; pictures that are furthest are asked again as in 1. It is refused
   only where it is far beyond anything that rounding does.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np

from tl_keras.exports.comparison import Comparison
from tl_keras.exports.float32 import exact_export
from tl_keras.exports.fresh_process import C_LOADER, SESSION, start_loaders
from tl_keras.exports.inspection import inspect_written
from tl_keras.exports.labels import check_labels
from tl_keras.exports.movement import Movement, measure, rounding_inside
from tl_keras.exports.questions import Questions
from tl_keras.exports.reference import Reference
from tl_keras.exports.rounding import Rounding, rounding_of
from tl_keras.exports.split import Evaluated, Split
from tl_keras.exports.stored import check_variables
from tl_keras.inputs.image.pixels import Decoding


@dataclasses.dataclass(frozen=True)
class Passed:
    """What the gate found.

    Attributes:
        difference: the largest one of a probability between the model and
            its export, both in float32 on the CPU.
        probabilities: the export's own for the evaluated split, float32
            (n, num_classes); None where none was given.
        warm_ups: how many warm-up requests were replayed.
        rounding: how far answers move on this device; None where nothing was
            evaluated.
    """

    difference: float
    probabilities: np.ndarray | None
    warm_ups: int
    rounding: Rounding | None = None

    @property
    def movement(self) -> float:
        """The model's own, in nats; 0.0 where it was not measured."""
        return self.rounding.movement if self.rounding else 0.0


def check_export(
    folder: pathlib.Path,
    model: keras.Model,
    class_names: Sequence[str],
    decoding: Decoding,
    golden: Mapping[str, bytes],
    evaluated: Evaluated | None = None,
    *,
    loaders: Callable = start_loaders,
) -> Passed:
    """Loads an export in fresh processes without Keras and compares.

    Args:
        folder: the SavedModel.
        model: pixels -> logits, of which it was made.
        class_names: in the order of the logits.
        decoding: how bytes become the model's square.
        golden: name -> encoded picture; one or more.
        evaluated: a whole split to compare too.
        loaders: what starts the processes, as `fresh_process.start_loaders`.

    Raises:
        NotPublishedError: it does not load, its graph may do what ours need
            not, it stores other values, or an answer differs.
    """
    graph = inspect_written(folder)
    check_labels(folder, graph, class_names)
    check_variables(folder, model)
    with (
        loaders() as asking,
        exact_export(graph, folder) as exact,
        tempfile.TemporaryDirectory() as scratch,
    ):
        asked = _Asked(
            asking, pathlib.Path(scratch), (exact, folder), class_names,
            lambda pictures, kind=Questions: kind(
                pictures, decoding, graph.signature_def
            ),
        )  # fmt: skip
        return asked.compare(Reference(model), golden, evaluated)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """The two questions, put to loaders that run.

    Attributes:
        asking: the loaders.
        scratch: a folder for questions and answers.
        exports: the export in float32, and as it is.
        names: of the classes.
        questions: named pictures -> `Questions`.
    """

    asking: object
    scratch: pathlib.Path
    exports: tuple[pathlib.Path, pathlib.Path]
    names: Sequence[str]
    questions: Callable

    def compare(self, reference, golden, evaluated) -> Passed:
        """Asks all, compares all, refuses what differs."""
        first = self.questions(golden)
        self.asking.begin(self._write("golden", first))
        # In memory while the processes load.
        exact = Comparison(first, reference.exact, self.names)
        movement = _movement(reference, exact)
        by_session, more = self.asking.serve(_read_all(evaluated))
        split = None
        if evaluated is not None:
            split = Split(evaluated, more["streamed"], self.names)
        again = self._again(split, movement)
        by_c, *others = self.asking.exact_answers()
        exact.compare_all(C_LOADER, by_c)
        movement = _settled(exact, movement, reference)
        served = exact.again()
        served.compare_all(SESSION, by_session, first.of_session)
        served.refuse(movement.far)
        if again is not None:
            movement = self._compare_again(again, *others, reference, movement)
        if split is not None:
            if split.worst > movement.far and reference.exact_here:
                movement = _with_inside(movement, reference, first)
            split.refuse(movement)
        return Passed(
            exact.of_probability,
            split and split.found,
            int(more["replayed"]),
            split and rounding_of(split, movement),
        )

    def _write(self, name: str, questions: Questions) -> pathlib.Path:
        place = self.scratch / name
        place.mkdir()
        questions.write(place, *self.exports)
        return place

    def _again(self, split, movement: Movement) -> Questions | None:
        """Asks exactly of what differs most in the split, if much does."""
        rows = [] if split is None else split.furthest(movement.tolerance)
        if not rows:
            return None
        ids, read = split.evaluated.ids, split.evaluated.read
        questions = self.questions(
            {ids[row]: read(row) for row in rows}, Questions.each_alone
        )
        self.asking.ask_exactly(self._write("again", questions))
        return questions

    def _compare_again(
        self, questions, answers, reference, movement: Movement
    ) -> Movement:
        """Compares those pictures; their own movement counts with the rest."""
        exact = Comparison(questions, reference.exact, self.names, "picture")
        movement = movement.or_more(_movement(reference, exact))
        exact.compare_all(C_LOADER, answers)
        return _settled(exact, movement, reference)


def _settled(
    exact: Comparison, movement: Movement, reference: Reference
) -> Movement:
    """Refuses an export that is another function.

    Returns:
        The movement, with what rounds inside where that is what differs.
    """
    if exact.worst[0] > movement.tolerance:
        movement = _with_inside(movement, reference, exact.questions)
    exact.refuse(movement.tolerance)
    return movement


def _with_inside(
    movement: Movement, reference: Reference, questions: Questions
) -> Movement:
    """With what rounds where no graph shows it: in kernels of the CPU."""
    inside = rounding_inside(reference, questions.pictures)
    return movement.or_more(inside)


def _movement(reference: Reference, exact: Comparison) -> Movement:
    """The model's own, of the pictures that are asked together anyway."""
    rows = exact.questions.together
    return measure(
        reference,
        exact.questions.pictures[rows],
        lambda some: {
            what: exact.want(what, [rows[i] for i in some])
            for what in ("probabilities", "features")
        },
    )


def _read_all(evaluated: Evaluated | None):
    if evaluated is None:
        return ()
    return (evaluated.read(i) for i in range(len(evaluated.ids)))
