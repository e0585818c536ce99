"""Model -> files for other runtimes: LiteRT (TFLite) and ONNX, each checked.

    targets = targets_of(("tflite", "onnx"), ("float32", "int8"))
    check_convertible(model, targets)             # before hours of training
    results = write_files(model, targets, "exports", split, representative)

In: a classifier. Out: `model_float32.tflite`, `model_float16.tflite`,
`model_int8.tflite`, `model.onnx`, each complete or absent, and labels.txt.

Each file takes `pixels`, float32 (batch, size, size, 3), 0 to 255, and gives
`probabilities`, float32 (batch, num_classes), in the order of labels.txt; what
the backbone wants of its input is in it. Decoding is not: neither runtime has
a decoder of pictures, and LiteRT no strings of bytes. Before a file gets its
name it is asked a whole split in a fresh process, through its own runtime; its
answers must be the model's, as nearly as its `Target` says.

Needs the extras `tflite` and `onnx`.
"""

import pathlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import keras
import numpy as np

from tl_keras import atomic
from tl_keras.errors import ConfigError, NotPublishedError
from tl_keras.exports import PREFIX
from tl_keras.exports.runtimes.converting import answers_of, convert, in_float32
from tl_keras.exports.runtimes.gate import Expected, Verdict, ask_file, judge
from tl_keras.exports.runtimes.targets import (
    TABLE,
    Target,
    check_packages,
    missing_modules,
    targets_of,
)
from tl_keras.versions import LABELS_FILE, labels_text

__all__ = [
    "TABLE",
    "Result",
    "Split",
    "Target",
    "Verdict",
    "check_convertible",
    "check_packages",
    "missing_modules",
    "targets_of",
    "write_files",
]


class Split(NamedTuple):
    """The pictures that every file is asked.

    Attributes:
        ids: one text each.
        labels: int (n,), index into the class names.
        batches: called for a pass: uint8 arrays (b, size, size, 3).
        class_names: in the order of the logits.
    """

    ids: Sequence[str]
    labels: np.ndarray
    batches: Callable[[], Iterable[np.ndarray]]
    class_names: Sequence[str]


class Result(NamedTuple):
    """What came of one target.

    Attributes:
        target: which.
        size: bytes of the file; None where none could be made.
        verdict: how it did on the split; None where it could not be asked.
        refusal: why there is no file; "" if there is one.
    """

    target: Target
    size: int | None
    verdict: Verdict | None
    refusal: str


def check_convertible(model: keras.Model, targets: Sequence[Target]) -> None:
    """Makes and asks every file once, whatever the weights are.

    Args:
        model: pixels (batch, size, size, 3), 0 to 255 -> logits.
        targets: what shall be made of it when it is trained.

    Raises:
        MachineError: a library is missing.
        ConfigError: a converter or a runtime cannot do this network; says
            which and why.
    """
    check_packages(targets)
    noise = np.random.default_rng(0)
    size = model.input_shape[1]
    pictures = noise.integers(0, 256, (2, size, size, 3), np.uint8)
    files: dict[tuple[str, str], list[Target]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        reasons = convert(in_float32(model), targets, folder, pictures)
        for target in targets:
            reason = reasons.get(target.name) or _cannot_run(
                folder / target.file, target, pictures
            )
            if reason:
                files.setdefault((target.kind, reason), []).append(target)
    if files:
        raise ConfigError(
            [
                f"--export={kind}: {', '.join(t.file for t in some)} cannot be "
                f"made of this network: {reason} - {_remedy(some)}"
                for (kind, reason), some in files.items()
            ]
        )


def _cannot_run(file: pathlib.Path, target: Target, pictures) -> str:
    try:
        ask_file(file, target, pictures)
    except NotPublishedError as error:
        return str(error).removeprefix(PREFIX)
    return ""


def _remedy(failed: Sequence[Target]) -> str:
    precisions = [target.precision for target in failed]
    if failed[0].kind == "tflite" and "float32" not in precisions:
        return f"leave {', '.join(precisions)} out of --tflite_precision"
    return f"leave {failed[0].kind} out, or choose another --backbone"


def write_files(
    model: keras.Model,
    targets: Sequence[Target],
    folder: str | pathlib.Path,
    split: Split,
    representative: np.ndarray,
) -> list[Result]:
    """Converts a trained model, asks each file the split, keeps what is true.

    Args:
        model: pixels (batch, size, size, 3), 0 to 255 -> logits.
        targets: what to make.
        folder: where to; made if it is missing.
        split: what each file is asked; the test split.
        representative: uint8 (n, size, size, 3): int8 takes from these how
            large activations become. Pictures of training.

    Returns:
        One result a target. A file that did not pass is not there.
    """
    folder = pathlib.Path(folder)
    plain = in_float32(model)
    answers, movement = answers_of(plain, split.batches())
    expected = Expected(
        split.ids, split.labels, answers, split.class_names, movement
    )
    with tempfile.TemporaryDirectory() as scratch:
        place = pathlib.Path(scratch)
        reasons = convert(plain, targets, place, representative)
        results = [
            Result(target, None, None, reasons[target.name])
            if target.name in reasons
            else _asked(place / target.file, target, split, expected)
            for target in targets
        ]
        for result in results:
            if not result.refusal:
                _publish(place, folder, result.target.file)
    if any(not result.refusal for result in results):
        with atomic.replacing(folder / LABELS_FILE) as temporary:
            temporary.write_text(
                labels_text(split.class_names), encoding="utf-8"
            )
    return results


def _asked(
    file: pathlib.Path, target: Target, split: Split, expected: Expected
) -> Result:
    size = file.stat().st_size
    squares = (square for batch in split.batches() for square in batch)
    try:
        answers = ask_file(file, target, squares)
    except NotPublishedError as error:
        return Result(target, size, None, str(error).removeprefix(PREFIX))
    if answers.shape != expected.probabilities.shape:
        words = f"it gives probabilities of shape {answers.shape}"
        return Result(target, size, None, words)
    verdict = judge(target, answers, expected)
    return Result(target, size, verdict, verdict.refusal)


def _publish(place: pathlib.Path, folder: pathlib.Path, name: str) -> None:
    """Copies a file to where people find it, complete or absent."""
    with atomic.replacing(folder / name) as temporary:
        temporary.write_bytes((place / name).read_bytes())
