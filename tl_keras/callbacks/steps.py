"""Steps of `fit` that train nothing: those done before, and an empty one.

In: a model that `fit` is about to train, or trains. Out: its train function,
changed for so many steps; the variables that Keras makes at the first step.
"""

import contextlib
import math
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from tl_keras.callbacks.this_fit import fit_data
from tl_keras.tf_data import paced


def drop_batches(
    model: keras.Model, count: int, logs: Mapping, *, consume: bool
) -> None:
    """Lets Keras count batches that were trained, and not train them.

    Args:
        model: in a fit.
        count: of batches.
        logs: what each of these steps gives.
        consume: whether the data gives them, so that they are to be taken.
    """
    train, at_once = model.train_function, model.steps_per_execution
    left = math.ceil(count / at_once)

    def train_or_drop(iterator):
        nonlocal left
        if not left:
            drop_no_more(model)
            return train(iterator)
        left -= 1
        for _ in range(at_once if consume else 0):
            next(iterator, None)
        return logs

    train_or_drop.train = train
    model.train_function = train_or_drop


def drop_no_more(model: keras.Model) -> None:
    """The model's own train function again, also after a fit was killed."""
    function = model.train_function
    model.train_function = getattr(function, "train", function)


def build(model: keras.Model, is_built: Callable[[], bool]) -> None:
    """Makes the variables that `fit` makes in its first step.

    The step finds no data, or zeros where a model runs eagerly; what it
    changes all the same, such as the count of steps, is for the caller to put
    back. Keras runs the function that was traced so, and traces no other.

    Args:
        model: whose `fit` is calling.
        is_built: whether nothing is to be done.
    """
    data = fit_data(model)
    # Under a strategy, Keras makes them before.
    if is_built() or data is None or not _is_plain(data.dataset):
        return
    spec = data.dataset.element_spec
    if hasattr(model.train_function, "build"):  # As `training.steps` has it.
        model.train_function.build(spec)
        return
    if model.run_eagerly:
        model.train_function([keras.tree.map_structure(_zeros, spec)])
        return
    nothing = paced(
        tf.data.Dataset.from_generator(lambda: iter(()), output_signature=spec)
    )
    with contextlib.suppress(StopIteration, tf.errors.OutOfRangeError):
        model.train_function(iter(nothing))


def _is_plain(dataset) -> bool:
    return isinstance(dataset, tf.data.Dataset)


def _zeros(spec: tf.TensorSpec) -> tf.Tensor:
    return tf.zeros([size or 1 for size in spec.shape], spec.dtype)
