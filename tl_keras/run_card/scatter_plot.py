"""Predicted and true numbers -> points, and the line they should lie on.

    light, dark = in_both_themes(scatter_figure, points)

In: points, as a task's section of the card has them. Out: a figure.
"""

from collections.abc import Mapping

from matplotlib.figure import Figure

from tl_keras.run_card.plot_style import LIGHT, Theme, dress

MANY_POINTS = 200


def scatter_figure(points: Mapping, theme: Theme = LIGHT) -> Figure:
    """Points, and the line on which they should lie.

    Args:
        points: `title`, `x`, `y`, `x_label`, `y_label`, and `line`: "equals"
            or "zero".
        theme: colours.

    Returns:
        A figure of one panel.
    """
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axis = figure.subplots()
    # Few points are to be seen, many to be told apart.
    size = 9 if len(points["x"]) > MANY_POINTS else 28
    axis.scatter(points["x"], points["y"], s=size, alpha=0.6,
                 color=theme.train, linewidths=0)  # fmt: skip
    ends = [min(points["x"]), max(points["x"])]
    there = ends if points["line"] == "equals" else [0.0, 0.0]
    axis.plot(ends, there, color=theme.quiet, linewidth=1, zorder=0)
    axis.set_xlabel(points["x_label"], parse_math=False)
    axis.set_ylabel(points["y_label"], parse_math=False)
    axis.set_title(points["title"], color=theme.ink, fontsize=10,
                   parse_math=False)  # fmt: skip
    dress(axis, theme)
    return figure
