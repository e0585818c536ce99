"""Settings as frozen dataclasses: declared once, read by everything.

    @dataclasses.dataclass(frozen=True)
    class PaintConfig(Settings):
        coats: int = setting(2, "how many coats", group="paint", low=1)

    PaintConfig.from_strings({"coats": "3"}).validate()

In: a field's type, default, help, unit, limits and choices. Out: parsing from
strings, a check that tells all faults at once, the flag file that repeats the
values, the text of `--help` and the tables of the site. No TensorFlow.

Types a field may have: str, int, float, bool, `int | None`, `float | None`,
`bool | None`, `tuple[int, ...]` (written `4096,4096`) and `tuple[str, ...]`,
one or more of its choices (written `red,blue`).
"""

import dataclasses
import math
import os
import re
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Self

from tl_keras.config.suggestions import suggest
from tl_keras.errors import ConfigError

SCHEME = re.compile(r"[a-zA-Z][\w+.-]*://")
WORDS_FOR_TRUE = ("true", "t", "1", "yes")
WORDS_FOR_FALSE = ("false", "f", "0", "no")
NONE = "none"
WORDS_FOR_NONE = ("", NONE, "auto")


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing that is wrong: the settings it is about, and the line."""

    names: tuple[str, ...]
    message: str


def setting(
    default: Any,
    help: str,
    *,
    group: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    path: bool = False,
    words: tuple[str, ...] = (),
) -> Any:
    """Declares one field of a `Settings` class.

    Args:
        default: the value when nothing is given.
        help: what it does, in one sentence.
        group: heading under which `--help` lists it.
        unit: "pixels", "epochs", ...
        low, high: least and largest value, inclusive.
        choices: the words it may be, or a list of some of them.
        path: whether it names a file or folder, which a run's record gives
            as an absolute path.
        words: what is no path there, even where a file of that name exists.

    Returns:
        A `dataclasses.field`.
    """
    about = {
        "help": help,
        "group": group,
        "unit": unit,
        "low": low,
        "high": high,
        "choices": choices,
        "path": path,
        "words": words,
    }
    return dataclasses.field(default=default, metadata=about)


class Settings:
    """Base of the settings dataclasses; see the module's synopsis."""

    def __new__(cls, *values, **given):
        """As of a dataclass; a name that is no setting is answered by ours."""
        known = [field.name for field in dataclasses.fields(cls)]
        for name in given:
            if name not in known:
                meant = suggest(name, known)
                if "did you mean" not in meant:
                    meant = f"help({cls.__name__}) lists them"
                raise TypeError(
                    f"{cls.__name__}: no setting {name} - "
                    + meant.replace("--", "")
                )
        return super().__new__(cls)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, os.PathLike) and str in allowed_types(field):
                object.__setattr__(self, field.name, os.fspath(value))

    @classmethod
    def from_strings(cls, texts: Mapping[str, str]) -> Self:
        """Parses and checks values as a flag file gives them.

        Raises:
            ConfigError: with every fault; a value that cannot be read does
                not hide the faults of the others.
        """
        values, faults = {}, []
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for name, text in texts.items():
            if name not in fields:
                faults.append(Fault((name,), f"--{name}: no such setting"))
                continue
            try:
                values[name] = parse(fields[name], text)
            except ValueError as error:
                faults.append(Fault((name,), str(error)))
        # What could not be read stands at its default here, which nobody gave.
        unread = {name for fault in faults for name in fault.names}
        faults += [
            fault
            for fault in cls(**values).faults()
            if not unread.intersection(fault.names)
        ]
        if faults:
            raise ConfigError([fault.message for fault in faults])
        return cls(**values)

    def validate(self) -> None:
        """Raises ConfigError with every fault of these settings."""
        faults = self.faults()
        if faults:
            raise ConfigError([fault.message for fault in faults])

    def faults(self) -> list[Fault]:
        """All faults: of single values first, then of combinations."""
        faults = []
        for field in dataclasses.fields(self):
            message = value_fault(field, getattr(self, field.name))
            if message:
                faults.append(Fault((field.name,), message))
        wrong = {name for fault in faults for name in fault.names}
        # What is of another type cannot be asked anything.
        readable = dataclasses.replace(
            self, **{name: self.default(name) for name in wrong}
        )
        faults += [
            fault
            for fault in readable.combination_faults(wrong)
            if not wrong.intersection(fault.names)
        ]
        return faults

    def combination_faults(self, wrong: set[str]) -> Iterator[Fault]:
        """Faults of values taken together; a subclass yields its own.

        Args:
            wrong: settings found faulty alone, whose value means nothing.
        """
        yield from ()

    def default(self, name: str) -> Any:
        """What a setting is where nobody gives it."""
        fields = {field.name: field for field in dataclasses.fields(self)}
        return fields[name].default

    def given(self, name: str) -> bool:
        """Whether a setting differs from its default."""
        return getattr(self, name) != self.default(name)

    def to_flags(self) -> str:
        """The flag file that repeats these settings, one flag a line.

        Settings at their default are written too, so that a later change of
        a default does not change what the file means: None as `none`. A text
        or list with nothing in it is left out.
        """
        lines = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            text = NONE if value is None else as_text(value)
            if text != "":
                lines.append(f"--{field.name}={text}")
        return "\n".join(lines) + "\n"


