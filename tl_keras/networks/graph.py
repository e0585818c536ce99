"""A model's graph, read: its calls in order, their cost, backbone and head.

In: a functional model. Out: nodes, layers and multiply-adds; nothing changes.
"""

import math

import keras

from tl_keras.errors import ConfigError
from tl_keras.networks.loading import FIRST_OF_HEAD


def ordered_nodes(model: keras.Model) -> list:
    """The calls of a functional model's graph, each after its inputs."""
    by_depth = model._nodes_by_depth
    return [
        n for depth in sorted(by_depth, reverse=True) for n in by_depth[depth]
    ]


def multiply_adds(node) -> int:
    """Multiply-adds of one call for one picture; 0 for what has no kernel.

    Of attention those of its four kernels, not of rows with each other.
    """
    outputs = node.output_tensors[0].shape
    kernels = [
        weight
        for weight in getattr(node.operation, "weights", ())
        if weight.name.endswith("kernel")
    ]
    # A kernel of any convolution or Dense is applied once at each place of
    # the output; all axes between batch and channels are places.
    places = math.prod(side or 1 for side in outputs[1:-1])
    return sum(places * math.prod(kernel.shape) for kernel in kernels)


def split_layers(
    model: keras.Model,
) -> tuple[list[keras.Layer], list[keras.Layer]]:
    """The layers of a classifier: (up to the feature map, head), in order."""
    names = [layer.name for layer in model.layers]
    if FIRST_OF_HEAD not in names:
        raise ConfigError(
            f"model {model.name}: expected a classifier of build_classifier, "
            f"found no layer {FIRST_OF_HEAD}"
        )
    # Layers are sorted by depth, so all before the pooling feed it.
    start = names.index(FIRST_OF_HEAD)
    return model.layers[:start], model.layers[start:]
