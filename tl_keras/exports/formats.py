"""Which files there are for other runtimes, and how true each must be.

    targets = targets_of(("tflite", "onnx"), ("float32", "int8"))
    check_packages(targets)          # MachineError names what is to install

In: names. Out: a table of files, their runtimes and tolerances. No TensorFlow.
"""

import dataclasses
import importlib.util
from collections.abc import Collection, Sequence

from tl_keras.errors import MachineError


@dataclasses.dataclass(frozen=True)
class Target:
    """One file for one runtime.

    Attributes:
        name: what metrics.json calls it.
        kind: "tflite" or "onnx", as `--export` names it.
        precision: "float32", "float16" or "int8", of its weights; int8
            computes in it too, where its runtime can.
        file: its name.
        runtime: what runs it, in words.
        largest: of a probability, the greatest difference from the model
            that it may have for one picture; None for no limit.
        mean: the same as a mean over pictures, of each one's largest.
        lost: the share of the test pictures by which it may be less right
            than the model; one picture is always allowed.
    """

    name: str
    kind: str
    precision: str
    file: str
    runtime: str
    largest: float | None
    mean: float
    lost: float


LITERT, ONNX_RUNTIME = "LiteRT", "ONNX Runtime"
# Measured on 2 CPU cores, digits (letters_vgg) and photographs (MobileNetV2):
# see the README. Sums are taken in another order by each runtime, so float32
# is not to the last bit; half precision keeps 11 bits, int8 keeps 8.
TABLE = {
    target.name: target
    for target in (
        Target(
            "tflite_float32", "tflite", "float32", "model_float32.tflite",
            LITERT, largest=1e-4, mean=1e-4, lost=0.0,
        ),
        Target(
            "tflite_float16", "tflite", "float16", "model_float16.tflite",
            LITERT, largest=None, mean=0.005, lost=0.005,
        ),
        Target(
            "tflite_int8", "tflite", "int8", "model_int8.tflite",
            LITERT, largest=None, mean=0.05, lost=0.02,
        ),
        Target(
            "onnx", "onnx", "float32", "model.onnx",
            ONNX_RUNTIME, largest=1e-4, mean=1e-4, lost=0.0,
        ),
    )
}  # fmt: skip
# Kind -> the modules that make and run its files; the extra of that name
# installs them.
MODULES = {
    "tflite": ("ai_edge_litert",),
    "onnx": ("onnx", "tf2onnx", "onnxruntime"),
}


def targets_of(
    kinds: Collection[str], precisions: Sequence[str] = ("float32",)
) -> tuple[Target, ...]:
    """The files that are asked for, in the order of the table.

    Args:
        kinds: "tflite", "onnx"; other words are no runtime and are left.
        precisions: of the tflite files.
    """
    return tuple(
        target
        for target in TABLE.values()
        if target.kind in kinds
        and (target.kind != "tflite" or target.precision in precisions)
    )


def missing_modules(kind: str) -> list[str]:
    """The modules of a kind that are not installed."""
    return [
        name for name in MODULES[kind] if importlib.util.find_spec(name) is None
    ]


def check_packages(targets: Sequence[Target]) -> None:
    """Refuses files whose libraries are not there.

    Raises:
        MachineError: names each and how it is installed.
    """
    faults = []
    for kind in dict.fromkeys(target.kind for target in targets):
        missing = missing_modules(kind)
        if missing:
            faults.append(
                f"--export={kind}: needs {', '.join(missing)}, not installed "
                f'here - pip install "tl_keras[{kind}]", or leave {kind} out'
            )
    if faults:
        raise MachineError(faults)
