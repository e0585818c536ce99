"""How our datasets are paced: by numbers of ours, not by tf.data's autotuning.

    batches = indices.map(load, num_parallel_calls=PARALLEL).batch(32)
    return paced(batches.prefetch(AHEAD))

In: a dataset. Out: the same one, which nothing tunes while it runs.

Autotuning has a thread for each iterator that sleeps up to a minute between two
looks. An iterator that goes waits for it, and now and then the wake-up is lost
(TensorFlow 2.21): a run, or a server's request, stood still for 40 to 120
seconds without computing anything.
"""

import os

import tensorflow as tf

# Elements that are made at once, and batches that are ready before they are
# asked for; more threads than cores make nothing faster here.
PARALLEL = os.cpu_count() or 1
AHEAD = 4


def paced(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same dataset, and all that is made of it, without autotuning."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
