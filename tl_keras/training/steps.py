"""Steps of training and validation as Keras's `fit` calls them.

    steps = Steps(model.train_step, jit=False)
    model.train_function = steps
    model.fit(...)
    steps.waited, "seconds of them waited for a batch"

In: a model's step, and how it is computed. Out: what `fit` takes as its
`train_function`. Unlike Keras's own it takes the batch outside the graph, so
that the wait for it can be measured; compiles with XLA for full batches alone,
since XLA compiles each size anew; may read rows that a device holds; and need
not wait for the device after each step.
"""

import dataclasses
import math
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tl_keras.compute.devices import device_memory, peak_device_memory
from tl_keras.compute.gpu_gradients import quick_gradients
from tl_keras.sources import EpochSource

# Types that a GPU gathers rows of. Rows of others, bytes above all, are taken
# as int64; int32 would not do, as TensorFlow keeps it in the host's memory.
GATHERED = ("float16", "bfloat16", "float32", "float64", "int64")
WORD = 8  # bytes of an int64
# Steps between two looks at losses and metrics on a GPU: each look waits until
# the device is done, and the device then waits for its next step.
GPU_LOOKS = 10
# Of a GPU's memory; the rest is lost in pieces between what is used.
USABLE_SHARE = 0.9


@dataclasses.dataclass(frozen=True)
class Compute:
    """What computes a fit, and how.

    Attributes:
        device: "cpu" or "gpu".
        jit: "auto", "on" or "off": compile steps with XLA (`compute.jit`).
        deterministic: whether the same fit must give the same bits.
        resident_bytes: rows up to this size, those of validation included,
            are held on the device while a phase lasts, instead of being sent
            there again in each epoch; 0 sends them.
        device_bytes: all of a GPU's memory that may be used; 0 keeps no best
            weights there.
    """

    device: str = "cpu"
    jit: str = "auto"
    deterministic: bool = False
    resident_bytes: float = 0
    device_bytes: float = 0

    @classmethod
    def here(cls) -> "Compute":
        """The device that TensorFlow uses, all else by default."""
        gpu = tf.config.get_visible_devices("GPU")
        return cls("gpu" if gpu else "cpu", device_bytes=device_memory())

    def room(self) -> float:
        """Bytes of a GPU's memory that nothing has needed so far."""
        peak = peak_device_memory() or 0
        return max(0.0, USABLE_SHARE * self.device_bytes - peak)

    @property
    def looks(self) -> int:
        """After so many steps losses and metrics are looked at."""
        return GPU_LOOKS if self.device == "gpu" else 1

    def device_name(self) -> str:
        """As TensorFlow names it."""
        return f"{self.device.upper()}:0"


class DeviceRows:
    """Rows that lie on a device, taken there by their indices.

    Args:
        rows: array (n, ...), n of 1 or more.
        device: such as "GPU:0".
    """

    def __init__(self, rows: np.ndarray, device: str):
        self.shape, self.dtype = rows.shape[1:], tf.as_dtype(rows.dtype)
        self._as_they_are = rows.dtype.name in GATHERED
        if not self._as_they_are:
            flat = np.ascontiguousarray(rows).reshape(len(rows), -1)
            flat = flat.view(np.uint8)
            lacking = -flat.shape[1] % WORD
            if lacking:
                flat = np.pad(flat, [(0, 0), (0, lacking)])
            rows = flat.view(np.int64)
        with tf.device(device):
            self._rows = tf.constant(rows)

    def take(self, indices: tf.Tensor) -> tf.Tensor:
        """Rows (b, ...) at int64 indices (b,), bit for bit."""
        rows = tf.gather(self._rows, indices)
        if self._as_they_are:
            return rows
        numbers = tf.bitcast(rows, self.dtype)  # (b, words, numbers in one)
        numbers = tf.reshape(
            numbers, (-1, rows.shape[1] * WORD // self.dtype.size)
        )
        numbers = numbers[:, : math.prod(self.shape)]
        return tf.reshape(numbers, (-1, *self.shape))


def held_on_device(
    compute: Compute, train: EpochSource, val: EpochSource | None
) -> tuple[DeviceRows | None, DeviceRows | None]:
    """The rows of training and of validation that the device holds.

    Those of sources with `rows` (pixels or activations in memory), while they
    fit together; what does not is sent there batch by batch.

    Args:
        compute: the device, and how many bytes it may hold.
        train: what is fit on; it comes first.
        val: what is validated on; None without.

    Returns:
        (training's, validation's); None for what is not held.
    """
    left, held = compute.resident_bytes, []
    for source in (train, val):
        rows = source.rows if left and source else None
        if rows is not None and len(rows) and rows.nbytes <= left:
            left -= rows.nbytes
            held.append(DeviceRows(rows, compute.device_name()))
        else:
            held.append(None)
    return held[0], held[1]


class Steps:
    """One kind of step, over the batches of an iterator.

    Args:
        step: `model.train_step` or `model.test_step`.
        jit: compile it with XLA, for full batches.
        full: examples of these; as many as the first one has when None.
        rows: where the batches hold indices instead of inputs, the rows.
        looks: give the logs of every so many steps; those between are given
            the last ones again, without waiting for the device.
        gpu: take the gradients that a GPU is quick at (`gpu_gradients`).

    Attributes:
        waited: seconds spent waiting for batches, in all.
    """

    def __init__(
        self,
        step: Callable,
        *,
        jit: bool = False,
        full: int | None = None,
        rows: DeviceRows | None = None,
        looks: int = 1,
        gpu: bool = False,
    ):
        self.step = step
        self.jit = jit
        self.rows = rows
        self.looks = looks
        self.gpu = gpu
        self.waited = 0.0
        self._functions: dict[bool, Callable] = {}
        self._full = full
        self._iterator = None
        self._since = 0
        self._logs: dict = {}

    def __call__(self, iterator) -> dict:
        """Takes the next batch and does its step; gives the logs."""
        if iterator is not self._iterator:
            self._iterator, self._since = iterator, 0
        began = time.perf_counter()
        batch = next(iterator)
        self.waited += time.perf_counter() - began
        logs = self._logs_of(
            self._function(batch, iterator.element_spec)(batch)
        )
        if self.looks == 1:
            return logs
        if self._since % self.looks == 0:
            self._logs = {name: float(value) for name, value in logs.items()}
        self._since += 1
        return self._logs

    def _logs_of(self, found) -> dict:
        """The logs, of what a step gives."""
        return found

    def build(self, spec) -> None:
        """Makes the variables that the first step makes, without a step.

        Args:
            spec: of a batch.
        """
        function = self._traced(spec, jit=False)
        function.get_concrete_function()
        if not self.jit:
            self._functions[False] = function

    def _function(self, batch, spec) -> Callable:
        """The traced step for a batch of this size."""
        count = keras.tree.flatten(batch)[0].shape[0]
        self._full = self._full or count
        jit = self.jit and count == self._full
        if jit not in self._functions:
            self._functions[jit] = self._traced(spec, jit)
        return self._functions[jit]

    def _traced(self, spec, jit: bool) -> Callable:
        def one(batch):
            if self.rows is not None:
                batch = (self.rows.take(batch[0]), *batch[1:])
            with quick_gradients(self.gpu and not jit):  # XLA has its own.
                return self.step(batch)

        return tf.function(
            one, input_signature=[spec], autograph=False, jit_compile=jit
        )


class Waiting(keras.callbacks.Callback):
    """Measures which share of an epoch's training waits for data.

    Args:
        steps: those of training.

    Attributes:
        epochs: (seconds waited, seconds of training) of each epoch.
    """

    def __init__(self, steps: Steps):
        super().__init__()
        self.steps = steps
        self.epochs: list[tuple[float, float]] = []

    def on_epoch_begin(self, epoch, logs=None):
        self._began, self._before = time.perf_counter(), self.steps.waited
        self._open = True

    def on_test_begin(self, logs=None):
        self._close()

    def on_epoch_end(self, epoch, logs=None):
        self._close()

    def _close(self) -> None:
        if self._open:
            waited = self.steps.waited - self._before
            self.epochs.append((waited, time.perf_counter() - self._began))
        self._open = False

    def share(self) -> float | None:
        """0 to 1; without the first epoch, which sets things up."""
        counted = self.epochs[1:] or self.epochs
        seconds = sum(spent for _, spent in counted)
        return (
            sum(waited for waited, _ in counted) / seconds if seconds else None
        )
