"""What a model's folder says of its network: sizes, activation, pooling.

    description = read_description("models/MiniLM")
    description.blocks, description.width        # 6, 384

In: `config.json` as Hugging Face writes it and, where sentence-transformers
wrote them, `modules.json` and the pooling's own file. Out: a
`BertDescription`. No Keras is loaded.
"""

import dataclasses
import json
import os
import pathlib

from tl_keras.errors import ConfigError

POOLINGS = ("mean", "cls")
# Of Hugging Face -> (activation of Keras, whether GELU is the approximate one).
ACTIVATIONS = {
    "gelu": ("gelu", False), "gelu_new": ("gelu", True),
    "gelu_pytorch_tanh": ("gelu", True), "relu": ("relu", False),
    "silu": ("silu", False),
}  # fmt: skip
# Name here -> in config.json, for each kind of network.
KEYS = {
    "bert": {
        "vocabulary": "vocab_size", "width": "hidden_size",
        "blocks": "num_hidden_layers", "heads": "num_attention_heads",
        "inner": "intermediate_size", "positions": "max_position_embeddings",
        "activation": "hidden_act", "dropout": "hidden_dropout_prob",
        "attention_dropout": "attention_probs_dropout_prob",
        "epsilon": "layer_norm_eps",
    },
    "distilbert": {
        "vocabulary": "vocab_size", "width": "dim", "blocks": "n_layers",
        "heads": "n_heads", "inner": "hidden_dim",
        "positions": "max_position_embeddings", "activation": "activation",
        "dropout": "dropout", "attention_dropout": "attention_dropout",
        "epsilon": "layer_norm_eps",
    },
}  # fmt: skip
# What Hugging Face takes where config.json says nothing.
USUAL = {
    "activation": "gelu", "dropout": 0.1, "attention_dropout": 0.1,
    "epsilon": 1e-12,
}  # fmt: skip
COUNTS = ("vocabulary", "width", "blocks", "heads", "inner", "positions")
MAX_COUNT = 10_000_000
REMEDY = (
    "take a model of BERT's family (BERT, MiniLM, BGE, E5, GTE, DistilBERT)"
)


@dataclasses.dataclass(frozen=True)
class BertDescription:
    """An encoder of BERT's family.

    Attributes:
        kind: "bert" or "distilbert", which name their weights differently.
        vocabulary: how many token ids there are.
        width: of a token's vector.
        blocks, heads, inner: how many blocks, heads in each, and units of its
            feed-forward layer.
        positions: tokens a text can have.
        activation: one of `ACTIVATIONS`.
        dropout, attention_dropout: shares that are dropped in training.
        epsilon: of the layer normalizations.
        pooling: one of `POOLINGS`, how a text's vector is made of its tokens'.
        normalize: whether the model's own vectors have the length 1.
    """

    kind: str
    vocabulary: int
    width: int
    blocks: int
    heads: int
    inner: int
    positions: int
    activation: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    epsilon: float = 1e-12
    pooling: str = "mean"
    normalize: bool = False


def read_description(folder: str | os.PathLike) -> BertDescription:
    """Reads what a folder says of its network.

    Args:
        folder: holds `config.json`.

    Raises:
        ConfigError: it is missing or damaged, or of another kind of network.

    Example:
        read_description("models/MiniLM").blocks
    """
    folder = pathlib.Path(folder)
    file = folder / "config.json"
    config = read_json(file)
    if config is None:
        raise ConfigError(
            f"{folder}: expected a model's folder with config.json, found "
            f"{'none in it' if folder.is_dir() else 'no folder'} - check the "
            "path"
        )
    if not isinstance(config, dict):
        raise ConfigError(f"{file}: expected an object in JSON - {REMEDY}")
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in KEYS:
        raise ConfigError(
            f"{file}: the network is of kind {kind!r:.40}; expected "
            f"{' or '.join(KEYS)} - {REMEDY}"
        )
    values = {
        name: config.get(key, USUAL.get(name))
        for name, key in KEYS[kind].items()
    }
    _check(values, config, file)
    pooling, normalize = _pooling(folder)
    return BertDescription(kind, **values, pooling=pooling, normalize=normalize)


def _check(values: dict, config: dict, file: pathlib.Path) -> None:
    faults = []
    for name in COUNTS:
        value = values[name]
        if type(value) is not int or not 1 <= value <= MAX_COUNT:
            faults.append(f"{name} is {value!r:.40}; expected 1 or more")
    for name in ("dropout", "attention_dropout", "epsilon"):
        value = values[name]
        if type(value) not in (int, float) or not 0 <= value < 1:
            faults.append(f"{name} is {value!r:.40}; expected 0 to 1")
    if values["activation"] not in ACTIVATIONS:
        faults.append(
            f"its activation is {values['activation']!r:.40}; expected one of "
            f"{', '.join(ACTIVATIONS)}"
        )
    if not faults and values["width"] % values["heads"]:
        faults.append(
            f"its width {values['width']} is not shared by {values['heads']} "
            "heads"
        )
    places = config.get("position_embedding_type", "absolute")
    if places not in ("absolute", None):
        faults.append(f"its positions are {places!r:.40}; expected absolute")
    if config.get("is_decoder"):
        faults.append("it is a decoder; expected an encoder")
    if faults:
        raise ConfigError([f"{file}: {fault} - {REMEDY}" for fault in faults])


def _pooling(folder: pathlib.Path) -> tuple[str, bool]:
    """(how tokens are pooled, whether the vector is normalized)."""
    file = folder / "modules.json"
    modules = read_json(file)
    if modules is None:
        return POOLINGS[0], False
    kinds = {}
    for module in modules if isinstance(modules, list) else [None]:
        if not isinstance(module, dict):
            raise ConfigError(f"{file}: expected a list of modules - {REMEDY}")
        kind = str(module.get("type")).rpartition(".")[2]
        kinds[kind] = str(module.get("path", ""))
    unknown = set(kinds) - {"Transformer", "Pooling", "Normalize"}
    if unknown:
        raise ConfigError(
            f"{file}: has {sorted(unknown)[0]!r:.40} in it; expected "
            f"Transformer, Pooling and Normalize alone - {REMEDY}"
        )
    normalize = "Normalize" in kinds
    if "Pooling" not in kinds:
        return POOLINGS[0], normalize
    if pathlib.PurePath(kinds["Pooling"]).name != kinds["Pooling"]:
        raise ConfigError(
            f"{file}: names the folder {kinds['Pooling']!r:.80}; expected one "
            "that lies beside it"
        )
    file = folder / kinds["Pooling"] / "config.json"
    said = read_json(file)
    if not isinstance(said, dict):
        raise ConfigError(
            f"{file}: expected the pooling's settings - fetch it again"
        )
    chosen = {key for key, value in said.items() if value is True} & {
        f"pooling_mode_{mode}"
        for mode in ("cls_token", "mean_tokens", "max_tokens",
                     "mean_sqrt_len_tokens", "weightedmean_tokens",
                     "lasttoken")
    }  # fmt: skip
    known = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_cls_token": "cls",
    }
    if len(chosen) != 1 or not chosen <= set(known):
        raise ConfigError(
            f"{file}: pools by {', '.join(sorted(chosen)) or 'nothing'}; "
            f"expected one of {', '.join(known)} - {REMEDY}"
        )
    return known[chosen.pop()], normalize


def read_json(file: pathlib.Path):
    """What a file says; None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be read ({error.strerror}) - check its rights"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0][:100]
        raise ConfigError(
            f"{file}: not readable as JSON ({reason}) - fetch it again"
        ) from None
