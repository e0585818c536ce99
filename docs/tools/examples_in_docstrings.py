"""Examples of docstrings as code: `Example:` holds lines of Python.

In: a docstring as the source has it. Out: the same with a fence around its
example, for the site; `tests/test_docstrings.py` says how they are written.
"""

import re

import griffe

EXAMPLE = re.compile(
    r"^(?P<head> *Examples?:\n)(?P<code>(?:(?: {4,}.*)?\n?)+)", re.MULTILINE
)


class ExamplesAsCode(griffe.Extension):
    """Fences what follows `Example:` in each docstring."""

    def on_instance(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """The text of a docstring with a fence around its example."""

    def fence(found: re.Match) -> str:
        lines = found["code"].rstrip().splitlines()
        return "\n".join(
            [found["head"].rstrip(), "    ```python", *lines, "    ```", ""]
        )

    return EXAMPLE.sub(fence, text)
