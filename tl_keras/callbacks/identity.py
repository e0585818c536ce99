"""Which fit this is: its model, optimizers, loss and data, in plain values.

    before = describe_model(model) | describe_data(data)
    differences(before, now)    # ["data.first targets differ"]

In: what a `fit` was called with. Out: nested plain values, equal where it is
the same fit, in another process too; names that Keras numbers, and seeds that
nobody gave, are not among them. What cannot be told is left out, and is then
never a difference.
"""

import contextlib
import hashlib
import inspect
import json
import types
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tl_keras.callbacks.this_fit import FitData
from tl_keras.callbacks.variables import optimizers_of, variables_of

DIGEST = "sha256:"
# Of a batch that is not known, so many examples.
EXAMPLES = 32
# Datasets whose first elements are the same each time they are asked, where
# their functions are: not those that shuffle, generate or cache.
STEADY = frozenset(
    {
        "AssertCardinality", "Batch", "Concatenate", "Enumerate", "Filter",
        "FlatMap", "Map", "Options", "PaddedBatch", "ParallelBatch",
        "ParallelMap", "Prefetch", "Range", "Repeat", "Shard", "Skip", "Take",
        "Tensor", "TensorSlice", "Unbatch", "Zip",
    }
)  # fmt: skip


def describe_model(model: keras.Model) -> dict:
    """Layers with their settings, shapes, and what trains."""
    layers = []
    for layer in model._flatten_layers():
        # The settings of a nested model are those of its layers.
        config = {} if isinstance(layer, keras.Model) else _config(layer)
        if isinstance(layer, keras.layers.Lambda):
            config["function"] = describe(layer.function)
        own = layer._trainable_variables + layer._non_trainable_variables
        layers.append(
            {
                "class": type(layer).__name__,
                **config,
                "trainable": layer.trainable,
                "shapes": [list(variable.shape) for variable in own],
            }
        )
    found = {"layers": layers, **_graph(model)}
    for name in ("train_step", "compute_loss", "call"):
        function = getattr(type(model), name)
        if not function.__module__.startswith("keras."):
            found[name] = describe(function)
    return {"model": found}


def describe_training(model: keras.Model) -> dict:
    """The optimizers, the loss and the metrics, as they were compiled."""
    found: dict = {}
    for name, optimizer in optimizers_of(model).items():
        found[name] = describe(optimizer)
        if int(keras.ops.convert_to_numpy(optimizer.iterations)):
            # Its rate may be anything by now that a callback has set.
            found[name] = _without_rate(found[name])
    compiled = getattr(getattr(model, "_compile_config", None), "config", {})
    for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        if name in compiled:
            found[name] = describe(compiled[name])
    return found


def describe_data(data: FitData | None) -> dict:
    """Element spec, cardinality, and a checksum of the first examples."""
    if data is None:
        return {}
    found = {
        "batches": data.batches,
        "batch_size": data.batch_size,
        "class_weight": describe(data.class_weight),
    }
    with contextlib.suppress(AttributeError):
        found["element_spec"] = str(data.dataset.element_spec)
    # A source that cannot be looked at in passing is not known, no fault.
    with contextlib.suppress(Exception):
        if isinstance(data.arrays[0], tf.data.Dataset):
            found["first examples"] = _digest(_first_examples(data.arrays[0]))
        else:
            found |= _first_rows(data)
    return {"data": found}


def digest_of_variables(model: keras.Model) -> str:
    """A text that is another one for other values."""
    return _digest([keras.ops.convert_to_numpy(v) for v in variables_of(model)])


