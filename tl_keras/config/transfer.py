"""The settings of a training run and what they mean together. No TensorFlow.

    config = TransferConfig(dataset="flowers", backbone="MobileNetV2")
    config.validate()              # ConfigError lists all faults at once
    config = TransferConfig.from_strings({"dataset": "flowers"})

In: values, or the strings of a flag file. Out: a frozen `TransferConfig`. The
command line, `--help`, the limits and the README's table come from the fields
below, so they cannot part.

What is wrong with values together is said by `tl_keras.config.rules`.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from tl_keras.config import kinds, rules
from tl_keras.config.adapting import AdaptConfig
from tl_keras.config.data import DataConfig
from tl_keras.config.export import ExportConfig
from tl_keras.config.network import NetworkConfig
from tl_keras.config.paths import is_table
from tl_keras.config.run import RunConfig
from tl_keras.config.settings import Fault, setting

TRAINING = "Training"
DEFAULT_VIEWS = 4
# Whoever gives one of these wants to see that fine-tune.
OF_THE_FINE_TUNE = (
    "fine_tune_epochs", "fine_tune_learning_rate", "unfreeze_from",
    "train_batch_norm", "monitor", "early_stopping_patience", "optimizer",
    "momentum", "weight_decay", "schedule", "warmup_epochs", "label_smoothing",
    *(
        field.name
        for field in dataclasses.fields(AdaptConfig)
        if field.name not in ("strategy", "budget_minutes")
    ),
)  # fmt: skip
FLIPS = 2  # views that flips can give


@dataclasses.dataclass(frozen=True)
class TransferConfig(
    AdaptConfig, NetworkConfig, RunConfig, ExportConfig, DataConfig
):
    """Settings of `tl_keras.run` and of `python -m tl_keras.train`.

    Every field has its help, unit and limits in its declaration;
    `python -m tl_keras.train --help` prints them.

    Example:
        config = TransferConfig(dataset="flowers", backbone="MobileNetV2")
        config.validate()  # ConfigError lists all faults at once
    """

    head_solver: str = setting(
        "auto",
        "lbfgs solves a single Dense head exactly (logistic regression, its "
        "strength cross-validated) and starts the fine-tune from there; adam "
        "takes --head_epochs gradient epochs; auto is lbfgs where nothing "
        "given needs epochs",
        group=TRAINING,
        choices=("auto", "lbfgs", "adam"),
    )
    head_epochs: int = setting(
        10,
        "epochs of the first phase: the head alone, on the frozen backbone; "
        "under lbfgs any number above 0 means to do it",
        group=TRAINING,
        unit="epochs",
        low=0,
        high=10**6,
    )
    head_learning_rate: float = setting(
        1e-3, "of the first phase", group=TRAINING, low=1e-12, high=1e3
    )
    fine_tune_epochs: int | None = setting(
        None,
        "epochs of the second phase: the head and the backbone from "
        f"--unfreeze_from on; {kinds.defaults_in_words('fine_tune_epochs')}",
        group=TRAINING,
        unit="epochs",
        low=0,
        high=10**6,
    )
    unfreeze_from: str = setting(
        "auto",
        "the first layer, in graph order, so named or starting so; all; "
        "none; auto is the backbone's last stage (--list_backbones), all for "
        "a .keras file",
        group=TRAINING,
    )
    fine_tune_learning_rate: float = setting(
        1e-4, "of the second phase", group=TRAINING, low=1e-12, high=1e3
    )
    train_batch_norm: bool = setting(
        False,
        "let BatchNorm of the unfrozen layers train too; on small data that "
        "costs accuracy",
        group=TRAINING,
    )
    batch_size: int = setting(
        32,
        "pictures a step",
        group=TRAINING,
        unit="pictures",
        low=1,
        high=2**20,
    )
    auto_batch: bool = setting(
        False,
        "where memory runs out in training, halve --batch_size and go on",
        group=TRAINING,
    )
    optimizer: str = setting(
        "adam",
        "a new one for each phase",
        group=TRAINING,
        choices=("adam", "adamw", "sgd"),
    )
    momentum: float = setting(0.9, "of sgd", group=TRAINING, low=0, high=0.9999)
    weight_decay: float = setting(
        0.004, "of adamw", group=TRAINING, low=0, high=10
    )
    schedule: str = setting(
        "cosine",
        "the learning rate within a phase",
        group=TRAINING,
        choices=("cosine", "constant"),
    )
    warmup_epochs: float = setting(
        1.0,
        "the learning rate rises from 0 over this many epochs of each phase "
        "(at most half of the phase)",
        group=TRAINING,
        unit="epochs",
        low=0,
        high=10**6,
    )
    label_smoothing: float = setting(
        0.0,
        "share of the target spread over all classes, in training only",
        group=TRAINING,
        low=0,
        high=0.9,
    )
    class_weights: str = setting(
        "none",
        "balanced: each class weighs the same in the training loss",
        group=TRAINING,
        choices=("none", "balanced"),
    )
    loss: str = setting(
        "auto",
        "what training minimises: focal and asymmetric are for several labels, "
        "huber, mse and mae for numbers; auto is cross_entropy, and huber for "
        "numbers",
        group=TRAINING,
        choices=(
            "auto", "cross_entropy", "focal", "asymmetric", "huber", "mse",
            "mae",
        ),
    )  # fmt: skip
    monitor: str = setting(
        "val_loss_calibrated",
        "what chooses the weights that are kept, over all phases, on "
        "validation: cross-entropy after the temperature that suits it best, "
        "plain cross-entropy, or accuracy; of several labels val_map too; of "
        "numbers the loss (when not given) or val_mae",
        group=TRAINING,
        choices=(
            "val_loss_calibrated", "val_loss", "val_accuracy", "val_map",
            "val_mae",
        ),
    )  # fmt: skip
    coverage: float | None = setting(
        None,
        "intervals around numbers that hold the truth in this share of new "
        "pictures (0.9 when not given), or the set of classes that does; by "
        "split conformal prediction on validation, kept in the export",
        group=TRAINING,
        low=0.5,
        high=0.999,
    )
    reject: float = setting(
        0.0,
        "share of validation that may be refused, as 0.05: below the "
        "probability that follows the export says no class (label is empty), "
        "as it should of examples of none; see --reject_class; 0 never",
        group=TRAINING,
        low=0,
        high=0.5,
    )
    early_stopping_patience: int = setting(
        0,
        "stop a phase after this many epochs without a better --monitor; 0 "
        "to run all epochs",
        group=TRAINING,
        unit="epochs",
        low=0,
        high=10**6,
    )
    calibrate: bool | None = setting(
        None,
        "fit a temperature on validation and fold it into the head, so that "
        "probabilities can be taken at their word; the predicted classes stay; "
        "true where there is validation, when not given",
        group=TRAINING,
    )
    unlabelled: str = setting(
        "",
        "a folder (or a .csv with a column path) of more pictures, without "
        "labels: where cross-validation over the labelled ones says that it "
        "helps, the solved head learns from them too; what the splits hold, "
        "or looks like a picture to validate or test on, is left out",
        group=TRAINING,
        path=True,
    )
    advice: bool | None = setting(
        None,
        "say on the page what more labels would bring and which class wants "
        "them, by stored features; where it is given, also from where to "
        "unfreeze, if a pass over the pictures is short; true where features "
        "are stored, when not given",
        group=TRAINING,
    )
    train_on_all: bool | None = setting(
        None,
        "where the frozen head is kept, or no fine-tune is surely better, "
        "solve it once more on all labels, those of validation too; true where "
        "validation was cut here and not brought, when not given",
        group=TRAINING,
    )
    compare_scratch: bool = setting(
        False,
        "also train the same network from random weights, all layers, as "
        "many epochs, to show what transfer bought",
        group=TRAINING,
    )
    seed: int = setting(
        0,
        "of the splits, the order, the head's start and augmentation",
        group=TRAINING,
        low=0,
        high=2**31 - 1,
    )
    deterministic: bool | None = setting(
        None,
        "compute so that the same run gives the same bits, also when it was "
        "stopped and gone on with; true on a CPU, when not given; slower on "
        "a GPU",
        group=TRAINING,
    )
    warm_start: str = setting(
        "",
        "begin with the weights of an earlier run: its model.keras; the head "
        "too, where the classes are the same",
        group=TRAINING,
        path=True,
    )

    def run_name(self) -> str:
        """`name`, or the dataset's: "tfds:tf_flowers" -> "tf_flowers"."""
        if self.name:
            return self.name
        if self.dataset.startswith("tfds:"):
            stem = self.dataset.removeprefix("tfds:").split(":")[0]
        else:
            stem = os.path.basename(os.path.abspath(self.dataset))
            stem = os.path.splitext(stem)[0] if is_table(stem) else stem
        return re.sub(r"[^\w.-]+", "_", stem).strip("._") or "run"

    def run_folder(self) -> pathlib.Path:
        """`output_dir`, or `saved_models/<name>`."""
        return pathlib.Path(
            self.output_dir or pathlib.Path("saved_models", self.run_name())
        )

    def __post_init__(self):
        super().__post_init__()
        for name in kinds.DEFAULTS:
            if getattr(self, name) is None:
                object.__setattr__(self, name, self.default(name))
        if self.strategy == "frozen":
            # The same thing said in another way; it silences a fine-tune's
            # settings, as that does.
            object.__setattr__(self, "fine_tune_epochs", 0)

    def default(self, name: str) -> Any:
        """As of any settings; of some by the kind of input."""
        if name in kinds.DEFAULTS and isinstance(self.backbone, str):
            kind = kinds.kind_of_network(self.backbone)
            return kinds.default_of(name, kind)
        return super().default(name)

    def by_hand(self) -> list[str]:
        """The settings of a fine-tune that are given; they are the fixed
        rule."""
        return [name for name in OF_THE_FINE_TUNE if self.given(name)]

    def searches(self) -> bool:
        """Whether a strategy is chosen by folds, as far as settings say."""
        return (
            self.strategy == "auto"
            and not self.by_hand()
            and self.solver() == "lbfgs"
            and bool(self.head_epochs)
            and self.feature_cache != "off"
            and not self.unlabelled
            and not self.test_time_views
        )

    def needs_epochs(self) -> list[str]:
        """The settings given that the exact solution of a head cannot do."""
        needs = ["head_units", "dropout", "head_learning_rate"]
        if not self.fine_tune_epochs and not self.compare_scratch:
            # Where there is a fine-tune, these are read there.
            needs += [
                "optimizer",
                "schedule",
                "warmup_epochs",
                "early_stopping_patience",
            ]
        alone = [name for name in needs if self.given(name)]
        # Beside an explicit lbfgs the fine-tune reads it; under auto the head
        # is trained with it too, which takes epochs.
        if self.given("label_smoothing") and (
            self.head_solver == "auto" or not self.fine_tune_epochs
        ):
            alone.append("label_smoothing")
        if self.augment != "none" and not self.stored_views():
            alone.append("augment")
        return alone + (["pooling"] if self.pooling == "flatten" else [])

    def stored_views(self) -> int:
        """Augmented views of each picture that are kept; 0 for none."""
        if self.augment == "none" or self.feature_cache == "off":
            return 0
        usual = FLIPS if self.augment == "flip" else DEFAULT_VIEWS
        return self.augment_views or usual

    def solver(self) -> str:
        """`head_solver` with auto decided: "lbfgs" or "adam"."""
        if self.head_solver != "auto":
            return self.head_solver
        return "adam" if self.needs_epochs() else "lbfgs"

    def why_no_advice(self) -> str:
        """What keeps these settings from advice; "" where it can be given."""
        if not self.head_epochs:
            return "--head_epochs=0 has no frozen head that it is about"
        if self.feature_cache == "off":
            return "--feature_cache=off keeps nothing"
        if self.head_units or self.pooling == "flatten":
            name = "head_units" if self.head_units else "pooling"
            return f"with --{name} no linear head stands on pooled features"
        return ""

    def resolved(self) -> "TransferConfig":
        """The same settings with absolute paths, for the run's record."""
        changes: dict[str, str] = {"output_dir": str(self.run_folder())}
        for field in dataclasses.fields(self):
            about = field.metadata
            value = changes.get(field.name, getattr(self, field.name))
            named = about["path"] and value not in ("", *about["words"])
            if named and not value.startswith("tfds:"):
                changes[field.name] = os.path.abspath(value)
        if rules.is_own_network(self.backbone) or (
            kinds.is_encoder(self.backbone)
            and not self.backbone.startswith(kinds.HUB)
        ):
            changes["backbone"] = os.path.abspath(self.backbone)
        return dataclasses.replace(self, name=self.run_name(), **changes)

    def combination_faults(self, wrong: set[str]) -> Iterator[Fault]:
        """What is wrong with these values together."""
        yield from rules.combination_faults(self)
        yield from kinds.training_faults(self)
        yield from self.export_faults()
