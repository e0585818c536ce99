"""What is wrong with a run's settings for its kind of input. No TensorFlow.

In: the settings of a run. Out: its faults, one line each: received, expected,
remedy; see `tl_keras.config.rules`.
"""

import os
from collections.abc import Iterator

from tl_keras.config.data_rules import idle
from tl_keras.config.effective import EffectiveConfig
from tl_keras.config.kinds import kind_faults, kind_of_network, max_tokens
from tl_keras.config.settings import Fault
from tl_keras.errors import ConfigError
from tl_keras.networks.text import description, hub

# What a run of texts cannot do.
NOT_OF_TEXTS = ("unlabelled", "warm_start")


def training_faults(config: EffectiveConfig) -> Iterator[Fault]:
    """What is wrong with a run's settings for its kind of input."""
    kind = kind_of_network(config.backbone)
    if kind == "image" and os.path.isdir(config.backbone):
        return  # Of no kind; that fault is told alone.
    if config.input_kind not in ("auto", kind):
        needs = "an encoder of texts (a folder with config.json, or hf:NAME)"
        if kind == "text":
            needs = "a network of pictures"
        yield Fault(
            ("input_kind", "backbone"),
            f"--input_kind={config.input_kind} --backbone={config.backbone}: "
            f"expected {needs} - change one of the two",
        )
        return
    yield from kind_faults(config, kind)
    if kind == "text":
        yield from _text_faults(config)


def _text_faults(config: EffectiveConfig) -> Iterator[Fault]:
    """Faults of an encoder, and of what cannot be done with texts."""
    if config.dataset == "digits" or config.dataset.startswith("tfds:"):
        yield Fault(
            ("dataset", "backbone"),
            f"--dataset={config.dataset}: expected a table or folder of texts "
            f"for --backbone={config.backbone} - give a .csv with the header "
            "text,label",
        )
    for name in NOT_OF_TEXTS:
        if config.given(name):
            yield idle(name, "a run of texts does not do it")
    files = [name for name in config.export if name != "saved_model"]
    if files and config.baseline == "export":
        yield Fault(
            ("export", "baseline"),
            f"--export={','.join(files)} --baseline=export: such a file takes "
            "the ids of words, so that it holds the network, and TF-IDF is "
            "published - leave one of the two out",
        )
    try:
        found = hub.known_folder(config.backbone)
        sizes = description.read_description(found) if found else None
    except ConfigError as error:
        yield Fault(("backbone",), str(error))
        return
    if sizes and max_tokens(config, sizes.positions) > sizes.positions:
        yield Fault(
            ("max_tokens", "backbone"),
            f"--max_tokens={config.max_tokens}: expected {sizes.positions} or "
            f"less, for which {config.backbone} has positions",
        )
