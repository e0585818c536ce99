"""What a callback's attribute may hold, and whether that is of the fit.

    is_setting(pathlib.Path("logs"))          # True: the script says it
    is_setting([0.5, 0.25])                   # False: it may have been noted

In: any value. Out: whether it says something of a fit, and how it is known.
"""

import datetime
import enum
import functools
import io
import logging
import pathlib
import queue
import re
import threading
import types
from collections.abc import Iterator
from concurrent import futures

import keras
import numpy as np
import tensorflow as tf

# Never changed, only replaced; a replaced one is a setting of now.
SETTINGS = (
    pathlib.PurePath, enum.Enum, datetime.date, datetime.timedelta, np.dtype,
    bytes, complex, type, slice, range, re.Pattern, types.ModuleType,
    types.FunctionType, types.BuiltinFunctionType, types.MethodType,
    functools.partial, tf.DType, tf.data.Dataset,
)  # fmt: skip
# Ways out of the process: each process has its own.
HANDLES = (
    io.IOBase, logging.Logger, logging.LoggerAdapter, threading.Thread,
    threading.Event, threading.Condition, type(threading.Lock()),
    type(threading.RLock()), futures.Executor, futures.Future, queue.Queue,
    tf.summary.SummaryWriter, keras.utils.Progbar,
)  # fmt: skip
# Libraries that show or send what they are told, each process anew.
DISPLAYS = frozenset(
    {
        "IPython", "comet_ml", "ipywidgets", "matplotlib", "mlflow", "neptune",
        "plotly", "requests", "rich", "socket", "tensorboardX", "tqdm", "wandb",
    }
)  # fmt: skip
ITERATORS = (Iterator,)


def is_setting(value) -> bool:
    """Whether a value says nothing of a fit."""
    library = type(value).__module__.split(".")[0]
    if operation_of(value):
        return False
    return isinstance(value, SETTINGS + HANDLES) or library in DISPLAYS


def operation_of(value) -> str:
    """The name of a function of `keras.ops`, which is noted, no setting.

    Keras's own choose `less` or `greater` when the first epoch ends.
    """
    name = getattr(value, "__name__", "")
    return name if name and getattr(keras.ops, name, None) is value else ""


def is_beside(value, callback) -> bool:
    """Whether it is another callback, or of a class beside the callback's."""
    if callback is None or value is callback or not hasattr(value, "__dict__"):
        return False
    if isinstance(value, keras.callbacks.Callback):
        return True
    return type(value).__module__ == type(callback).__module__
