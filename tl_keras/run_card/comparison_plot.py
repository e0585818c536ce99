"""Histories of several runs -> their curves in one picture.

    light, dark = in_both_themes(comparison_figure, {"one": history, ...})

In: name -> rows of a history. Out: a figure.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tl_keras.run_card.plots import (
    LIGHT,
    PANELS,
    Theme,
    dress,
    finite,
    short_name,
)

# Okabe and Ito's, as far as both a light and a dark page show them.
COLOURS = (
    "#0072b3", "#d55e01", "#009e74", "#cc79a8", "#e69f01", "#56b4ea",
    "#8c6d31", "#7f7f80",
)  # fmt: skip


def comparison_figure(
    histories: Mapping[str, Sequence[Mapping]], theme: Theme = LIGHT
) -> Figure:
    """What validation says over the epochs of several runs.

    Args:
        histories: run -> its rows, as `plots.curves_figure` takes them; those
            without validation are shown by their training.
        theme: colours.

    Returns:
        A figure of two panels.
    """
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    axes = figure.subplots(1, 2)
    first = next(iter(histories.values()))
    panels = next(
        (found for key, found in PANELS.items() if key in first[0]),
        PANELS["accuracy"],
    )
    for axis, (key, words) in zip(axes, panels, strict=False):
        for (name, history), color in zip(
            histories.items(), COLOURS, strict=False
        ):
            values = finite(row.get(f"val_{key}") for row in history)
            style = "-"
            if np.isnan(values).all():
                values, style = finite(row.get(key) for row in history), ":"
            axis.plot([row["epoch"] for row in history], values, color=color,
                      linestyle=style, label=short_name(name), marker="o",
                      markersize=3)  # fmt: skip
        axis.set_ylabel(f"{words} on validation")
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        dress(axis, theme)
    legend = axes[0].legend(frameon=False, labelcolor=theme.ink)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure
