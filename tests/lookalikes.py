"""Callbacks as others write them, and Keras's that send what they are told.

Rebuilt from the widely used ones: keras-contrib's SWA, the CLR of bckenstler,
fast.ai's one cycle, tf-addons' moving averages, wandb's and mlflow's loggers.
"""

import collections
import random
import typing

import keras
import numpy as np


class CyclicLR(keras.callbacks.Callback):
    """A triangle of learning rates over so many batches."""

    def __init__(self, low=1e-3, high=1e-2, half=3):
        super().__init__()
        self.low, self.high, self.half = low, high, half
        self.iterations, self.history = 0, {}

    def on_train_begin(self, logs=None):
        self.model.optimizer.learning_rate = self.low

    def on_train_batch_end(self, batch, logs=None):
        self.iterations += 1
        place = abs(self.iterations / self.half % 2 - 1)
        rate = self.low + (self.high - self.low) * (1 - place)
        self.history.setdefault("lr", []).append(rate)
        self.model.optimizer.learning_rate = rate


class OneCycle(keras.callbacks.Callback):
    """A rate by the number of the step; the steps are counted."""

    def on_train_begin(self, logs=None):
        self.total = self.params["epochs"] * self.params["steps"]
        self.step = 0
        self.rates = collections.deque(maxlen=100)

    def on_train_batch_begin(self, batch, logs=None):
        share = self.step / self.total
        rate = 1e-2 * (1 - abs(2 * share - 1)) + 1e-4
        self.model.optimizer.learning_rate = rate
        self.rates.append(rate)
        self.step += 1


class SWA(keras.callbacks.Callback):
    """The mean of the weights of the last epochs, set at the end."""

    def __init__(self, start=1):
        super().__init__()
        self.start, self.count = start, 0
        self.weights = None

    def on_epoch_end(self, epoch, logs=None):
        if epoch < self.start:
            return
        now = self.model.get_weights()
        if self.weights is None:
            self.weights = [np.zeros_like(w) for w in now]
        self.count += 1
        for mean, weight in zip(self.weights, now, strict=True):
            mean += (weight - mean) / self.count  # In place.

    def on_train_end(self, logs=None):
        self.model.set_weights(self.weights)


class VariableEMA(keras.callbacks.Callback):
    """A moving average in variables of its own."""

    def on_train_begin(self, logs=None):
        self.shadows = [
            keras.Variable(w, trainable=False)
            for w in self.model.trainable_variables
        ]

    def on_train_batch_end(self, batch, logs=None):
        for shadow, weight in zip(
            self.shadows, self.model.trainable_variables, strict=True
        ):
            shadow.assign(0.9 * shadow + 0.1 * weight)

    def on_train_end(self, logs=None):
        for shadow, weight in zip(
            self.shadows, self.model.trainable_variables, strict=True
        ):
            weight.assign(shadow)


class ModelEMA(keras.callbacks.Callback):
    """A moving average in a model of its own."""

    def on_train_begin(self, logs=None):
        self.average = keras.models.clone_model(self.model)
        self.average.set_weights(self.model.get_weights())

    def on_train_batch_end(self, batch, logs=None):
        for shadow, weight in zip(
            self.average.variables, self.model.variables, strict=True
        ):
            if shadow.dtype == "float32":
                shadow.assign(0.9 * shadow + 0.1 * weight)

    def on_train_end(self, logs=None):
        self.model.set_weights(self.average.get_weights())


class SentRows:
    """A service beside the process that keeps what it is sent."""

    rows: typing.ClassVar[list] = []

    def log(self, row, step):
        SentRows.rows.append([step, row])


class WandbLike(keras.callbacks.Callback):
    """A logger with a connection, and steps of its own."""

    def on_train_begin(self, logs=None):
        self.run = SentRows()
        self.step = 0

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1

    def on_epoch_end(self, epoch, logs=None):
        self.run.log({k: float(v) for k, v in logs.items()}, self.step)


class GradualUnclip(keras.callbacks.Callback):
    """Counts in a Counter and draws from generators of its own."""

    def __init__(self):
        super().__init__()
        self.seen = collections.Counter()
        self.numpy, self.python = np.random.default_rng(1), random.Random(1)

    def on_train_batch_end(self, batch, logs=None):
        self.seen[batch] += 1
        noise = self.numpy.normal() * 1e-4 + self.python.random() * 1e-4
        self.model.optimizer.learning_rate = 1e-3 + abs(noise)


class NoiseSchedule(keras.callbacks.Callback):
    """Callbacks in a callback."""

    def __init__(self):
        super().__init__()
        self.inner = [CyclicLR()]
        self.one = OneCycle()

    def set_model(self, model):
        super().set_model(model)
        self.one.set_model(model)

    def on_train_begin(self, logs=None):
        self.one.set_params(self.params)
        self.one.on_train_begin()

    def on_train_batch_begin(self, batch, logs=None):
        self.one.on_train_batch_begin(batch)


class WarmUp(keras.callbacks.Callback):
    """Multiplies the rate at each epoch's begin, as on_epoch_begin allows."""

    def on_epoch_begin(self, epoch, logs=None):
        rate = float(self.model.optimizer.learning_rate)
        self.model.optimizer.learning_rate = rate * 1.5


class Metrics(keras.callbacks.Callback):
    """Notes a value a class, and tells the other callbacks of it."""

    def __init__(self):
        super().__init__()
        self.rows, self.best = [], {}

    def on_epoch_end(self, epoch, logs=None):
        values = self.model.layers[-1].kernel.numpy().mean(0)
        self.rows.append(values)
        self.best[epoch] = float(values.max())
        logs["own"] = values
