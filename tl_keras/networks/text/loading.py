"""A model's folder -> an encoder with its weights.

    encoder = load_text_encoder("models/MiniLM", max_tokens=64)
    encoder(token_ids)                   # float32 (batch, 384)

In: `config.json` and `model.safetensors`. Out: a functional model. Each tensor
is put where it belongs by its name, and none is missing or of another shape.
"""

import os
import pathlib
import re
from collections.abc import Mapping

import keras
import numpy as np

from tl_keras.errors import ConfigError
from tl_keras.networks.safetensors import open_tensors
from tl_keras.networks.text.bert import build_bert
from tl_keras.networks.text.description import (
    POOLINGS,
    BertDescription,
    read_description,
)

WORDS = "embeddings.word_embeddings.weight"
PLACES = "embeddings.position_embeddings.weight"
SEGMENTS = "embeddings.token_type_embeddings.weight"
# Of the layers of a block -> of Hugging Face's, for each kind of network.
NAMES = {
    "bert": {
        "block": "encoder.layer.", "query": "attention.self.query",
        "key": "attention.self.key", "value": "attention.self.value",
        "output": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "dense_in": "intermediate.dense", "dense_out": "output.dense",
        "norm": "output.LayerNorm",
    },
    "distilbert": {
        "block": "transformer.layer.", "query": "attention.q_lin",
        "key": "attention.k_lin", "value": "attention.v_lin",
        "output": "attention.out_lin", "attention_norm": "sa_layer_norm",
        "dense_in": "ffn.lin1", "dense_out": "ffn.lin2",
        "norm": "output_layer_norm",
    },
}  # fmt: skip
# As TensorFlow's first BERT called them, and files made of it still do.
OLD_NAMES = {"weight": "gamma", "bias": "beta"}


def load_text_encoder(
    folder: str | os.PathLike,
    *,
    max_tokens: int = 128,
    pooling: str = "auto",
    normalize: bool = False,
    pad: int = 0,
    words: int | None = None,
) -> keras.Model:
    """Loads an encoder of BERT's family, in float32.

    Args:
        folder: holds `config.json` and `model.safetensors` (or its parts and
            their index); see `find_model` for one by name.
        max_tokens: of a text, 3 to what the model has positions for.
        pooling: "mean" of a text's tokens, "cls" for the first of them, or
            "auto", as `modules.json` says, and "mean" where it is not there.
        normalize: give vectors of length 1, for search; a head learns as well
            from vectors as they are.
        pad: the tokenizer's id of padding.
        words: how many words the tokenizer has; more than the model knows are
            refused.

    Returns:
        Functional model: int32 token ids (batch, max_tokens) -> float32
        (batch, width).

    Raises:
        ConfigError: names the file and what does not fit.

    Example:
        encoder = load_text_encoder("models/MiniLM", max_tokens=64)
    """
    folder = pathlib.Path(folder)
    description = read_description(folder)
    if not 3 <= max_tokens <= description.positions:
        raise ConfigError(
            f"max_tokens={max_tokens}: expected 3 to {description.positions}, "
            f"for which {folder.name or folder} has positions"
        )
    if pooling not in ("auto", *POOLINGS):
        raise ConfigError(
            f"pooling={pooling!r}: expected auto, {' or '.join(POOLINGS)}"
        )
    if words is not None and words > description.vocabulary:
        raise ConfigError(
            f"{folder}: its tokenizer has {words:,} words; expected "
            f"{description.vocabulary:,} at most, which its network knows - "
            "take both from one model"
        )
    network = build_bert(
        description,
        max_tokens,
        pad=pad,
        pooling=description.pooling if pooling == "auto" else pooling,
        normalize=normalize,
        name=re.sub(r"[^A-Za-z0-9_]+", "_", folder.resolve().name) or "bert",
    )
    _fill(network, description, _Named(open_tensors(folder), folder))
    return network


