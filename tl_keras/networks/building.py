"""Pixels in, logits out: input scaling + backbone + head, as one model.

In: a backbone and a few numbers. Out: a flat functional model of built-in
Keras layers and operations.
"""

from collections.abc import Callable

import keras

from tl_keras.errors import ConfigError
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import backbones
from tl_keras.networks.flattening import call_layers, free_name
from tl_keras.networks.loading import (
    FIRST_OF_HEAD,
    checked_size,
    inner_layers,
    inputs_of,
    load_backbone,
    set_precision,
)
from tl_keras.networks.scaling import (
    refuse_second_scaling,
    scale,
    usual_scaling,
)

INPUT = "pixels"
LOGITS = "head_logits"
POOLINGS = {
    "avg": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
    "flatten": keras.layers.Flatten,
}


@standard_globals()
def build_classifier(
    backbone: str | keras.Model,
    num_classes: int,
    *,
    image_size: int | None = None,
    weights: str = "auto",
    backbone_args: dict | None = None,
    input_scaling: str = "auto",
    pooling: str = "avg",
    head_units: tuple[int, ...] = (),
    dropout: float = 0.0,
    precision: str = "float32",
) -> keras.Model:
    """Builds a classifier on a pretrained backbone.

    Args:
        backbone: a name or file (`load_backbone`), or a functional model of
            yours from pictures (batch, size, size, 3 or 1) to features.
        image_size, weights, backbone_args: see `load_backbone`; a model
            of yours has its own weights. Its layers are shared, so phases
            change their `trainable`, and `precision` their `dtype_policy`.
        num_classes: 2 or more.
        input_scaling: how pixels 0..255 are scaled for a `.keras` backbone;
            "auto" is the table's for an application, else "none".
        pooling: "avg", "max" or "flatten", of the feature map.
        head_units: units of Dense ReLU layers before the logits.
        dropout: share of units dropped after each of them, or of the pooled
            features when there is none.
        precision: of the backbone; the head is always float32.

    Returns:
        Functional model: float32 pixels (batch, size, size, 3), 0 to 255
        (uint8 is cast) -> float32 logits (batch, num_classes). Everything is
        trainable; see `set_trainable`.

    Raises:
        ConfigError: names what does not fit.

    Example:
        model = build_classifier("VGG16", 2, weights="none", image_size=64)
    """
    if num_classes < 1:
        raise ConfigError(f"num_classes={num_classes}: expected 2 or more")
    network = backbone
    if isinstance(backbone, str):
        network = load_backbone(
            backbone,
            image_size=image_size,
            weights=weights,
            arguments=backbone_args,
        )
    size = checked_size(network, image_size, f"backbone {network.name}")
    # Also to float32: what a model was built in is not what is asked for.
    set_precision(network, precision)
    if input_scaling == "auto":
        input_scaling = usual_scaling(backbone)
    if input_scaling not in backbones.SCALINGS:
        raise ConfigError(
            f"input_scaling={input_scaling!r}: expected auto or one of "
            f"{', '.join(backbones.SCALINGS)}"
        )
    refuse_second_scaling(network, input_scaling)
    channels = network.inputs[0].shape[-1]
    taken = _names(network)
    inputs = keras.Input(
        (size, size, 3), name=free_name(INPUT, taken), dtype="float32"
    )
    scaled = scale(inputs, backbones.SCALINGS[input_scaling], channels, taken)
    logits = _head(
        call_layers(network, scaled), num_classes, pooling, head_units, dropout
    )
    return keras.Model(inputs, logits, name=f"{network.name}_classifier")


@standard_globals()
def with_head(
    network: keras.Model,
    num_classes: int,
    *,
    pooling: str = "avg",
    head_units: tuple[int, ...] = (),
    dropout: float = 0.0,
) -> keras.Model:
    """A classifier on a network of any inputs, one or several.

    Args:
        network: functional, with one output of features: (b, width), or a map
            (b, height, width, channels), which is pooled. Layers are shared.
        num_classes, pooling, head_units, dropout: as in `build_classifier`.

    Returns:
        Functional model: the network's inputs -> float32 logits
        (b, num_classes).

    Raises:
        ConfigError: no such pooling.

    Example:
        ids = keras.Input((32,), name="token_ids", dtype="int32")
        features = keras.layers.GlobalAveragePooling1D()(
            keras.layers.Embedding(500, 64)(ids)
        )
        model = with_head(keras.Model(ids, features), num_classes=3)
    """
    logits = _head(
        network.outputs[0], num_classes, pooling, head_units, dropout
    )
    return keras.Model(
        inputs_of(network), logits, name=f"{network.name}_classifier"
    )


def usual_unfreeze(backbone: str) -> str:
    """Where to unfreeze an application from; "all" for any other network."""
    known = backbone in backbones.BACKBONES
    return backbones.BACKBONES[backbone].stages[-1] if known else "all"


def _head(features, num_classes, pooling, head_units, dropout):
    """Pooling, Dense ReLU layers with dropout, and the logits; float32."""
    if pooling not in POOLINGS:
        raise ConfigError(
            f"--pooling={pooling}: expected one of {', '.join(POOLINGS)}"
        )
    kind = POOLINGS[pooling] if len(features.shape) == 4 else None
    arguments = {"data_format": "channels_last"} if kind else {}
    layer = (kind or keras.layers.Identity)(
        name=FIRST_OF_HEAD, dtype="float32", **arguments
    )
    tensor = layer(features)
    for number, units in enumerate(head_units, 1):
        tensor = keras.layers.Dense(
            units,
            activation="relu",
            dtype="float32",
            name=f"head_dense_{number}",
        )(tensor)
        if dropout:
            tensor = keras.layers.Dropout(
                dropout, dtype="float32", name=f"head_dropout_{number}"
            )(tensor)
    if dropout and not head_units:
        tensor = keras.layers.Dropout(
            dropout, dtype="float32", name="head_dropout"
        )(tensor)
    return keras.layers.Dense(num_classes, dtype="float32", name=LOGITS)(tensor)


@standard_globals()
def probabilities_model(model: keras.Model) -> keras.Model:
    """The same layers with a softmax: pixels -> float32 probabilities."""
    return answers_model(
        model,
        lambda name: keras.layers.Softmax(name=name, dtype="float32"),
        "probabilities",
    )


@standard_globals()
def answers_model(
    model: keras.Model,
    activation: Callable[[str], keras.layers.Layer],
    name: str,
) -> keras.Model:
    """The same layers with one more, which makes answers of outputs.

    Args:
        model: of one output.
        activation: the last layer by its name, as `Task.activation`.
        name: what that is called, where no layer is called so yet.

    Returns:
        It shares its layers with the model.
    """
    layer = activation(free_name(name, _names(model)))
    return keras.Model(
        inputs_of(model), layer(model.outputs[0]), name=model.name
    )


def _names(network: keras.Model) -> set[str]:
    """Of all operations of a network, those of models in it too."""
    return {
        operation.name
        for layer in inner_layers(network)
        for operation in getattr(layer, "operations", [layer])
    }
