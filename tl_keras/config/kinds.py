"""What settings mean for a kind of input: nothing, or another default. No
TensorFlow.

    kind_of_network("models/MiniLM")          # "text"
    default_of("fine_tune_epochs", "text")    # 4
    list(kind_faults(config, "text"))         # --image_size was given, ...

In: settings, and the kind of input that they are read for: "image" or "text".
Out: a fault for each that was given and that nothing would read; defaults that
depend on the kind. What a run is trained on, its backbone says; what a table
holds, `jobs.kinds` looks up.
"""

import os
from collections.abc import Iterator
from typing import Any

from tl_keras.config.data_rules import idle
from tl_keras.config.network import NetworkConfig
from tl_keras.config.settings import Fault, Settings
from tl_keras.networks import backbones, pretrained
from tl_keras.networks.text import hub

HUB = hub.PREFIX
# What examples of a kind are called, and the settings that it alone reads.
MANY = {"image": "pictures", "text": "texts"}
OWN = {
    "image": (
        "image_size", "resize", "alpha_background", "bit_depth_scale",
        "augment", "augment_views", "backbone_layer", "backbone_args",
        "weights", "input_scaling", "pooling", "test_time_views",
        "train_batch_norm", "mixup", "cutmix", "max_pixels", "min_side",
        "max_aspect", "data_manifest", "data_dir", "label_from",
        "label_regex", "path_column", "include", "exclude", "follow_links",
        "split_file", "allow_empty_class", "case_sensitive_classes",
    ),
    "text": ("max_tokens", "baseline", "text_column", "text_encoding"),
}  # fmt: skip
# Defaults that depend on the kind: of a setting that is declared as None.
DEFAULTS = {"fine_tune_epochs": {"image": 10, "text": 4}}


def is_encoder(backbone: str) -> bool:
    """Whether a `--backbone` is an encoder of texts: a name that begins with
    hf:, or a folder with config.json in it."""
    if backbone.startswith(HUB):
        return True
    return os.path.isfile(os.path.join(backbone, "config.json"))


def is_own_network(backbone: str) -> bool:
    """Whether a `--backbone` is a path, not a name; it may lead nowhere."""
    if backbone in backbones.BACKBONES or backbone in pretrained.PRETRAINED:
        return False
    if is_encoder(backbone):
        return False
    named = backbone.endswith((".keras", ".h5", ".hdf5")) or os.sep in backbone
    return named or os.path.exists(backbone)


def kind_of_network(backbone: str) -> str:
    """The kind of input that a `--backbone` takes."""
    return "text" if is_encoder(backbone) else "image"


def default_of(name: str, kind: str) -> Any:
    """A default that depends on the kind of input.

    Args:
        name: of a setting in `DEFAULTS`.
        kind: "image" or "text".
    """
    return DEFAULTS[name][kind]


def defaults_in_words(name: str) -> str:
    """The defaults of a setting as its help says them.

    Args:
        name: of a setting in `DEFAULTS`.

    Returns:
        As "when not given, 10 with pictures and 4 with texts".
    """
    values = [f"{v} with {MANY[kind]}" for kind, v in DEFAULTS[name].items()]
    return f"when not given, {', '.join(values[:-1])} and {values[-1]}"


def kind_faults(config: Settings, kind: str) -> Iterator[Fault]:
    """Settings that were given, and that another kind of input alone reads.

    Args:
        config: of any command.
        kind: "image" or "text".
    """
    for other, names in OWN.items():
        if other == kind:
            continue
        for name in names:
            if hasattr(config, name) and config.given(name):
                yield idle(name, f"it is about {MANY[other]}, not {MANY[kind]}")


def max_tokens(config: NetworkConfig, positions: int) -> int:
    """`--max_tokens`; where it is not given, no more than there are positions.

    Args:
        config: the settings.
        positions: of the encoder.
    """
    if config.given("max_tokens"):
        return config.max_tokens
    return min(config.max_tokens, positions)