class _Named:
    """Tensors by the name that a bare encoder gives them.

    Args:
        tensors: of a file, whose names may have a prefix such as "bert.".
        folder: for messages.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], folder):
        self.tensors, self.folder = tensors, folder
        found = [name for name in tensors if name.endswith(WORDS)]
        if len(found) != 1:
            raise ConfigError(
                f"{folder}: expected one tensor {WORDS}, found {len(found)} - "
                "take a model of BERT's family"
            )
        self.prefix = found[0].removesuffix(WORDS)

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self.tensors

    def take(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """float32 of that shape."""
        if name not in self:
            base, _, last = name.rpartition(".")
            name = f"{base}.{OLD_NAMES.get(last, last)}"
        if name not in self:
            raise ConfigError(
                f"{self.folder}: expected a tensor {self.prefix}{name}, found "
                "none - fetch the model again"
            )
        value = self.tensors[self.prefix + name]
        if value.shape != shape:
            raise ConfigError(
                f"{self.folder}: {self.prefix}{name} is of the shape "
                f"{value.shape}; expected {shape}, as config.json says"
            )
        if value.dtype.kind != "f":
            raise ConfigError(
                f"{self.folder}: {self.prefix}{name} is of type "
                f"{value.dtype}; expected floating point - take the model as "
                "it was before it was quantized"
            )
        return value.astype(np.float32)

    def linear(self, name: str, given: int, made: int) -> list[np.ndarray]:
        """(kernel, bias) as Keras has them; torch has its kernels turned."""
        kernel = self.take(f"{name}.weight", (made, given))
        return [kernel.T, self.take(f"{name}.bias", (made,))]

    def norm(self, name: str, width: int) -> list[np.ndarray]:
        """(gamma, beta)."""
        return [
            self.take(f"{name}.{last}", (width,)) for last in ("weight", "bias")
        ]


def _fill(
    network: keras.Model, description: BertDescription, named: _Named
) -> None:
    """Puts each tensor into its layer."""
    width = description.width
    names = NAMES[description.kind]
    more = f"{names['block']}{description.blocks}.{names['query']}.weight"
    if more in named:
        raise ConfigError(
            f"{named.folder}: config.json says {description.blocks} blocks, "
            "and model.safetensors has more - take both from one model"
        )

    def put(layer: str, values: list[np.ndarray]) -> None:
        network.get_layer(layer).set_weights(values)

    places = named.take(PLACES, (description.positions, width))
    if description.kind == "bert":
        # A text is one segment; its row is added to that of every place.
        count = (
            len(named.tensors[named.prefix + SEGMENTS])
            if (SEGMENTS in named)
            else 1
        )
        places = places + named.take(SEGMENTS, (count, width))[0]
    put("position_embedding", [places])
    put("token_embedding", [named.take(WORDS, (description.vocabulary, width))])
    put("embeddings_norm", named.norm("embeddings.LayerNorm", width))
    for number in range(description.blocks):
        here, there = f"block_{number}_", f"{names['block']}{number}."
        put(here + "attention", _attention(named, there, names, description))
        for layer, given, made in (
            ("dense_in", width, description.inner),
            ("dense_out", description.inner, width),
        ):
            put(here + layer, named.linear(there + names[layer], given, made))
        for layer in ("attention_norm", "norm"):
            put(here + layer, named.norm(there + names[layer], width))


def _attention(
    named: _Named, there: str, names: Mapping, description: BertDescription
) -> list[np.ndarray]:
    """The weights of a MultiHeadAttention, in its order."""
    width, heads = description.width, description.heads
    values = []
    for part in ("query", "key", "value"):
        kernel, bias = named.linear(there + names[part], width, width)
        values += [
            kernel.reshape(width, heads, width // heads),
            bias.reshape(heads, width // heads),
        ]
    kernel, bias = named.linear(there + names["output"], width, width)
    return [*values, kernel.reshape(heads, width // heads, width), bias]
