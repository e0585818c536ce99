"""The page of a run that predicts something else than one class of several.

    render_page(record, metrics, gallery, no_previews)
    as_markdown(metrics)

In: a record, its metrics with the card in them, whose `section` is the task's
(`Task.card`). Out: report.html and report.md, as texts.
"""

from collections.abc import Mapping

from tl_keras import pages
from tl_keras.run_card import next_words, scores, task_words, words
from tl_keras.run_card.curves_plot import curves_figure
from tl_keras.run_card.files import RunRecord
from tl_keras.run_card.gallery import Gallery, why_no_previews
from tl_keras.run_card.markdown import advice_lines, code, plain
from tl_keras.run_card.page_values import page_values
from tl_keras.run_card.plot_files import in_both_themes
from tl_keras.run_card.scatter_plot import scatter_figure
from tl_keras.run_card.statistics import has_curves
from tl_keras.tasks import stored_task

STOPPED = "This run stopped before it had a model: training diverged."
NOTHING = {"headline": STOPPED, "figures": (), "tables": (), "pictures": ()}


def render_page(
    record: RunRecord, metrics: Mapping, gallery: Gallery, no_previews: str
) -> str:
    """The page.

    Args:
        record: the run's files.
        metrics: with their card.
        gallery: finds pictures again.
        no_previews: why there is no album, in words.

    Returns:
        HTML that opens offline.
    """
    section = metrics["card"].get("section", NOTHING)
    task = stored_task(metrics.get("task", {}))
    curves = ""
    if has_curves(record.history):
        rows = [
            {**row, "phase": words.phase_name(row["phase"])}
            for row in record.history
        ]
        curves = in_both_themes(curves_figure, rows, None)
    return pages.render(
        "task_report.html",
        **page_values(record, metrics, gallery),
        section=section,
        headline=section["headline"],
        reasons=task_words.reasons(metrics, words.phase_name),
        curves=curves,
        plots=[
            (f["title"], in_both_themes(scatter_figure, f))
            for f in section["figures"]
        ],
        pictures=[
            (kind["title"], cards)
            for kind, cards in _shown(
                section["pictures"], "test", gallery, task.name == "multilabel"
            )
            if cards
        ],
        no_previews=why_no_previews(gallery, no_previews, heat=False),
    )


def _shown(kinds, split: str, gallery: Gallery, labels: bool) -> list[tuple]:
    """Each kind of pictures, and (words, card) of each of them."""

    def card(row: Mapping) -> dict:
        shown = gallery.plain(split, row["id"])
        # The words of numbers hold the true ones, side by side.
        return shown if labels else {**shown, "label": ""}

    return [
        (
            kind,
            [(row["words"], card(row)) for row in kind["rows"]],
        )
        for kind in kinds
    ]


def as_markdown(metrics: Mapping) -> str:
    """The same in a page of Markdown, for a pull request."""
    card = metrics["card"]
    section = card.get("section", NOTHING)
    told = next_words.verdict(metrics)
    told += task_words.reasons(metrics, words.phase_name)
    lines = [
        f"# {code(card['name'])}: run card",
        "",
        plain(section["headline"]),
    ]
    lines += ["", *(f"- {plain(line)}" for line in told), ""]
    if "test" in metrics:
        first, second = map(task_words.title, task_words.main_numbers(metrics))
        lines += [
            f"| test split | {first} | 95 % interval | {second} |",
            "|---|---|---|---|",
            *(_score(row) for row in scores.scoreboard(metrics)),
            "",
        ]
    lines += advice_lines(metrics)
    for table in section["tables"]:
        if table["rows"]:
            lines += [f"## {table['title']}", ""]
            lines += [f"| {' | '.join(table['header'])} |"]
            lines += ["|" + "---|" * len(table["header"])]
            lines += [
                f"| {' | '.join([code(row[0]), *map(plain, row[1:])])} |"
                for row in table["rows"]
            ]
            lines += [""]
    lines += [
        "## Repeat it",
        "",
        "    python -m tl_keras.train --flagfile=run.flags --output_dir=NEW",
        "",
        f"Seed {metrics['seed']}, data fingerprint "
        f"`{metrics['data']['fingerprint'][:16]}`.",
    ]
    return "\n".join(lines) + "\n"


def _score(row: Mapping) -> str:
    name = row["name"] + " (kept)" * row["kept"]
    cells = name, row["value"], row["interval"], row["beside"]
    return f"| {' | '.join(map(plain, cells))} |"
