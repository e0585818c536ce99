"""`python -m tl_keras.evaluate`: an exported model on labelled pictures."""

import sys
from collections.abc import Mapping, Sequence

from tl_keras.config import EvaluateConfig
from tl_keras.config.command_line import Command, run_command


def body(config: EvaluateConfig, switches: set[str]) -> Mapping:
    """Asks the model about every picture and counts what is right."""
    from tl_keras.jobs.evaluating import evaluate_with
    from tl_keras.jobs.telling.evaluated import evaluated_for_programs

    return evaluated_for_programs(config, evaluate_with(config))


def first(config: EvaluateConfig, switches: set[str]) -> None:
    """What can be refused without TensorFlow."""
    from tl_keras.jobs.first_look import look_before_evaluating

    look_before_evaluating(config)


COMMAND = Command(
    module="tl_keras.evaluate",
    purpose="Asks an exported model about labelled pictures and gives the "
    "numbers that training gives of its test split. The classes must be the "
    "model's.",
    settings=EvaluateConfig,
    body=body,
    first=first,
    operand="model",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` without the program's name."""
    return run_command(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
