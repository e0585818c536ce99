"""The words of a command line -> settings as texts, switches, faults.

    texts, switches, faults = read_arguments(COMMAND, ["--seed=3", "--quiet"])

In: a `Command`, and words, of which some may name flag files. Out: what was
given, unjudged, and every word that is none of its flags.

The flags live in a `FlagValues` of our own, so the dozens that TensorFlow and
absl define for themselves are neither shown nor accepted.
"""

import dataclasses
import os
from collections.abc import Sequence

from absl import flags

from tl_keras.config.command import COMMON_SWITCHES, Command
from tl_keras.config.fields import allowed_types
from tl_keras.config.suggestions import suggest
from tl_keras.errors import ConfigError


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
    rest, faults = _expanded(arguments, values)
    known = sorted(names | set(switches))
    rest, operand = _operand_of(command, values, rest, arguments)
    faults += [_stray(word, known) for word in rest]
    texts = {name: values[name].value for name in names if values[name].present}
    texts |= operand
    states = {
        name: str(values[name].value).lower() if values[name].present else ""
        for name in switches
    }
    faults += [
        f"--{name}={state}: expected true or false, or 0 or 1"
        for name, state in states.items()
        if state not in ("", "true", "false", "0", "1")
    ]
    on = {n for n, state in states.items() if state not in ("false", "0", "")}
    return texts, on, faults


def _expanded(
    arguments: Sequence[str], values: flags.FlagValues
) -> tuple[list[str], list[str]]:
    """Gives the flags their texts, those of flag files too.

    Args:
        arguments: the words of a command line.
        values: the flags that there are; takes their texts.

    Returns:
        The words that are no flag's, and the faults of those that are
        written wrongly.
    """
    try:
        expanded = values.read_flags_from_files(arguments, force_gnu=True)
        expanded = _without_mark(expanded)
        expanded, faults = _without_ill_formed(expanded, values)
        return values(["", *expanded], known_only=True)[1:], faults
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


def _without_mark(words: Sequence[str]) -> list[str]:
    """Words of flag files, without the mark that Windows's Notepad puts at a
    file's beginning; what it hid, a comment or an empty line, is no word."""
    kept = []
    for word in words:
        plain = word.removeprefix("\ufeff")
        if plain == word or (plain and plain[0] != "#"):
            kept.append(plain)
    return kept


def _operand_of(
    command: Command,
    values: flags.FlagValues,
    rest: Sequence[str],
    arguments: Sequence[str],
) -> tuple[list[str], dict[str, str]]:
    """What is left of some words without the operand's, and its setting."""
    operand, rest = command.operand, list(rest)
    bare = [word for word in rest if not word.startswith("-")]
    if not operand or values[operand].present or not bare:
        return rest, {}
    fields = {f.name: f for f in dataclasses.fields(command.settings)}
    several = tuple in allowed_types(fields[operand])
    if command.operand_is_there:
        # A word further on is more likely the value of a flag without its =.
        bare = bare if several else [w for w in bare if w == arguments[0]]
        bare = [w for w in bare if os.path.exists(os.path.expanduser(w))]
    if not bare or (len(bare) > 1 and not several):
        return rest, {}
    given = ",".join(map(os.path.expanduser, bare))
    return [word for word in rest if word not in bare], {operand: given}


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
    return f"--{name}: no such flag - {suggest(name, known)}"
