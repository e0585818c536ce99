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
    "run": "jobs",
    "RunResult": "jobs",
    "load_images": "sources",
    "build_classifier": "networks",
    "set_trainable": "strategies",
    "training_graph": "strategies",
    "Phase": "training",
    "Objective": "training",
    "LoRA": "strategies",
    "fit_phases": "training",
    "find_learning_rate": "training",
    "FeatureStore": "features",
    "evaluate_classifier": "tasks.multiclass",
    "grad_cam": "inputs.image.grad_cam",
    "export_saved_model": "exports",
}
__all__ = [*_ROOMS, "callbacks"]
# What loads no Keras, and works whatever its backend is; of the packages in
# the second line their names alone, not what these load.
_WITHOUT_KERAS = frozenset({
    "__main__", "atomic", "cache", "check", "checkpoints", "compare",
    "compute.devices", "config", "console", "errors", "evaluate",
    "inputs.image.augmentation", "inputs.image.formats",
    "inputs.image.pixels", "inputs.image.rand_augment", "inputs.input",
    "inputs.kinds", "io_watchdog", "keras_globals", "lazy_names", "log",
    "networks.backbones", "networks.pretrained", "networks.text.description",
    "networks.text.hub", "pages", "predict", "progress", "report", "runs",
    "serving.server_client", "signals", "summaries", "tf_data", "train",
    "versions",
})  # fmt: skip
_FACES_WITHOUT_KERAS = frozenset({
    "compute", "inputs", "inputs.image", "networks", "networks.text",
    "serving",
})  # fmt: skip
sys.meta_path.insert(0, RefuseRooms(_WITHOUT_KERAS, _FACES_WITHOUT_KERAS))


def __getattr__(name: str):
    if name in _ROOMS:
        room = importlib.import_module(f"tl_keras.{_ROOMS[name]}")
        return getattr(room, name)
    if name == "callbacks":
        return importlib.import_module("tl_keras.callbacks")
    raise AttributeError(f"module 'tl_keras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
