"""Several runs -> what differs between them, and whether it matters.

    numbers = compare_records([read_run(one), read_run(other)])
    html = render_comparison(numbers, records, links)

In: the records of runs, the first of which the others are compared with. Out:
plain numbers, and a page. Where two runs were asked the same test examples the
comparison is paired; elsewhere there are intervals alone, and it is said.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras import pages
from tl_keras.errors import DataError
from tl_keras.run_card import plots, task_words, words
from tl_keras.run_card.axis import Axis
from tl_keras.run_card.comparison_plot import comparison_figure
from tl_keras.run_card.files import RunRecord
from tl_keras.run_card.numbers import shown_settings
from tl_keras.run_card.statistics import has_curves
from tl_keras.tasks.multiclass.pairing import paired_comparison, paired_counts

# Where a run lies is no setting that its numbers come from.
PLACES = ("name", "output_dir")
# Of the test split's examples, so many have to be the same.
FEWEST_SHARED = 10
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
    return {
        "main": main,
        "second": second,
        "runs": [
            _run(record, name)
            for record, name in zip(records, _names(records), strict=True)
        ],
        "settings": _differing(records),
        "pairs": _pairs(records),
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


def _pairs(records: Sequence[RunRecord]) -> list[dict]:
    """Each run against each before it, by the examples that both were asked."""
    names, pairs = _names(records), []
    for first, second in itertools.combinations(range(len(records)), 2):
        pair = {"first": names[first], "second": names[second]}
        counts = _counts(records[first], records[second])
        if isinstance(counts, str):
            told = (
                f"{names[second]} and {names[first]}: no paired test, {counts}"
            )
            pairs.append({**pair, "sentence": told})
            continue
        found = paired_comparison(counts)
        pairs.append(
            {
                **pair, **counts, **found,
                "sentence": _sentence(pair, counts, found),
            }
        )  # fmt: skip
    return pairs


def _counts(first: RunRecord, second: RunRecord) -> dict[str, int] | str:
    """How both did on the same examples; or why nobody can say."""
    if not task_words.of_classes(first.metrics):
        return "which is there for one class of several alone"
    answers = [_answers(record) for record in (first, second)]
    shared = [
        id_
        for id_, (label, _) in answers[0].items()
        if id_ in answers[1] and answers[1][id_][0] == label
    ]
    if len(shared) < FEWEST_SHARED:
        return f"since they share {len(shared):,} test examples"
    labels = np.array([answers[0][id_][0] for id_ in shared])
    one, two = (np.array([some[id_][1] for id_ in shared]) for some in answers)
    return paired_counts(labels, one, two)


def _answers(record: RunRecord) -> dict[str, tuple[str, str]]:
    """Test example -> its class and what it was taken for, by their names."""
    rows, names = record.predictions, record.metrics.get("class_names", ())
    if rows is None:
        return {}
    return {
        id_: (names[label], names[predicted])
        for id_, label, predicted in zip(
            rows.ids, rows.labels, rows.predicted, strict=True
        )
    }


def _sentence(pair: Mapping, counts: Mapping, found: Mapping) -> str:
    if not counts["first_only"] and not counts["second_only"]:
        return (
            f"{pair['second']} and {pair['first']} are right and wrong on the "
            f"same {sum(counts.values()):,} examples"
        )
    verdict = {
        "better": "is better than",
        "worse": "is worse than",
    }.get(found["verdict"], "or")
    unsure = ": cannot tell at this size" * (verdict == "or")
    low, high = found["interval"]
    return (
        f"{pair['second']} {verdict} {pair['first']}{unsure} "
        f"({words.points(found['difference'])} points, 95 % interval "
        f"{words.points(low)} to {words.points(high)}; "
        f"{counts['second_only']:,} won, {counts['first_only']:,} lost of "
        f"{sum(counts.values()):,}, {words.p_value(found['p_value'])} by "
        "McNemar's exact test)"
    )


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
            row["told"] = task_words.with_interval(main, test)
            row["beside"] = task_words.shown(
                numbers["second"], test[numbers["second"]]
            )
    return pages.render(
        "comparison.html",
        rows=rows,
        numbers=numbers,
        titles=[task_words.title(numbers[n]) for n in ("main", "second")],
        ends=[task_words.shown(main, end) for end in axis],
        curves=_curves(numbers, records),
    )


def _curves(
    numbers: Mapping, records: Sequence[RunRecord]
) -> tuple[str, str] | str:
    """Curves of those that have any: one dot is none."""
    series = {
        run["name"]: record.history
        for run, record in zip(numbers["runs"], records, strict=True)
        if has_curves(record.history)
    }
    if not series:
        return ""
    return plots.in_both_themes(comparison_figure, series)
