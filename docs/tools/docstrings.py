"""Docstrings as the site wants them.

In: a docstring as the source has it; `tests/test_docstrings.py` says how it is
written. Out: the same with a fence around the lines of Python of `Example:`,
and an entry for each error of one that names several.
"""

import re

import griffe

EXAMPLE = re.compile(
    r"^(?P<head> *Examples?:\n)(?P<code>(?:(?: {4,}.*)?\n?)+)", re.MULTILINE
)


SEVERAL = re.compile(
    r"^(?P<indent> +)(?P<first>(?:\w+Error,\s+)+)(?P<last>\w+Error): ",
    re.MULTILINE,
)


class DocstringsOfTheSite(griffe.Extension):
    """Does both to each docstring."""

    def on_instance(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring:
            obj.docstring.value = one_by_one(fenced(obj.docstring.value))


def fenced(text: str) -> str:
    """The text of a docstring with a fence around its example."""

    def fence(found: re.Match) -> str:
        lines = found["code"].rstrip().splitlines()
        return "\n".join(
            [found["head"].rstrip(), "    ```python", *lines, "    ```", ""]
        )

    return EXAMPLE.sub(fence, text)


def one_by_one(text: str) -> str:
    """The text with `A, B: why` as `A: as B.` and `B: why`."""

    def split(found: re.Match) -> str:
        indent, last = found["indent"], found["last"]
        names = re.findall(r"\w+", found["first"])
        entries = [f"{indent}{name}: as {last}.\n" for name in names]
        return "".join([*entries, f"{indent}{last}: "])

    return SEVERAL.sub(split, text)
