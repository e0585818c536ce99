"""`tl_keras COMMAND ...`, or `python -m tl_keras`: every command by its name.

    tl_keras train my_photos --backbone=MobileNetV2
    tl_keras predict photo.jpg --model=saved_models/my_photos

In: a command's name and its flags. Out: its exit code, as of `python -m
tl_keras.COMMAND`; without a name the list of all, with an example of each.
"""

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple


class Entry(NamedTuple):
    """A command as the list shows it."""

    purpose: str
    example: str


COMMANDS = {
    "train": Entry(
        "labelled examples in, a verified model and its page out",
        "train my_photos --backbone=MobileNetV2",
    ),
    "check": Entry(
        "what of a dataset can be used, and what not and why",
        "check my_photos",
    ),
    "predict": Entry(
        "what a model says of pictures or texts",
        "predict photo.jpg --model=saved_models/my_photos",
    ),
    "evaluate": Entry(
        "how good a model is on other labelled examples",
        "evaluate saved_models/my_photos --dataset=more_photos",
    ),
    "report": Entry(
        "the page of a run, made again",
        "report saved_models/my_photos",
    ),
    "compare": Entry(
        "several runs on one page: what differs, and whether it matters",
        "compare saved_models/one saved_models/other",
    ),
}


def overview() -> str:
    """What is shown where no command is named."""
    lines = ["usage: tl_keras COMMAND [--flag=value ...]", ""]
    for name, entry in COMMANDS.items():
        lines.append(f"  {name:<9} {entry.purpose}")
        lines.append(f"  {'':<9}   tl_keras {entry.example}")
    return "\n".join(
        [
            *lines,
            "",
            "tl_keras COMMAND --help lists the flags of one. A first try that "
            "needs no data:",
            "  tl_keras train --dataset=digits --backbone=letters_vgg",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command that is named; `argv` without the program's name."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("help", "--help", "-h"):
        print(overview())
        return 0
    name, *rest = words
    if name in ("--version", "version"):
        import tl_keras

        print(tl_keras.__version__)
        return 0
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]}?" if near else "tl_keras lists them"
        print(
            f"error: {name!a}: no such command; expected "
            f"{', '.join(COMMANDS)} - {hint}",
            file=sys.stderr,
        )
        return 2
    return importlib.import_module(f"tl_keras.{name}").main(rest)


if __name__ == "__main__":
    sys.exit(main())
