"""An export is asked before it is published, in processes of their own.

    report = check_export(folder, model, class_names, decoding, golden, task)
    report = check_file(file, format, evaluated, squares, movement, differs)

In: an export, and what it was made of. Out: what was found, or
NotPublishedError that names the worst example. How answers are compared is the
task's (`differs`); how each format is asked, its row of `formats.TABLE`.

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

A file for another runtime, whose arithmetic nobody can ask exactly, is asked
the second question alone, and held to the limits of its format.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence

import keras
import numpy as np

from tl_keras.exports.comparison import Comparison, refusal
from tl_keras.exports.float32 import exact_export
from tl_keras.exports.formats import SAVED_MODEL, Format
from tl_keras.exports.fresh_process import C_LOADER, SESSION
from tl_keras.exports.inspection import inspect_written
from tl_keras.exports.movement import Movement, measure, rounding_inside
from tl_keras.exports.questions import Questions
from tl_keras.exports.reference import Reference
from tl_keras.exports.split import Evaluated, Split, SplitReport
from tl_keras.exports.stored import check_variables
from tl_keras.inputs.input import Input
from tl_keras.tasks.difference import Differs
from tl_keras.tasks.task import Task
from tl_keras.versions import LABELS_FILE


@dataclasses.dataclass(frozen=True)
class GateReport:
    """What the gate found, of whatever format.

    Attributes:
        difference: the largest one of an answer between the model and its
            export, both in float32 on the CPU; None where that cannot be
            asked.
        answers: the export's own for the evaluated split, float32
            (n, outputs); None where none was given.
        warm_ups: how many warm-up requests were replayed.
        split: how it did on the evaluated split; None where none was given.
    """

    difference: float | None
    answers: np.ndarray | None
    warm_ups: int = 0
    split: SplitReport | None = None

    @property
    def movement(self) -> float:
        """The model's own, as `Movement.moved`; 0.0 if it was not measured."""
        return self.split.movement if self.split else 0.0


def check_file(
    file: pathlib.Path,
    kind: Format,
    evaluated: Evaluated,
    squares: Iterable[np.ndarray],
    movement: Movement,
    differs: Differs,
) -> GateReport:
    """Asks a file for another runtime a whole split, in a fresh process.

    Args:
        file: of the format.
        kind: its format.
        evaluated: what the model answers, in float32 arithmetic.
        squares: the split, uint8 (size, size, 3) each.
        movement: the model's own.
        differs: the task's comparison of answers.

    Returns:
        What was found; its `split.refusal` says why the file may not be used.

    Raises:
        NotPublishedError: it does not load or run, or answers otherwise than
            a classifier of these classes.
    """
    answers = ask_file(file, kind, squares)
    split = Split(evaluated, answers, differs, "it")
    return GateReport(None, answers, 0, split.report(kind, movement))


def ask_file(
    file: pathlib.Path, kind: Format, squares: Iterable[np.ndarray]
) -> np.ndarray:
    """A file's answers through its own runtime, without the model beside it.

    Args:
        file: of the format.
        kind: its format.
        squares: uint8 (size, size, 3) each.

    Returns:
        Its answers, float32 (n, outputs).

    Raises:
        NotPublishedError: the process failed; says how.
    """
    with kind.start() as asking:
        asking.begin(file)
        _, more = asking.serve(square.tobytes() for square in squares)
        return more["streamed"]


