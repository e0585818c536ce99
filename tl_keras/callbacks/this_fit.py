"""What Keras's `fit` does not tell its callbacks: its data, their neighbours.

In: a callback that `fit` is calling. Out: the list that it stands in and the
data that it trains on, as the frames of the calling functions hold them, since
Keras hands a callback the model and a few numbers only. Where another loop
than Keras's calls, both are None, and callers do without.
"""

import sys
import traceback
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras


class FitData(NamedTuple):
    """What a running `fit` trains on.

    Attributes:
        dataset: a `tf.data.Dataset`, or a distributed one.
        batches: in an epoch; None where that is not known.
        batch_size: None where the data are batched already.
        arrays: (x, y, sample_weight) as `fit` was given them.
        class_weight: as `fit` was given it.
    """

    dataset: Any
    batches: int | None
    batch_size: int | None
    arrays: tuple
    class_weight: dict | None


def callback_list(
    callback: keras.callbacks.Callback,
) -> keras.callbacks.CallbackList | None:
    """The list that is calling a callback."""
    for frame in _callers():
        # The frames of methods alone, as asking one for its locals copies.
        if frame.f_code.co_varnames[:1] != ("self",):
            continue
        owner = frame.f_locals["self"]
        if isinstance(owner, keras.callbacks.CallbackList) and any(
            callback is other for other in owner.callbacks
        ):
            return owner
    return None


def fit_data(model: keras.Model) -> FitData | None:
    """The data of the `fit` of a model that is calling."""
    for frame in _callers():
        if frame.f_code.co_name != "fit":
            continue
        found = frame.f_locals
        iterator = found.get("epoch_iterator")
        if iterator is None or found.get("self") is not model:
            continue
        return FitData(
            getattr(iterator, "_distributed_dataset", None),
            iterator.num_batches,
            getattr(iterator.data_adapter, "batch_size", None),
            (found["x"], found["y"], found["sample_weight"]),
            found["class_weight"],
        )
    return None


def call_site() -> tuple:
    """Where in the program this is called, equal from turn to turn of a loop.

    In a notebook, a cell that is run again is another place.
    """
    place = [(frame.f_code, frame.f_lineno) for frame in _callers()]
    ask = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell = ask() if ask else None
    return (*place, getattr(shell, "execution_count", None))


def _callers() -> Iterator[types.FrameType]:
    return (frame for frame, _ in traceback.walk_stack(sys._getframe(2)))
