"""Who owns the terminal: lines as they come, and one that shows progress.

    with on_console():                  # in a command
        log.info("a line")
        with progress.doing("features", 300, "pictures") as work: ...

In: the records of `log`, and `progress.current`. Out: what happens on stdout,
what went wrong on stderr; and on a terminal one line that is written anew as
work goes on, elsewhere at most one such line a minute. Colour is on a terminal
alone, and not where NO_COLOR is set (https://no-color.org).
"""

from tl_keras.console.console import Console, on_console
from tl_keras.console.styles import error_line, styled

__all__ = ["Console", "error_line", "on_console", "styled"]
