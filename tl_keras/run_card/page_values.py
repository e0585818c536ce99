"""A run's numbers -> what the pages of all tasks are filled with.

    values = page_values(record, metrics, gallery)
    pages.render("report.html", **values, headline=headline, ...)

In: a record, its metrics with their card, a gallery. Out: values of
`templates/card.html` and of what it includes.
"""

import shlex
from collections.abc import Mapping

from tl_keras.inputs.kinds import nouns
from tl_keras.run_card import (
    figures,
    next_words,
    scores,
    search_table,
    task_words,
    words,
)
from tl_keras.run_card.export_words import rounding
from tl_keras.run_card.files import RunRecord
from tl_keras.run_card.gallery import Gallery
from tl_keras.run_card.numbers import MAX_DUPLICATES


def page_values(record: RunRecord, metrics: Mapping, gallery: Gallery) -> dict:
    """What every run's page shows, whatever was predicted.

    Args:
        record: the run's files.
        metrics: with their card.
        gallery: finds pictures again.

    Returns:
        Values by the names that the templates have for them.
    """
    one, many = nouns(metrics.get("input", "image"))
    card = metrics["card"]
    main = task_words.main_numbers(metrics)
    of_classes = task_words.of_classes(metrics)
    export = metrics.get("export") or {}
    return {
        "one": one,
        "many": many,
        "name": record.name,
        "metrics": metrics,
        "card": card,
        "of_classes": of_classes,
        # Excerpts want wider cards than pictures.
        "reading": " read" if one == "text" else "",
        "words": words,
        "figures": figures,
        "search": search_table.search_view(metrics),
        "verdict": next_words.verdict(metrics),
        "to_do": next_words.to_do(metrics),
        "limits": next_words.limits(metrics),
        "not_published": _not_published(metrics),
        "titles": [task_words.title(name) for name in main],
        "rows": scores.scoreboard(metrics),
        "explained": task_words.explained(metrics),
        "ends": scores.ends(metrics),
        # In words of probabilities and classes.
        "rounding": rounding(export, many) if of_classes else [],
        "has_data_page": bool(record.data_report),
        "duplicates": _duplicates(card, gallery),
        "label_issues": [
            (label_issue, gallery.plain("train", label_issue["id"]))
            for label_issue in card["data"].get("label_suspects", ())
        ],
        "curl": _curl(record.name, metrics),
    }


def _not_published(metrics: Mapping) -> list[str]:
    """Why it was not, as far as the lines under the verdict do not say it."""
    refused = metrics.get("regression", {}).get("refused", ())
    return [
        line
        for line in metrics.get("not_published", ())
        if not any(said in line for said in refused)
    ]


def _duplicates(card: Mapping, gallery: Gallery) -> list[dict]:
    """Groups of pictures that are the same or alike, doubtful ones first."""
    groups = []
    for group in card["data"].get("duplicates", ())[:MAX_DUPLICATES]:
        cards = [
            gallery.plain(picture["split"], picture["id"])
            for picture in group["pictures"][:2]
        ]
        labels = {c["label"] for c in cards if c["label"]}
        groups.append(
            {
                "kind": group["kind"],
                "cards": cards,
                "danger": "two labels" if len(labels) > 1 else "",
            }
        )
    return sorted(groups, key=lambda group: not group["danger"])


def _curl(name: str, metrics: Mapping) -> str:
    """The line that asks TensorFlow Serving, for a shell."""
    address = shlex.quote(f"http://127.0.0.1:8501/v1/models/{name}:predict")
    if metrics.get("input") == "text":
        return f"""curl -d '{{"instances": ["a text"]}}' {address}"""
    return (
        'curl -d "{\\"instances\\": [{\\"b64\\": '
        f'\\"$(base64 -w0 picture.jpg)\\"}}]}}" {address}'
    )
