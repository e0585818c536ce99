"""A backbone's name or file -> a network without its classifier.

In: a Keras application, a name of `networks.pretrained` or a user's `.keras`
file. Out: a functional model of pictures to features, in any precision.
"""

import os

import keras

from tl_keras.errors import ConfigError
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import backbones, pretrained
from tl_keras.networks.flattening import flattened
from tl_keras.networks.own_networks import FLOATS, load_own_network

HEAD = "head_"  # how the names of a classifier's own layers begin
FIRST_OF_HEAD = "head_pooling"
# Activations, and layers of these names, that a classifier ends in.
ANSWERS = ("softmax", "sigmoid")
ANSWERING = ("predictions", "logits", "probabilities")


def inputs_of(model: keras.Model):
    """A model's input, or its several ones as it takes them.

    Not `model.input`, which a Sequential has only once it was called.
    """
    return model.inputs[0] if len(model.inputs) == 1 else model.input


@standard_globals()
def load_backbone(
    backbone: str,
    *,
    image_size: int | None = None,
    weights: str = "auto",
    arguments: dict | None = None,
    layer: str | None = None,
) -> keras.Model:
    """Builds or loads a network without its classifier, in float32.

    Args:
        backbone: a Keras application, a name of `networks.pretrained`, or the
            path of a `.keras` file of a functional or sequential model. Its
            layers come one by one, also those of a model inside it.
        image_size: side of its input in pixels; its usual size when None.
        weights: "imagenet", "none" (random), a weights file, or "auto".
        arguments: of the application's constructor.
        layer: of a file, the last layer that is taken; what follows it is
            left out.

    Returns:
        A functional model (batch, size, size, 3 or 1) -> feature map
        (batch, h, w, channels) or vector (batch, channels).

    Raises:
        ConfigError: names what does not fit.
        MachineError: ImageNet weights are not here and cannot be fetched.

    Example:
        load_backbone("mine.keras", layer="avg_pool")
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
        network = _network_of_file(file, image_size, weights, layer)
        if weights == "none":
            network = _random(network)
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


def _network_of_file(
    file: str, image_size: int | None, weights: str, layer: str | None
) -> keras.Model:
    """Loads a user's `.keras` file as a functional model of pictures."""
    given = f"--backbone={file}"
    if not os.path.exists(file):
        raise ConfigError(
            f"{given}: expected a Keras application, a network of "
            "tl_keras or a .keras file - see --list_backbones"
        )
    network = load_own_network(file)
    if weights not in ("auto", "none"):
        # Before it is cut and flattened: they are of what is in the file.
        backbones.load_weights(network, weights)
    size = checked_input(network, image_size, given)
    network = flattened(network, size)
    if layer is not None:
        network = _cut_after(network, layer)
    elif any(each.name == FIRST_OF_HEAD for each in network.layers):
        # A classifier of ours: its backbone, input scaling included.
        features = network.get_layer(FIRST_OF_HEAD).input
        network = keras.Model(inputs_of(network), features, name=network.name)
    else:
        _refuse_classifier(network, given)
    _refuse_half_precision(network, given)
    checked_size(network, size, given)
    return network


def _cut_after(network: keras.Model, layer: str) -> keras.Model:
    """The network up to a layer, or operation, of that name."""
    named = {each.name: each for each in network.operations}
    if layer not in named:
        raise ConfigError(
            f"--backbone_layer={layer}: no such layer - the last are "
            f"{', '.join(list(named)[-5:])}"
        )
    return keras.Model(
        inputs_of(network), named[layer].output, name=network.name
    )


def _refuse_classifier(network: keras.Model, given: str) -> None:
    """Refuses probabilities or logits in the place of features."""
    made_by = {
        id(tensor): node
        for nodes in network._nodes_by_depth.values()
        for node in nodes
        for tensor in node.output_tensors
    }
    if len(network.outputs) != 1:
        return
    last = before = made_by[id(network.outputs[0])]
    words = _answers(last)
    if not words:
        return
    while _answers(before) or isinstance(
        before.operation, (keras.layers.Dropout, keras.layers.Activation)
    ):
        before = made_by[id(before.input_tensors[0])]
    raise ConfigError(
        f"{given}: expected a network that ends in features, found its "
        f"classifier still on it: {last.operation.name}, {words} - "
        f"--backbone_layer={before.operation.name} cuts it off there"
    )


