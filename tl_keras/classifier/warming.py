"""Beginning with the weights of an earlier run, on purpose.

In: a new classifier, the `model.keras` of a run. Out: the same classifier with
those weights, and what was taken, in words.
"""

import pathlib
from collections.abc import Sequence

import keras

from tl_keras import backbones
from tl_keras.classifier.freezing import split_layers
from tl_keras.errors import ConfigError
from tl_keras.keras_globals import standard_globals

LABELS = "labels.txt"


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

    Raises:
        ConfigError: it is no such file, or of another backbone.
    """
    if fault := backbones.network_fault("--warm_start", file):
        raise ConfigError(fault)
    try:
        with backbones.named_for_keras(file, backbones.NETWORK) as path:
            saved = keras.models.load_model(path, compile=False, safe_mode=True)
        old_backbone, old_head = split_layers(saved)
    except Exception as error:  # Keras raises many kinds for a bad file.
        reason = (str(error).strip().splitlines() or ["no reason"])[0][:200]
        raise ConfigError(
            f"--warm_start={file}: not readable as the model.keras of a run "
            f"({reason})"
        ) from None
    backbone, head = split_layers(model)
    if _shapes(old_backbone) != _shapes(backbone):
        raise ConfigError(
            f"--warm_start={file}: expected the backbone {model.name}, found "
            f"the {len(_shapes(old_backbone))} arrays of {saved.name} - give "
            "the same --backbone, --backbone_args and --image_size"
        )
    _take(old_backbone, backbone)
    # The softmax at the end of what a run saves has no weights.
    same = _shapes(old_head) == _shapes(head)
    if same and _names_beside(file) == list(class_names):
        _take(old_head, head)
        return f"warm start: backbone and head of {file}"
    return f"warm start: backbone of {file}; its head is for other classes"


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
    labels = pathlib.Path(file).with_name(LABELS)
    if not labels.is_file():
        return []
    return labels.read_text(encoding="utf-8").splitlines()
