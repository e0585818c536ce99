"""What a callback has noted of a fit, as plain values and arrays.

In: any Keras callback. Out: those of its attributes that changed since the fit
began and are numbers, texts, lists, dictionaries, arrays or Keras's operations:
the patience that `EarlyStopping` has used up, the best value, the rows of a
history. Settings are not among them, since they do not change.
"""

import json
from typing import Any

import keras
import numpy as np

_KERAS_OWN = ("model", "_model", "params", "validation_data")


class NotPlainError(TypeError):
    """A value that cannot be kept so."""


def noted(callback: keras.callbacks.Callback) -> dict[str, str]:
    """Its plain attributes, each as a text that changes when it does."""
    found = {}
    for name, value in vars(callback).items():
        arrays: dict[str, np.ndarray] = {}
        try:
            if name not in _KERAS_OWN:
                text = json.dumps(_plain(value, "", arrays))
                # An array that is replaced is another one, whatever it holds.
                found[name] = text + repr([id(a) for a in arrays.values()])
        except NotPlainError:
            continue
    return found


def changed(
    callback: keras.callbacks.Callback,
    since: dict[str, str],
    prefix: str,
    arrays: dict[str, np.ndarray],
) -> dict[str, Any]:
    """What it has noted since then; arrays go to `arrays` under `prefix`."""
    now = noted(callback)
    return {
        name: _plain(vars(callback)[name], f"{prefix}/{name}", arrays)
        for name in now
        if now[name] != since.get(name)
    }


def put_back(
    callback: keras.callbacks.Callback,
    values: dict[str, Any],
    arrays: dict[str, np.ndarray],
) -> None:
    """Gives a callback what `changed` found, in this process or another."""
    for name, value in values.items():
        setattr(callback, name, _from_plain(value, arrays))


def _plain(value, prefix: str, arrays: dict[str, np.ndarray]):
    """JSON for a value; its arrays go to `arrays`."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        arrays[prefix] = value
        return {"array": prefix}
    if isinstance(value, (list, tuple)):
        items = [
            _plain(v, f"{prefix}/{i}", arrays) for i, v in enumerate(value)
        ]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        items = {
            k: _plain(v, f"{prefix}/{k}", arrays) for k, v in value.items()
        }
        return {"dict": items}
    name = getattr(value, "__name__", "")
    if name and getattr(keras.ops, name, None) is value:
        # Keras's own choose `less` or `greater` when the first epoch ends.
        return {"operation": name}
    raise NotPlainError(type(value).__name__)


def _from_plain(value, arrays: dict[str, np.ndarray]):
    if isinstance(value, list):
        return [_from_plain(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[content]
    if kind == "operation":
        return getattr(keras.ops, content)
    if kind == "tuple":
        return tuple(_from_plain(v, arrays) for v in content)
    return {k: _from_plain(v, arrays) for k, v in content.items()}
