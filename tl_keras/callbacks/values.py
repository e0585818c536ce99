"""Values as JSON and arrays, and back into the objects that held them.

arrays = {}
text = json.dumps(plain({"best": array}, "name", arrays))
value = give_back(now, from_plain(json.loads(text), arrays))
"""

import collections
import datetime
import enum
import functools
import io
import logging
import pathlib
import queue
import random
import re
import threading
import types
from collections.abc import Collection, Iterator
from concurrent import futures
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tl_keras.errors import ConfigError

# Never changed, only replaced; a replaced one is a setting of now.
SETTINGS = (
    pathlib.PurePath, enum.Enum, datetime.date, datetime.timedelta, np.dtype,
    bytes, complex, type, slice, range, re.Pattern, types.ModuleType,
    types.FunctionType, types.BuiltinFunctionType, types.MethodType,
    functools.partial, tf.DType, tf.data.Dataset,
)  # fmt: skip
# Ways out of the process: each process has its own.
HANDLES = (
    io.IOBase, logging.Logger, logging.LoggerAdapter, threading.Thread,
    threading.Event, threading.Condition, type(threading.Lock()),
    type(threading.RLock()), futures.Executor, futures.Future, queue.Queue,
    tf.summary.SummaryWriter, keras.utils.Progbar,
)  # fmt: skip
# Libraries that show or send what they are told, each process anew.
DISPLAYS = frozenset(
    {
        "IPython", "comet_ml", "ipywidgets", "matplotlib", "mlflow", "neptune",
        "plotly", "requests", "rich", "socket", "tensorboardX", "tqdm", "wandb",
    }
)  # fmt: skip
ITERATORS = (Iterator,)
_WITH_VARIABLES = (
    keras.Layer, keras.metrics.Metric, keras.optimizers.Optimizer, tf.Module,
)  # fmt: skip


class NotPlainError(TypeError):
    """A value that cannot be kept so.

    Attributes:
        value: the part of it that is not known.
    """

    def __init__(self, value):
        super().__init__(type(value).__name__)
        self.value = value


class _Variables(NamedTuple):
    values: dict[int, np.ndarray]
    count: int


class _State(NamedTuple):
    of: Any


class _Attributes(NamedTuple):
    values: dict


def is_setting(value) -> bool:
    """Whether a value says nothing of a fit."""
    library = type(value).__module__.split(".")[0]
    if _operation(value):
        return False
    return isinstance(value, SETTINGS + HANDLES) or library in DISPLAYS


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


def plain(
    value,
    prefix: str,
    arrays: dict[str, np.ndarray],
    callback: Any = None,
    elsewhere: Collection[int] = (),
) -> Any:
    """JSON for a value.

    Args:
        value: any.
        prefix: of the names of its arrays.
        arrays: takes them.
        callback: whose it is; objects of classes beside it are kept too.
        elsewhere: ids of variables that are saved already.

    Returns:
        What `json` can write; arrays are named in it by where they are kept.

    Raises:
        NotPlainError: some part of it is of an unknown kind.
    """

    def inner(part, name):
        return plain(part, f"{prefix}/{name}", arrays, callback, elsewhere)

    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        arrays[prefix] = value
        return {"array": prefix}
    variables = variables_in(value)
    if variables is not None:
        names = {}
        for number, variable in enumerate(variables):
            if id(variable) not in elsewhere:
                names[str(number)] = f"{prefix}/{number}"
                arrays[names[str(number)]] = _numbers(variable)
        return {"variables": names, "count": len(variables)}
    if tf.is_tensor(value) and isinstance(value, tf.Tensor):
        arrays[prefix] = _numbers(value)
        return {"array": prefix}
    if isinstance(value, (list, tuple, set, frozenset, collections.deque)):
        kind = {list: "list", tuple: "tuple", collections.deque: "deque"}
        items = [inner(item, i) for i, item in enumerate(value)]
        return {kind.get(type(value), _name_of(value)): items}
    if isinstance(value, dict):
        pairs = enumerate(value.items())
        return {
            "dict": [[inner(k, f"{i}k"), inner(v, i)] for i, (k, v) in pairs]
        }
    state = _random_state(value)
    if state is not None:
        return {"random": inner(state, "state")}
    if _operation(value):
        return {"operation": _operation(value)}
    if _is_beside(value, callback):
        # Without what it is told of the model, and what leads back to it.
        skipped = (keras.Model, type(callback))
        own = {
            k: inner(v, k)
            for k, v in vars(value).items()
            if k not in ("_model", "params")
            and not is_setting(v)
            and not isinstance(v, skipped)
        }
        return {"attributes": own}
    raise NotPlainError(value)


