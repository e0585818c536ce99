"""`python -m tl_keras.check`: what of a dataset can be used, and what not."""

import sys
from collections.abc import Mapping, Sequence

from tl_keras.config import CheckConfig
from tl_keras.config.command_line import Command, run_command


def body(config: CheckConfig, switches: set[str]) -> Mapping:
    """Checks the data, prints what it found, fails when it cannot be used."""
    from tl_keras.jobs.checking import check_for_programs, report_on

    return check_for_programs(config, report_on(config))


def first(config: CheckConfig, switches: set[str]) -> None:
    """What can be refused without TensorFlow."""
    from tl_keras.jobs.first_look import look_before_checking

    look_before_checking(config)


COMMAND = Command(
    module="tl_keras.check",
    purpose="Reads every picture of a dataset with the decoder that training "
    "uses, names what cannot be used and why, and finds duplicates and "
    "leakage. Exit code 0: it can be trained on as it is; 3: it cannot.",
    settings=CheckConfig,
    body=body,
    first=first,
    operand="dataset",
    without_keras=True,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` without the program's name."""
    return run_command(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
