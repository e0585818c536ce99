"""The settings of `python -m tl_keras.report`. No TensorFlow.

    ReportConfig(run="saved_models/flowers/run").validate()

In: values, or the strings of a flag file. Out: a frozen `ReportConfig`.
"""

import dataclasses
import os
from collections.abc import Iterator

from tl_keras.config.settings import Fault, Settings, setting
from tl_keras.runs import RunFolder


@dataclasses.dataclass(frozen=True)
class ReportConfig(Settings):
    """Which run's page is made again."""

    run: str = setting(
        "",
        "the folder of a training run, such as saved_models/flowers, the "
        "run/ in it, or one of its versions",
        group="Run",
        path=True,
    )

    def combination_faults(self, wrong: set[str]) -> Iterator[Fault]:
        """What is wrong with these values together."""
        if not os.path.isfile(RunFolder.named(self.run).metrics):
            yield Fault(
                ("run",),
                f"--run={self.run}: expected the run/ folder that a training "
                "run leaves, with metrics.json in it, such as "
                "saved_models/flowers/run",
            )
