"""What a phase is fitted to: sources as tf.data sets.

In: sources of batches, what computes, the number of the phase's first epoch.
Out: `PhaseData`.
"""

from typing import NamedTuple

import tensorflow as tf

from tl_keras.sources import EpochSource
from tl_keras.training.steps import Compute, DeviceRows, held_on_device


class PhaseData(NamedTuple):
    """What a phase is fitted to.

    Attributes:
        train, val: tf.data sets; val may be None.
        epoch: which one `train` gives next.
        skip: batches that its next epoch leaves out; None where it cannot.
        batch_size: None where it is not known.
        rows, val_rows: what the device holds, by place; None for nothing.
    """

    train: tf.data.Dataset
    val: tf.data.Dataset | None
    epoch: tf.Variable
    skip: tf.Variable | None
    batch_size: int | None
    rows: DeviceRows | None
    val_rows: DeviceRows | None


def phase_data(
    train: EpochSource, val: EpochSource | None, compute: Compute, first: int
) -> PhaseData:
    """The sources of a phase whose first epoch is number `first` + 1.

    Args:
        train, val: sources of batches; `val` may be None.
        compute: what may hold rows on its device.
        first: the number of the phase's first epoch less one.

    Returns:
        `PhaseData`.
    """
    rows, val_rows = held_on_device(compute, train, val)
    with tf.device("CPU:0"):  # Where tf.data reads them.
        epoch = tf.Variable(first, dtype=tf.int64, trainable=False)
        skip = tf.Variable(0, dtype=tf.int64, trainable=False)
    batch_size = train.batch_size
    if batch_size is None:
        skip = None
        batches = train(epoch)
    else:
        batches = train(epoch, skip, places=rows is not None)
    if val is not None:
        val = val(places=val_rows is not None)
    return PhaseData(batches, val, epoch, skip, batch_size, rows, val_rows)
