"""errors: in a command they speak of flags, in Python of arguments."""

import pytest

from tl_keras import TransferConfig
from tl_keras.errors import (
    ConfigError,
    DataError,
    as_arguments,
    speaking_flags,
)

LINES = {
    "--seed=-1: expected 0 or more": "seed=-1: expected 0 or more",
    "too large - raise --feature_cache_gb, or --feature_cache=off": (
        "too large - raise feature_cache_gb, or feature_cache=off"
    ),
    "a--b.jpg: empty file": "a--b.jpg: empty file",
    "--: nothing is read after it": "--: nothing is read after it",
    "ask python -m tl_keras.check --dataset=a": (
        "ask python -m tl_keras.check --dataset=a"
    ),
}


@pytest.mark.parametrize("line", LINES)
def test_flags_become_arguments_and_nothing_else_does(line):
    assert as_arguments(line) == LINES[line]


def test_the_same_error_in_a_command_and_in_python():
    line = "--seed=-1: expected 0 or more"
    assert str(ConfigError(line)) == "seed=-1: expected 0 or more"
    assert ConfigError(line).faults == (line,)
    with speaking_flags():
        assert str(ConfigError(line)) == line
    assert str(ConfigError(line)) == "seed=-1: expected 0 or more"


def test_an_error_ends_the_speaking_of_flags():
    with pytest.raises(DataError), speaking_flags():
        raise DataError("none")
    assert str(DataError("--seed: none")) == "seed: none"


def test_settings_in_python_are_told_by_their_names():
    with pytest.raises(ConfigError, match=r"^dataset=nowhere: expected"):
        TransferConfig(dataset="nowhere").validate()
