"""The colours of plots on a light and on a dark page, and how axes look.

    dress(axis, LIGHT)
    short_name("a name as long as a sentence")

In: axes, names. Out: axes in a theme's colours; names that an axis can hold.
Names are data: no control characters, and long ones are cut.
"""

import dataclasses
import itertools
import unicodedata

from tl_keras import pages

NAME_LENGTH = 20  # columns of a name beside an axis; 猫 takes two


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours of a plot; the series' are Okabe and Ito's, which people who
    are colour-blind can tell apart."""

    ink: str
    quiet: str
    grid: str
    ground: str
    full: str  # the far end of a shade that begins at `ground`
    train: str
    val: str
    best: str


LIGHT = Theme("#1c1d21", "#5d6169", "#dfdcd5", "#ffffff", "#08306b",
              "#0072b2", "#d55e00", "#009e73")  # fmt: skip
DARK = Theme("#e8e6e1", "#a2a6ae", "#34383f", "#1d2025", "#a9d3ff",
             "#56b4e9", "#e69f00", "#2fc79a")  # fmt: skip


def dress(axis, theme: Theme) -> None:
    axis.set_facecolor("none")
    axis.grid(color=theme.grid, linewidth=0.7)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(theme.quiet)
    axis.tick_params(colors=theme.quiet, labelcolor=theme.ink)
    axis.xaxis.label.set_color(theme.ink)
    axis.yaxis.label.set_color(theme.ink)


def short_name(name: str) -> str:
    """A name as an axis can hold it."""
    shown = pages.escape_controls(name)
    ends = list(itertools.accumulate(map(_columns, shown)))
    if not ends or ends[-1] <= NAME_LENGTH:
        return shown
    return shown[: sum(end < NAME_LENGTH for end in ends)] + "…"


def name_width(name: str) -> int:
    """Columns that a name takes in letters of one width."""
    return sum(map(_columns, name))


def _columns(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
