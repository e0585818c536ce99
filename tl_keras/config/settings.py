"""Settings as frozen dataclasses: declared once, read by everything.

    @dataclasses.dataclass(frozen=True)
    class PaintConfig(Settings):
        coats: int = setting(2, "how many coats", group="paint", low=1)

    PaintConfig.from_strings({"coats": "3"}).validate()

In: a field's type, default, help, unit, limits and choices (`fields`). Out:
parsing from strings, a check that tells all faults at once, the flag file that
repeats the values, the text of `--help` and the tables of the site. No
TensorFlow.
"""

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from tl_keras.config.fields import (
    NONE,
    allowed_types,
    as_text,
    expectation,
    parse,
    value_fault,
)
from tl_keras.config.suggestions import suggest
from tl_keras.errors import ConfigError


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
