"""A run's numbers -> plots: files for a folder, or pictures for a page.

    plot_curves("curves.png", history, kept_epoch=12)
    light, dark = in_both_themes(reliability_figure, bins)

In: histories, counts, bins. Out: PNG files, or SVG as `data:` addresses, drawn
for a light and for a dark page. Names are data: no mathematics in them, no
control characters, and long ones are cut.
"""

import base64
import contextlib
import dataclasses
import io
import itertools
import os
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tl_keras import atomic, pages

# A column of the history -> the two panels of a task that logs it.
PANELS = {
    "label_accuracy": (
        ("cross_entropy", "cross-entropy a label"),
        ("label_accuracy", "share of labels right"),
    ),
    "scaled_mae": (
        ("loss", "loss"),
        ("scaled_mae", "mean abs. error\nin deviations"),
    ),
    "accuracy": (("cross_entropy", "cross-entropy"), ("accuracy", "accuracy")),
}
MAX_NAMES = 100  # labels of more classes than this would not be readable
MANY_POINTS = 200
MAX_NUMBERS = 20  # nor would the counts in the cells
MOST_OF_A_SHARE = 1.005  # a mark at 1 is still seen whole
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


def in_both_themes(draw: Callable[..., Figure], *values) -> tuple[str, str]:
    """A plot as two data: addresses (SVG), for a light and a dark page.

    Args:
        draw: called as `draw(*values, theme=...)`, gives a Figure.
        *values: what it draws.

    Returns:
        (light, dark).
    """
    light = _svg(draw(*values, theme=LIGHT))
    if "<image" in light:  # Its shades are pixels, not names of colours.
        dark = _svg(draw(*values, theme=DARK))
    else:
        dark = _recolored(light)
    return _address(light), _address(dark)


def _recolored(svg: str) -> str:
    """A light plot in the dark colours: drawing it again takes far longer."""
    dark = dataclasses.asdict(DARK)
    colors = {c: dark[name] for name, c in dataclasses.asdict(LIGHT).items()}
    return re.sub("|".join(colors), lambda found: colors[found[0]], svg)


def _address(svg: str) -> str:
    encoded = base64.b64encode(svg.encode()).decode("ascii")
    return f"data:image/svg+xml;base64,{encoded}"


def _svg(figure: Figure) -> str:
    buffer = io.BytesIO()
    FigureCanvasSVG(figure)
    # Letters as outlines, the same everywhere; no date, so that the same
    # numbers give the same file.
    settings = {"svg.fonttype": "path", "svg.hashsalt": "tl_keras"}
    with matplotlib.rc_context(settings), _no_talk_of_glyphs():
        figure.savefig(
            buffer,
            format="svg",
            bbox_inches="tight",
            pad_inches=0.05,
            transparent=True,
            metadata={"Date": None, "Creator": None},
        )
    return buffer.getvalue().decode("utf-8")


def _save(figure: Figure, path: str | os.PathLike) -> None:
    # A canvas of its own: no display, and no figure kept alive by pyplot.
    FigureCanvasAgg(figure)
    with atomic.replacing(path) as temporary, _no_talk_of_glyphs():
        figure.savefig(
            temporary,
            dpi=120,
            format="png",
            bbox_inches="tight",
            pad_inches=0.1,
        )


@contextlib.contextmanager
def _no_talk_of_glyphs() -> Iterator[None]:
    """Silence about letters that the plots' font has not: a box is drawn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def short_name(name: str) -> str:
    """A name as an axis can hold it."""
    shown = pages.escape_controls(name)
    ends = list(itertools.accumulate(map(_columns, shown)))
    if not ends or ends[-1] <= NAME_LENGTH:
        return shown
    return shown[: sum(end < NAME_LENGTH for end in ends)] + "…"


def _columns(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


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
    _save(curves_figure(history, kept_epoch), path)


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
    if len(axes) > len(panels):
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
    for axis in axes[:2]:
        # A spike of few pictures shall not look like a mountain.
        if axis is axes[1] and "accuracy" in panels[1][0]:
            low, high = axis.get_ylim()
            axis.set_ylim(min(low, 0.9), min(high, MOST_OF_A_SHARE))
    if axes[0].get_legend_handles_labels()[1]:
        axes[0].legend(frameon=False, labelcolor=theme.ink)
    _mark_phases(axes, history, theme)
    return figure


def finite(values) -> np.ndarray:
    """Numbers, with NaN for what is missing, infinite or empty."""
    numbers = np.array([np.nan if v in (None, "") else v for v in values])
    return np.where(np.isfinite(numbers), numbers, np.nan)


def dress(axis, theme: Theme) -> None:
    axis.set_facecolor("none")
    axis.grid(color=theme.grid, linewidth=0.7)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(theme.quiet)
    axis.tick_params(colors=theme.quiet, labelcolor=theme.ink)
    axis.xaxis.label.set_color(theme.ink)
    axis.yaxis.label.set_color(theme.ink)


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


def plot_confusion(
    path: str | os.PathLike, confusion: np.ndarray, class_names: Sequence[str]
) -> None:
    """Writes `confusion_figure` as a .png.

    Args:
        path: the .png, replaced whole.
        confusion, class_names: as in `confusion_figure`.
    """
    _save(confusion_figure(confusion, class_names), path)


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
    names = [short_name(name) for name in class_names]
    longest = max(sum(map(_columns, name)) for name in names)
    # Names take room on two sides; the cells keep theirs.
    side = float(np.clip(0.36 * count + 1.4 + 0.11 * longest, 3.6, 14))
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
        size = float(np.clip(120 / count, 6.5, 10))
        turn = {"rotation": 90}
        if count <= 4 and longest <= 10:
            turn = {"rotation": 0}
        elif count <= 12:
            turn = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axis.set_xticks(range(count), names, fontsize=size, parse_math=False,
                        **turn)  # fmt: skip
        axis.set_yticks(range(count), names, fontsize=size, parse_math=False)
    if count <= MAX_NUMBERS:
        _write_counts(axis, confusion, share, theme)
    return figure


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


def reliability_figure(bins: Sequence[Mapping], theme: Theme = LIGHT) -> Figure:
    """How often it is right, against how sure it is; the counts beneath.

    Args:
        bins: rows with low, high, count, confidence and accuracy; those
            without examples have None.
        theme: colours.
    """
    figure = Figure(figsize=(5.2, 5.4), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    axes[0].plot([0, 1], [0, 1], color=theme.quiet, linestyle="--",
                 linewidth=1, label="as sure as right")  # fmt: skip
    filled = [b for b in bins if b["count"]]
    width = bins[0]["high"] - bins[0]["low"]
    middles = [(b["low"] + b["high"]) / 2 for b in filled]
    axes[0].bar(middles, [b["accuracy"] for b in filled], 0.94 * width,
                color=theme.train, alpha=0.85, label="measured")  # fmt: skip
    axes[0].scatter(
        [b["confidence"] for b in filled], [b["accuracy"] for b in filled],
        color=theme.val, s=18, zorder=3, label="mean probability, accuracy",
    )  # fmt: skip
    axes[0].set_ylabel("accuracy")
    axes[0].set_ylim(0, 1.02)
    axes[0].legend(frameon=False, labelcolor=theme.ink, loc="upper left")
    axes[1].bar(middles, [b["count"] for b in filled], 0.94 * width,
                color=theme.quiet)  # fmt: skip
    axes[1].set_ylabel("examples")
    axes[1].set_xlabel("probability of the predicted class")
    axes[1].set_xlim(0, 1)
    for axis in axes:
        dress(axis, theme)
    return figure


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
