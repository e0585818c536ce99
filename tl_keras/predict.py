"""`python -m tl_keras.predict`: pictures in, what a model says of each out."""

import sys
from collections.abc import Mapping, Sequence

from tl_keras.config import PredictConfig
from tl_keras.config.command_line import Command, run_command


def body(config: PredictConfig, switches: set[str]) -> Mapping:
    """Asks the model or the server about every picture once."""
    from tl_keras.jobs.predicting import (
        predict_with,
        predicted_for_programs,
    )

    return predicted_for_programs(config, predict_with(config))


def first(config: PredictConfig, switches: set[str]) -> None:
    """What can be refused without TensorFlow."""
    from tl_keras.jobs.first_look import look_before_predicting

    look_before_predicting(config)


COMMAND = Command(
    module="tl_keras.predict",
    purpose="Asks an exported model, or a running TensorFlow Serving, about "
    "every picture of a folder, and writes predictions.csv, "
    "predictions.jsonl and gallery.html. The same command goes on with a run "
    "that was stopped (exit code 75). A picture's path alone prints its label "
    "and probability.",
    settings=PredictConfig,
    body=body,
    first=first,
    resumable=True,
    operand="input",
    operand_is_there=False,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` without the program's name."""
    return run_command(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
