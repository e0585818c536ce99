"""The settings of `python -m tl_keras.check`. No TensorFlow.

    CheckConfig(dataset="flowers").validate()

In: values, or the strings of a flag file. Out: a frozen `CheckConfig`.
"""

import dataclasses
from collections.abc import Iterator

from tl_keras.config import rules
from tl_keras.config.data import DataConfig
from tl_keras.config.output_places import folders_read, place_faults
from tl_keras.config.settings import Fault, setting


@dataclasses.dataclass(frozen=True)
class CheckConfig(DataConfig):
    """Settings of the data check alone; `DataConfig` has the most of them."""

    seed: int = setting(
        0,
        "of the splits that are cut",
        group="Run",
        low=0,
        high=2**31 - 1,
    )
    output_dir: str = setting(
        "",
        "where data_report.json and data_report.html are written; nowhere "
        "when not given",
        group="Run",
        path=True,
    )

    def combination_faults(self, wrong: set[str]) -> Iterator[Fault]:
        """What is wrong with these values together."""
        yield from rules.data_faults(self)
        yield from place_faults(
            self.output_dir, folders_read(self), self.exclude
        )
        if self.check == "off":
            yield Fault(
                ("check",),
                "--check=off: expected full or fast - there is nothing else "
                "to do here",
            )
