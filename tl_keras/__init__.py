"""Transfer learning with Keras 3 and TensorFlow.

    from tl_keras import TransferConfig, run
    result = run(TransferConfig(dataset="flowers", backbone="MobileNetV2"))

The public names below load their room on first use, so `import tl_keras`
alone loads neither TensorFlow nor Keras.
"""

import importlib
import sys

from tl_keras.keras_globals import RefuseRooms

__version__ = "0.1.0"

# Public name -> the room it lives in. A name never equals a room's name.
_ROOMS = {
    "TransferConfig": "config",
    "run": "job",
    "RunResult": "job",
    "load_images": "data",
    "build_classifier": "classifier",
    "set_trainable": "classifier",
    "training_graph": "classifier",
    "Phase": "phases",
    "Objective": "phases",
    "fit_phases": "phases",
    "FeatureStore": "features",
    "evaluate_classifier": "evaluation",
    "grad_cam": "explanations",
    "export_saved_model": "servable",
}
__all__ = [*_ROOMS, "callbacks"]
# What loads no Keras, and works whatever its backend is.
_WITHOUT_KERAS = frozenset({
    "atomic", "backbones", "cache", "check", "checkpoints", "command_line",
    "config", "devices", "errors", "evaluate", "keras_globals", "pages",
    "pixels", "predict", "pretrained", "report", "server_client", "settings",
    "stopping", "storage", "train",
})  # fmt: skip
sys.meta_path.insert(0, RefuseRooms(_WITHOUT_KERAS))


def __getattr__(name: str):
    if name in _ROOMS:
        room = importlib.import_module(f"tl_keras.{_ROOMS[name]}")
        return getattr(room, name)
    if name == "callbacks":
        return importlib.import_module("tl_keras.callbacks")
    raise AttributeError(f"module 'tl_keras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