def describe(value) -> Any:
    """Plain values for settings, Keras's objects and functions."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        if value.get("class_name") == "__lambda__":
            return "lambda"  # Its code says in which line it stood.
        # Layers' names are numbered, and seeds drawn, anew in each process.
        layer = "trainable" in value
        return {
            str(key): describe(item)
            for key, item in value.items()
            if key != "seed" and not (layer and key == "name")
        }
    if isinstance(value, (np.ndarray, np.generic)) or tf.is_tensor(value):
        return _digest([np.asarray(value)])
    if isinstance(value, type):
        return value.__qualname__
    if inspect.isroutine(value):
        return _function(value)
    return {"class": type(value).__name__, **_config(value)}


def differences(before, now, name: str = "") -> list[str]:
    """What is known of both and not equal, a line each.

    Args:
        before: nested dictionaries, lists and plain values.
        now: the same, to be compared with them; a key that only one of the two
            has is no difference.
        name: what the lines begin with, the place of both in a larger one.

    Returns:
        "place: this before, that now"; of long values and digests only that
        they differ. Empty where nothing does.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for key in before
            if key in now
            for line in differences(
                before[key], now[key], f"{name}.{key}" if name else key
            )
        ]
    if isinstance(before, list) and isinstance(now, list):
        if len(before) != len(now):
            return [f"{name}: {len(before)} before, {len(now)} now"]
        return [
            line
            for number, pair in enumerate(zip(before, now, strict=True))
            for line in differences(*pair, f"{name}.{number}")
        ]
    if before == now:
        return []
    texts = str(before), str(now)
    if max(map(len, texts)) > 80 or any(t.startswith(DIGEST) for t in texts):
        return [f"{name} differs"]
    return [f"{name}: {texts[0]} before, {texts[1]} now"]


def _config(thing) -> dict:
    """Its settings; none where it does not tell them."""
    try:
        config = describe(thing.get_config())
    except Exception:  # Anybody's class may raise anything.
        return {}
    config.pop("name", None)
    return config


def _without_rate(config):
    """An optimizer's settings without the number that is its rate now."""
    if not isinstance(config, dict):
        return config
    return {
        key: _without_rate(value)
        for key, value in config.items()
        if key != "learning_rate" or isinstance(value, dict)
    }


def _graph(model: keras.Model) -> dict:
    """How the layers of a functional model are connected."""
    try:
        config = model.get_config()
        layers = config["layers"]
        nodes = [layer["inbound_nodes"] for layer in layers]
    except Exception:  # Not functional, or a class that tells no settings.
        return {}
    ends = config.get("input_layers"), config.get("output_layers")
    text = json.dumps([nodes, ends], default=lambda o: type(o).__name__)
    for number, layer in enumerate(layers):
        text = text.replace(json.dumps(layer["name"]), f'"{number}"')
    return {"graph": DIGEST + hashlib.sha256(text.encode()).hexdigest()}


def _function(function) -> dict:
    """Its name and what it does, wherever it stands in a file."""
    found = {"function": getattr(function, "__qualname__", str(function))}
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    if code is not None:
        closed = [c.cell_contents for c in function.__closure__ or ()]
        plain = [v for v in closed if isinstance(v, (int, float, str))]
        text = repr([_code(code), function.__defaults__, plain])
        found["code"] = DIGEST + hashlib.sha256(text.encode()).hexdigest()
    return found


def _code(code: types.CodeType) -> list:
    constants = [
        _code(c) if isinstance(c, types.CodeType) else repr(c)
        for c in code.co_consts
    ]
    return [code.co_code, code.co_names, constants]


def _first_rows(data: FitData) -> dict:
    """Of arrays, whatever order they are taken in."""
    count = data.batch_size or EXAMPLES
    found = {}
    names = "first inputs", "first targets", "first weights"
    for name, part in zip(names, data.arrays, strict=True):
        if part is None:
            continue
        leaves = keras.tree.flatten(part)
        if not all(hasattr(leaf, "shape") for leaf in leaves):
            return {}  # Somebody's source, which may count what it gives.
        rows = [np.asarray(leaf[:count]) for leaf in leaves]
        found[name] = _digest(rows)
    return found


def _first_examples(dataset: tf.data.Dataset, count: int = 1) -> list:
    """Arrays of the first elements that are the same in each process.

    What shuffles is not asked, since that would change its order later, but
    what it shuffles is.
    """
    if not _is_steady(dataset):
        return [
            array
            for source in dataset._inputs()
            for array in _first_examples(source, EXAMPLES)
        ]
    return [
        np.asarray(leaf)
        for element in dataset.take(count)
        for leaf in keras.tree.flatten(element)
    ]


def _is_steady(dataset: tf.data.Dataset) -> bool:
    kind = type(dataset).__name__.removeprefix("_").removesuffix("Dataset")
    function = getattr(getattr(dataset, "_map_func", None), "function", None)
    if kind not in STEADY or (
        function is not None and function.function_def.signature.is_stateful
    ):
        return False
    return all(map(_is_steady, dataset._inputs()))


def _digest(arrays: list[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        if array.dtype.kind == "O":
            digest.update(repr(array.tolist()).encode())
        else:
            digest.update(np.ascontiguousarray(array).tobytes())
    return DIGEST + digest.hexdigest()
