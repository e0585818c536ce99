"""What a model is exported as: a table of formats, and how true each must be.

    formats = formats_of(("tflite", "onnx"), ("float32", "int8"))
    check_packages(formats)          # MachineError names what is to install
    formats[0].write(source, formats, folder)
    with formats[0].start() as asking: ...

In: names. Out: rows of a table. Each says how it is written, and how fresh
processes are started that ask it through its own runtime; the gate does the
rest, for all of them (`gate`, `split`). One more format is one more row.
"""

import contextlib
import dataclasses
import functools
import importlib.util
import pathlib
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import keras
import numpy as np

from tl_keras.errors import MachineError
from tl_keras.exports import fresh_process, saved_model
from tl_keras.exports.runtimes import asking, converting
from tl_keras.inputs.input import Input
from tl_keras.tasks.task import Task


class Source(NamedTuple):
    """What a format is made of.

    Attributes:
        model: pixels (batch, size, size, 3), 0 to 255 -> outputs.
        class_names: in the order of the outputs.
        decoding: how bytes become the model's inputs; of formats that decode.
        representative: uint8 (n, size, size, 3): int8 takes from these how
            large activations become. Pictures of training.
        task: what is predicted; one class of several when None.
    """

    model: keras.Model
    class_names: Sequence[str] = ()
    decoding: Input | None = None
    representative: np.ndarray | None = None
    task: Task | None = None


@dataclasses.dataclass(frozen=True)
class Format:
    """One thing that a model is exported as.

    Attributes:
        name: what metrics.json calls it.
        kind: as `--export` names it.
        precision: "float32", "float16" or "int8", of its weights; int8
            computes in it too, where its runtime can. "" for the model's own.
        file: its name; "" for a numbered folder.
        runtime: what runs it, in words.
        modules: that make and run it; the extra of the kind's name installs
            them.
        write: (source, formats of the kind, folder) -> name -> why it could
            not be made; {} where all were.
        start: starts the fresh processes that ask it; a context that gives
            something with `begin(place)` and `serve(stream)`.
        exact: whether it can be asked in exact arithmetic, so that it is known
            to be the same function, and what its answers on a device differ
            by is that device's. Else it is held to the next three.
        largest: of an answer, the greatest difference from the model that it
            may have for one example; None for no limit.
        mean: the same as a mean over examples, of each one's largest.
        lost: the share of the examples by which it may be less right than
            the model; one example is always allowed.
    """

    name: str
    kind: str
    precision: str
    file: str
    runtime: str
    modules: tuple[str, ...]
    write: Callable[..., dict[str, str]]
    start: Callable[[], contextlib.AbstractContextManager]
    exact: bool = False
    largest: float | None = None
    mean: float = 0.0
    lost: float = 0.0


# Looked up when they are called, so that a row is what its module does.
def _write_saved_model(source: Source, formats, folder: pathlib.Path) -> dict:
    saved_model.write(
        source.model, folder, source.class_names, source.decoding, source.task
    )
    return {}


def _start_loaders():
    return fresh_process.start_loaders()


def _convert(source: Source, formats, folder: pathlib.Path) -> dict[str, str]:
    return converting.convert(
        source.model, formats, folder, source.representative, source.task
    )


SAVED_MODEL = Format(
    "saved_model", "saved_model", "", "", "TensorFlow", (),
    _write_saved_model, _start_loaders, exact=True,
)  # fmt: skip
LITERT = functools.partial(
    Format, kind="tflite", runtime="LiteRT", modules=("ai_edge_litert",),
    write=_convert,
    start=functools.partial(asking.start_runtime, "tflite", "LiteRT"),
)  # fmt: skip
ONNX = functools.partial(
    Format, kind="onnx", runtime="ONNX Runtime",
    modules=("onnx", "tf2onnx", "onnxruntime"), write=_convert,
    start=functools.partial(asking.start_runtime, "onnx", "ONNX Runtime"),
)  # fmt: skip
# Limits measured on 2 CPU cores, digits (letters_vgg) and photographs
# (MobileNetV2): see the README. Sums are taken in another order by each
# runtime, so float32 is not to the last bit; half precision keeps 11 bits,
# int8 keeps 8.
TABLE = {
    row.name: row
    for row in (
        SAVED_MODEL,
        LITERT(
            name="tflite_float32", precision="float32",
            file="model_float32.tflite", largest=1e-4, mean=1e-4, lost=0.0,
        ),
        LITERT(
            name="tflite_float16", precision="float16",
            file="model_float16.tflite", mean=0.005, lost=0.005,
        ),
        LITERT(
            name="tflite_int8", precision="int8", file="model_int8.tflite",
            mean=0.05, lost=0.02,
        ),
        ONNX(
            name="onnx", precision="float32", file="model.onnx", largest=1e-4,
            mean=1e-4, lost=0.0,
        ),
    )
}  # fmt: skip


def formats_of(
    kinds: Collection[str], precisions: Sequence[str] = ("float32",)
) -> tuple[Format, ...]:
    """The files for other runtimes that are asked for, in the table's order.

    Args:
        kinds: "tflite", "onnx"; "saved_model", which is no file, is left.
        precisions: of the tflite files.
    """
    return tuple(
        row
        for row in TABLE.values()
        if row.file
        and row.kind in kinds
        and (row.kind != "tflite" or row.precision in precisions)
    )


def missing_modules(row: Format) -> list[str]:
    """The modules of a format that are not installed."""
    return [n for n in row.modules if importlib.util.find_spec(n) is None]


def check_packages(formats: Sequence[Format]) -> None:
    """Refuses files whose libraries are not there.

    Raises:
        MachineError: names each and how it is installed.
    """
    faults = []
    for kind, row in {row.kind: row for row in formats}.items():
        missing = missing_modules(row)
        if missing:
            faults.append(
                f"--export={kind}: needs {', '.join(missing)}, not installed "
                f'here - pip install "tl_keras[{kind}]", or leave {kind} out'
            )
    if faults:
        raise MachineError(faults)
