"""Counts of true and predicted classes -> the confusion matrix.

    plot_confusion("confusion.png", confusion, class_names)
    light, dark = in_both_themes(confusion_figure, confusion, class_names)

In: counts (n, n), n names. Out: a figure, or its file.
"""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tl_keras.run_card.plot_files import save_png
from tl_keras.run_card.plot_style import (
    DARK,
    LIGHT,
    Theme,
    name_width,
    short_name,
)

MAX_NAMES = 100  # labels of more classes than this would not be readable
MAX_NUMBERS = 20  # nor would the counts in the cells


def plot_confusion(
    path: str | os.PathLike, confusion: np.ndarray, class_names: Sequence[str]
) -> None:
    """Writes `confusion_figure` as a .png.

    Args:
        path: the .png, replaced whole.
        confusion, class_names: as in `confusion_figure`.
    """
    save_png(confusion_figure(confusion, class_names), path)


def confusion_side(class_names: Sequence[str]) -> float:
    """Inches of a side of the matrix: names take room, and cells keep theirs.

    Args:
        class_names: as in `confusion_figure`.
    """
    longest = max(name_width(short_name(name)) for name in class_names)
    side = 0.36 * len(class_names) + 1.4 + 0.11 * longest
    return float(np.clip(side, 3.6, 14))


def confusion_figure(
    confusion: np.ndarray, class_names: Sequence[str], theme: Theme = LIGHT
) -> Figure:
    """The confusion matrix, shaded by the share of each true class.

    Args:
        confusion: counts (n, n), rows are true classes.
        class_names: n names; written up to `MAX_NAMES` of them.
        theme: colours.

    Returns:
        A square figure.
    """
    count = len(class_names)
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = confusion_side(class_names)
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    shades = LinearSegmentedColormap.from_list(
        "share", [theme.ground, theme.train, theme.full]
    )
    image = axis.imshow(
        share, cmap=shades, vmin=0, vmax=1, interpolation="nearest"
    )
    if count > MAX_NUMBERS:
        bar = figure.colorbar(image, ax=axis, shrink=0.4, aspect=40, pad=0.01)
        bar.set_label("share of the true class", color=theme.ink)
        bar.ax.tick_params(colors=theme.quiet, labelcolor=theme.ink)
        bar.outline.set_visible(False)
    axis.set_xlabel("predicted", color=theme.ink)
    axis.set_ylabel("true", color=theme.ink)
    axis.spines[:].set_color(theme.quiet)
    axis.tick_params(colors=theme.quiet, labelcolor=theme.ink)
    if count <= MAX_NAMES:
        _write_names(axis, [short_name(name) for name in class_names])
    if count <= MAX_NUMBERS:
        _write_counts(axis, confusion, share, theme)
    return figure


def _write_names(axis, names: Sequence[str]) -> None:
    count = len(names)
    size = float(np.clip(120 / count, 6.5, 10))
    turn = {"rotation": 90}
    if count <= 4 and max(map(name_width, names)) <= 10:
        turn = {"rotation": 0}
    elif count <= 12:
        turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axis.set_xticks(range(count), names, fontsize=size, parse_math=False,
                    **turn)  # fmt: skip
    axis.set_yticks(range(count), names, fontsize=size, parse_math=False)


def _write_counts(axis, confusion, share, theme: Theme) -> None:
    # A letter in the middle of a shade takes the colour farther from it.
    ends = {True: "#ffffff", False: theme.ink}
    if theme is DARK:
        ends = {True: "#0b0d10", False: theme.ink}
    for (row, column), number in np.ndenumerate(confusion):
        if number:
            axis.text(column, row, f"{number:,}", ha="center", va="center",
                      fontsize=8, color=ends[bool(share[row, column] > 0.4)],
                      )  # fmt: skip
