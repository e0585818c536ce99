"""Runs that were asked the same test examples -> what a paired test says.

    rows = paired_runs(records, names)
    rows[0]["sentence"]

In: the records of runs, and what each is called. Out: plain numbers and a
sentence a pair. Only examples with the same id and the same truth count; where
there are too few of these, the sentence says that there is no test.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras.run_card import figures, task_words
from tl_keras.run_card.files import RunRecord
from tl_keras.tasks.multiclass.pairing import paired_comparison, paired_counts

# Of the test split's examples, so many have to be the same.
FEWEST_SHARED = 10
VERDICTS = {"better": "is better than", "worse": "is worse than"}


def paired_runs(
    records: Sequence[RunRecord], names: Sequence[str]
) -> list[dict]:
    """Each run against each before it, by the examples that both were asked.

    Args:
        records: two or more, of one task.
        names: what each is called.

    Returns:
        `first`, `second` and `sentence` a pair; where they share examples also
        `examples`, `difference`, `interval`, `p_value` and `verdict`.
    """
    pairs = []
    for one, two in itertools.combinations(range(len(records)), 2):
        pair = {"first": names[one], "second": names[two]}
        found = _compared(pair, records[one], records[two])
        if isinstance(found, str):
            found = {
                "sentence": f"{names[two]} and {names[one]}: no paired test, "
                f"{found}"
            }
        pairs.append({**pair, **found})
    return pairs


def _compared(pair: Mapping, first: RunRecord, second: RunRecord) -> dict | str:
    """What a paired test says; or why there is none."""
    if task_words.of_classes(first.metrics):
        return _of_classes(pair, first, second)
    names = first.metrics["class_names"]
    if set(names) != set(second.metrics["class_names"]):
        return "since they do not predict the same labels or columns"
    rows = [_by_id(record, names) for record in (first, second)]
    shared = _shared(*rows)
    if len(shared) < FEWEST_SHARED:
        return _too_few(shared)
    asked = [[some[id_][1] for id_ in shared] for some in rows]
    found = first.task.compare_rows(*asked, names)
    if found is None:
        return f"which is not there for {first.task.name}"
    found["examples"] = len(shared)
    main, _ = task_words.main_numbers(first.metrics)
    return {**found, "sentence": _sentence(pair, main, found)}


def _by_id(record: RunRecord, names: Sequence[str]) -> dict[str, tuple]:
    """Test example -> its truth and its row."""
    task = record.task
    return {row["id"]: (task.truth_of(row, names), row) for row in record.rows}


def _shared(one: Mapping[str, tuple], two: Mapping[str, tuple]) -> list[str]:
    """Examples that both were asked, with the same truth."""
    return [
        id_ for id_, (truth, *_) in one.items()
        if id_ in two and two[id_][0] == truth
    ]  # fmt: skip


def _too_few(shared: Sequence[str]) -> str:
    return f"since they share {len(shared):,} test examples"


def _sentence(pair: Mapping, main: str, found: Mapping) -> str:
    """Of the mean of a number, whatever it is called."""
    if not found["difference"] and not any(found["interval"]):
        return (
            f"{pair['second']} and {pair['first']} are equally good on the "
            f"same {found['examples']:,} examples"
        )

    def signed(value: float) -> str:
        shown = task_words.shown(main, value)
        return f"+{shown}" if value > 0 else shown

    low, high = map(signed, found["interval"])
    return (
        f"{_verdict(pair, found)} ({task_words.title(main)} "
        f"{signed(found['difference'])}, 95 % interval {low} to {high}, on the "
        f"same {found['examples']:,} examples; "
        f"{figures.p_value(found['p_value'])} by {found['test']})"
    )


def _verdict(pair: Mapping, found: Mapping) -> str:
    verdict = VERDICTS.get(found["verdict"])
    if verdict:
        return f"{pair['second']} {verdict} {pair['first']}"
    return (
        f"{pair['second']} and {pair['first']}: cannot tell which is better at "
        "this size"
    )


def _of_classes(
    pair: Mapping, first: RunRecord, second: RunRecord
) -> dict | str:
    """One class of several: four counts say all."""
    answers = [_answers(record) for record in (first, second)]
    shared = _shared(*answers)
    if len(shared) < FEWEST_SHARED:
        return _too_few(shared)
    labels = np.array([answers[0][id_][0] for id_ in shared])
    one, two = (np.array([some[id_][1] for id_ in shared]) for some in answers)
    counts = paired_counts(labels, one, two)
    found = paired_comparison(counts)
    return {
        **counts, **found, "examples": len(shared),
        "sentence": _sentence_of_classes(pair, counts, found),
    }  # fmt: skip


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


def _sentence_of_classes(pair: Mapping, counts: Mapping, found: Mapping) -> str:
    if not counts["first_only"] and not counts["second_only"]:
        return (
            f"{pair['second']} and {pair['first']} are right and wrong on the "
            f"same {sum(counts.values()):,} examples"
        )
    low, high = found["interval"]
    return (
        f"{_verdict(pair, found)} "
        f"({figures.points(found['difference'])} points, 95 % interval "
        f"{figures.points(low)} to {figures.points(high)}; "
        f"{counts['second_only']:,} won, {counts['first_only']:,} lost of "
        f"{sum(counts.values()):,}, {figures.p_value(found['p_value'])} by "
        "McNemar's exact test)"
    )
