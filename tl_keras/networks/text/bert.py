"""BERT as a flat functional model of built-in layers, with a cut at each block.

    network = build_bert(description, max_tokens=64)

In: sizes. Out: token ids (batch, tokens) -> a vector (batch, width), with
random weights.

A mask handed from block to block would be a second tensor beside the
activations, and nothing could be cut. Instead the rows of padding are kept at
0, and each block takes its mask from the one tensor that it is given.
"""

import keras
from keras import ops

from tl_keras.keras_globals import standard_globals
from tl_keras.networks.text.description import ACTIVATIONS, BertDescription

TOKEN_IDS = "token_ids"


@standard_globals()
def build_bert(
    description: BertDescription,
    max_tokens: int,
    *,
    pad: int = 0,
    pooling: str = "mean",
    normalize: bool = False,
    name: str = "bert",
) -> keras.Model:
    """Builds an encoder with random weights, in float32.

    Args:
        description: its sizes.
        max_tokens: of a text, no more than `description.positions`.
        pad: the id of padding.
        pooling: "mean" of the tokens that are no padding, or "cls", the first.
        normalize: give vectors of length 1.
        name: of the model.

    Returns:
        int32 token ids (batch, max_tokens) -> float32 (batch, width). The
        layers of block i are named `block_i_...`.
    """
    ids = keras.Input((max_tokens,), dtype="int32", name=TOKEN_IDS)
    x = _embeddings(ids, description)
    x = ops.where(ops.not_equal(ids, pad)[..., None], x, 0)
    for number in range(description.blocks):
        x = _block(x, description, f"block_{number}_")
    mask = _tokens(x)
    # Sums of many rows want more digits than bfloat16 has.
    x = ops.cast(x, "float32")
    if pooling == "cls":
        x = x[:, 0]
    else:
        count = ops.sum(ops.cast(mask, "float32"), axis=1, keepdims=True)
        x = ops.sum(x, axis=1) / ops.maximum(count, 1.0)
    if normalize:
        x = keras.layers.UnitNormalization(name="normalize")(x)
    return keras.Model(ids, x, name=name)


def _embeddings(ids, description: BertDescription):
    """Words and places, added and normalized."""
    x = keras.layers.Embedding(
        description.vocabulary, description.width, name="token_embedding"
    )(ids)
    # From the ids: an Embedding of a constant would not be in the graph.
    place = ops.cumsum(ops.ones_like(ids), axis=1) - 1
    places = keras.layers.Embedding(
        description.positions, description.width, name="position_embedding"
    )(place)
    x = keras.layers.Add(name="embeddings_add")([x, places])
    x = _norm("embeddings_norm", description)(x)
    return _dropout("embeddings_dropout", description)(x)


def _block(x, description: BertDescription, name: str):
    """Attention and feed-forward, each added and normalized."""
    width, heads = description.width, description.heads
    mask = _tokens(x)
    attended = keras.layers.MultiHeadAttention(
        heads,
        width // heads,
        dropout=description.attention_dropout,
        name=name + "attention",
    )(x, x, attention_mask=mask[:, None, :])
    attended = _dropout(name + "attention_dropout", description)(attended)
    x = keras.layers.Add(name=name + "attention_add")([x, attended])
    x = _norm(name + "attention_norm", description)(x)
    activation, approximate = ACTIVATIONS[description.activation]
    inner = keras.layers.Dense(
        description.inner,
        activation=None if approximate else activation,
        name=name + "dense_in",
    )(x)
    if approximate:
        inner = ops.gelu(inner, approximate=True)
    outer = keras.layers.Dense(width, name=name + "dense_out")(inner)
    outer = _dropout(name + "dropout", description)(outer)
    x = keras.layers.Add(name=name + "add")([x, outer])
    x = _norm(name + "norm", description)(x)
    return ops.where(mask[..., None], x, 0)


def _tokens(x):
    """Which rows are no padding, bool (batch, tokens)."""
    return ops.any(ops.not_equal(x, 0), axis=-1)


def _norm(name: str, description: BertDescription):
    return keras.layers.LayerNormalization(
        epsilon=description.epsilon, name=name
    )


def _dropout(name: str, description: BertDescription):
    return keras.layers.Dropout(description.dropout, name=name)
