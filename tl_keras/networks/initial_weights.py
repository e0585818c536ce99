"""Beginning with the weights of an earlier run, on purpose.

In: a new classifier, the `model.keras` of a run. Out: the same classifier with
those weights, and what was taken, in words.
"""

import pathlib
from collections.abc import Sequence

import keras

from tl_keras.errors import ConfigError
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import split_layers
from tl_keras.networks.own_networks import load_own_network
from tl_keras.versions import LABELS_FILE, read_labels


@standard_globals()
def warm_start(
    model: keras.Model, file: str, class_names: Sequence[str]
) -> str:
    """Takes over the backbone's weights, and the head's where they fit.

    Args:
        model: from `build_classifier`.
        file: `model.keras` of a run, however it is named; opened in Keras's
            safe mode.
        class_names: of the model's logits. The head is taken where those of
            the file, in labels.txt beside it, are the same, and its layers.

    Returns:
        One line that says what was taken.

    Raises:
        ConfigError: it is no such file, or of another backbone.
    """
    old_backbone, old_head = _layers_of(file)
    backbone, head = split_layers(model)
    if _shapes(old_backbone) != _shapes(backbone):
        raise ConfigError(
            f"--warm_start={file}: expected the backbone {model.name}, found "
            f"another of {len(_shapes(old_backbone))} arrays - give "
            "the same --backbone, --backbone_args and --image_size"
        )
    _take(old_backbone, backbone)
    # The softmax at the end of what a run saves has no weights.
    same = _shapes(old_head) == _shapes(head)
    if same and _names_beside(file) == list(class_names):
        _take(old_head, head)
        return f"warm start: backbone and head of {file}"
    return f"warm start: backbone of {file}; its head is for other classes"


def _layers_of(file: str) -> tuple[list[keras.Layer], list[keras.Layer]]:
    """(backbone, head) of the model of a run."""
    saved = load_own_network(file, "--warm_start")
    try:
        return split_layers(saved)
    except ConfigError:
        raise ConfigError(
            f"--warm_start={file}: expected the model.keras of a run, found "
            f"{saved.name}, another network - give it by --backbone"
        ) from None


def _shapes(layers: Sequence[keras.Layer]) -> list[tuple[int, ...]]:
    return [weight.shape for layer in layers for weight in layer.get_weights()]


def _take(old: Sequence[keras.Layer], new: Sequence[keras.Layer]) -> None:
    """By order: Keras numbers names by what else was built before."""
    pairs = zip(
        [layer for layer in old if layer.weights],
        [layer for layer in new if layer.weights],
        strict=True,
    )
    for before, after in pairs:
        after.set_weights(before.get_weights())


def _names_beside(file: str) -> list[str]:
    try:
        return list(read_labels(pathlib.Path(file).with_name(LABELS_FILE)))
    except (OSError, ValueError):
        return []
