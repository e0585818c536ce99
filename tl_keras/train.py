"""`python -m tl_keras.train`: labelled data in, a verified SavedModel out."""

import sys
from collections.abc import Mapping, Sequence

from tl_keras import log
from tl_keras.config import TransferConfig
from tl_keras.config.command_line import Command, run_command


def body(config: TransferConfig | None, switches: set[str]) -> Mapping | None:
    """Does what the switches say, or the whole job."""
    if "list_backbones" in switches:
        from tl_keras.networks.backbones import describe_backbones

        log.result(describe_backbones())
        return None
    from tl_keras import jobs

    if "dry_run" in switches:
        log.result(jobs.plan(config))
        return None
    if "find_learning_rate" in switches:
        log.result(jobs.find_rates(config))
        return None
    result = jobs.run(config, restart="restart" in switches)
    from tl_keras.jobs.telling.ending import for_programs
    from tl_keras.runs import RunFolder

    folder = RunFolder(result.run_folder)
    return for_programs(result.metrics, result.version, folder)


def first(config: TransferConfig, switches: set[str]) -> None:
    """What can be refused without TensorFlow."""
    from tl_keras.jobs.first_look import look_before_training

    look_before_training(
        config,
        restart="restart" in switches,
        dry_run=bool({"dry_run", "find_learning_rate"} & switches),
    )
    # Before TensorFlow loads, so that a person sees what is begun.
    log.info(f"{config.dataset} on {config.backbone}, to {config.run_folder()}")


COMMAND = Command(
    module="tl_keras.train",
    purpose="Trains a classifier on a pretrained network, evaluates it and "
    "exports a verified SavedModel for TensorFlow Serving.",
    settings=TransferConfig,
    body=body,
    first=first,
    switches={
        "dry_run": "print settings, phases, parameters and disk, and stop",
        "find_learning_rate": "try learning rates for each phase of gradient "
        "steps, print those that suit and plot their losses beside the run, "
        "and stop",
        "restart": "begin anew though the run's folder holds a run, which is "
        "kept as run.<k>/; versions stay",
        "list_backbones": "print the table of Keras applications, and stop",
    },
    without_settings=frozenset({"list_backbones"}),
    resumable=True,
    operand="dataset",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; `argv` without the program's name."""
    return run_command(COMMAND, argv)


if __name__ == "__main__":
    sys.exit(main())
