"""Exit codes of every command, and the exceptions behind them.

A fault that a user can mend is raised as one of these exceptions. Its message
is one line: what was received, what was expected, what to do. A command prints
that line and exits with the exception's `exit_code`; a library user catches
the built-in exception that each of them also is.

| exit code | meaning                                             |
|-----------|-----------------------------------------------------|
| 0         | done                                                |
| 1         | a fault of tl_keras itself: please report it        |
| 2         | a setting is wrong, or two of them do not go together |
| 3         | the data cannot be used as it is                    |
| 4         | the machine: disk, rights, memory, device, network  |
| 5         | a loss, weight or answer is not finite (NaN, infinite) |
| 6         | the model was trained but not published             |
| 75        | stopped by a signal; the same command goes on       |
| 130, 143  | stopped at once by a second SIGINT, SIGTERM         |
"""

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence

_REASON_LOST = (
    "{} without a reason, which is a fault of tl_keras - please report it "
    "with the command"
)


# A flag in a message, but not in a command that is to be copied.
_FLAG = re.compile(r"(?<![\w-])--(?=[a-z][a-z0-9_]*\b)")
_COMMAND = ("python -m ", "docker ", "pip ")
_in_a_command = False


@contextlib.contextmanager
def speaking_flags() -> Iterator[None]:
    """Inside, errors name settings as a command line does: --head_epochs.

    Example:
        with speaking_flags():
            str(ConfigError("--seed=-1: ..."))     # "--seed=-1: ..."
    """
    global _in_a_command
    before, _in_a_command = _in_a_command, True
    try:
        yield
    finally:
        _in_a_command = before


def as_arguments(line: str) -> str:
    """A message in Python's names: "--seed=-1: ..." -> "seed=-1: ...".

    Example:
        as_arguments("--seed=-1: expected 0 or more")
    """
    if any(command in line for command in _COMMAND):
        return line
    return _FLAG.sub("", line)


class TlKerasError(Exception):
    """Base of the faults that a user can mend.

    Attributes:
        faults: the messages, one line each and never none, with settings as
            flags. `str(error)` joins them; outside of a command it names
            settings as Python's arguments are.
        exit_code: what a command exits with.
    """

    exit_code = 1

    def __init__(self, faults: str | Sequence[str]):
        given = (faults,) if isinstance(faults, str) else faults
        told = tuple(fault for fault in given if fault.strip())
        # Whoever raises this owes a reason; an exit code alone is none.
        self.faults = told or (_REASON_LOST.format(type(self).__name__),)
        said = self.faults
        if not _in_a_command:
            said = tuple(map(as_arguments, said))
        super().__init__("\n".join(said))


class ConfigError(TlKerasError, ValueError):
    """Settings or arguments that are wrong; holds all that were found."""

    exit_code = 2


class DataError(TlKerasError, ValueError):
    """Data that cannot be used as it is."""

    exit_code = 3


class MachineError(TlKerasError, RuntimeError):
    """Disk, rights, memory, device or network stand in the way."""

    exit_code = 4


class DivergedError(TlKerasError, ArithmeticError):
    """A loss, a weight or an answer is not finite."""

    exit_code = 5


class NotPublishedError(TlKerasError, RuntimeError):
    """An export is not the model in memory, or not good enough, so it got no
    version; or a file for another runtime is not, so it was not written."""

    exit_code = 6


class StoppedError(TlKerasError):
    """Stopped on request, with all saved; the same command goes on."""

    exit_code = 75


def refuse_windows() -> None:
    """Says in one line why nothing runs there, before an import fails.

    Locks of run folders (fcntl), the memory a run held (resource) and opening
    without waiting (O_NONBLOCK) are POSIX's.

    Raises:
        MachineError: this is Windows.
    """
    if sys.platform == "win32":
        raise MachineError(
            "this is Windows; expected Linux or macOS - run it in WSL "
            "(Windows Subsystem for Linux)"
        )
