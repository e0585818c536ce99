"""What runs a command: every fault at once; exit codes.

    def main(argv=None):
        return run_command(TrainCommand, argv)

In: a `Command` (its settings class, its switches, its body). Out: an exit
code. All wrong flags of a command line and its flag files are told together,
before TensorFlow is imported; the body's `TlKerasError` becomes its lines on
stderr and its exit code, anything else a traceback and exit code 1.
"""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tl_keras import io_watchdog, keras_globals, progress, signals
from tl_keras.config.arguments import read_arguments
from tl_keras.config.command import Command
from tl_keras.config.help_text import help_text
from tl_keras.config.settings import Settings
from tl_keras.console import error_line, on_console
from tl_keras.errors import (
    ConfigError,
    MachineError,
    StoppedError,
    TlKerasError,
    refuse_windows,
    speaking_flags,
)

# Faults of the disk or of rights; any other OSError is a fault of ours.
MACHINE_ERRNOS = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM,
    errno.EIO, errno.EFBIG, errno.ENAMETOOLONG, errno.ESTALE, errno.ETIMEDOUT,
    errno.ENOTCONN,
}  # fmt: skip


def run_command(command: Command, argv: Sequence[str] | None = None) -> int:
    """Parses `argv` (sys.argv when None), runs the body, gives the exit code.

    Returns:
        0, or the exit code of the fault (see `tl_keras.errors`).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    with speaking_flags():
        return _ended_well_or_not(command, arguments)


def _ended_well_or_not(command: Command, arguments: list[str]) -> int:
    """Runs a command, and tells of whatever ends it."""
    # Of what cannot be read at all, a program wants to know too.
    as_json = "--json" in arguments
    try:
        refuse_windows()
        _refuse_no_place()
        texts, switches, faults = read_arguments(command, arguments)
        as_json = "json" in switches
        if "help" in switches:
            print(help_text(command))
            return 0
        quiet = "quiet" in switches
        with contextlib.ExitStack() as stack:
            stack.enter_context(on_console(quiet=quiet, to_stderr=as_json))
            if as_json:  # What a library prints is for people, too.
                stack.enter_context(contextlib.redirect_stdout(sys.stderr))
            result = _run(command, texts, switches, faults)
        return _ended(0, as_json, **(result or {}))
    except StoppedError as error:
        print(signals.one_line(str(error)), file=sys.stderr)
        return _ended(error.exit_code, as_json, errors=list(error.faults))
    except TlKerasError as error:
        for line in error.faults:
            told = error_line(signals.one_line(line), sys.stderr)
            print(told, file=sys.stderr)
        return _ended(error.exit_code, as_json, errors=list(error.faults))
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # 128 + SIGPIPE, as a shell gives it
    except OSError as error:
        if error.errno not in MACHINE_ERRNOS:
            raise
        line = _of_the_machine(error)
        print(error_line(line, sys.stderr), file=sys.stderr)
        return _ended(MachineError.exit_code, as_json, errors=[line])
    except KeyboardInterrupt:
        print("stopped by SIGINT", file=sys.stderr)
        return 130  # 128 + SIGINT


def _of_the_machine(error: OSError) -> str:
    """The line for a fault of the disk or of rights."""
    place = error.filename or "a file"
    why = error.strerror or type(error).__name__
    return (
        f"{signals.one_line(f'{place}: {why}')} - make room or choose "
        "another --output_dir"
    )


def _refuse_no_place() -> None:
    """Raises ConfigError where the current folder has been removed."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise ConfigError(
            "the current folder has been removed - change to one that is there"
        ) from None


def _ended(exit_code: int, as_json: bool, **values: Any) -> int:
    """The exit code; of a command with `--json` its one line besides."""
    if as_json:
        values = {"exit_code": exit_code, **values}
        print(json.dumps(values, default=os.fspath), flush=True)
    return exit_code


def _run(
    command: Command,
    texts: Mapping[str, str],
    switches: set[str],
    faults: list[str],
) -> Mapping | None:
    """Does what a command line asks, once its words are told apart."""
    own = switches & set(command.switches)
    if own & command.without_settings and not faults:
        return command.body(None, own)
    faults = [*faults, *keras_globals.faults()]
    config = _checked_settings(command, texts, faults)
    with contextlib.ExitStack() as stack:
        stack.enter_context(signals.watching(command.resumable))
        if hasattr(config, "io_timeout"):
            stack.enter_context(io_watchdog.watching(config.io_timeout))
        command.first(config, own)
        with progress.doing("loading TensorFlow"):
            _load_tensorflow(command, switches)
        if not command.without_keras:
            stack.enter_context(keras_globals.standard_globals())
        return command.body(config, own)


def _checked_settings(
    command: Command, texts: Mapping[str, str], faults: list[str]
) -> Settings:
    try:
        config = command.settings.from_strings(texts)
    except ConfigError as error:
        raise ConfigError([*faults, *error.faults]) from None
    if faults:
        raise ConfigError(faults)
    return config


def _load_tensorflow(command: Command, switches: set[str]) -> None:
    """Imports TensorFlow, without its start-up messages unless asked for."""
    with contextlib.ExitStack() as stack:
        if "verbosity" not in switches:
            # Not over what somebody has set to see more.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
            stack.enter_context(native_stderr_hidden())
        if command.without_keras and "keras" not in sys.modules:
            # As if it were not installed; who imports it later gets it.
            sys.modules["keras"] = None
            stack.callback(sys.modules.pop, "keras")
        import tensorflow  # noqa: F401


@contextlib.contextmanager
def native_stderr_hidden() -> Iterator[None]:
    """Hides what C++ code writes to stderr meanwhile.

    Some lines of TensorFlow's start-up come before its logging is set up, and
    no variable silences them. An exception passes through untouched.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
