"""Values as JSON and arrays, and back into the objects that held them.

    arrays = {}
    text = json.dumps(plain({"best": array}, "name", arrays))
    value = give_back(now, from_plain(json.loads(text), arrays))

In: what a callback holds. Out: JSON that names its arrays; in another process,
the same object holding what it held.
"""

import collections
import random
from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tl_keras.callbacks.kinds import is_beside, is_setting, operation_of
from tl_keras.callbacks.variables import numbers_of, variables_in

CONTAINERS = (dict, list, tuple, set, frozenset, collections.deque)


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
        names = _keep(variables, prefix, arrays, elsewhere)
        return {"variables": names, "count": len(variables)}
    if tf.is_tensor(value) and isinstance(value, tf.Tensor):
        arrays[prefix] = numbers_of(value)
        return {"array": prefix}
    if isinstance(value, CONTAINERS):
        return _parts_of(value, inner)
    state = _random_state(value)
    if state is not None:
        return {"random": inner(state, "state")}
    if operation_of(value):
        return {"operation": operation_of(value)}
    if is_beside(value, callback):
        own = _own_of(value, callback)
        return {"attributes": {k: inner(v, k) for k, v in own.items()}}
    raise NotPlainError(value)


def _keep(
    variables: Sequence,
    prefix: str,
    arrays: dict[str, np.ndarray],
    elsewhere: Collection[int],
) -> dict[str, str]:
    """Place -> where its value is kept, of those not saved elsewhere."""
    names = {}
    for number, variable in enumerate(variables):
        if id(variable) not in elsewhere:
            names[str(number)] = f"{prefix}/{number}"
            arrays[names[str(number)]] = numbers_of(variable)
    return names


def _parts_of(value, inner: Callable[[Any, Any], Any]) -> dict[str, list]:
    """The JSON of a container, by that of its parts."""
    if isinstance(value, dict):
        pairs = enumerate(value.items())
        return {
            "dict": [[inner(k, f"{i}k"), inner(v, i)] for i, (k, v) in pairs]
        }
    return {_name_of(value): [inner(item, i) for i, item in enumerate(value)]}


def _own_of(value, callback) -> dict[str, Any]:
    """What an object beside a callback has noted, by attribute.

    Without what it is told of the model, and what leads back to it.
    """
    skipped = (keras.Model, type(callback))
    return {
        name: held
        for name, held in vars(value).items()
        if name not in ("_model", "params")
        and not is_setting(held)
        and not isinstance(held, skipped)
    }


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


def _name_of(container) -> str:
    """What it is made as again; of an own kind of list or tuple, the plain."""
    if type(container) is collections.deque:
        return "deque"
    if isinstance(container, (set, frozenset)):
        return type(container).__name__
    return "tuple" if isinstance(container, tuple) else "list"


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
