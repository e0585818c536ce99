"""What `--help` prints of a command.

    print(help_text(COMMAND))

In: a `Command`. Out: its flags by group, none of TensorFlow's or absl's.
"""

import textwrap

from tl_keras.config.command import COMMON_SWITCHES, Command
from tl_keras.config.fields import allowed_types, as_text, expectation
from tl_keras.config.settings import grouped


def help_text(command: Command) -> str:
    """What `--help` prints: our flags alone, by group."""
    lines = [
        f"usage: python -m {command.module} "
        + f"[{command.operand.upper()}] " * bool(command.operand)
        + "[--flagfile=FILE] [--flag=value ...]",
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
