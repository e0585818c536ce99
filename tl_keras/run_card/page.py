"""A run's folder -> report.html, report.md, and the card in metrics.json.

    metrics = write_card("saved_models/flowers/run", album, model)

In: the files of a run; an album and the model for the pictures, where there
are any. Out: the page. It comes from those files alone, so it can be made
again, and shows no path, user or host.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from tl_keras import atomic, pages
from tl_keras.run_card import task_page, task_words, words
from tl_keras.run_card.confusion_plot import confusion_figure, confusion_side
from tl_keras.run_card.curves_plot import curves_figure
from tl_keras.run_card.export_words import regression
from tl_keras.run_card.files import RunRecord, read_run, write_metrics
from tl_keras.run_card.gallery import Album, Gallery, why_no_previews
from tl_keras.run_card.markdown import as_markdown
from tl_keras.run_card.numbers import card_numbers
from tl_keras.run_card.page_values import page_values
from tl_keras.run_card.plot_files import in_both_themes
from tl_keras.run_card.reason_words import reasons
from tl_keras.run_card.reliability_plot import reliability_figure
from tl_keras.run_card.statistics import has_curves
from tl_keras.runs import RunFolder

MAX_HEAT = 12  # examples of a kind that are explained
WIDE_FROM = 6  # inches of a confusion matrix that needs all the width
GALLERY = (
    ("mistakes", "Wrong, the surest first"),
    ("uncertain", "Least certain"),
    ("right", "Right, a few of each class"),
)


def write_card(
    folder: str | os.PathLike,
    album: Album | None = None,
    model: keras.Model | None = None,
    no_previews: str = "",
) -> dict:
    """Writes report.html and report.md, and the card into metrics.json.

    Args:
        folder: `run/`, with metrics.json in it.
        album: finds the pictures again; None shows none.
        model: pixels (batch, size, size, 3), 0 to 255 -> probabilities, for
            Grad-CAM; None shows none.
        no_previews: why there is no album, in words for the page.

    Returns:
        The metrics, with `card`.

    Raises:
        DataError: the folder holds no run, or its files do not fit together.
    """
    folder = RunFolder(pathlib.Path(folder))
    record = read_run(folder.path)
    metrics = {**record.metrics, "card": card_numbers(record)}
    gallery = Gallery(metrics.get("class_names", ()), album, model)
    if not task_words.of_classes(metrics):
        page = task_page.render_page(record, metrics, gallery, no_previews)
        markdown = task_page.as_markdown(metrics)
    else:
        page = pages.render(
            "report.html", **_view(record, metrics, gallery, no_previews)
        )
        markdown = as_markdown(metrics)
    with atomic.replacing(folder.page) as temporary:
        temporary.write_text(page, encoding="utf-8")
    with atomic.replacing(folder.markdown) as temporary:
        temporary.write_text(markdown, encoding="utf-8")
    write_metrics(folder.metrics, metrics)
    return metrics


def _view(
    record: RunRecord, metrics: Mapping, gallery: Gallery, no_previews: str
) -> dict:
    """What the template is filled with."""
    names = metrics.get("class_names", [])
    view = page_values(record, metrics, gallery) | {
        "names": names,
        "headline": words.headline(metrics),
        "reasons": reasons(metrics),
        "curves": _curves(record, metrics),
        "against_earlier": regression(
            metrics["regression"], words.many(metrics)
        )
        if "regression" in metrics
        else [],
        "wide": bool(names) and confusion_side(names) > WIDE_FROM,
    }
    lost = metrics.get("regression", {}).get("lost", ())
    view |= _plots(metrics["card"], names)
    view |= _pictures(metrics["card"], gallery, lost)
    view["has_heat"] = any(
        card["heat"] for _, cards in view["galleries"] for card in cards
    )
    return view | {"no_previews": why_no_previews(gallery, no_previews)}


def _pictures(card: Mapping, gallery: Gallery, lost: Sequence[Mapping]) -> dict:
    """Cards of test pictures, of label issues and of what a version lost."""
    examples = card.get("gallery", {})
    # A map for each of many mistakes would take long on a large network.
    gallery.look([e for kind in examples.values() for e in kind[:MAX_HEAT]])
    # The many right ones last, should the page become too large.
    return {
        "pairs": [
            (pair, gallery.card(example))
            for pair, example in zip(
                card.get("confused_pairs", ()),
                examples.get("pairs", ()),
                strict=True,
            )
        ],
        "lost": [(row, gallery.plain("test", row["id"])) for row in lost],
        "galleries": [
            (title, [gallery.card(e) for e in examples[kind]])
            for kind, title in GALLERY
            if examples.get(kind)
        ],
    }


def _plots(card: Mapping, names: Sequence[str]) -> dict:
    """Confusion matrix and reliability diagram; "" without predictions."""
    if "confusion" not in card:
        return {"confusion": "", "reliability": ""}
    matrix = np.zeros((len(names), len(names)), int)
    for true, predicted, count in card["confusion"]:
        matrix[true, predicted] = count
    return {
        "confusion": in_both_themes(confusion_figure, matrix, names),
        "reliability": in_both_themes(
            reliability_figure, card["calibration"]["bins"]
        ),
    }


def _curves(record: RunRecord, metrics: Mapping) -> tuple[str, str] | str:
    if not has_curves(record.history):
        return ""
    kept = [
        p["best_epoch"]
        for p in metrics.get("phases", ())
        if p["name"] == metrics["kept_phase"]
    ]
    rows = [
        {**row, "phase": words.phase_name(row["phase"])}
        for row in record.history
    ]
    return in_both_themes(curves_figure, rows, kept[0] if kept else None)
