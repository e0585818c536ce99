"""A classifier that looks at a picture twice: as it is, and mirrored.

    served = mirrored(model)
    served(pixels)        # logits of the mean of both pictures' features

In: a classifier of `build_classifier`. Out: another over the same layers and
variables, so that what the one learns the other has learnt.
"""

import keras

from tl_keras.errors import ConfigError
from tl_keras.keras_globals import standard_globals
from tl_keras.networks.graph import split_layers
from tl_keras.networks.loading import FIRST_OF_HEAD


@standard_globals()
def mirrored(model: keras.Model) -> keras.Model:
    """The model, of the mean features of a picture and its mirror image.

    Args:
        model: from `build_classifier`, of pictures (batch, height, width, 3).

    Returns:
        Pixels -> logits, the same shapes; its layer `FIRST_OF_HEAD` gives
        the mean features. For a head of one Dense layer the logits are the
        mean of the two pictures' logits.

    Raises:
        ConfigError: a model that takes no pictures.

    Example:
        mirrored(model)(pixels), mirrored(model)(pixels[:, :, ::-1])  # alike
    """
    if len(model.inputs) > 1 or len(model.inputs[0].shape) != 4:
        raise ConfigError(
            "test-time views: expected a network of pictures, which can be "
            f"mirrored; {model.name} takes {len(model.inputs)} input(s) of "
            f"{len(model.inputs[0].shape)} axes"
        )
    _, head = split_layers(model)
    body = keras.Model(
        model.inputs[0], head[0].output, name=f"{model.name}_body"
    )
    given = model.inputs[0]
    pixels = keras.Input(given.shape[1:], dtype=given.dtype, name=given.name)
    tensor = keras.layers.Average(name=FIRST_OF_HEAD, dtype="float32")(
        [body(pixels), body(keras.ops.flip(pixels, axis=2))]
    )
    for layer in head[1:]:
        tensor = layer(tensor)
    return keras.Model(pixels, tensor, name=model.name)
