"""Frozen work happens once: a trunk's activations, by picture, on disk.

    trunk, tail = split_at(model, cut_for(model, "none"))
    store = FeatureStore("features")
    activations = store.activations(trunk, images.train)
    tail.fit(activations.batches(32), epochs=10)

In: a frozen trunk and pictures. Out: its activations, from the disk where any
run has computed them before. The key is the content: the trunk's weights and
graph, how pixels are made, and each picture's bytes; so another head, seed or
learning rate finds them all, and a changed picture is computed alone.
"""

from tl_keras.features.activations import (
    Activations,
    StoredBatches,
    StoredFixedBatches,
)
from tl_keras.features.keys import trunk_key
from tl_keras.features.store import FeatureStore

__all__ = [
    "Activations",
    "FeatureStore",
    "StoredBatches",
    "StoredFixedBatches",
    "trunk_key",
]
