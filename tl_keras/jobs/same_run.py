"""Settings compared with those that a run began with. No TensorFlow.

    stored = stored_run(folder)                  # None where there is no run
    config = same_run(config, stored)   # or ConfigError with what differs

In: a run's folder and the settings of a command. Out: the settings with what
the run decided, or the lines that say what differs.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

from tl_keras.config import TransferConfig
from tl_keras.config.export import earlier_version
from tl_keras.config.fields import NONE
from tl_keras.errors import ConfigError, DivergedError, NotPublishedError
from tl_keras.runs import (
    RunFolder,
    RunState,
    parse_flags,
    read_flags,
    read_state,
)
from tl_keras.runs.state import FORMAT

# What a run is made of; these may be given anew without changing it.
FREE = (
    "output_dir",
    "feature_cache_gb",
    "feature_memory_gb",
    "checkpoint_required",
    "io_timeout",
    "auto_batch",
    "trust_model",
)
# What decides whether a model is published, and nothing of the model.
ACCEPTANCE = ("min_accuracy", "not_worse_than")
# Where the command leaves them to the run, the run's own choice holds.
DECIDED = ("precision", "head_solver")
ANEW = "--restart begins anew there, another --output_dir elsewhere"


class Stored(NamedTuple):
    """A run that is there.

    Attributes:
        folder: where.
        state: how far it has come.
        flags: its settings, as texts by name.
    """

    folder: RunFolder
    state: RunState
    flags: Mapping[str, str]


def stored_run(folder: RunFolder) -> Stored | None:
    """The run in a folder; None where there is none.

    Raises:
        ConfigError: what lies there is no run of ours.
    """
    if not folder.path.exists():
        return None
    try:
        return Stored(folder, read_state(folder), read_flags(folder.flags))
    except (OSError, ValueError, TypeError):
        raise ConfigError(
            f"{folder.path}: not a run that can be gone on with - {ANEW}"
        ) from None


def same_run(config: TransferConfig, stored: Stored) -> TransferConfig:
    """The settings with what the run that is there has decided.

    Args:
        config: resolved settings.
        stored: the run.

    Raises:
        ConfigError: it is a run of other settings, with each that differs; or
            an unfinished one of an older version of tl_keras.
        DivergedError: it diverged.
        NotPublishedError: its model was refused, by the same standard.
    """
    folder, state, old = stored
    where = folder.path
    older = state.format < FORMAT
    if older and not (state.is_finished or state.is_diverged):
        raise ConfigError(
            f"{where}: an unfinished run of an older version of tl_keras, "
            f"expected one that this version began - {ANEW}"
        )
    decided = {
        name: old[name]
        for name in DECIDED
        if getattr(config, name) == "auto" and name in old
    }
    config = dataclasses.replace(config, **decided)
    faults = differences(config, stored)
    if faults:
        raise ConfigError(
            [*faults, f"{where}: a run of other settings is there - {ANEW}"]
        )
    if state.is_diverged:
        raise DivergedError(
            f"{where}: this run diverged ({state.why}) - change the "
            "settings and add --restart"
        )
    refused = None if state.is_finished else state.refused
    if refused and refused["by"] == standard(config):
        raise NotPublishedError(
            [
                *refused["why"],
                f"{where}: so it was before, and nothing is done again - "
                "lower --min_accuracy or name another --not_worse_than to "
                "judge the same model anew; --restart trains another",
            ]
        )
    return config


def standard(config: TransferConfig) -> dict:
    """What a model must come up to: changes with the newest version too."""
    earlier = config.not_worse_than and earlier_version(config.not_worse_than)
    return {
        "min_accuracy": config.min_accuracy,
        "not_worse_than": str(earlier or ""),
    }


def differences(config: TransferConfig, stored: Stored) -> list[str]:
    """A line for each setting that would change what a run gives.

    A model that was refused may be judged anew, by another standard; and a
    setting that an older version did not have is as its default.
    """
    old, new = dict(stored.flags), parse_flags(config.to_flags())
    free = FREE + (ACCEPTANCE if stored.state.refused else ())
    if stored.state.format < FORMAT:
        since = [name for name in new if not config.given(name)]
        old = {name: new[name] for name in since} | old

    def of(flags: Mapping[str, str], name: str) -> str:
        # An older file leaves out what is none.
        return flags.get(name) or NONE

    return [
        f"--{name}: the run has {of(old, name)}, received {of(new, name)}"
        for name in dict.fromkeys([*old, *new])
        if of(old, name) != of(new, name) and name not in free
    ]
