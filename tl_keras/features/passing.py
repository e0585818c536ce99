"""How examples pass through a frozen network: how many, and how at once.

    for activations in through(inference(trunk), batches):
        ...

In: a trunk and batches. Out: activations. What a GPU or a CPU is quick at is
known here; what is kept of it is the store's.
"""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from tl_keras.networks import inner_layers

# Batches in the trunk at once: a small network does not fill two cores.
AT_ONCE = 2
MAX_EXAMPLES = 32  # in a batch; more is not faster on a CPU
# On a GPU a frozen network needs less memory than one that trains and is the
# quicker the more it is given: batches so many times as large, up to a limit.
GPU_TIMES, MAX_GPU_EXAMPLES = 4, 128


def examples_at_once(batch_size: int) -> int:
    """How many pictures go through a frozen trunk together.

    Args:
        batch_size: of training; less where memory ran out there.
    """
    if tf.config.get_visible_devices("GPU"):
        return min(GPU_TIMES * batch_size, MAX_GPU_EXAMPLES)
    return min(batch_size, MAX_EXAMPLES)


def through(run: Callable, batches: Iterable) -> Iterator[np.ndarray]:
    """What a trunk makes of batches, some of them in it at once.

    Args:
        run: batch -> activations, as of `networks.inference`.
        batches: any number of them.

    Returns:
        The activations of each, in their order.
    """
    waiting: collections.deque = collections.deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for batch in batches:
            waiting.append(pool.submit(run, batch))
            if len(waiting) > AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def constants_pay(trunk: keras.Model) -> bool:
    """Whether weights that are constants of its graph make a network faster.

    Convolutions are. An encoder of texts is not, and its table of words costs
    seconds.

    Args:
        trunk: the frozen part.
    """
    return any("Conv" in type(x).__name__ for x in inner_layers(trunk))


def shortened(
    batches: Iterator[tf.Tensor], lengths: np.ndarray
) -> Iterator[tf.Tensor]:
    """Batches in their order, each as long as its longest example.

    Args:
        batches: (b, t, ...), padded to one length t.
        lengths: of all examples, in the order in which they come.

    Returns:
        Batches (b, t', ...).
    """
    done = 0
    for batch in batches:
        end = done + len(batch)
        yield batch[:, : lengths[done:end].max()]
        done = end
