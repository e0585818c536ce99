"""What an export stores is what the model holds: its weights.

    check_variables(folder, model)

In: an export's folder. Out: nothing, or NotPublishedError. Nothing is computed
here, so it holds on every device and in every precision, to the last bit: a
BatchNorm's old statistics, a bias that is off by 1e-3, weights of another
phase, a temperature that was not folded in. Answers tell these late or never:
at p = 0.99 such a bias moves a probability by 1e-5.
"""

import collections
import pathlib

import keras
import numpy as np
import tensorflow as tf

from tl_keras.errors import NotPublishedError
from tl_keras.exports.fresh_process import PREFIX

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"  # how keys of variables end


def check_variables(folder: pathlib.Path, model: keras.Model) -> None:
    """Each stored variable is one of the model's, bit for bit.

    By value, as a SavedModel numbers its variables and does not name them;
    that none stands in another's place, the answers show. What a model holds
    and no signature reads is not stored.

    Raises:
        NotPublishedError: names the model's variable that is nearest.
    """
    mine = collections.defaultdict(list)
    for variable in model.variables:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        mine[value.shape, value.dtype.str].append((variable.path, value))
    others = []
    for value in _stored(folder):
        alike = mine[value.shape, value.dtype.str]
        place = next(
            (i for i, (_, own) in enumerate(alike) if _same(own, value)), None
        )
        if place is None:
            others.append(value)
        else:
            del alike[place]
    if others:
        more = f" (and {len(others) - 1:,} more)" * (len(others) > 1)
        left = mine[others[0].shape, others[0].dtype.str]
        raise NotPublishedError(PREFIX + _told(others[0], left) + more)


def _stored(folder: pathlib.Path) -> list[np.ndarray]:
    """The variables of an export, in the order of their numbers."""
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables/variables"))
        keys = [k for k in reader.get_variable_to_shape_map() if VALUE in k]
        # As the model has them, so that the first of a shape is the one.
        keys.sort(key=lambda key: (len(key), key))
        return [reader.get_tensor(key) for key in keys]
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        reason = (str(error).strip().splitlines() or ["no reason"])[0]
        raise NotPublishedError(
            f"{PREFIX}its variables cannot be read ({reason[:200]})"
        ) from None


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    bits = [a.reshape(-1).view(np.uint8) for a in (one, other)]
    return np.array_equal(*bits)


def _told(value: np.ndarray, left: list) -> str:
    """The variable of the model that a stored one was to be, in words."""
    if not left:
        return f"it stores a variable {value.shape} that the model has not"

    def apart(own: np.ndarray) -> float:
        wide = np.abs(own.astype(np.float64) - value.astype(np.float64))
        return float(wide.max(initial=0))

    path, own = min(left, key=lambda pair: apart(pair[1]))
    return (
        f"variable {path} is stored with other values than the model's, which "
        f"differ by {apart(own):.2g}"
    )
