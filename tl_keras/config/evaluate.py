"""The settings of `python -m tl_keras.evaluate`. No TensorFlow.

    EvaluateConfig(model="saved_models/flowers", dataset="more").validate()

In: values, or the strings of a flag file. Out: a frozen `EvaluateConfig`.
"""

import dataclasses
from collections.abc import Iterator

from tl_keras.config import rules
from tl_keras.config.data import ListingConfig
from tl_keras.config.output_places import place_faults
from tl_keras.config.settings import Fault, setting
from tl_keras.config.shared_settings import io_timeout_in


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(ListingConfig):
    """Which labelled pictures, which model."""

    model: str = setting(
        "",
        "a run's folder, of which the largest version is taken, or one version",
        group="Model",
        path=True,
    )
    trust_model: bool = setting(
        False,
        "load a model that has no manifest of tl_keras, or whose graph may do "
        "more than compute; it may then do whatever a program of yours may do",
        group="Model",
    )
    split: str = setting(
        "auto",
        "which part of the dataset; auto is test where it has one of its own, "
        "else all of it",
        group="Data",
        choices=("auto", "all", "train", "val", "test"),
    )
    max_bad_fraction: float = setting(
        0.01,
        "share of pictures that may be unreadable; more fail the evaluation",
        group="Data",
        low=0,
        high=1,
    )
    io_timeout: float = io_timeout_in("Data")
    batch_size: int = setting(
        32,
        "pictures that are asked at once",
        group="Run",
        unit="pictures",
        low=1,
        high=4096,
    )
    coverage: float | None = setting(
        None,
        "sets of classes, or intervals around numbers, that hold the truth of "
        "this share of pictures like those of training; those of training's "
        "own --coverage, if any, when not given",
        group="Run",
        low=0.5,
        high=0.999,
    )
    output_dir: str = setting(
        "",
        "where metrics.json, predictions.csv and confusion.png are written; "
        "nowhere when not given",
        group="Run",
        path=True,
    )

    def combination_faults(self, wrong: set[str]) -> Iterator[Fault]:
        """What is wrong with these values together."""
        yield from rules.model_faults(self.model)
        yield from rules.listing_faults(self)
        yield from place_faults(
            self.output_dir, {"dataset": self.dataset}, self.exclude
        )
