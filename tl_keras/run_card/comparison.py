"""Several runs -> what differs between them, and whether it matters.

    numbers = compare_records([read_run(one), read_run(other)])
    html = render_comparison(numbers, records, links)

In: the records of runs, the first of which the others are compared with. Out:
plain numbers, and a page. Where two runs were asked the same test examples the
comparison is paired; elsewhere there are intervals alone, and it is said.
"""

from collections.abc import Mapping, Sequence

from tl_keras import pages
from tl_keras.errors import DataError
from tl_keras.run_card import task_words, words
from tl_keras.run_card.axis import Axis
from tl_keras.run_card.comparison_plot import (
    comparison_figure,
    comparison_panels,
    has_validation,
)
from tl_keras.run_card.files import RunRecord
from tl_keras.run_card.numbers import shown_settings
from tl_keras.run_card.paired_runs import paired_runs
from tl_keras.run_card.plot_files import in_both_themes
from tl_keras.run_card.statistics import has_curves

# Where a run lies is no setting that its numbers come from.
PLACES = ("name", "output_dir")
UNSET = "not set"


def compare_records(records: Sequence[RunRecord]) -> dict:
    """Numbers of several runs, ready for JSON.

    Args:
        records: two or more; the first is what the others are compared with.

    Returns:
        `main` and `second`, the names of the two numbers that count; `runs`,
        one each; `settings` that differ, name -> a text a run; `pairs`.

    Raises:
        DataError: they predict different things.
    """
    tasks = {record.task.name for record in records}
    if len(tasks) > 1:
        raise DataError(
            f"--runs: expected runs of one task, received {', '.join(tasks)} "
            "- compare those that predict the same"
        )
    main, second = task_words.main_numbers(records[0].metrics)
    names = _names(records)
    return {
        "main": main,
        "second": second,
        "runs": [_run(*pair) for pair in zip(records, names, strict=True)],
        "settings": _differing(records),
        "pairs": paired_runs(records, names),
    }


def _names(records: Sequence[RunRecord]) -> list[str]:
    """What each is called; those of one name are numbered."""
    names = [record.name for record in records]
    return [
        name if names.count(name) == 1 else f"{name} ({place})"
        for place, name in enumerate(names, 1)
    ]


def _run(record: RunRecord, name: str) -> dict:
    metrics = record.metrics
    model, export = metrics["model"], metrics.get("export") or {}
    return {
        "name": name,
        "backbone": model["backbone"],
        "parameters": model["parameters"],
        "kept": words.phase_name(metrics.get("kept_phase", "")),
        "test": metrics.get("test"),
        "version": export.get("version"),
        "seconds": metrics["seconds"]["total"],
        "latency_seconds": metrics.get("cost", {}).get("latency_seconds"),
    }


def _differing(records: Sequence[RunRecord]) -> dict[str, list[str]]:
    settings = [shown_settings(record) for record in records]
    names = dict.fromkeys(name for shown in settings for name in shown)
    rows = {
        name: [shown.get(name, UNSET) for shown in settings]
        for name in names
        if name not in PLACES
    }
    return {name: row for name, row in rows.items() if len(set(row)) > 1}


def render_comparison(
    numbers: Mapping, records: Sequence[RunRecord], links: Sequence[str]
) -> str:
    """The page of a comparison.

    Args:
        numbers: of `compare_records`.
        records: the same runs.
        links: the address of each one's own page; "" where there is none.

    Returns:
        A whole HTML page.
    """
    main = numbers["main"]
    tests = [run["test"] for run in numbers["runs"] if run["test"]]
    share = main in task_words.SHARES
    axis = Axis.around(
        [test[f"{main}_interval"] for test in tests],
        *((0.0, 1.0) if share else ()),
    )
    rows = [
        {**run, "link": link, "bar": None, "told": "", "beside": ""}
        for run, link in zip(numbers["runs"], links, strict=True)
    ]
    for row in rows:
        if test := row["test"]:
            row["bar"] = (*axis.bar(test[f"{main}_interval"]),
                          axis.place(test[main]))  # fmt: skip
            ends = task_words.range_on_page(main, test[f"{main}_interval"])
            row["told"] = f"{task_words.on_page(main, test[main])} ({ends})"
            row["beside"] = task_words.on_page(
                numbers["second"], test[numbers["second"]]
            )
    return pages.render(
        "comparison.html",
        rows=rows,
        numbers=numbers,
        titles=[task_words.title(numbers[n]) for n in ("main", "second")],
        ends=[task_words.on_page(main, tick) for tick in axis.ticks()],
        curves=_curves(numbers, records),
        notes=_curve_notes(numbers, records),
    )


def _curves(
    numbers: Mapping, records: Sequence[RunRecord]
) -> list[tuple[str, str]]:
    """A picture a column, in both themes, of the runs that have curves."""
    histories = {
        run["name"]: record.history
        for run, record in zip(numbers["runs"], records, strict=True)
        if has_curves(record.history)
    }
    if not histories:
        return []
    return [
        in_both_themes(comparison_figure, histories, *panel)
        for panel in comparison_panels(histories)
    ]


def _curve_notes(numbers: Mapping, records: Sequence[RunRecord]) -> list[str]:
    """What a reader of the curves would miss, or wonder at."""
    names = [run["name"] for run in numbers["runs"]]
    pairs = list(zip(names, records, strict=True))
    flat = [name for name, record in pairs if not has_curves(record.history)]
    dotted = any(
        has_curves(record.history) and not has_validation(record.history)
        for record in records
    )
    notes = [f"No curves of {', '.join(flat)}: too few epochs."] if flat else []
    if dotted:
        notes.append("Dotted: a run without validation, by its training.")
    return notes
