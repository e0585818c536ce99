"""Histories of several runs -> their curves in one picture.

    histories = {"one": history, "other": other}
    for panel in comparison_panels(histories):
        light, dark = in_both_themes(comparison_figure, histories, *panel)

In: name -> rows of a history. Out: a figure.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tl_keras.run_card.curves_plot import PANELS, finite
from tl_keras.run_card.plot_style import LIGHT, Theme, dress, short_name

# Okabe and Ito's, as far as both a light and a dark page show them.
COLOURS = (
    "#0072b3", "#d55e01", "#009e74", "#cc79a8", "#e69f01", "#56b4ea",
    "#8c6d31", "#7f7f80",
)  # fmt: skip


def comparison_panels(
    histories: Mapping[str, Sequence[Mapping]],
) -> list[tuple[str, str]]:
    """(column of a history, what it is) of what can be drawn of these runs.

    Args:
        histories: run -> its rows, as `curves_figure` takes them.

    Returns:
        Columns of which some run has two numbers: a dot is no curve.
    """
    first = next(iter(histories.values()))
    panels = next(
        (found for key, found in PANELS.items() if key in first[0]),
        PANELS["accuracy"],
    )
    return [
        (key, words)
        for key, words in panels
        if any(_curve(rows, key)[0].size > 1 for rows in histories.values())
    ]


def comparison_figure(
    histories: Mapping[str, Sequence[Mapping]],
    key: str,
    words: str,
    theme: Theme = LIGHT,
) -> Figure:
    """What validation says over the epochs of several runs.

    Args:
        histories: run -> its rows, as `curves_figure` takes them; those
            without validation are shown by their training.
        key, words: of `comparison_panels`.
        theme: colours.

    Returns:
        A figure.
    """
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axis = figure.subplots()
    for (name, history), color in zip(histories.items(), COLOURS, strict=False):
        epochs, values, style = _curve(history, key)
        if epochs.size > 1:
            axis.plot(epochs, values, color=color, linestyle=style,
                      label=short_name(name), marker="o",
                      markersize=3)  # fmt: skip
    axis.set_ylabel(f"{words} on validation")
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    dress(axis, theme)
    legend = axis.legend(frameon=False, labelcolor=theme.ink)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def has_validation(history: Sequence[Mapping]) -> bool:
    """Whether some epoch has a number of validation.

    Args:
        history: rows, as `curves_figure` takes them.
    """
    values = [
        value
        for row in history
        for key, value in row.items()
        if key.startswith("val_")
    ]
    return bool(np.isfinite(finite(values)).any())


def _curve(
    history: Sequence[Mapping], key: str
) -> tuple[np.ndarray, np.ndarray, str]:
    """Epochs that have a number, the numbers, and the style of the line."""
    values, style = finite(row.get(f"val_{key}") for row in history), "-"
    if np.isnan(values).all():
        values, style = finite(row.get(key) for row in history), ":"
    there = np.isfinite(values)
    epochs = np.array([row["epoch"] for row in history])
    return epochs[there], values[there], style
