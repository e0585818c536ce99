"""A run's folder -> the settings that it began with, compared. No TensorFlow.

    state, old = stored_run(folder)          # {} where there is no run
    config = same_run(config, old, folder)   # or ConfigError with what differs

In: a run's `run/` and the settings of a command. Out: the settings with what
the run decided, or the lines that say what differs.
"""

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING

from tl_keras.config.export import newest_version
from tl_keras.config.settings import NONE
from tl_keras.errors import ConfigError, DivergedError, NotPublishedError

if TYPE_CHECKING:
    from tl_keras.config.transfer import TransferConfig

FLAGS, STATE = "run.flags", "state.json"
# What a run is made of; these may be given anew without changing it.
FREE = (
    "output_dir",
    "feature_cache_gb",
    "feature_memory_gb",
    "checkpoint_required",
    "io_timeout",
    "auto_batch",
)
# What decides whether a model is published, and nothing of the model.
ACCEPTANCE = ("min_accuracy", "not_worse_than")
# Where the command leaves them to the run, the run's own choice holds.
DECIDED = ("precision", "head_solver")
ANEW = "--restart begins anew there, another --output_dir elsewhere"


def stored_run(folder: pathlib.Path) -> tuple[dict, dict[str, str]]:
    """The state and the settings of the run in a folder; {} for none.

    Raises:
        ConfigError: what lies there is no run of ours.
    """
    if not folder.exists():
        return {}, {}
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        old = flags_of((folder / FLAGS).read_text(encoding="utf-8"))
        if not {"id", "state", "weights", "versions"} <= set(state):
            raise ValueError
    except (OSError, ValueError, TypeError):
        raise ConfigError(
            f"{folder}: not a run that can be gone on with - {ANEW}"
        ) from None
    return state, old


def same_run(
    config: "TransferConfig",
    state: dict,
    old: dict[str, str],
    folder: pathlib.Path,
) -> "TransferConfig":
    """The settings with what the run that is there has decided.

    Args:
        config: resolved settings.
        state, old: as `stored_run` gives them, of a run that is there.
        folder: where it lies.

    Raises:
        ConfigError: it is a run of other settings, with each that differs.
        DivergedError: it diverged.
        NotPublishedError: its model was refused, by the same standard.
    """
    decided = {
        name: old[name]
        for name in DECIDED
        if getattr(config, name) == "auto" and name in old
    }
    config = dataclasses.replace(config, **decided)
    faults = differences(old, flags_of(config.to_flags()), state)
    if faults:
        raise ConfigError(
            [*faults, f"{folder}: a run of other settings is there - {ANEW}"]
        )
    if state["state"] == "diverged":
        raise DivergedError(
            f"{folder}: this run diverged ({state['why']}) - change the "
            "settings and add --restart"
        )
    refused = state["state"] == "unfinished" and state.get("refused")
    if refused and refused["by"] == standard(config):
        raise NotPublishedError(
            [
                *refused["why"],
                f"{folder}: so it was before, and nothing is done again - "
                "lower --min_accuracy or name another --not_worse_than to "
                "judge the same model anew; --restart trains another",
            ]
        )
    return config


def standard(config: "TransferConfig") -> dict:
    """What a model must come up to: changes with the newest version too."""
    earlier = config.not_worse_than and newest_version(config.not_worse_than)
    return {
        "min_accuracy": config.min_accuracy,
        "not_worse_than": str(earlier or ""),
    }


def flags_of(text: str) -> dict[str, str]:
    """A run.flags as texts by name."""
    pairs = (
        line.removeprefix("--").partition("=") for line in text.splitlines()
    )
    return {name: value for name, _, value in pairs if name}


def differences(
    old: dict[str, str], new: dict[str, str], state: dict | None = None
) -> list[str]:
    """A line for each setting that would change what a run gives.

    A model that was refused may be judged anew, by another standard.
    """
    free = FREE + (ACCEPTANCE if state and state.get("refused") else ())

    def of(flags: dict[str, str], name: str) -> str:
        # An older file leaves out what is none.
        return flags.get(name) or NONE

    return [
        f"--{name}: the run has {of(old, name)}, received {of(new, name)}"
        for name in dict.fromkeys([*old, *new])
        if of(old, name) != of(new, name) and name not in free
    ]
