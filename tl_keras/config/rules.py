"""What is wrong with settings taken together. No TensorFlow.

In: the settings of a run. Out: its faults, one line each:
received, expected, remedy.

A setting that differs from its default counts as given; one that does nothing
in the combination at hand is a fault. A phase of 0 epochs silences its own
settings, so `--flagfile=two_phase.flags --fine_tune_epochs=0` works.
"""

import difflib
import os
import re
from collections.abc import Iterator

from tl_keras.config.adapting_rules import adapting_faults
from tl_keras.config.data_rules import data_faults, idle, listing_faults
from tl_keras.config.effective import EffectiveConfig
from tl_keras.config.kinds import is_encoder, is_own_network
from tl_keras.config.paths import is_table, no_such, saved_model_file
from tl_keras.config.settings import Fault
from tl_keras.errors import ConfigError
from tl_keras.networks import backbones, pretrained

__all__ = [
    "combination_faults",
    "data_faults",
    "idle",
    "listing_faults",
    "model_faults",
    "no_such",
]


def combination_faults(config: EffectiveConfig) -> Iterator[Fault]:
    """All faults of these values together."""
    yield from data_faults(config)
    yield from _path_faults(config)
    yield from _picture_faults(config)
    yield from _backbone_faults(config)
    yield from _unlabelled_faults(config)
    yield from _idle_faults(config)
    yield from adapting_faults(config)


def _path_faults(config: EffectiveConfig) -> Iterator[Fault]:
    if config.weights not in ("auto", "imagenet", "none"):
        if not os.path.isfile(config.weights):
            yield no_such(
                "weights", config.weights, "auto, imagenet, none or a file"
            )
        elif fault := backbones.weights_fault(config.weights):
            yield Fault(("weights",), fault)
    start = saved_model_file(config.warm_start)
    if start and not os.path.isfile(start):
        yield no_such(
            "warm_start", config.warm_start, "the model.keras of a run"
        )
    elif start:
        if fault := backbones.network_fault("--warm_start", start):
            yield Fault(("warm_start",), fault)
    if config.name and not re.fullmatch(r"[\w][\w.-]*", config.name):
        yield Fault(
            ("name",),
            f"--name={config.name}: expected letters, digits, '_', '-' or "
            "'.' - the place of the run's folder is --output_dir",
        )


def model_faults(model: str, otherwise: str = "") -> Iterator[Fault]:
    """Faults of a `--model` that names an export."""
    if not model:
        yield Fault(
            ("model",),
            "--model: nothing received; expected a run's folder, such as "
            f"saved_models/flowers, or one of its versions{otherwise}",
        )
    elif not os.path.isdir(model):
        yield no_such("model", model, "a run's folder or one of its versions")


def _backbone_faults(config: EffectiveConfig) -> Iterator[Fault]:
    if is_encoder(config.backbone):
        return  # `kind_rules` looks at it.
    yield from _network_faults(config.backbone)
    try:
        arguments = backbones.parse_arguments(config.backbone_args)
    except ConfigError as error:
        yield Fault(("backbone_args",), f"--backbone_args: {error.faults[0]}")
        arguments = {}
    known = config.backbone in _known_networks()
    if config.backbone_layer and known:
        yield idle("backbone_layer", "only a file of yours is cut")
    if config.backbone in backbones.BACKBONES:
        yield from _application_faults(config)
        return
    if config.input_scaling != "auto" and known:
        yield idle("input_scaling", f"{config.backbone} scales itself")
    if arguments:
        yield idle("backbone_args", "only an application takes arguments")
    if config.weights == "imagenet":
        yield Fault(
            ("weights", "backbone"),
            "--weights=imagenet: expected auto, none or a file, since "
            f"{config.backbone} is no Keras application - auto takes the "
            "weights that are in the file",
        )


def _known_networks() -> list[str]:
    """The names that a `--backbone` may be."""
    return [*backbones.BACKBONES, *pretrained.PRETRAINED]


def _network_faults(backbone: str) -> Iterator[Fault]:
    """Faults of a `--backbone` alone: a path or a name."""
    known = _known_networks()
    if is_own_network(backbone):
        if not os.path.exists(backbone):
            wanted = "a .keras file or an encoder's folder"
            yield no_such("backbone", backbone, wanted)
        elif fault := backbones.network_fault("--backbone", backbone):
            yield Fault(("backbone",), fault)
    elif backbone not in known:
        near = difflib.get_close_matches(backbone, known, n=3, cutoff=0.4)
        near = near or known[:3]
        yield Fault(
            ("backbone",),
            f"--backbone={backbone}: expected a Keras application, a "
            f"network of tl_keras or a .keras file - near names: "
            f"{', '.join(near)}; all: --list_backbones",
        )


