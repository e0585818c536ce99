"""Pixels in, logits out; what is trainable; one Keras model.

    model = build_classifier("MobileNetV2", num_classes=5, weights="imagenet")
    set_trainable(model, "block_13_expand")
    fitting = training_graph(model)   # the same layers, frozen ones still

In: a backbone's name or `.keras` file and a few numbers. Out: a functional
`keras.Model` of built-in layers from raw pixels (batch, height, width, 3),
0 to 255, to float32 logits (batch, num_classes). The backbone's layers lie in
it one by one, not as a nested model, so that a phase can unfreeze from any of
them and a graph can be cut at any of them.
"""

from tl_keras.classifier.building import (
    FIRST_OF_HEAD,
    LOGITS,
    POOLINGS,
    build_classifier,
    probabilities_model,
    usual_unfreeze,
)
from tl_keras.classifier.cutting import (
    Cut,
    cut_for,
    find_cuts,
    multiply_adds,
    ordered_nodes,
    split_at,
)
from tl_keras.classifier.flattening import as_graph, inner_graph
from tl_keras.classifier.freezing import (
    count_trainable,
    layer_index,
    set_trainable,
    split_layers,
    training_graph,
)
from tl_keras.classifier.inference import inference
from tl_keras.classifier.loading import (
    inner_layers,
    load_backbone,
    set_precision,
)
from tl_keras.classifier.scaling import scaling_hint, usual_scaling
from tl_keras.classifier.warming import warm_start

__all__ = [
    "FIRST_OF_HEAD",
    "LOGITS",
    "POOLINGS",
    "Cut",
    "as_graph",
    "build_classifier",
    "count_trainable",
    "cut_for",
    "find_cuts",
    "inference",
    "inner_graph",
    "inner_layers",
    "layer_index",
    "load_backbone",
    "multiply_adds",
    "ordered_nodes",
    "probabilities_model",
    "scaling_hint",
    "set_precision",
    "set_trainable",
    "split_at",
    "split_layers",
    "training_graph",
    "usual_scaling",
    "usual_unfreeze",
    "warm_start",
]
