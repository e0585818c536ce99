"""The values of a fit's logs: numbers, and metrics of one value a class.

    plain_logs({"loss": tensor, "f1_score": one_a_class})

In: what Keras hands its callbacks, or an optimizer. Out: numbers and lists of
numbers, as a table or JSON holds them.
"""

from typing import Any

import keras
import numpy as np


def plain_logs(logs: dict | None) -> dict[str, Any]:
    """Logs as numbers, or lists of numbers where a metric gives several."""
    return {name: plain_value(value) for name, value in (logs or {}).items()}


def plain_value(value) -> Any:
    """A number; a (nested) list of them; what is neither, as it is."""
    if isinstance(value, str) or value is None:
        return value
    numbers = np.asarray(
        keras.ops.convert_to_numpy(value)
        if keras.ops.is_tensor(value)
        else value
    )
    if numbers.dtype.kind not in "biufV":
        return value
    numbers = numbers.astype(float)
    return float(numbers) if numbers.ndim == 0 else numbers.tolist()


def is_finite(value) -> bool:
    """Whether a value of `plain_logs` holds no NaN and no infinity."""
    if value is None or isinstance(value, str):
        return True
    try:
        return bool(np.isfinite(value).all())
    except TypeError:  # No number at all.
        return True


def learning_rate(optimizer) -> float | None:
    """Of an optimizer, now; None where it has none or several."""
    try:
        return float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return None
