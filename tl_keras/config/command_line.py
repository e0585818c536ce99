"""absl flags made from a settings dataclass; every fault at once; exit codes.

    def main(argv=None):
        return run_command(TrainCommand, argv)

In: a `Command` (its settings class, its switches, its body). Out: an exit
code. All wrong flags of a command line and its flag files are told together,
before TensorFlow is imported; the body's `TlKerasError` becomes its lines on
stderr and its exit code, anything else a traceback and exit code 1.

The flags live in a `FlagValues` of our own, so the dozens that TensorFlow and
absl define for themselves are neither shown nor accepted.
"""

import contextlib
import dataclasses
import difflib
import errno
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from tl_keras import io_watchdog, keras_globals, log, signals
from tl_keras.config.settings import (
    Settings,
    allowed_types,
    as_text,
    expectation,
    grouped,
)
from tl_keras.errors import (
    ConfigError,
    MachineError,
    StoppedError,
    TlKerasError,
    refuse_windows,
)

# Faults of the disk or of rights; any other OSError is a fault of ours.
MACHINE_ERRNOS = {
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM,
    errno.EIO,
}  # fmt: skip
COMMON_SWITCHES = {
    "help": "print this text",
    "verbosity": "1 shows TensorFlow's start-up messages too",
}


@dataclasses.dataclass(frozen=True)
class Command:
    """A command as `run_command` needs it.

    Attributes:
        module: what follows `python -m`.
        purpose: one or two sentences for `--help`.
        settings: the dataclass its flags come from.
        body: called with the settings and the switches that were given;
            TensorFlow is imported inside it, not before.
        first: called likewise before TensorFlow loads, which takes seconds:
            raises what can be said of the data by then.
        switches: flags of the command itself that no run records.
        without_settings: the switches that need no valid settings.
        resumable: whether the same command goes on where a signal stopped it.
        operand: the setting that one word without a flag gives; "" for none.
        without_keras: whether the body needs TensorFlow alone. Keras, which
            TensorFlow loads for its own sake, brings matplotlib and
            scikit-learn: 2.7 of 6.6 seconds.
    """

    module: str
    purpose: str
    settings: type[Settings]
    body: Callable[[Any, set[str]], None]
    switches: Mapping[str, str] = dataclasses.field(default_factory=dict)
    without_settings: frozenset[str] = frozenset()
    resumable: bool = False
    first: Callable[[Any, set[str]], None] = lambda config, switches: None
    operand: str = ""
    without_keras: bool = False


