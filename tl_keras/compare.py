"""`python -m tl_keras.compare`: several runs on one page."""

import sys
from collections.abc import Mapping, Sequence

from tl_keras.config import CompareConfig
from tl_keras.config.command_line import Command, run_command


def body(config: CompareConfig, switches: set[str]) -> Mapping:
    """Writes comparison.html and comparison.json."""
    from tl_keras.jobs.comparing import compare_with

    return compare_with(config)


COMMAND = Command(
    module="tl_keras.compare",
    purpose="Puts training runs beside each other on one page: the settings "
    "that differ, what each is worth on the test split with its interval, "
    "paired tests where they were asked the same examples, and their curves.",
    settings=CompareConfig,
    body=body,
    operand="runs",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` without the program's name."""
    return run_command(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
