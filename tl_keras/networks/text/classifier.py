"""Token ids in, logits out: an encoder and a head, as one model.

In: an encoder of texts. Out: a flat functional model whose layers a phase can
name, unfreeze and cut at.
"""

import keras

from tl_keras.errors import ConfigError
from tl_keras.keras_globals import standard_globals
from tl_keras.networks.building import _head
from tl_keras.networks.flattening import call_layers
from tl_keras.networks.loading import set_precision
from tl_keras.networks.text.bert import TOKEN_IDS


@standard_globals()
def build_text_classifier(
    encoder: keras.Model,
    num_classes: int,
    *,
    head_units: tuple[int, ...] = (),
    dropout: float = 0.0,
    precision: str = "float32",
) -> keras.Model:
    """Builds a classifier on an encoder of texts.

    Args:
        encoder: from `load_text_encoder`, or a functional model of yours from
            int32 token ids (batch, tokens) to a vector (batch, width). Its
            layers are shared, as those of `build_classifier`'s backbone.
        num_classes: 1 or more; 1 is a number that is learnt.
        head_units, dropout: of the head, as in `build_classifier`.
        precision: of the encoder; the head is always float32.

    Returns:
        Functional model: int32 token ids (batch, tokens) -> float32 logits
        (batch, num_classes). Everything is trainable; see `set_trainable`.

    Raises:
        ConfigError: names what does not fit.

    Example:
        model = build_text_classifier(load_text_encoder("models/MiniLM"), 5)
        set_trainable(model, "block_4")
    """
    if num_classes < 1:
        raise ConfigError(f"num_classes={num_classes}: expected 1 or more")
    given, made = encoder.inputs, encoder.outputs
    if not len(given) == len(made) == 1 or len(made[0].shape) != 2:
        raise ConfigError(
            f"encoder {encoder.name}: expected one input of token ids (batch, "
            "tokens) and one vector (batch, width) of them"
        )
    set_precision(encoder, precision)
    inputs = keras.Input(given[0].shape[1:], dtype="int32", name=TOKEN_IDS)
    features = call_layers(encoder, inputs)
    logits = _head(features, num_classes, "avg", head_units, dropout)
    return keras.Model(inputs, logits, name=f"{encoder.name}_classifier")


@standard_globals()
def for_any_length(model: keras.Model) -> keras.Model:
    """The same network for texts of any number of tokens, for serving.

    A batch of short texts then costs what its longest text costs; rows of
    padding at the end of all change nothing.

    Args:
        model: from `build_text_classifier` or `load_text_encoder`.

    Returns:
        int32 token ids (batch, any) -> as `model`, with the weights that it
        has now.

    Example:
        serving = for_any_length(model)
        serving(token_ids[:, :16])
    """
    # A copy, since Keras answers `layer.output` with a layer's first call.
    inputs = keras.Input((None,), dtype="int32", name=TOKEN_IDS)
    copy = keras.models.clone_model(model, input_tensors=inputs)
    copy.set_weights(model.get_weights())
    return copy
