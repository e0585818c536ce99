"""The variables that a fit changes, and their values.

    variables = variables_of(model)
    saved = values_of(variables)

In: a model, or an attribute of a callback. Out: variables, in an order that
is the same in another process; arrays, and variables that hold them again.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tl_keras.errors import ConfigError

_WITH_VARIABLES = (
    keras.Layer, keras.metrics.Metric, keras.optimizers.Optimizer, tf.Module,
)  # fmt: skip


def optimizers_of(model: keras.Model) -> dict[str, keras.optimizers.Optimizer]:
    """Every optimizer that a model or one of its layers holds, by name."""
    found: dict = {}
    for layer in model._flatten_layers():
        for name, value in _attributes(layer):
            for inner in _items(value):
                if isinstance(inner, keras.optimizers.Optimizer) and not any(
                    inner is other for other in found.values()
                ):
                    number = sum(key.split("#")[0] == name for key in found)
                    key = f"{name}#{number + 1}" if number else name
                    found[key] = inner
    return found


def variables_of(model: keras.Model) -> list:
    """All that a fit changes: of the model, its optimizers, and besides.

    Not `weights`: those leave out the seed generators; nor does Keras count
    a `tf.Variable` that a model holds.
    """
    found = [*model.variables]
    for optimizer in optimizers_of(model).values():
        found += optimizer.variables
    for layer in model._flatten_layers():
        for _, value in _attributes(layer):
            found += [i for i in _items(value) if isinstance(i, tf.Variable)]
    return list({id(variable): variable for variable in found}.values())


def _attributes(layer: keras.Layer) -> list[tuple[str, Any]]:
    """Without what TensorFlow keeps there of the others."""
    return [
        (name, value)
        for name, value in vars(layer).items()
        if not name.startswith("_self_")
    ]


def _items(value) -> list:
    """An attribute's value, or what its list or dictionary holds."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def variables_in(value) -> list | None:
    """The variables of an object, or of a container of such; else None."""
    if isinstance(value, (tf.Variable, keras.Variable)):
        return [value]
    if isinstance(value, _WITH_VARIABLES):
        return list(value.variables)
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, (list, tuple)) or not value:
        return None
    found: list = []
    for item in value:
        inner = variables_in(item)
        if inner is None:
            return None
        found += inner
    return found


def values_of(variables) -> list[np.ndarray]:
    """Copies."""
    return [numbers_of(variable) for variable in variables]


def assign(variables, arrays: dict[str, np.ndarray], prefix: str) -> None:
    """Gives variables what `arrays` holds for their places.

    Args:
        variables: Keras variables, in the order in which they were saved.
        arrays: of a save, by "prefix/number".
        prefix: theirs among the arrays.

    Raises:
        ConfigError: it does not hold all of them, in their shapes.
    """
    for number, variable in enumerate(variables):
        value = arrays.get(f"{prefix}/{number}")
        if value is None or value.shape != tuple(variable.shape):
            found = "none" if value is None else value.shape
            name = getattr(variable, "path", variable.name)
            raise ConfigError(
                f"the save holds {found} for {name}, expected "
                f"{tuple(variable.shape)}: it is of another model - give "
                "another backup_dir"
            )
        variable.assign(value)


def numbers_of(variable) -> np.ndarray:
    """A copy of what it holds."""
    return np.array(keras.ops.convert_to_numpy(variable))