def allowed_types(field: dataclasses.Field) -> tuple[type, ...]:
    """`int | None` -> (int, NoneType); `tuple[int, ...]` -> (tuple,)."""
    if isinstance(field.type, types.UnionType):
        return typing.get_args(field.type)
    return (typing.get_origin(field.type) or field.type,)


def item_type(field: dataclasses.Field) -> type:
    """`tuple[int, ...]` -> int."""
    return typing.get_args(field.type)[0]


def parse(field: dataclasses.Field, text: str) -> Any:
    """Reads a field's value from a string.

    Raises:
        ValueError: one line: received, expected, remedy.
    """
    kinds = allowed_types(field)
    stripped = text.strip()
    if types.NoneType in kinds and stripped.lower() in WORDS_FOR_NONE:
        return None
    try:
        if str in kinds:
            # Not stripped: spaces around it are refused, not mended, for a file
            # may be named so.
            return _at_home(text) if field.metadata["path"] else text
        if bool in kinds:
            if stripped.lower() in WORDS_FOR_TRUE:
                return True
            if stripped.lower() in WORDS_FOR_FALSE:
                return False
            raise ValueError
        if tuple in kinds:
            kind = item_type(field)
            parts = stripped.split(",") if stripped else []
            if field.metadata["path"]:
                return tuple(_at_home(part.strip()) for part in parts)
            return tuple(kind(part.strip()) for part in parts)
        return int(stripped) if int in kinds else float(stripped)
    except ValueError:
        raise ValueError(
            f"--{field.name}={text}: expected {expectation(field)}"
        ) from None


def _at_home(path: str) -> str:
    """~/pets as a shell means it, which leaves it as it is behind a =."""
    if path.startswith("~") and not os.path.exists(path):
        return os.path.expanduser(path)
    return path


def value_fault(field: dataclasses.Field, value: Any) -> str:
    """The one line that says what is wrong with a value, or ""."""
    about, kinds = field.metadata, allowed_types(field)
    fits = isinstance(value, kinds) or (
        float in kinds and isinstance(value, int)
    )
    # To Python True is a whole number, too.
    if bool not in kinds and isinstance(value, bool):
        fits = False
    if isinstance(value, str) and value != " ".join(value.splitlines()).strip():
        return (
            f"--{field.name}={value!a}: expected one line without spaces "
            "around it, as a flag file can hold - rename the file"
        )
    named = value if isinstance(value, str) else ""
    if about["path"] and SCHEME.match(named):
        return (
            f"--{field.name}={value}: expected a path of this machine - copy "
            "it here, or mount what it is on"
        )
    parts = value if isinstance(value, tuple) else (value,)
    if fits and isinstance(value, tuple):
        fits = all(isinstance(part, item_type(field)) for part in parts)
    if fits and about["choices"]:
        # Of a list each once, and one at least.
        once = 0 < len(set(parts)) == len(parts)
        fits = once and set(parts) <= set(about["choices"])
    elif (
        fits
        and not isinstance(value, (str, bool, types.NoneType))
        and (not isinstance(value, tuple) or item_type(field) is not str)
    ):
        low = -math.inf if about["low"] is None else about["low"]
        high = math.inf if about["high"] is None else about["high"]
        fits = all(low <= part <= high for part in parts)
    if fits:
        return ""
    shown = "None" if value is None else as_text(value)
    return f"--{field.name}={shown}: expected {expectation(field)}"


def expectation(field: dataclasses.Field) -> str:
    """What a field takes, in words: "a whole number, 1 to 65536 pixels"."""
    about, kinds = field.metadata, allowed_types(field)
    if about["choices"]:
        many = "or more, with commas between them, " if tuple in kinds else ""
        return f"one {many}of " + ", ".join(about["choices"])
    if bool in kinds:
        return "true or false"
    words = "a text"
    if tuple in kinds:
        what = "paths" if about["path"] else "whole numbers"
        words = f"{what} with commas between them"
    elif int in kinds:
        words = "a whole number"
    elif float in kinds:
        words = "a number"
    low, high = about["low"], about["high"]
    if low is not None and high is not None:
        words += f", {_number(low)} to {_number(high)}"
    elif low is not None:
        words += f", {_number(low)} or more"
    return f"{words} {about['unit']}".rstrip()


def _number(value: float) -> str:
    """65536 and 0.9 as people write them."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def as_text(value: Any) -> str:
    """A value as a flag file writes it; `parse` reads it back."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value)


def grouped(cls: type[Settings]) -> dict[str, list[dataclasses.Field]]:
    """The fields by their group, both in the order of declaration."""
    groups: dict[str, list[dataclasses.Field]] = {}
    for field in dataclasses.fields(cls):
        groups.setdefault(field.metadata["group"], []).append(field)
    return groups


def markdown_tables(cls: type[Settings]) -> str:
    """The settings as the site shows them: a heading and a table a group."""
    lines = []
    for group, fields in grouped(cls).items():
        lines += [f"### {group}", ""]
        lines += ["| flag | default | what it does |", "|---|---|---|"]
        for field in fields:
            default = as_text(field.default)
            about = field.metadata
            words = about["help"]
            if about["choices"] or allowed_types(field) != (str,):
                words += f" ({expectation(field)})"
            words = re.sub(r"([|*<\[])", r"\\\1", words)
            default = f"`{default}`" if default else ""
            lines.append(f"| `--{field.name}` | {default} | {words} |")
        lines.append("")
    return "\n".join(lines)
