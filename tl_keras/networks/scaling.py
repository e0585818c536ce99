"""What a network wants of pixels 0 to 255, and what is known of it.

In: a backbone. Out: its input scaling as a key of `backbones.SCALINGS`, the
layers that do it, and a hint where a person's network seems to lack it.
"""

import os
import re

import keras

from tl_keras.errors import ConfigError
from tl_keras.networks import backbones
from tl_keras.networks.flattening import as_graph, free_name

# Weights of red, green and blue in grey, as JPEG and TensorFlow have them.
GREY = (0.299, 0.587, 0.114)
LAYERS = (keras.layers.Rescaling, keras.layers.Normalization)
# Operations that scale, where `preprocess_input` was called in a network.
OPERATIONS = ("Add", "Subtract", "Divide", "TrueDivide", "Multiply")


def usual_scaling(backbone: str | keras.Model) -> str:
    """Input scaling of an application; "none" for any other network."""
    known = isinstance(backbone, str) and backbone in backbones.BACKBONES
    return backbones.BACKBONES[backbone].scaling if known else "none"


def own_scaling(network: keras.Model) -> str:
    """Name of what scales the input in a network itself, or "".

    It is looked for before the first layer with weights other than those of
    a Normalization.
    """
    graph = as_graph(network)
    for operation in graph.operations if graph is not None else ():
        kind = type(operation).__name__
        if isinstance(operation, LAYERS) or kind in OPERATIONS:
            return operation.name
        if as_graph(operation) is not None:
            return own_scaling(operation)
        if getattr(operation, "variables", None):
            break
    return ""


def refuse_second_scaling(network: keras.Model, scaling: str) -> None:
    """Refuses to scale what the network scales itself.

    Raises:
        ConfigError: names the layer that does it.
    """
    own = own_scaling(network)
    if own and scaling != "none":
        raise ConfigError(
            f"--input_scaling={scaling}: expected none, since {network.name} "
            f"scales pixels itself, in {own} - leave it out"
        )


def scaling_hint(backbone: str, network: keras.Model) -> str:
    """A line for a file that is taken as it is, and seems to want scaling.

    Args:
        backbone: the file's path; an application has no hint.
        network: that was loaded from it.

    Returns:
        What is missing, or "" where nothing seems so.
    """
    if backbone in backbones.BACKBONES or own_scaling(network):
        return ""
    # What a layer of somebody's own, or a BatchNorm, makes of pixels is its.
    first = network.operations[1]
    foreign = type(first).__module__.partition(".")[0] != "keras"
    if foreign or isinstance(first, keras.layers.BatchNormalization):
        return ""
    words = (
        f"{backbone} has no Rescaling or Normalization, so its layers see "
        "pixels 0 to 255"
    )
    name = application_in(network.name, os.path.basename(backbone))
    usual = usual_scaling(name)
    if usual == "none":
        return f"{words} - say by --input_scaling what it was trained with"
    return (
        f"{words}; it has the name of {name}, which is trained with "
        f"--input_scaling={usual} - give that, or what it was trained with"
    )


def application_in(*texts: str) -> str:
    """The Keras application that the first of some names begins with, or ""."""
    for text in texts:
        plain = re.sub(r"[^a-z0-9]", "", text.lower())
        fits = [n for n in backbones.BACKBONES if plain.startswith(n.lower())]
        if fits:
            return max(fits, key=len)
    return ""


def scale(tensor, scaling: backbones.Scaling, channels: int, taken: set[str]):
    """Input scaling of built-in operations, in float32.

    Args:
        tensor: symbolic pixels (batch, height, width, 3).
        scaling: what is done.
        channels: 3, or 1 for their grey.
        taken: names of operations that these may not have.

    Returns:
        Symbolic, (batch, height, width, `channels`).
    """
    if scaling.reverse_channels:
        tensor = _named(keras.ops.flip(tensor, axis=-1), taken)
    if scaling != backbones.SCALINGS["none"]:
        tensor = keras.layers.Rescaling(
            list(scaling.scale),
            offset=list(scaling.offset),
            dtype="float32",
            name=free_name("input_scaling", taken),
        )(tensor)
    if channels == 1:
        weights = keras.ops.convert_to_tensor(GREY, dtype="float32")
        tensor = _named(tensor * weights, taken)
        tensor = _named(keras.ops.sum(tensor, axis=-1, keepdims=True), taken)
    return tensor


def _named(tensor, taken: set[str]):
    """The tensor; what made it gets a name that is free."""
    operation = tensor._keras_history.operation
    operation.name = free_name(operation.name, taken)
    return tensor
