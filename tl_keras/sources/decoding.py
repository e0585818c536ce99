"""Examples' bytes -> their tensors: one at a time, in one pass, or not at all.

    tensors_at = reader_of(examples, decoding, None)
    dataset.map(tensors_at)                      # of a dataset of indices
    for tensors in decoded_once(examples, decoding, 32): ...
    unreadable(examples, decoding)               # {3: "cannot be read (...)"}

In: examples, and how each is decoded. Out: tensors; or which cannot be had, and
why.
"""

import functools
import os
from collections.abc import Callable, Iterator

import tensorflow as tf

from tl_keras import io_watchdog
from tl_keras.data.examples import Examples
from tl_keras.inputs.input import Input, Tensors


@functools.lru_cache(maxsize=16)
def _traced_batch(decoding: Input, in_files: bool):
    """Files or encoded examples (b,) -> their tensors, side by side."""

    def one(source):
        return decoding.load(tf.io.read_file(source) if in_files else source)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def many(sources):
        # Left to itself TensorFlow places what can be on a GPU there: for each
        # picture dozens of small kernels, and copies to and fro.
        with tf.device("CPU:0"):
            return tf.map_fn(
                one,
                sources,
                fn_output_signature=decoding.specs,
                parallel_iterations=max(8, os.cpu_count() or 1),
            )

    return many


def reader_of(
    examples: Examples, decoding: Input, decoded: Tensors | None
) -> Callable[[tf.Tensor], Tensors]:
    """An index -> that example's tensors, as TensorFlow operations.

    Args:
        examples: what to read.
        decoding: how.
        decoded: their tensors (n, ...), where they are held in memory.

    Returns:
        A function for `map` of a dataset of int64 scalars.
    """
    if decoded is not None:
        with tf.device("CPU:0"):  # A GPU's memory is for training.
            held = tf.nest.map_structure(tf.constant, decoded)
        return lambda index: tf.nest.map_structure(
            lambda tensor: tf.gather(tensor, index), held
        )
    in_files = examples.files is not None
    sources = tf.constant(_sources(examples))

    def tensors_at(index):
        source = sources[index]
        encoded = tf.io.read_file(source) if in_files else source
        return decoding.load(encoded)

    return tensors_at


def decoded_once(
    examples: Examples, decoding: Input, batch_size: int
) -> Iterator[Tensors]:
    """The tensors of all examples, in their order, for a single pass.

    A pass of tf.data sets up the decoder anew, which takes longer than
    decoding a hundred pictures; here it is set up once in a process.

    Args:
        examples: what to read.
        decoding: how.
        batch_size: examples a batch; the last may have fewer.

    Returns:
        Tensors (b, ...), batch by batch, as `decoding` makes them.
    """
    sources = _sources(examples)
    load = _traced_batch(decoding, examples.files is not None)
    for start in range(0, len(sources), batch_size):
        batch = load(tf.constant(sources[start : start + batch_size]))
        io_watchdog.answered()
        yield batch


def unreadable(examples: Examples, decoding: Input | None) -> dict[int, str]:
    """Index -> why, of the examples that cannot be read now.

    Args:
        examples: what to read.
        decoding: where all can be read, those that it does not decode are
            named; None for none of them.

    Returns:
        By place; {} where all can be had.
    """
    bad = {}
    for index in range(len(examples)):
        try:
            examples.read(index)
        except OSError as error:
            bad[index] = f"cannot be read ({error.strerror})"
    if bad or decoding is None:
        return bad
    for index in range(len(examples)):
        try:
            decoding.load(tf.constant(examples.read(index)))
        except tf.errors.OpError as error:
            reason = str(error).split("} ")[-1].split(" [Op")[0]
            bad[index] = f"does not decode ({reason[:120]})"
        except OSError as error:
            bad[index] = f"cannot be read ({error.strerror})"
    return bad


def _sources(examples: Examples) -> list[bytes]:
    """Names of files, or encoded examples."""
    if examples.files is None:
        return list(examples.encoded)
    return [file.encode("utf-8", "surrogateescape") for file in examples.files]
