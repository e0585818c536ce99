"""`python -m tl_keras.report`: the page of a run that was made before."""

import sys
from collections.abc import Mapping, Sequence

from tl_keras.config import ReportConfig
from tl_keras.config.command_line import Command, run_command


def body(config: ReportConfig, switches: set[str]) -> Mapping:
    """Writes report.html and report.md into the run's folder."""
    from tl_keras.jobs.reporting import report_on

    return {"page": report_on(config)}


COMMAND = Command(
    module="tl_keras.report",
    purpose="Makes report.html and report.md of a training run again, from "
    "the files in its run/ folder. Pictures are shown where the dataset is "
    "still where it was.",
    settings=ReportConfig,
    body=body,
    operand="run",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` without the program's name."""
    return run_command(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
