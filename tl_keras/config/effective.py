"""All settings of a training run, and what they come to. No TensorFlow.

    config.solver(), config.stored_views()     # "lbfgs", 4
    config.resolved()                          # with absolute paths

In: values, of which some say `auto` or nothing. Out: what is done where they
do: the run's name and folder, the head's solver, the views that are kept.
"""

import dataclasses
import os
import pathlib
import re
from typing import Any, Self

from tl_keras.config import kinds
from tl_keras.config.adapting import AdaptConfig
from tl_keras.config.data import DataConfig
from tl_keras.config.export import ExportConfig
from tl_keras.config.network import NetworkConfig
from tl_keras.config.paths import is_table
from tl_keras.config.run import RunConfig
from tl_keras.config.training import TrainingConfig

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
class EffectiveConfig(
    TrainingConfig,
    AdaptConfig,
    NetworkConfig,
    RunConfig,
    ExportConfig,
    DataConfig,
):
    """What `TransferConfig` checks; each method says what is done."""

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

    def resolved(self) -> Self:
        """The same settings with absolute paths, for the run's record."""
        changes: dict[str, str] = {"output_dir": str(self.run_folder())}
        for field in dataclasses.fields(self):
            about = field.metadata
            value = changes.get(field.name, getattr(self, field.name))
            named = about["path"] and value not in ("", *about["words"])
            if named and not value.startswith("tfds:"):
                changes[field.name] = os.path.abspath(value)
        if kinds.is_own_network(self.backbone) or (
            kinds.is_encoder(self.backbone)
            and not self.backbone.startswith(kinds.HUB)
        ):
            changes["backbone"] = os.path.abspath(self.backbone)
        return dataclasses.replace(self, name=self.run_name(), **changes)
