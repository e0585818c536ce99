"""One field of settings: its type, its value as a text, what is wrong with it.

    parse(field, "4096,4096")                 # (4096, 4096)
    value_fault(field, (4096, -1))            # "--head_units=4096,-1: ..."

In: a field as `settings.setting` declares it, and a value or its text. Out:
the value, the text, or the line that refuses it. No TensorFlow.

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
from typing import Any

SCHEME = re.compile(r"[a-zA-Z][\w+.-]*://")
WORDS_FOR_TRUE = ("true", "t", "1", "yes")
WORDS_FOR_FALSE = ("false", "f", "0", "no")
NONE = "none"
WORDS_FOR_NONE = ("", NONE, "auto")


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
