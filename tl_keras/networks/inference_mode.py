"""A model as a function of batches, in inference mode.

In: a model. Out: a function of batches to arrays, traced once.
Keras's `predict` traces anew for each model and batch size, and TensorFlow
warns of it; many short-lived models each run a few batches here.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tl_keras.keras_globals import standard_globals
from tl_keras.networks.loading import inputs_of
from tl_keras.out_of_memory import is_out_of_memory

# A graph is one protocol buffer of 2 GB at most; far below it, it copies well.
MAX_CONSTANT_BYTES = 500e6


@standard_globals()
def inference(
    model: keras.Model,
    *,
    constant: bool = False,
    one_size: bool | None = None,
) -> Callable[[tf.Tensor], np.ndarray]:
    """Batch (b, ...) -> the model's output (b, ...), traced once for any b.

    Args:
        model: a functional model.
        constant: take the weights as they are now for good. TensorFlow then
            folds BatchNorm into kernels and lays kernels out once, which
            makes VGG16 in float32 faster by a half on a CPU; the first batch
            costs a second more. Networks above 500 MB are left as they are.
        one_size: fill a batch smaller than the largest so far up to its size,
            and cut the answers off again. cuDNN tries its algorithms for each
            convolution at each batch size anew, which takes longer than the
            filled rows. None does so where a GPU computes.

    Returns:
        A function of (b, ...), of any number type, to an array (b, ...);
        of several such where the model has several inputs. Where memory runs
        out it asks for less at once.
    """
    if one_size is None:
        one_size = bool(tf.config.get_visible_devices("GPU"))
    specs = tf.nest.map_structure(
        lambda given: tf.TensorSpec(given.shape, given.dtype),
        inputs_of(model),
    )
    size = sum(np.prod(v.shape) * 4 for v in model.variables)
    if constant and size <= MAX_CONSTANT_BYTES:
        run = tf.function(_with_constants(model))
    else:
        run = tf.function(lambda x: model(x, training=False))
    run = run.get_concrete_function(specs)

    def of_any_type(batch):
        batch = tf.nest.map_structure(
            lambda array, spec: tf.cast(array, spec.dtype), batch, specs
        )
        return run(batch).numpy()

    run_some = with_less_at_once(of_any_type)
    return _filled(run_some) if one_size else run_some


def with_less_at_once(run: Callable) -> Callable:
    """The same function of batches, in parts where memory runs out.

    What is asked after training has sizes of its own, beside all that training
    holds of a GPU. The size that did is kept to: a try that fails takes
    TensorFlow's allocator ten seconds.

    Args:
        run: batch (b, ...) -> an array (b, ...), or several in a structure.

    Example:
        with_less_at_once(model.predict_on_batch)(pictures)
    """
    most = None

    def answers(batch):
        nonlocal most
        count = len(tf.nest.flatten(batch)[0])
        size = min(count, most or count)
        try:
            parts = [
                run(_rows(batch, start, start + size))
                for start in range(0, max(count, 1), max(size, 1))
            ]
        except Exception as error:
            if size < 2 or not is_out_of_memory(error):
                raise
            most = size // 2
            return answers(batch)
        if len(parts) == 1:
            return parts[0]
        return tf.nest.map_structure(lambda *some: np.concatenate(some), *parts)

    return answers


def _rows(batch, start: int, end: int):
    """Some rows of each array; the batch itself where these are all."""
    if start == 0 and end >= len(tf.nest.flatten(batch)[0]):
        return batch
    return tf.nest.map_structure(lambda array: array[start:end], batch)


def _filled(run: Callable) -> Callable:
    """A function that is asked batches of one size, the largest so far."""
    largest = 0

    def filled(array):
        lacking = [(0, largest - len(array))] + [(0, 0)] * (array.ndim - 1)
        return np.pad(np.asarray(array), lacking)

    def answers(batch):
        nonlocal largest
        count = len(tf.nest.flatten(batch)[0])
        largest = max(largest, count)
        if count < largest:
            batch = tf.nest.map_structure(filled, batch)
        return run(batch)[:count]

    return answers


def _with_constants(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """The model with its weights written into the graph."""
    values = [
        [keras.ops.convert_to_numpy(v) for v in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
        )
    ]

    def run(x):
        constants = [[tf.constant(v) for v in group] for group in values]
        output, _ = model.stateless_call(*constants, x, training=False)
        return output

    return run
