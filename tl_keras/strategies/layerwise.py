"""How near a layer is to the head: rates by layer, and stages to unfreeze.

    layer_rates(model, 0.9)      # {"block5_conv3/kernel": 0.9, ...}
    unfreezing_stages(model, "block4", 3)     # ["block5_conv3", ...]

In: a classifier of `build_classifier`. Out: factors of learning rates by
variable, and names of layers.

Reference: Howard and Ruder, "Universal Language Model Fine-tuning for Text
Classification" (discriminative rates, gradual unfreezing), 2018.
"""

import keras

from tl_keras.networks import split_layers
from tl_keras.strategies.freezing import layer_index


def layer_rates(model: keras.Model, decay: float) -> dict[str, float]:
    """Variable's path -> the factor of its learning rate.

    The head has 1, the backbone's last layer with a kernel `decay`, the one
    before it `decay` squared, and so on. What has no kernel, as a BatchNorm,
    has the factor of the kernel before it.

    Args:
        model: from `build_classifier`.
        decay: above 0, to 1.

    Returns:
        A factor for each weight of each layer.

    Raises:
        ValueError: a decay out of its range.

    Example:
        rates = layer_rates(model, 0.9)
        optimizer = adapted(keras.optimizers.Adam(1e-3), rates=rates)
    """
    if not 0 < decay <= 1:
        raise ValueError(f"decay={decay}: expected above 0, to 1")
    backbone, head = split_layers(model)
    number, numbers = 0, []
    for layer in backbone:
        number += _has_kernel(layer)
        numbers.append(max(number, 1))
    factors = {v.path: 1.0 for layer in head for v in layer.weights}
    for layer, place in zip(backbone, numbers, strict=True):
        for variable in layer.weights:
            factors[variable.path] = decay ** (number - place + 1)
    return factors


def unfreezing_stages(
    model: keras.Model, unfreeze_from: str, count: int
) -> list[str]:
    """Layers to unfreeze from, one phase after the other, ever deeper.

    Args:
        model: from `build_classifier`.
        unfreeze_from: "all", or a layer: the last stage.
        count: how many stages.

    Returns:
        `count` names, or as many as there are layers with kernels; the last
        is `unfreeze_from`. Each stage lets about as many kernels more train.

    Raises:
        ConfigError: no such layer.
    """
    backbone, _ = split_layers(model)
    first = 0
    if unfreeze_from != "all":
        first = layer_index(backbone, unfreeze_from)
    kernels = [x.name for x in backbone[first:] if _has_kernel(x)]
    count = min(count, max(len(kernels), 1))
    stages = [
        kernels[len(kernels) - round(len(kernels) * stage / count)]
        for stage in range(1, count)
    ]
    return [*stages, unfreeze_from]


def _has_kernel(layer: keras.Layer) -> bool:
    return any(len(variable.shape) > 1 for variable in layer.weights)
