"""What a command is: its settings, its switches, what it does.

    COMMAND = Command("tl_keras.report", "Makes a page.", ReportConfig, body)

In: what sets one command apart from another. Out: a `Command`, which
`command_line.run_command` runs and `help_text` describes.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from tl_keras.config.settings import Settings

COMMON_SWITCHES = {
    "help": "print this text",
    "quiet": "print the result alone, and what went wrong",
    "json": "print one line of JSON at the end, for a program; what people "
    "read goes to stderr",
    "verbosity": "1 shows TensorFlow's start-up messages too",
}


@dataclasses.dataclass(frozen=True)
class Command:
    """A command as `run_command` needs it.

    Attributes:
        module: what follows `python -m`.
        purpose: one or two sentences for `--help`.
        settings: the dataclass its flags come from.
        body: called with the settings and the switches that were given;
            TensorFlow is imported inside it, not before. What it gives back
            is what `--json` prints.
        first: called likewise before TensorFlow loads, which takes seconds:
            raises what can be said of the data by then.
        switches: flags of the command itself that no run records.
        without_settings: the switches that need no valid settings.
        resumable: whether the same command goes on where a signal stopped it.
        operand: the setting that one word without a flag gives; "" for none.
        operand_is_there: whether such a word comes first and names what is
            there, or is a stray one; a setting of several takes as many.
        without_keras: whether the body needs TensorFlow alone. Keras, which
            TensorFlow loads for its own sake, brings matplotlib and
            scikit-learn: 2.7 of 6.6 seconds.
    """

    module: str
    purpose: str
    settings: type[Settings]
    body: Callable[[Any, set[str]], Mapping | None]
    switches: Mapping[str, str] = dataclasses.field(default_factory=dict)
    without_settings: frozenset[str] = frozenset()
    resumable: bool = False
    first: Callable[[Any, set[str]], None] = lambda config, switches: None
    operand: str = ""
    operand_is_there: bool = True
    without_keras: bool = False
