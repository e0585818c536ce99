"""What activations depend on, as a content key.

In: a trunk and how its pictures are made. Out: a SHA-256 that is equal exactly
if the activations are: of the variables' bytes, the graph, the compute types,
the decoder's version, the geometry, and TensorFlow's version.
"""

import hashlib
import inspect
import json
import secrets
import weakref

import keras
import numpy as np
import tensorflow as tf

from tl_keras.networks import ordered_nodes

# A model's graph does not change once it is built; its weights do.
_described: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
# Of a layer's configuration, what does not change what it computes.
_IDLE = ("name", "trainable", "dtype", "build_config", "seed")


def trunk_key(trunk: keras.Model, made_by: str) -> str:
    """The content key of a trunk's activations, for all pictures.

    Args:
        trunk: a functional model.
        made_by: how its input is made from a picture's bytes, in words that
            change when the pixels do.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    digest.update(
        json.dumps([made_by, tf.__version__, keras.__version__]).encode()
    )
    if trunk not in _described:
        _described[trunk] = json.dumps(_graph(trunk), default=repr)
    digest.update(_described[trunk].encode())
    for variable in trunk.variables:
        values = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        digest.update(repr((values.shape, str(values.dtype))).encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _graph(trunk: keras.Model) -> list:
    """Operations with their settings and where their inputs come from.

    Names are left out: Keras numbers them by what else was built before.
    """
    nodes = ordered_nodes(trunk)
    made: dict[int, int] = {}
    described = []
    for number, node in enumerate(nodes):
        made.update({id(tensor): number for tensor in node.output_tensors})
        constants = [
            _plain(value)
            for value in (*node.arguments.args, *node.arguments.kwargs.values())
            if not _has_tensor(value)
        ]
        described.append(
            [
                type(node.operation).__name__,
                _settings(node.operation),
                [made.get(id(t), -1) for t in node.input_tensors],
                constants,
                [str(t.dtype) for t in node.output_tensors],
                [list(t.shape) for t in node.output_tensors],
            ]
        )
    return described


def _has_tensor(value) -> bool:
    return any(
        isinstance(v, keras.KerasTensor) for v in keras.tree.flatten(value)
    )


def _plain(value) -> str:
    """Constants by value: an array's repr would leave its middle out."""
    if hasattr(value, "numpy") or isinstance(value, np.ndarray):
        return np.asarray(value).tobytes().hex()
    return repr(value)


def _settings(operation) -> dict:
    """A layer's configuration without what does not change its output."""
    code = _foreign_code(operation)
    if not isinstance(operation, keras.Layer):
        return {"arguments": _operation_arguments(operation), "code": code}
    config = operation.get_config()
    kept = {k: v for k, v in config.items() if k not in _IDLE}
    kept = {k: v for k, v in kept.items() if "initializer" not in k}
    return {**kept, "compute": operation.compute_dtype, "code": code}


def _foreign_code(operation) -> list[str]:
    """The source of what is not Keras's own: its version says nothing of it.

    Where there is no source to read, nothing is shared with other runs.
    """
    pieces = [type(operation)]
    pieces += [v for v in vars(operation).values() if inspect.isfunction(v)]
    code = []
    for piece in pieces:
        if piece.__module__.partition(".")[0] != "keras":
            try:
                code.append(inspect.getsource(piece))
            except (OSError, TypeError):
                code.append(secrets.token_hex(16))
    return code


def _operation_arguments(operation) -> dict:
    """Of an operation such as flip: its axis and the like."""
    return {
        name: repr(value)
        for name, value in sorted(vars(operation).items())
        if isinstance(value, (int, float, str, bool, tuple, list))
        and not name.startswith("_")
        and name not in ("name", "built")
    }
