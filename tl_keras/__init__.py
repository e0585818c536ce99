"""Transfer learning with Keras 3 and TensorFlow.

    from tl_keras import TransferConfig, run
    result = run(TransferConfig(dataset="flowers", backbone="MobileNetV2"))

The public names below load their room on first use, so `import tl_keras`
alone loads neither TensorFlow nor Keras.
"""

import importlib

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


def __getattr__(name: str):
    if name in _ROOMS:
        room = importlib.import_module(f"tl_keras.{_ROOMS[name]}")
        return getattr(room, name)
    if name == "callbacks":
        return importlib.import_module("tl_keras.callbacks")
    raise AttributeError(f"module 'tl_keras' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
