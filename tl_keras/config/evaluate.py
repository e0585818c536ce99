"""The settings of `python -m tl_keras.evaluate`. No TensorFlow.

    EvaluateConfig(model="saved_models/flowers", dataset="more").validate()

In: values, or the strings of a flag file. Out: a frozen `EvaluateConfig`.
"""

import dataclasses
import os
from collections.abc import Iterator

from tl_keras.config import rules
from tl_keras.config.data import io_timeout_in
from tl_keras.settings import Fault, Settings, setting


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(Settings):
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
    dataset: str = setting(
        "",
        "a folder of class folders (or of train/ val/ test/ with class "
        "folders), a .csv (path,label[,split]; a run's split.csv too), "
        "tfds:NAME[/config][:version], or digits",
        group="Data",
        path=True,
        words=("digits",),
    )
    data_dir: str = setting(
        "",
        "the folder that a .csv's paths start from (its own folder when not "
        "given), or the folder of prepared TFDS sets",
        group="Data",
        path=True,
    )
    split: str = setting(
        "auto",
        "which part of the dataset; auto is test where it has one of its own, "
        "else all of it",
        group="Data",
        choices=("auto", "all", "train", "val", "test"),
    )
    label_from: str = setting(
        "first",
        "in a folder, the class of a picture: the first folder below the "
        "root, the last one (leaf), or the path of all of them",
        group="Data",
        choices=("first", "leaf", "path"),
    )
    follow_links: bool = setting(
        False,
        "take folders that are links, and paths of a .csv that lead through "
        "one out of its folder; each real file is taken once",
        group="Data",
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
        yield from rules.dataset_faults(self.dataset)
        is_folder = self.dataset != "digits" and os.path.isdir(self.dataset)
        is_csv = self.dataset.endswith(".csv")
        if self.given("label_from") and not is_folder:
            yield rules.idle(
                "label_from", f"--dataset={self.dataset} is no folder"
            )
        if self.follow_links and not (is_folder or is_csv):
            yield rules.idle(
                "follow_links", "only a folder or a .csv has links"
            )
        if self.data_dir and (is_folder or self.dataset == "digits"):
            yield rules.idle("data_dir", "only a .csv or tfds: dataset has one")
        elif self.data_dir and not os.path.isdir(self.data_dir):
            yield rules.no_such("data_dir", self.data_dir, "a folder")
        if self.output_dir and os.path.isfile(
            os.path.join(self.output_dir, "run.flags")
        ):
            yield Fault(
                ("output_dir",),
                f"--output_dir={self.output_dir}: a training run's own folder, "
                "whose numbers would be lost - give another",
            )