def from_plain(value, arrays: dict[str, np.ndarray]) -> Any:
    """What `plain` was given; a stand-in for what is given back in place."""
    if not isinstance(value, dict):
        return value
    if "variables" in value:
        names = value["variables"]
        values = {int(number): arrays[name] for number, name in names.items()}
        return _Variables(values, value["count"])
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[content]
    if kind == "operation":
        return getattr(keras.ops, content)
    if kind == "random":
        return _State(from_plain(content, arrays))
    if kind == "attributes":
        return _Attributes(
            {k: from_plain(v, arrays) for k, v in content.items()}
        )
    if kind == "dict":
        return {
            from_plain(k, arrays): from_plain(v, arrays) for k, v in content
        }
    items = [from_plain(item, arrays) for item in content]
    make = {"tuple": tuple, "set": set, "frozenset": frozenset}
    return make.get(kind, collections.deque if kind == "deque" else list)(items)


def give_back(now, value) -> Any:
    """The object that shall hold a value: `now` itself where it can.

    Others may hold the same list, and a variable is known to functions.

    Raises:
        NotPlainError: variables, or a state, have no object to go to.
    """
    if isinstance(value, _Variables):
        variables = variables_in(now)
        if variables is None or len(variables) != value.count:
            raise NotPlainError(now)
        for number, array in value.values.items():
            variables[number].assign(array)
        return now
    if isinstance(value, _State):
        _set_random_state(now, value.of)
        return now
    if isinstance(value, _Attributes):
        if not hasattr(now, "__dict__"):
            raise NotPlainError(now)
        for name, inner in value.values.items():
            setattr(now, name, give_back(vars(now).get(name), inner))
        return now
    if isinstance(value, (list, tuple, collections.deque)):
        value = _of_items(now, value)
    if isinstance(now, list) and isinstance(value, list):
        now[:] = value
    elif any(isinstance(now, k) and isinstance(value, k) for k in (dict, set)):
        if isinstance(value, dict):
            value = {k: give_back(now.get(k), v) for k, v in value.items()}
        now.clear()
        now.update(value)  # A Counter or the like stays one.
    elif isinstance(now, collections.deque):
        now.clear()
        now.extend(value)
    else:
        return value
    return now


def _of_items(now, value):
    """A list or the like, of the objects that `now` holds in their places."""
    held = list(now) if isinstance(now, type(value)) else []
    held += [None] * (len(value) - len(held))
    return type(value)(
        give_back(*pair) for pair in zip(held, value, strict=False)
    )


def _operation(value) -> str:
    """The name of a function of `keras.ops`, which is noted, no setting.

    Keras's own choose `less` or `greater` when the first epoch ends.
    """
    name = getattr(value, "__name__", "")
    return name if name and getattr(keras.ops, name, None) is value else ""


def values_of(variables) -> list[np.ndarray]:
    """Copies."""
    return [_numbers(variable) for variable in variables]


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


def _numbers(variable) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(variable))


def _name_of(container) -> str:
    if isinstance(container, (set, frozenset)):
        return type(container).__name__
    return "tuple" if isinstance(container, tuple) else "list"


def _is_beside(value, callback) -> bool:
    """Whether it is another callback, or of a class beside the callback's."""
    if callback is None or value is callback or not hasattr(value, "__dict__"):
        return False
    if isinstance(value, keras.callbacks.Callback):
        return True
    return type(value).__module__ == type(callback).__module__


def _random_state(value) -> Any:
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state(legacy=False)
    if isinstance(value, random.Random):
        return value.getstate()
    return None


def _set_random_state(now, state) -> None:
    if isinstance(now, np.random.Generator):
        now.bit_generator.state = state
    elif isinstance(now, np.random.RandomState):
        now.set_state(state)
    elif isinstance(now, random.Random):
        now.setstate(state)
    else:
        raise NotPlainError(now)