def run_command(command: Command, argv: Sequence[str] | None = None) -> int:
    """Parses `argv` (sys.argv when None), runs the body, gives the exit code.

    Returns:
        0, or the exit code of the fault (see `tl_keras.errors`).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        refuse_windows()
        texts, switches, faults = read_arguments(command, arguments)
        if "help" in switches:
            print(help_text(command))
            return 0
        if switches & command.without_settings and not faults:
            command.body(None, switches)
            return 0
        faults = [*faults, *keras_globals.faults()]
        config = _checked_settings(command, texts, faults)
        with contextlib.ExitStack() as stack:
            stack.enter_context(log.on_console())
            stack.enter_context(signals.watching(command.resumable))
            if hasattr(config, "io_timeout"):
                stack.enter_context(io_watchdog.watching(config.io_timeout))
            command.first(config, switches)
            _load_tensorflow(command, switches)
            if not command.without_keras:
                stack.enter_context(keras_globals.standard_globals())
            command.body(config, switches - {"verbosity"})
    except StoppedError as error:
        print(signals.one_line(str(error)), file=sys.stderr)
        return error.exit_code
    except TlKerasError as error:
        for line in error.faults:
            print(f"error: {signals.one_line(line)}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # 128 + SIGPIPE, as a shell gives it
    except OSError as error:
        if error.errno not in MACHINE_ERRNOS:
            raise
        place = error.filename or "a file"
        why = error.strerror or type(error).__name__
        print(
            f"error: {signals.one_line(f'{place}: {why}')} - make "
            "room or choose another --output_dir",
            file=sys.stderr,
        )
        return MachineError.exit_code
    except KeyboardInterrupt:
        print("stopped by SIGINT", file=sys.stderr)
        return 130  # 128 + SIGINT
    return 0


def read_arguments(
    command: Command, arguments: Sequence[str]
) -> tuple[dict[str, str], set[str], list[str]]:
    """Splits a command line, flag files included, without judging values.

    Returns:
        settings as strings, the switches that are on, and the faults:
        unknown flags, stray words, a flag without its value.
    """
    values = flags.FlagValues()
    names = {field.name for field in dataclasses.fields(command.settings)}
    switches = {**COMMON_SWITCHES, **command.switches}
    for field in dataclasses.fields(command.settings):
        _define(values, field.name, bool in allowed_types(field))
    for name in switches:
        _define(values, name, name != "verbosity")
    try:
        expanded = values.read_flags_from_files(arguments, force_gnu=True)
        expanded, faults = _without_ill_formed(expanded, values)
        rest = values(["", *expanded], known_only=True)[1:]
    except flags.CantOpenFlagFileError as error:
        reason = str(error).removeprefix("ERROR:: ")
        raise ConfigError(f"--flagfile: {reason} - check the path") from None
    except UnicodeDecodeError:
        named = [a for a in arguments if "flagfile" in a]
        raise ConfigError(
            f"{' '.join(named)}: expected a text file in UTF-8 with a flag a "
            "line - check the path"
        ) from None
    except (flags.Error, ValueError) as error:
        raise ConfigError(f"flags: {error}") from None
    known = sorted(names | set(switches))
    bare = [word for word in rest if not word.startswith("-")]
    operand = command.operand
    if operand and len(bare) == 1 and not values[operand].present:
        values[operand].value, values[operand].present = bare[0], 1
        rest.remove(bare[0])
    faults += [_stray(word, known) for word in rest]
    texts = {name: values[name].value for name in names if values[name].present}
    for name in switches:
        value = str(values[name].value).lower() if values[name].present else ""
        if value not in ("", "true", "false", "0", "1"):
            faults.append(
                f"--{name}={value}: expected true or false, or 0 or 1"
            )
    on = {
        name
        for name in switches
        if values[name].present
        and str(values[name].value).lower() not in ("false", "0", "")
    }
    return texts, on, faults


def _without_ill_formed(
    words: Sequence[str], values: flags.FlagValues
) -> tuple[list[str], list[str]]:
    """The words without those that absl would stop at, and their faults.

    absl tells the first of them alone, and takes a flag that follows one
    without its value for that value.
    """
    kept, faults = [], []
    for place, word in enumerate(words):
        name, equals, _ = word.removeprefix("--").partition("=")
        following = words[place + 1] if place + 1 < len(words) else "--"
        if word == "--":
            faults.append(
                "--: nothing is read after it - leave it and what follows out"
            )
            break
        valued = name in values and not values[name].boolean
        if word.startswith("--") and valued and not equals:
            if following.startswith("--"):
                faults.append(
                    f"--{name}: received no value; expected --{name}=VALUE"
                )
                continue
        plain = name.removeprefix("no")
        if equals and name not in values and plain in values:
            if values[plain].boolean:
                faults.append(
                    f"{word}: expected no value - write --no{plain}, or "
                    f"--{plain}=false"
                )
                continue
        kept.append(word)
    return kept, faults


def _define(values: flags.FlagValues, name: str, boolean: bool) -> None:
    """Defines a flag that takes any text: typed values are parsed by us."""
    parser = flags.ArgumentParser()
    flag = flags.Flag(parser, None, name, None, "", boolean=boolean)
    flags.DEFINE_flag(flag, values, module_name="tl_keras")


def _stray(word: str, known: Sequence[str]) -> str:
    """The fault of a word that is no flag of ours."""
    if not word.startswith("-"):
        return (
            f"{word}: a stray word; expected flags alone, each --name=value "
            "(in a flag file too)"
        )
    name = word.lstrip("-").split("=")[0]
    if " " in name:
        return f"{word}: in a flag file write --name=value, without a space"
    near = difflib.get_close_matches(name.removeprefix("no"), known, n=2)
    near = near or difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = "see --help"
    if near:
        hint = "did you mean " + " or ".join(f"--{n}" for n in near) + "?"
    return f"--{name}: no such flag - {hint}"


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


def help_text(command: Command) -> str:
    """What `--help` prints: our flags alone, by group."""
    lines = [
        f"usage: python -m {command.module} --flagfile=FILE [--flag=value ...]"
        + f" [{command.operand.upper()}]" * bool(command.operand),
        "",
        *textwrap.wrap(command.purpose, 78),
        "",
        "A flag file holds one --name=value a line and # comments on lines of",
        "their own. Later flags win: put --flagfile first, overrides after it.",
    ]
    for group, fields in grouped(command.settings).items():
        lines += ["", f"{group}:"]
        for field in fields:
            default = as_text(field.default)
            words = field.metadata["help"]
            if field.metadata["choices"] or allowed_types(field) != (str,):
                words += f"; {expectation(field)}"
            words += f" (default {default})" if default else ""
            lines += _entry(field.name, words)
    lines += ["", "This command:"]
    for name, words in {**command.switches, **COMMON_SWITCHES}.items():
        lines += _entry(name, words)
    return "\n".join(lines)


def _entry(name: str, words: str) -> list[str]:
    return [
        f"  --{name}",
        *textwrap.wrap(
            words, 72, initial_indent="      ", subsequent_indent="      "
        ),
    ]
