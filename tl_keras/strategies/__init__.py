"""How weights may move: what trains, and where the graph is cut before it.

    set_trainable(model, "block_13_expand")
    fitting = training_graph(model)   # the same layers, frozen ones still
    trunk, tail = split_at(model, cut_for(model, "block_13_expand"))

In: a classifier of `build_classifier`. Out: its layers' `trainable`, a graph to
fit, and the trunk whose work is done once.
"""

from tl_keras.strategies.cutting import Cut, cut_for, find_cuts, split_at
from tl_keras.strategies.freezing import (
    count_trainable,
    count_trainable_if,
    layer_index,
    set_trainable,
    trainable_layers,
    training_graph,
)
from tl_keras.strategies.layerwise import layer_rates, unfreezing_stages
from tl_keras.strategies.lora import LoRA, suits_lora
from tl_keras.strategies.strategy import Freeze, Strategy

__all__ = [
    "Cut",
    "Freeze",
    "LoRA",
    "Strategy",
    "count_trainable",
    "count_trainable_if",
    "cut_for",
    "find_cuts",
    "layer_index",
    "layer_rates",
    "set_trainable",
    "split_at",
    "suits_lora",
    "trainable_layers",
    "training_graph",
    "unfreezing_stages",
]
