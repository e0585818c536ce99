"""Model -> files for other runtimes: LiteRT (TFLite) and ONNX, each checked.

    formats = formats_of(("tflite", "onnx"), ("float32", "int8"))
    check_convertible(model, formats)             # before hours of training
    results = write_files(
        model, formats, "exports", split, representative, task
    )

In: a classifier. Out: `model_float32.tflite`, `model_float16.tflite`,
`model_int8.tflite`, `model.onnx`, each complete or absent, and labels.txt.

Each file takes `pixels`, float32 (batch, size, size, 3), 0 to 255, or
`token_ids`, int32 (batch, tokens), padded at the end; and gives `Task.answer`,
float32 (batch, outputs), in the order of labels.txt. What the backbone wants of
its input is in it. Decoding and the tokenizer are not: neither runtime has a
decoder of pictures, and LiteRT no strings of bytes. For texts the vocabulary
lies beside (`inputs.text.write_vocabulary`). Before a file gets its
name it passes the gate: it is asked a whole split in a fresh process, through
its own runtime; its answers must be the model's, as nearly as its row of
`formats.TABLE` says.

Needs the extras `tflite` and `onnx`.
"""

import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import keras
import numpy as np

from tl_keras import atomic, progress
from tl_keras.errors import ConfigError, NotPublishedError
from tl_keras.exports.formats import Format, Source, check_packages
from tl_keras.exports.fresh_process import PREFIX
from tl_keras.exports.gate import GateReport, ask_file, check_file
from tl_keras.exports.movement import Movement
from tl_keras.exports.runtimes.converting import answers_of, in_float32
from tl_keras.exports.split import Evaluated
from tl_keras.tasks.difference import Differs
from tl_keras.tasks.task import Task
from tl_keras.versions import LABELS_FILE, labels_text


class Squares(NamedTuple):
    """The examples that every file is asked, as the model takes them.

    Attributes:
        ids: one text each.
        labels: int (n,), index into the class names.
        batches: called for a pass: uint8 arrays (b, size, size, 3), or int32
            token ids (b, tokens).
        class_names: in the order of the logits.
    """

    ids: Sequence[str]
    labels: np.ndarray
    batches: Callable[[], Iterable[np.ndarray]]
    class_names: Sequence[str]

    def each(self) -> Iterable[np.ndarray]:
        """One by one, uint8 (size, size, 3) or int32 (tokens,)."""
        return itertools.chain.from_iterable(self.batches())


class Result(NamedTuple):
    """What came of one format.

    Attributes:
        format: which.
        size: bytes of the file; None where none could be made.
        report: what the gate found; None where it could not be asked.
        refusal: why there is no file; "" if there is one.
    """

    format: Format
    size: int | None
    report: GateReport | None
    refusal: str


def check_convertible(
    model: keras.Model, formats: Sequence[Format], task: Task | None = None
) -> None:
    """Makes and asks every file once, whatever the weights are.

    Args:
        model: pixels (batch, size, size, 3), 0 to 255, or token ids (batch,
            tokens) -> logits.
        formats: what shall be made of it when it is trained.
        task: what is predicted; one class of several when None.

    Raises:
        MachineError: a library is missing.
        ConfigError: a converter or a runtime cannot do this network; says
            which and why.
    """
    check_packages(formats)
    squares = _made_up(model)
    failed: dict[tuple[str, str], list[Format]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        plain = in_float32(model)
        source = Source(plain, (), None, squares, task)
        reasons = _written(source, formats, folder)
        for row in formats:
            reason = reasons.get(row.name) or _cannot_run(
                folder / row.file, row, squares
            )
            if reason:
                failed.setdefault((row.kind, reason), []).append(row)
    if failed:
        raise ConfigError(
            [
                f"--export={kind}: {', '.join(row.file for row in some)} "
                f"cannot be made of this network: {reason} - {_remedy(some)}"
                for (kind, reason), some in failed.items()
            ]
        )


def _made_up(model: keras.Model) -> np.ndarray:
    """Two examples that are nobody's, as the model takes them."""
    shape = (2, *model.input_shape[1:])
    if len(shape) == 2:  # Ids that any vocabulary has, and padding.
        return np.arange(2 * shape[1], dtype=np.int32).reshape(shape) % 3
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _written(
    source: Source, formats: Sequence[Format], folder: pathlib.Path
) -> dict[str, str]:
    """Writes all, those that one writer makes together; why some were not."""
    reasons: dict[str, str] = {}
    for write in dict.fromkeys(row.write for row in formats):
        together = [row for row in formats if row.write is write]
        named = ", ".join(row.file for row in together)
        with progress.doing(f"converting to {named}"):
            reasons |= write(source, together, folder)
    return reasons


def _cannot_run(file: pathlib.Path, row: Format, squares) -> str:
    try:
        ask_file(file, row, squares)
    except NotPublishedError as error:
        return "\n".join(error.faults).removeprefix(PREFIX)
    return ""


def _remedy(failed: Sequence[Format]) -> str:
    precisions = [row.precision for row in failed]
    if failed[0].kind == "tflite" and "float32" not in precisions:
        return f"leave {', '.join(precisions)} out of --tflite_precision"
    return f"leave {failed[0].kind} out, or choose another --backbone"


def write_files(
    model: keras.Model,
    formats: Sequence[Format],
    folder: str | pathlib.Path,
    split: Squares,
    representative: np.ndarray,
    task: Task,
) -> list[Result]:
    """Converts a trained model, asks each file the split, keeps what is true.

    Args:
        model: pixels (batch, size, size, 3), 0 to 255, or token ids (batch,
            tokens) -> logits.
        formats: what to make.
        folder: where to; made if it is missing.
        split: what each file is asked; the test split.
        representative: uint8 (n, size, size, 3), or int32 (n, tokens): int8
            takes from these how large activations become. Of training.
        task: what is predicted.

    Returns:
        One result a format. A file that did not pass is not there.
    """
    folder = pathlib.Path(folder)
    plain = in_float32(model)
    differs = task.differs(split.class_names)
    answers, movement = answers_of(plain, split.batches(), differs, task)
    expected = Evaluated(split.ids, None, answers, split.labels)
    source = Source(plain, split.class_names, None, representative, task)
    with tempfile.TemporaryDirectory() as scratch:
        place = pathlib.Path(scratch)
        reasons = _written(source, formats, place)
        results = [
            Result(row, None, None, reasons[row.name])
            if row.name in reasons
            else _asked(place, row, split, expected, movement, differs)
            for row in formats
        ]
        for result in results:
            if not result.refusal:
                _publish(place, folder, result.format.file)
    if any(not result.refusal for result in results):
        with atomic.replacing(folder / LABELS_FILE) as temporary:
            temporary.write_text(
                labels_text(split.class_names), encoding="utf-8"
            )
    return results


def _asked(
    place: pathlib.Path,
    row: Format,
    split: Squares,
    expected: Evaluated,
    movement: Movement,
    differs: Differs,
) -> Result:
    file = place / row.file
    size = file.stat().st_size
    try:
        asked = progress.counted(
            split.each(), f"verifying {row.file}", len(split.ids)
        )
        report = check_file(file, row, expected, asked, movement, differs)
    except NotPublishedError as error:
        return Result(
            row, size, None, "\n".join(error.faults).removeprefix(PREFIX)
        )
    return Result(row, size, report, report.split.refusal)


def _publish(place: pathlib.Path, folder: pathlib.Path, name: str) -> None:
    """Copies a file to where people find it, complete or absent."""
    with atomic.replacing(folder / name) as temporary:
        temporary.write_bytes((place / name).read_bytes())