def check_export(
    folder: pathlib.Path,
    model: keras.Model,
    class_names: Sequence[str],
    decoding: Input,
    golden: Mapping[str, bytes],
    task: Task,
    evaluated: Evaluated | None = None,
    *,
    loaders: Callable = SAVED_MODEL.start,
) -> GateReport:
    """Loads a SavedModel in fresh processes without Keras and compares.

    Args:
        folder: the SavedModel.
        model: pixels -> logits, of which it was made.
        class_names: in the order of the logits.
        decoding: how bytes become the model's inputs.
        golden: name -> encoded picture; one or more.
        task: what is predicted.
        evaluated: a whole split to compare too.
        loaders: what starts the processes, as the format's row.

    Returns:
        What was measured: how far the answers are from the model's.

    Raises:
        NotPublishedError: it does not load, its graph may do what ours need
            not, it stores other values, or an answer differs.
    """
    export = inspect_written(folder)
    graph = export.graph
    # Answers show the best few alone: two of a hundred names exchanged would
    # not be seen in those. The graph names them as labels.txt does.
    if export.labels != tuple(class_names):
        raise refusal(
            f"{LABELS_FILE} does not name the model's classes in their order"
        )
    check_variables(folder, model)
    with (
        loaders() as asking,
        exact_export(graph, folder) as exact,
        tempfile.TemporaryDirectory() as scratch,
    ):
        asked = _Asked(
            asking, pathlib.Path(scratch), (exact, folder),
            task.differs(class_names),
            lambda examples, kind=Questions: kind(
                examples, decoding, graph.signature_def, task.answer
            ),
        )  # fmt: skip
        if evaluated is None or decoding.kind != "text":
            return asked.compare(Reference(model, task), golden, evaluated)
        order = evaluated.by_length()
        found = asked.compare(
            Reference(model, task), golden, evaluated.in_order(order)
        )
        answers = found.answers[np.argsort(order)]
        return dataclasses.replace(found, answers=answers)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """The two questions, put to loaders that run.

    Attributes:
        asking: the loaders.
        scratch: a folder for questions and answers.
        exports: the export in float32, and as it is.
        differs: the task's comparison of answers.
        questions: named pictures -> `Questions`.
    """

    asking: object
    scratch: pathlib.Path
    exports: tuple[pathlib.Path, pathlib.Path]
    differs: Differs
    questions: Callable

    def compare(self, reference, golden, evaluated) -> GateReport:
        """Asks all, compares all, refuses what differs."""
        first = self.questions(golden)
        self.asking.begin(self._write("golden", first))
        # In memory while the processes load.
        exact = Comparison(first, reference.exact, self.differs)
        movement = _movement(reference, exact, self.differs)
        asked = () if evaluated is None else evaluated.encoded()
        by_session, more = self.asking.serve(asked)
        split = None
        if evaluated is not None:
            split = Split(evaluated, more["streamed"], self.differs, SESSION)
        again = self._again(split, movement)
        by_c, *others = self.asking.exact_answers()
        exact.compare_all(C_LOADER, by_c)
        movement = self._settled(exact, movement, reference)
        served = exact.again()
        served.compare_all(SESSION, by_session, first.of_session)
        served.refuse(movement.far)
        if again is not None:
            movement = self._compare_again(again, *others, reference, movement)
        report = None
        if split is not None:
            if split.worst > movement.far and reference.exact_here:
                movement = self._with_inside(movement, reference, first)
            report = split.report(SAVED_MODEL, movement)
            if report.refusal:
                raise refusal(report.refusal)
        return GateReport(
            exact.plain,
            split and split.received,
            int(more["replayed"]),
            report,
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
        exact = Comparison(questions, reference.exact, self.differs, "example")
        movement = movement.or_more(_movement(reference, exact, self.differs))
        exact.compare_all(C_LOADER, answers)
        return self._settled(exact, movement, reference)

    def _settled(
        self, exact: Comparison, movement: Movement, reference: Reference
    ) -> Movement:
        """Refuses an export that is another function.

        Returns:
            The movement, with what rounds inside where that is what differs.
        """
        if exact.worst[0] > movement.tolerance:
            movement = self._with_inside(movement, reference, exact.questions)
        exact.refuse(movement.tolerance)
        return movement

    def _with_inside(
        self, movement: Movement, reference: Reference, questions: Questions
    ) -> Movement:
        """With what rounds where no graph shows it: in kernels of the CPU."""
        return movement.or_more(
            rounding_inside(reference, questions.tensors, self.differs)
        )


def _movement(
    reference: Reference, exact: Comparison, differs: Differs
) -> Movement:
    """The model's own, of the pictures that are asked together anyway."""
    rows = exact.questions.together
    return measure(
        reference,
        exact.questions.batch(rows),
        differs,
        lambda some: exact.want([rows[i] for i in some]),
    )
