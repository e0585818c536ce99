"""Metrics with their card -> report.md, for a pull request.

In: the numbers. Out: Markdown without HTML. Names are data: they stand in code
spans, where nothing of them is markup.
"""

import re
from collections.abc import Mapping

from tl_keras import pages
from tl_keras.run_card import (
    export_words,
    figures,
    next_words,
    search_table,
    task_words,
    words,
)
from tl_keras.run_card.reason_words import reasons

MAX_CLASSES = 10
TWICE = ", which the network sees twice, mirrored too (--test_time_views)"


def as_markdown(metrics: Mapping) -> str:
    """A run in a page of Markdown."""
    card = metrics["card"]
    lines = [f"# {code(card['name'])}: run card", "", words.headline(metrics)]
    lines += ["", *(f"- {plain(line)}" for line in reasons(metrics)), ""]
    if "test" in metrics:
        lines += _scores(metrics) + _mistakes(metrics)
    for part in (advice_lines, _search, _publishing):
        lines += part(metrics)
    lines += _data(card) + _cost(metrics)
    lines += [
        "## Repeat it",
        "",
        "    python -m tl_keras.train --flagfile=run.flags --output_dir=NEW",
        "",
        f"Seed {metrics['seed']}, data fingerprint "
        f"`{metrics['data']['fingerprint'][:16]}`.",
    ]
    return "\n".join(lines) + "\n"


def code(name: str) -> str:
    """A name as a code span that nothing in it can end."""
    # A table's cell ends at a pipe even inside a code span.
    shown = pages.escape_controls(name).replace("|", "\\|") or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{shown}{space}{fence}"


def plain(text: str) -> str:
    """A line of ours that may quote others' words: no markup in it."""
    return re.sub(r"([\\`*_{}\[\]<>|#!~@])", r"\\\1", text)


def _scores(metrics: Mapping) -> list[str]:
    rows = [
        "| test split | accuracy | 95 % interval | macro-F1 |",
        "|---|---|---|---|",
    ]
    tests = [
        (p["name"], p["test"], task_words.is_kept(p, metrics))
        for p in metrics["phases"]
    ]
    tests += [
        (other, metrics[other]["test"], other == "published")
        for other in ("published", "scratch", "baseline")
        if other in metrics
    ]
    for name, test, kept in tests:
        mark = " (kept)" if kept else ""
        rows.append(
            f"| {plain(words.phase_name(name))}{mark} | "
            f"{figures.percent(test['accuracy'])} | "
            f"{figures.interval(test['accuracy_interval'])} | "
            f"{test['macro_f1']:.3f} |"
        )
    majority = metrics["card"]["majority"]
    rows.append(
        f"| always {code(majority['class'])} | "
        f"{figures.percent(majority['accuracy'])} | | |"
    )
    return [*rows, ""]


def _mistakes(metrics: Mapping) -> list[str]:
    card, names = metrics["card"], metrics["class_names"]
    lines = [
        f"Expected calibration error: {card['calibration']['ece']:.3f}.",
        "",
    ]
    if card["confused_pairs"]:
        lines += ["## Most confused", ""]
        lines += [
            f"- {code(names[p['true']])} taken for "
            f"{code(names[p['predicted']])}: {p['count']:,} of {p['of']:,}"
            for p in card["confused_pairs"]
        ]
        lines += [""]
    lines += [
        "## Classes with the lowest F1",
        "",
        f"| class | F1 | precision | recall | {words.many(metrics)} |",
        "|---|---|---|---|---|",
    ]
    for number in card["worst_classes"][:MAX_CLASSES]:
        row = metrics["test"]["per_class"][names[number]]
        lines.append(
            f"| {code(names[number])} | {row['f1']:.3f} | "
            f"{row['precision']:.3f} | {row['recall']:.3f} | "
            f"{row['support']:,} |"
        )
    return [*lines, ""]


def _publishing(metrics: Mapping) -> list[str]:
    """Rounding, an earlier version, and the files for other runtimes."""
    lines = []
    told = export_words.rounding(
        metrics.get("export") or {}, words.many(metrics)
    )
    if told:
        lines += ["## Rounding", ""]
        lines += [*(f"- {plain(line)}" for line in told), ""]
    if "regression" in metrics:
        many = words.many(metrics)
        told = export_words.regression(metrics["regression"], many)
        lines += ["## Against an earlier version", ""]
        lines += [*(f"- {plain(line)}" for line in told)]
        lines += [
            f"- lost: {code(row['id'])} of {code(row['label'])}, now "
            f"{code(row['new'])}"
            for row in metrics["regression"].get("lost", ())
        ]
        lines += [""]
    if "runtimes" in metrics:
        lines += [
            "## Other runtimes",
            "",
            "| file | MB | accuracy on test | largest difference |",
            "|---|---|---|---|",
        ]
        lines += [_file(file) for file in metrics["runtimes"].values()]
        lines += [""]
    return lines


def advice_lines(metrics: Mapping) -> list[str]:
    """What to do next."""
    # Sentences with names are the page's: here nothing may end a code span.
    told = next_words.measured_advice(metrics)
    told += next_words.deeper_or_not(metrics)
    if not told:
        return []
    return ["## What next", "", *(f"- {plain(line)}" for line in told), ""]


def _search(metrics: Mapping) -> list[str]:
    """What a search tried."""
    rows = search_table.search_rows(metrics)
    if not rows:
        return []
    header = search_table.search_header(metrics)
    lines = [header, ("---",) * len(header), *map(tuple, rows)]
    cells = [" | ".join(plain(cell) for cell in line) for line in lines]
    return ["## Ways to adapt", "", *(f"| {line} |" for line in cells), ""]


def _data(card: Mapping) -> list[str]:
    """What the check warned of."""
    warnings = card["data"].get("warnings", ())
    if not warnings:
        return []
    # They quote names of files.
    return ["## Data", "", *(f"- {code(line)}" for line in warnings), ""]


def _file(file: Mapping) -> str:
    name = code(file["file"])
    if file["refused"]:
        return f"| {name} | not written: {plain(file['refused'])} | | |"
    accuracy = figures.percent(file["accuracy"])
    return (
        f"| {name} | {file['bytes'] / 1e6:,.2f} | {accuracy} | "
        f"{file['largest_difference']:.3f} |"
    )


def _cost(metrics: Mapping) -> list[str]:
    cost = metrics.get("cost", {})
    lines = [
        "## Cost",
        "",
        f"- {metrics['seconds']['total']:.1f} seconds in all on "
        f"{metrics['device']}",
    ]
    if "peak_memory_bytes" in cost:
        most = cost["peak_memory_bytes"] / 1e6
        lines.append(f"- {most:,.0f} MB of memory at most")
    if "peak_device_memory_bytes" in cost:
        most = cost["peak_device_memory_bytes"] / 1e6
        lines.append(f"- {most:,.0f} MB of the GPU's memory at most")
    lines += [
        f"- {plain(words.phase_name(name))}: {figures.percent(share)} of its "
        "training waited for data"
        for name, share in cost.get("waiting_for_data", {}).items()
    ]
    if "latency_seconds" in cost:
        lines += [
            f"- {1000 * cost['latency_seconds']:.1f} ms for one "
            f"{words.one(metrics)}" + TWICE * ("test_time_views" in cost),
            f"- {cost['model_bytes'] / 1e6:,.1f} MB: model.keras",
        ]
    return [*lines, ""]