def _application_faults(config: EffectiveConfig) -> Iterator[Fault]:
    """What a Keras application cannot be shown, and needs not be told."""
    least = backbones.BACKBONES[config.backbone].least_size
    if config.image_size is not None and config.image_size < least:
        yield Fault(
            ("image_size", "backbone"),
            f"--image_size={config.image_size}: expected {least} or more "
            f"pixels for {config.backbone} - or another --backbone",
        )
    if config.input_scaling != "auto":
        yield idle(
            "input_scaling", f"{config.backbone} has its own, by the table"
        )


def _picture_faults(config: EffectiveConfig) -> Iterator[Fault]:
    if len(config.alpha_background) != 3:
        yield Fault(
            ("alpha_background",),
            f"--alpha_background={','.join(map(str, config.alpha_background))}"
            ": expected three numbers, red, green and blue - as in 255,255,255",
        )


def _unlabelled_faults(config: EffectiveConfig) -> Iterator[Fault]:
    """Faults of pictures without labels, which a solved head alone reads."""
    folder = config.unlabelled
    if not folder:
        return
    if not (
        os.path.isdir(folder) or (is_table(folder) and os.path.isfile(folder))
    ):
        yield no_such("unlabelled", folder, "a folder or a .csv")
    elif os.path.isdir(folder) and os.path.isdir(config.dataset):
        inside = os.path.realpath(folder), os.path.realpath(config.dataset)
        if os.path.commonpath(inside) == inside[1]:
            yield Fault(
                ("unlabelled", "dataset"),
                f"--unlabelled={folder}: expected a folder outside of "
                "--dataset, which takes its folders for classes - move it",
            )
    if not config.head_epochs:
        yield idle("unlabelled", "--head_epochs=0 solves no head")
    elif config.solver() == "adam":
        names = config.needs_epochs() or ["head_solver"]
        yield Fault(
            ("unlabelled", *names),
            f"--unlabelled: given, but only a solved head learns from them, "
            f"which --{names[0]} leaves none of - leave one of them out",
        )
    elif config.feature_cache == "off":
        yield idle("unlabelled", "--feature_cache=off keeps nothing")


def _idle_faults(config: EffectiveConfig) -> Iterator[Fault]:
    """Settings given that nothing would read."""
    if config.head_epochs == 0 and config.fine_tune_epochs == 0:
        yield Fault(
            ("head_epochs", "fine_tune_epochs"),
            "--head_epochs=0 --fine_tune_epochs=0: expected one of them above "
            "0 - nothing would train",
        )
    if config.compare_scratch and config.weights == "none":
        yield idle("compare_scratch", "--weights=none transfers nothing")
    if config.reject_class and not config.reject:
        yield idle("reject_class", "without --reject nothing is refused")
    if config.auto_batch and config.batch_size == 1:
        yield idle("auto_batch", "--batch_size=1 cannot be halved")
    if config.unfreeze_from == "none" and config.fine_tune_epochs > 0:
        yield Fault(
            ("unfreeze_from", "fine_tune_epochs"),
            f"--unfreeze_from=none --fine_tune_epochs="
            f"{config.fine_tune_epochs}: nothing is unfrozen to tune - name a "
            "layer or all, or set --fine_tune_epochs=0",
        )
    if config.head_solver == "lbfgs" and config.head_epochs:
        for name in config.needs_epochs():
            yield Fault(
                (name, "head_solver"),
                f"--{name}: given, but --head_solver=lbfgs cannot do it - "
                "leave one of them out",
            )
    yield from _stored_faults(config)
    for name, reader in (("momentum", "sgd"), ("weight_decay", "adamw")):
        if config.given(name) and config.optimizer != reader:
            yield idle(name, f"only --optimizer={reader} reads it")


def _stored_faults(config: EffectiveConfig) -> Iterator[Fault]:
    """Settings of what is stored, or made of it, where nothing is."""
    if config.feature_cache == "off":
        for name in ("feature_cache_gb", "augment_views"):
            if config.given(name):
                yield idle(name, "--feature_cache=off keeps nothing")
    if config.advice and (why := config.why_no_advice()):
        yield idle("advice", why)
    if config.augment == "none" and config.given("augment_views"):
        yield idle("augment_views", "--augment=none")
    if config.augment == "flip" and (config.augment_views or 0) > 2:
        yield Fault(
            ("augment_views", "augment"),
            f"--augment_views={config.augment_views}: expected 1 or 2 with "
            "--augment=flip, since a picture has no more - or take flip_crop",
        )
