"""A history -> the curves of a run: loss, what is right, learning rate.

    plot_curves("curves.png", history, kept_epoch=12)
    light, dark = in_both_themes(curves_figure, history, 12)

In: rows of a history. Out: a figure, or its file.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tl_keras.run_card.plot_files import save_png
from tl_keras.run_card.plot_style import LIGHT, Theme, dress, short_name

# A column of the history -> the two panels of a task that logs it.
PANELS = {
    "label_accuracy": (
        ("cross_entropy", "cross-entropy per label"),
        ("label_accuracy", "share of labels right"),
    ),
    "scaled_mae": (
        ("loss", "loss"),
        ("scaled_mae", "mean abs. error\nin std. deviations"),
    ),
    "accuracy": (("cross_entropy", "cross-entropy"), ("accuracy", "accuracy")),
}
MOST_OF_A_SHARE = 1.005  # a mark at 1 is still seen whole


def plot_curves(
    path: str | os.PathLike,
    history: Sequence[Mapping],
    kept_epoch: int | None = None,
) -> None:
    """Writes `curves_figure` as a .png.

    Args:
        path: the .png, replaced whole.
        history, kept_epoch: as in `curves_figure`.
    """
    save_png(curves_figure(history, kept_epoch), path)


def curves_figure(
    history: Sequence[Mapping],
    kept_epoch: int | None = None,
    theme: Theme = LIGHT,
) -> Figure:
    """Loss, accuracy and learning rate over the epochs of all phases.

    Args:
        history: at least one row with phase, epoch, cross_entropy, accuracy,
            learning_rate and, with validation, val_cross_entropy and
            val_accuracy. A learning rate of 0 is none: a head that was
            solved. NaN and infinity leave a gap.
        kept_epoch: the one whose weights are kept.
        theme: colours.

    Returns:
        A figure of three panels over the same epochs; of two where there are
        not two learning rates, as a dot is no curve.
    """
    rates = finite(row.get("learning_rate") or np.nan for row in history)
    heights = [3, 3, 1.4] if np.isfinite(rates).sum() > 1 else [3, 3]
    figure = Figure(figsize=(5.6, 0.865 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    epochs = [row["epoch"] for row in history]
    _draw_panels(axes, history, theme)
    if len(axes) > 2:
        axes[2].plot(epochs, rates, color=theme.quiet, marker=".")
        axes[2].set_ylabel("learning rate\nat epoch's end")
        axes[2].set_ylim(bottom=0)
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    # A single epoch would stand between fractions of epochs.
    axes[-1].set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    for axis in axes:
        if kept_epoch is not None:
            axis.axvline(kept_epoch, color=theme.best, alpha=0.7, zorder=0,
                         linewidth=2, label="kept")  # fmt: skip
        dress(axis, theme)
    if axes[0].get_legend_handles_labels()[1]:
        axes[0].legend(frameon=False, labelcolor=theme.ink)
    _mark_phases(axes, history, theme)
    return figure


def _draw_panels(axes, history: Sequence[Mapping], theme: Theme) -> None:
    """What training and validation say, in the first two panels."""
    epochs = [row["epoch"] for row in history]
    panels = next(
        (found for key, found in PANELS.items() if key in history[0]),
        PANELS["accuracy"],
    )
    for axis, (key, words) in zip(axes, panels, strict=False):
        axis.set_ylabel(words)
        for name, color, label in (
            (key, theme.train, "training"),
            (f"val_{key}", theme.val, "validation"),
        ):
            values = finite(row.get(name) for row in history)
            if not np.isnan(values).all():
                axis.plot(epochs, values, color=color, label=label,
                          marker="o", markersize=3)  # fmt: skip
    if "accuracy" in panels[1][0]:
        # A spike of few pictures shall not look like a mountain.
        low, high = axes[1].get_ylim()
        axes[1].set_ylim(min(low, 0.9), min(high, MOST_OF_A_SHARE))


def finite(values) -> np.ndarray:
    """Numbers, with NaN for what is missing, infinite or empty."""
    numbers = np.array([np.nan if v in (None, "") else v for v in values])
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _mark_phases(axes, history: Sequence[Mapping], theme: Theme) -> None:
    """A line where a phase begins, and its name above."""
    begins = [
        (row["epoch"], row["phase"])
        for before, row in zip([None, *history], history, strict=False)
        if before is None or before["phase"] != row["phase"]
    ]
    for number, (epoch, name) in enumerate(begins):
        if number:
            for axis in axes:
                axis.axvline(epoch - 0.5, color=theme.quiet, linestyle="--",
                             linewidth=1)  # fmt: skip
        # At two heights, so that the name of a short phase stays readable.
        height = 1.02 + 0.08 * (number % 2)
        where = axes[0].get_xaxis_transform()
        axes[0].text(epoch - 0.4, height, short_name(name), transform=where,
                     color=theme.ink, parse_math=False)  # fmt: skip
