"""The settings of a training run and what they mean together. No TensorFlow.

    config = TransferConfig(dataset="flowers", backbone="MobileNetV2")
    config.validate()              # ConfigError lists all faults at once
    config = TransferConfig.from_strings({"dataset": "flowers"})

In: values, or the strings of a flag file. Out: a frozen `TransferConfig`. The
command line, `--help`, the limits and the README's table come from the fields
of its bases, so they cannot part.

What values come to is said by `tl_keras.config.effective`, and what is wrong
with them together by `tl_keras.config.rules`.
"""

import dataclasses
from collections.abc import Iterator

from tl_keras.config import kind_rules, rules
from tl_keras.config.effective import EffectiveConfig
from tl_keras.config.output_places import (
    folders_read,
    input_faults,
    place_faults,
)
from tl_keras.config.settings import Fault


@dataclasses.dataclass(frozen=True)
class TransferConfig(EffectiveConfig):
    """Settings of `tl_keras.run` and of `python -m tl_keras.train`.

    Every field has its help, unit and limits in its declaration;
    `python -m tl_keras.train --help` prints them.

    Example:
        config = TransferConfig(dataset="flowers", backbone="MobileNetV2")
        config.validate()  # ConfigError lists all faults at once
    """

    def combination_faults(self, wrong: set[str]) -> Iterator[Fault]:
        """What is wrong with these values together."""
        yield from rules.combination_faults(self)
        yield from kind_rules.training_faults(self)
        yield from self.export_faults()
        yield from place_faults(
            self.run_folder(),
            folders_read(self),
            self.exclude,
            holds_runs=True,
        )
        if self.feature_cache not in ("auto", "off"):
            yield from input_faults(
                "feature_cache",
                self.feature_cache,
                folders_read(self),
                self.exclude,
            )
