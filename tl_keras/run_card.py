"""Results -> the files that people and programs read after a run.

In: metrics, an `Evaluation`, a history. Out, each complete or absent:
metrics.json (every number), predictions.csv (one row an example), curves.png
and confusion.png. They work on any run's numbers and know no settings.
"""

import csv
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import tl_keras
from tl_keras import atomic
from tl_keras.evaluation import Evaluation

# Okabe and Ito's colours, which colour-blind people can tell apart.
TRAIN_COLOR, VAL_COLOR, BEST_COLOR = "#0072B2", "#D55E00", "#009E73"
MOST_NAMES = 40  # labels of more classes than this would not be readable
MOST_NUMBERS = 20  # nor would the counts in the cells


def write_metrics(path: str | os.PathLike, metrics: Mapping) -> None:
    """Writes numbers as JSON; refuses NaN, which is no JSON."""
    with atomic.replacing(path) as temporary:
        text = json.dumps(metrics, indent=2, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_predictions(
    path: str | os.PathLike,
    evaluation: Evaluation,
    ids: Sequence[str],
    class_names: Sequence[str],
) -> None:
    """One row an example: id,label,predicted,score, then p:<class> each."""
    header = ["id", "label", "predicted", "score"]
    header += [f"p:{name}" for name in class_names]
    with (
        atomic.replacing(path) as temporary,
        open(
            temporary, "w", newline="", encoding="utf-8",
            errors="backslashreplace",
        ) as stream,
    ):  # fmt: skip
        writer = csv.writer(stream)
        writer.writerow(header)
        rows = zip(
            ids,
            evaluation.labels,
            evaluation.predicted,
            evaluation.probabilities,
            strict=True,
        )
        for id_, label, predicted, row in rows:
            shown = [f"{p:.6g}" for p in (row[predicted], *row)]
            writer.writerow(
                [id_, class_names[label], class_names[predicted], *shown]
            )


def _save(figure: Figure, path: str | os.PathLike) -> None:
    # A canvas of its own: no display, and no figure kept alive by pyplot.
    FigureCanvasAgg(figure)
    with atomic.replacing(path) as temporary:
        figure.savefig(
            temporary,
            dpi=120,
            format="png",
            bbox_inches="tight",
            pad_inches=0.1,
        )


def plot_curves(
    path: str | os.PathLike,
    history: Sequence[Mapping],
    kept_epoch: int | None = None,
) -> None:
    """Loss, accuracy and learning rate over the epochs of all phases.

    Args:
        path: a .png.
        history: rows with phase, epoch, cross_entropy, accuracy,
            learning_rate and, with validation, val_cross_entropy and
            val_accuracy. A learning rate of 0 is none: a head that was
            solved.
        kept_epoch: the one whose weights are kept.
    """
    figure = Figure(figsize=(8, 7), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True, height_ratios=[3, 3, 1.4])
    epochs = [row["epoch"] for row in history]
    panels = (("cross_entropy", "cross-entropy"), ("accuracy", "accuracy"))
    for axis, (key, words) in zip(axes, panels, strict=False):
        axis.set_ylabel(words)
        for name, color, label in (
            (key, TRAIN_COLOR, "training"),
            (f"val_{key}", VAL_COLOR, "validation"),
        ):
            values = [row.get(name, np.nan) for row in history]
            if not np.isnan(values).all():
                axis.plot(epochs, values, color=color, label=label,
                          marker="o", markersize=3)  # fmt: skip
        if kept_epoch is not None:
            axis.plot([], [], color=BEST_COLOR, alpha=0.7, label="kept")
        axis.legend(frameon=False)
    rates = [row["learning_rate"] or np.nan for row in history]
    axes[2].plot(epochs, rates, color="0.3", marker=".")
    axes[2].set_ylabel("learning rate\nat epoch's end")
    axes[2].set_ylim(bottom=0)
    axes[2].set_xlabel("epoch")
    if len(epochs) <= 12:
        axes[2].set_xticks(epochs)
    else:
        axes[2].xaxis.get_major_locator().set_params(integer=True)
    # A single epoch would stand between fractions of epochs.
    axes[2].set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    for axis in axes:
        if kept_epoch is not None:
            axis.axvline(kept_epoch, color=BEST_COLOR, alpha=0.7, zorder=0)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    _mark_phases(axes, history)
    _save(figure, path)


def _mark_phases(axes, history: Sequence[Mapping]) -> None:
    """A line where a phase begins, and its name above."""
    begins = [
        (row["epoch"], row["phase"])
        for before, row in zip([None, *history], history, strict=False)
        if before is None or before["phase"] != row["phase"]
    ]
    for number, (epoch, name) in enumerate(begins):
        if number:
            for axis in axes:
                axis.axvline(epoch - 0.5, color="0.6", linestyle="--")
        # At two heights, so that the name of a short phase stays readable.
        height = 1.02 + 0.07 * (number % 2)
        where = axes[0].get_xaxis_transform()
        axes[0].text(epoch, height, name, transform=where)


def plot_confusion(
    path: str | os.PathLike, confusion: np.ndarray, class_names: Sequence[str]
) -> None:
    """The confusion matrix, shaded by the share of each true class.

    Args:
        path: a .png.
        confusion: counts (n, n), rows are true classes.
        class_names: n names.
    """
    count = len(class_names)
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(0.5 * count + 2.5, 4.5, 14))
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    if count <= MOST_NAMES:
        # Names are data: a dollar sign is no mathematics.
        names = [name.replace("$", r"\$") for name in class_names]
        axis.set_xticks(range(count), names, rotation=45, ha="right")
        axis.set_yticks(range(count), names)
    if count <= MOST_NUMBERS:
        for row in range(count):
            for column in range(count):
                axis.text(
                    column, row, f"{confusion[row, column]:,}",
                    ha="center", va="center", fontsize=8,
                    color="white" if share[row, column] > 0.5 else "black",
                )  # fmt: skip
    _save(figure, path)


def versions() -> dict[str, str]:
    """Versions of what computed a run, for its record."""
    names = ("tensorflow", "keras", "numpy", "scikit-learn", "pillow")
    return {
        "tl_keras": tl_keras.__version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in names},
    }
