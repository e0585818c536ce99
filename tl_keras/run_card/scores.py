"""Metrics -> the rows of the table that stands first on a run's page.

    rows = scoreboard(metrics)
    rows[0]["name"], rows[0]["value"]    # "frozen backbone", "93.1 %"

In: metrics with their card. Out: a row a model, as texts and as places on the
card's axis; last what costs nothing to answer, which a model has to beat.
"""

from collections.abc import Mapping, Sequence

from tl_keras.run_card import task_words, words
from tl_keras.run_card.axis import Axis

BESIDE = ("published", "scratch", "baseline")


def scoreboard(metrics: Mapping) -> list[dict]:
    """One row a model: the phases, what stands beside, the simplest answer.

    Args:
        metrics: with their card.

    Returns:
        `name`, `kept`, the texts `value`, `interval` and `beside`, and `bar`
        (left end, width, place of the value, in percent; or None) of each.
    """
    first, second = task_words.main_numbers(metrics)
    axis = Axis(*metrics["card"].get("axis", (0.0, 1.0)))
    rows = [
        _row(name, kept, test, (first, second), axis)
        for name, kept, test in _tests(metrics)
    ]
    simplest = _simplest(metrics)
    if simplest and rows:
        name, value = simplest
        rows.append(
            {
                "name": name, "kept": False,
                "value": task_words.on_page(first, value),
                "interval": "", "beside": "", "bar": None,
            }
        )  # fmt: skip
    return rows


def ends(metrics: Mapping) -> list[str]:
    """Both ends of the card's axis and its middle, as texts."""
    first, _ = task_words.main_numbers(metrics)
    axis = Axis(*metrics["card"].get("axis", (0.0, 1.0)))
    return [task_words.on_page(first, tick) for tick in axis.ticks()]


def axis_of(metrics: Mapping) -> Axis:
    """The axis on which the intervals of all models are drawn."""
    first, _ = task_words.main_numbers(metrics)
    intervals = [test[f"{first}_interval"] for *_, test in _tests(metrics)]
    limits = (0.0, 1.0) if first in task_words.SHARES else (0.0,)
    return Axis.around(intervals, *limits)


def _tests(metrics: Mapping) -> list[tuple[str, bool, Mapping]]:
    """Name, whether it is kept, and numbers of each model."""
    tests = [
        (phase["name"], task_words.is_kept(phase, metrics), phase["test"])
        for phase in metrics.get("phases", ())
    ]
    return tests + [
        (other, other == "published", metrics[other]["test"])
        for other in BESIDE
        if other in metrics
    ]


def _row(
    name: str, kept: bool, test: Mapping, numbers: Sequence[str], axis: Axis
) -> dict:
    first, second = numbers
    low, high = test[f"{first}_interval"]
    return {
        "name": words.phase_name(name),
        "kept": kept,
        "value": task_words.on_page(first, test[first]),
        "interval": task_words.range_on_page(first, (low, high)),
        "beside": task_words.on_page(second, test[second]),
        "bar": (*axis.bar((low, high)), axis.place(test[first])),
    }


def _simplest(metrics: Mapping) -> tuple[str, float] | None:
    """What answering without looking is worth, and what that is."""
    card = metrics["card"]
    if "majority" in card:
        return "always the most frequent class", card["majority"]["accuracy"]
    found = card.get("section", {}).get("simplest")
    return (found["name"], found["value"]) if found else None
