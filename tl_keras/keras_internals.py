"""What is taken from inside Keras, and why: `keras.src` has no promise.

    from tl_keras import keras_internals
    keras_internals.Functional

In: Keras as it is installed. Out: the five names below, which its public face
lacks. No other file imports `keras.src`, and a test sees to that, so a new
Keras is tried out here first. Each says what it is for and with which versions
it was run; all of them with 3.15.1.
"""

import keras
from keras.src.backend.common import global_state
from keras.src.models.functional import Functional, operation_fn
from keras.src.utils import file_utils

__all__ = [
    "Functional",
    "file_utils",
    "get_dtype_policy",
    "operation_fn",
    "set_dtype_policy",
]

# Functional, 3.15.1: keras.Model(inputs, outputs) makes one, but no public
# name says whether a model is one, nor whether its `call` is that graph's.

# operation_fn, 3.15.1: what a functional model calls in an operation's place,
# with `training` passed on; Grad-CAM runs a graph as the model itself does.

# file_utils, 3.15.1: the constructors of keras.applications fetch weights by
# file_utils.get_file, and the names and hashes of the files are known there
# alone. keras.utils.get_file is another reference to it: exchanging that one
# changes nothing.


def get_dtype_policy() -> keras.DTypePolicy | None:
    """The global dtype policy, or None where nobody has asked for it yet.

    With 3.15.1 `keras.config.dtype_policy` decides it for good when asked.
    """
    return global_state.get_global_attribute("dtype_policy")


def set_dtype_policy(value: keras.DTypePolicy | None) -> None:
    """Sets what `get_dtype_policy` gives; None leaves it undecided again.

    With 3.15.1 `keras.config.set_dtype_policy` takes no None.
    """
    global_state.set_global_attribute("dtype_policy", value)
