"""A person's settings of Keras and TensorFlow change no number of ours.

    faults()           # before Keras loads: of the backend, of keras.json

    @standard_globals()           # or: with standard_globals(): ...
    def build(...): ...

In: `KERAS_BACKEND`, `keras.json`, and what a script has set: the data format,
`floatx`, the dtype policy and the others of `_globals`. Out: one line where
Keras cannot be used; else the values that Keras comes with, for as long as our
code runs, and the person's own again after it. No TensorFlow at import.
"""

import contextlib
import importlib.abc
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

BACKEND = "tensorflow"
# What keras.json may hold; Keras raises for others as it is imported.
ALLOWED = {
    "floatx": ("float16", "float32", "float64"),
    "image_data_format": ("channels_last", "channels_first"),
}
LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
AUTOMATIC_PRECISION = (
    "auto_mixed_precision",
    "auto_mixed_precision_onednn_bfloat16",
    "auto_mixed_precision_mkl",
)


def keras_home() -> pathlib.Path:
    """Keras's own folder, found as Keras finds it: `~/.keras` as a rule."""
    if "KERAS_HOME" in os.environ:
        return pathlib.Path(os.path.expanduser(os.environ["KERAS_HOME"]))
    base = os.path.expanduser("~")
    # Where there is no home to write to, Keras takes this folder.
    return pathlib.Path(base if os.access(base, os.W_OK) else "/tmp", ".keras")


def faults() -> list[str]:
    """Why Keras cannot be imported as it is configured, one line each."""
    loaded = sys.modules.get("keras")
    if loaded is not None and hasattr(loaded, "config"):
        return _backend_faults(loaded.config.backend(), "Keras as it is loaded")
    file = keras_home() / "keras.json"
    found, told = _read(file)
    named = os.environ.get("KERAS_BACKEND")
    if named:
        told += _backend_faults(named, f"KERAS_BACKEND={named}")
    else:
        told += _backend_faults(found.get("backend", BACKEND), str(file))
    for name in LIMITS:
        if not os.environ.get(name, "0").lstrip("-").isdecimal():
            told.append(
                f"{name}={os.environ[name]}: expected a whole number - unset it"
            )
    return told


def _backend_faults(name: object, place: str) -> list[str]:
    if name == BACKEND:
        return []
    return [
        f"{place}: the backend of Keras is {name}; expected {BACKEND}, which "
        f"tl_keras is made for - set KERAS_BACKEND={BACKEND} before Keras is "
        "imported"
    ]


def _read(file: pathlib.Path) -> tuple[dict, list[str]]:
    """(what keras.json holds, its faults); {} where Keras ignores it."""
    remedy = "mend or delete it, or set KERAS_HOME to another folder"
    if not os.path.exists(file):
        return {}, []
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        return {}, [f"{file}: {error.strerror}; Keras reads it - {remedy}"]
    except ValueError:
        return {}, []
    if not isinstance(found, dict):
        return {}, [f"{file}: expected settings by name - {remedy}"]
    told = [
        f"{file}: {name} is {found[name]}; expected one of "
        f"{', '.join(allowed)} - {remedy}"
        for name, allowed in ALLOWED.items()
        if found.get(name, allowed[0]) not in allowed
    ]
    if not isinstance(found.get("epsilon", 1e-7), float):
        told.append(
            f"{file}: epsilon is {found['epsilon']}; expected a number such as "
            f"1e-07 - {remedy}"
        )
    return found, told


class RefuseRooms(importlib.abc.MetaPathFinder):
    """Refuses the rooms that need Keras where its backend is another one.

    Otherwise their import ends in that of jax or torch, or goes well and each
    of their functions fails.

    Args:
        without_keras: the rooms that need none, and all that is in them.
        faces: packages that need none themselves, but for their modules.
    """

    def __init__(
        self, without_keras: frozenset[str], faces: frozenset[str] = frozenset()
    ):
        self._without_keras = without_keras
        self._faces = faces

    def find_spec(self, name, path=None, target=None):
        """As of any finder: None, as this finds nothing; ImportError for a room
        that needs what is missing.
        """
        package, _, room = name.partition(".")
        if package == "tl_keras" and not self._needs_none(room):
            if found := faults():
                raise ImportError("; ".join(found), name=name)

    def _needs_none(self, room: str) -> bool:
        parts = room.split(".")
        above = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
        return room in self._faces or bool(above & self._without_keras)


@contextlib.contextmanager
def standard_globals() -> Iterator[None]:
    """The globals of Keras and TensorFlow as they come, until the end.

    Example:
        @standard_globals()
        def build(): ...
    """
    kept = []
    try:
        for get, put, value in _globals():
            own = get()
            if own != value:
                kept.append((put, own))
                put(value)
        yield
    finally:
        for put, value in reversed(kept):
            put(value)


def _globals() -> list[tuple[Callable[[], Any], Callable[[Any], Any], Any]]:
    """(get, put, the value it comes with) of each global that is read."""
    import keras
    import tensorflow as tf

    from tl_keras.keras_internals import get_dtype_policy, set_dtype_policy

    config, optimizer = keras.config, tf.config.optimizer

    def automatic_precision():
        given = optimizer.get_experimental_options()
        return {name: given.get(name, False) for name in AUTOMATIC_PRECISION}

    return [
        (
            config.image_data_format,
            config.set_image_data_format,
            "channels_last",
        ),
        (config.floatx, config.set_floatx, "float32"),
        (config.epsilon, config.set_epsilon, 1e-7),
        (get_dtype_policy, set_dtype_policy, keras.DTypePolicy("float32")),
        # Both cut training short without an error.
        (config.max_epochs, config.set_max_epochs, None),
        (config.max_steps_per_epoch, config.set_max_steps_per_epoch, None),
        # Neither changes what is computed, but both change its last digits.
        (
            tf.config.functions_run_eagerly,
            tf.config.run_functions_eagerly,
            False,
        ),
        (lambda: bool(optimizer.get_jit()), optimizer.set_jit, False),
        (
            automatic_precision,
            optimizer.set_experimental_options,
            dict.fromkeys(AUTOMATIC_PRECISION, False),
        ),
    ]