def _answers(node) -> str:
    """What the last call of a classifier answers with, or ""."""
    operation, units = node.operation, node.output_tensors[0].shape[-1]
    activation = getattr(operation, "activation", None)
    names = (
        getattr(activation, "__name__", ""),
        type(operation).__name__.lower(),
    )
    for answer in ANSWERS:
        if answer in names:
            return f"a {answer} of {units}"
    if isinstance(operation, keras.layers.Dense):
        if units == 1:
            return "one number"
        if operation.name.startswith(ANSWERING):
            return f"logits of {units} classes"
    return ""


def _refuse_half_precision(network: keras.Model, given: str) -> None:
    """Refuses a cast in the graph, which no precision of layers undoes."""
    for nodes in network._nodes_by_depth.values():
        for node in nodes:
            dtype = node.output_tensors[0].dtype
            if dtype in FLOATS:
                raise ConfigError(
                    f"{given}: expected a network that computes in float32, "
                    f"found {node.operation.name} in {dtype} - build it "
                    "without that cast; --precision says what it runs in"
                )


def checked_size(
    network: keras.Model, image_size: int | None, given: str
) -> int:
    """The side of the pictures that a backbone takes, in pixels.

    Args:
        network: somebody's model, (batch, size, size, 3 or 1) -> features.
        image_size: the side that is wanted, or None for the network's own.
        given: what to call it in a message.

    Returns:
        1 or more; `image_size` where the network takes any.

    Raises:
        ConfigError: its input, output or size is not that of a backbone.
    """
    size = checked_input(network, image_size, given)
    shapes = [tuple(x.shape) for x in network.outputs]
    if len(shapes) != 1 or len(shapes[0]) not in (2, 4):
        raise ConfigError(
            f"{given}: expected one picture input and one feature output of 2 "
            f"or 4 axes, found {len(shapes)} outputs {shapes} - "
            "--backbone_layer=NAME takes that of one layer"
        )
    clashes = [x.name for x in network.layers if x.name.startswith(HEAD)]
    if clashes:
        raise ConfigError(
            f"{given}: expected no layer named {HEAD}..., found {clashes} - "
            "change the network and save it again"
        )
    return size


def checked_input(
    network: keras.Model, image_size: int | None, given: str
) -> int:
    """As `checked_size`, of the input alone.

    Args:
        network: the backbone.
        image_size: the side asked for, in pixels; None for the network's own.
        given: how the network was named, for the message.

    Returns:
        The side of the square pictures, in pixels.

    Raises:
        ConfigError: not one square input, channels last, of this size.
    """
    shapes = [tuple(x.shape) for x in getattr(network, "inputs", None) or []]
    first = _channels_first(network)
    turned = [s for s in shapes if len(s) == 4 and s[-1] not in (1, 3)]
    if first or (len(shapes) == 1 and turned and turned[0][1] in (1, 3)):
        raise ConfigError(
            f"{given}: expected channels last, found {first or shapes[0]} with "
            "channels first - build it under image_data_format channels_last, "
            "load the weights, which fit both, and save it again"
        )
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] not in (1, 3):
        raise ConfigError(
            f"{given}: expected one picture input (batch, height, width, 3 or "
            f"1) and one feature output, found {len(shapes)} inputs {shapes} "
            "- save the network without its classifier, with such an input"
        )
    if shapes[0][1] != shapes[0][2]:
        raise ConfigError(
            f"{given}: expected a square input, found {shapes[0][1:3]} - "
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


def _channels_first(network: keras.Model) -> str:
    """The first layer that takes channels first, or ""."""
    for layer in inner_layers(network):
        if getattr(layer, "data_format", None) == "channels_first":
            return f"layer {layer.name}"
    return ""


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

    Raises:
        ConfigError: a variable is not float32, so that it would be another
            precision that runs.
    """
    for variable in network.variables:
        if variable.dtype in FLOATS:
            raise ConfigError(
                f"network {network.name}: expected weights in float32, found "
                f"{variable.path} in {variable.dtype} - build it under "
                "keras.config.set_dtype_policy('float32') and load its weights"
            )
    for layer in inner_layers(network):
        # bfloat16 holds whole numbers up to 256 only: pixels scaled in it
        # would be off by up to two grey levels.
        exact = isinstance(
            layer, (keras.layers.Rescaling, keras.layers.Normalization)
        )
        if not isinstance(layer, keras.layers.InputLayer):
            layer.dtype_policy = "float32" if exact else precision
