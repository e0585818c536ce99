"""What the commands do, one file a command: settings in, files out.

    result = run(TransferConfig(dataset="flowers", backbone="MobileNetV2"))
    result.metrics["test"]["accuracy"], result.version

Only this room knows both the settings and the pieces; the pieces take plain
arguments. `transfer` is the main job; `checking`, `predicting`, `evaluating`
and `reporting` are the others. The names below are loaded when they are used,
so that a check of the data needs no Keras.
"""

import importlib

_OF_TRANSFER = ("run", "plan", "RunResult")

__all__ = [*_OF_TRANSFER]


def __getattr__(name: str):
    if name in _OF_TRANSFER:
        return getattr(importlib.import_module("tl_keras.job.transfer"), name)
    raise AttributeError(f"module 'tl_keras.job' has no attribute {name!r}")
