"""The settings of `python -m tl_keras.compare`. No TensorFlow.

    CompareConfig(runs=("saved_models/one", "saved_models/other")).validate()

In: values, or the strings of a flag file. Out: a frozen `CompareConfig`.
"""

import dataclasses
import os
from collections.abc import Iterator

from tl_keras.config.settings import Fault, Settings, setting
from tl_keras.runs import RunFolder

MAX_RUNS = 8  # colours that can be told apart


@dataclasses.dataclass(frozen=True)
class CompareConfig(Settings):
    """Which runs stand beside each other."""

    runs: tuple[str, ...] = setting(
        (),
        "the folders of training runs, such as saved_models/flowers, the run/ "
        "in them, or versions; the first is what the others are compared with",
        group="Run",
        path=True,
    )
    output_dir: str = setting(
        "comparison",
        "where comparison.html and comparison.json are written",
        group="Run",
        path=True,
    )

    def combination_faults(self, wrong: set[str]) -> Iterator[Fault]:
        """What is wrong with these values together."""
        if "runs" in wrong:
            return
        folders = [RunFolder.named(run).path for run in self.runs]
        if not 2 <= len(set(folders)) <= MAX_RUNS:
            yield Fault(
                ("runs",),
                f"--runs: received {len(set(folders))} runs; expected 2 to "
                f"{MAX_RUNS}, such as saved_models/one saved_models/other",
            )
        for given, folder in zip(self.runs, folders, strict=True):
            if not os.path.isfile(RunFolder(folder).metrics):
                yield Fault(
                    ("runs",),
                    f"--runs={given}: no training run there; expected a "
                    "folder with run/metrics.json in it, such as "
                    "saved_models/flowers - check the path",
                )
        if RunFolder.named(self.output_dir).is_trainings:
            yield Fault(
                ("output_dir",),
                f"--output_dir={self.output_dir}: a training run's own folder "
                "- give another",
            )
