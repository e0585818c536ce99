"""A backbone's name or file -> a network without its classifier.

In: a Keras application, a name of `tl_keras.pretrained` or a user's `.keras`
file. Out: a functional model of pictures to features, in any precision.
"""

import os

import keras

from tl_keras import backbones, pretrained
from tl_keras.errors import ConfigError

HEAD = "head_"  # how the names of a classifier's own layers begin
FIRST_OF_HEAD = "head_pooling"


def load_backbone(
    backbone: str,
    *,
    image_size: int | None = None,
    weights: str = "auto",
    arguments: dict | None = None,
) -> keras.Model:
    """Builds or loads a network without its classifier, in float32.

    Args:
        backbone: a Keras application, a name of `tl_keras.pretrained`, or the
            path of a `.keras` file of a functional or sequential model.
        image_size: side of its input in pixels; its usual size when None.
        weights: "imagenet", "none" (random), a weights file, or "auto".
        arguments: of the application's constructor.

    Returns:
        A functional model (batch, size, size, 3 or 1) -> feature map
        (batch, h, w, channels) or vector (batch, channels).

    Raises:
        ConfigError: names what does not fit.
        MachineError: ImageNet weights are not here and cannot be fetched.
    """
    if backbone in backbones.BACKBONES:
        chosen = {"auto": "imagenet", "none": None}.get(weights, weights)
        network = backbones.build_backbone(
            backbone,
            image_size=image_size or backbones.BACKBONES[backbone].usual_size,
            weights=chosen,
            arguments=arguments,
        )
    else:
        file = backbone
        if backbone in pretrained.PRETRAINED:
            file = str(pretrained.path_of(backbone))
        network = _network_of_file(file, image_size)
        if weights == "none":
            network = _random(network)
        elif weights != "auto":
            backbones.load_weights(network, weights)
    # Keras answers `layer.output` with the tensor of a layer's first call;
    # with these calls forgotten that will be the one in the classifier.
    for operation in network.operations:
        operation._inbound_nodes.clear()
    return network


def _random(network: keras.Model) -> keras.Model:
    """The same network with random weights; what scales its input stays."""
    fresh = keras.models.clone_model(network)
    pairs = zip(inner_layers(network), inner_layers(fresh), strict=True)
    for layer, new in pairs:
        if isinstance(layer, keras.layers.Normalization):
            new.set_weights(layer.get_weights())
            new.finalize_state()
    return fresh


def _network_of_file(file: str, image_size: int | None) -> keras.Model:
    """Loads a user's `.keras` file as a functional model of pictures."""
    if not os.path.isfile(file):
        raise ConfigError(
            f"--backbone={file}: expected a Keras application, a network of "
            "tl_keras or a .keras file - see --list_backbones"
        )
    try:
        network = keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds for a bad file.
        reason = str(error).strip().splitlines()[0][:200]
        raise ConfigError(
            f"--backbone={file}: not readable as a .keras file of built-in "
            f"layers ({reason}) - save it with model.save in Keras 3"
        ) from None
    if any(layer.name == FIRST_OF_HEAD for layer in network.layers):
        # A classifier of ours: its backbone, input scaling included.
        features = network.get_layer(FIRST_OF_HEAD).input
        network = keras.Model(network.inputs[0], features, name=network.name)
    size = checked_size(network, image_size, f"--backbone={file}")
    channels = network.inputs[0].shape[-1]
    tensor = keras.Input((size, size, channels), name="backbone_input")
    return keras.Model(tensor, call_layers(network, tensor), name=network.name)


def checked_size(
    network: keras.Model, image_size: int | None, given: str
) -> int:
    """The side of the pictures that a backbone takes, in pixels.

    Args:
        network: somebody's model, (batch, size, size, 3 or 1) -> features.
        image_size: the side that is wanted, or None for the network's own.
        given: what to call it in a message.

    Raises:
        ConfigError: its input, output or size is not that of a backbone.
    """
    inputs = getattr(network, "inputs", None) or []
    outputs = getattr(network, "outputs", None) or []
    shapes = [tuple(x.shape) for x in (*inputs, *outputs)]
    if (
        len(inputs) != 1
        or len(outputs) != 1
        or len(shapes[0]) != 4
        or shapes[0][-1] not in (1, 3)
        or len(shapes[1]) not in (2, 4)
    ):
        raise ConfigError(
            f"{given}: expected one picture input (batch, height, "
            "width, 3 or 1) and one feature output of 2 or 4 axes, found "
            f"{shapes} - save the network without its classifier"
        )
    clashes = [x.name for x in network.layers if x.name.startswith(HEAD)]
    if clashes or shapes[0][1] != shapes[0][2]:
        raise ConfigError(
            f"{given}: expected a square input and no layer named "
            f"{HEAD}..., found {shapes[0][1:3]} and {clashes or 'none'} - "
            "change the network and save it again"
        )
    side = shapes[0][1]
    if side is None and image_size is None:
        raise ConfigError(
            f"{given}: it takes any size - say which one by --image_size"
        )
    if side is not None and (image_size or side) != side:
        raise ConfigError(
            f"--image_size={image_size}: expected {side}, the size of "
            f"{network.name} ({shapes[0][1:]})"
        )
    return image_size or side


def call_layers(network: keras.Model, tensor):
    """Calls a network's layers one by one on a symbolic tensor."""
    if isinstance(network, keras.Sequential):
        network = keras.Model(network.inputs[0], network.outputs[0])
    output = network.call(tensor)
    return output[0] if isinstance(output, (list, tuple)) else output


def inner_layers(layer: keras.Layer) -> list[keras.Layer]:
    """A layer and all layers nested in it."""
    return list(layer._flatten_layers(include_self=True))


def set_precision(network: keras.Model, precision: str) -> None:
    """Lets a network compute in a precision; input scaling stays float32.

    Its layers take it on at their next call, as in `build_classifier`; the
    variables stay float32.

    Args:
        network: a functional model; changed in place.
        precision: "float32", "mixed_bfloat16" or "mixed_float16".
    """
    for layer in inner_layers(network):
        # bfloat16 holds whole numbers up to 256 only: pixels scaled in it
        # would be off by up to two grey levels.
        exact = isinstance(
            layer, (keras.layers.Rescaling, keras.layers.Normalization)
        )
        if not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = "float32" if exact else precision
