"""What a search tried -> the table of the run's page.

In: metrics. Out: rows of texts; none where no strategy was searched.
"""

from collections.abc import Mapping

from tl_keras.run_card import task_words
from tl_keras.run_card.figures import short_loss
from tl_keras.run_card.search_words import FROZEN


def search_header(metrics: Mapping) -> list[str]:
    """What the columns of `search_rows` are called."""
    main, _ = task_words.main_numbers(metrics)
    return [
        "way", "labels that judged", "cost (95 % interval)",
        f"{task_words.title(main)} (95 % interval)", "share", "seconds", "",
    ]  # fmt: skip


def search_rows(metrics: Mapping) -> list[list[str]]:
    """The table of candidates, one row each, as of `search_header`."""
    found = metrics.get("search")
    if not found:
        return []
    main, _ = task_words.main_numbers(metrics)
    return [_row(found, way, main) for way in found["candidates"]]


def _row(found: Mapping, way: Mapping, main: str) -> list[str]:
    name = "the frozen head" if way["name"] == FROZEN else way["name"]
    kept = way["name"] == found["kept"]
    low, high = way["cost_interval"]
    return [
        name,
        f"{way['examples']:,}",
        f"{short_loss(way['cost'])} ({short_loss(low)} to {short_loss(high)})",
        task_words.with_interval(main, way),
        "" if way["name"] == FROZEN else f"{100 * way['share']:.0f} %",
        f"{way['seconds']:.1f}",
        "kept" if kept else way["stopped"],
    ]


def search_view(metrics: Mapping) -> dict:
    """What search.html shows: `header` and `rows`."""
    return {"header": search_header(metrics), "rows": search_rows(metrics)}
