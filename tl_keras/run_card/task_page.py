"""The page of a run that predicts something else than one class of several.

    render_page(record, metrics, gallery, no_previews)
    as_markdown(metrics)

In: a record, its metrics with the card in them, whose `section` is the task's
(`Task.card`). Out: report.html and report.md, as texts.
"""

from collections.abc import Mapping

from tl_keras import pages
from tl_keras.inputs.kinds import nouns
from tl_keras.run_card import next_words, plots, task_words, words
from tl_keras.run_card.files import RunRecord
from tl_keras.run_card.gallery import Gallery, why_no_previews
from tl_keras.run_card.markdown import code, plain
from tl_keras.run_card.search_table import search_view
from tl_keras.run_card.statistics import has_curves

STOPPED = "This run stopped before it had a model: training diverged."
NOTHING = {"headline": STOPPED, "figures": (), "tables": (), "pictures": ()}


def render_page(
    record: RunRecord,
    metrics: Mapping,
    gallery: Gallery,
    no_previews: str,
    curl: str,
) -> str:
    """The page.

    Args:
        record: the run's files.
        metrics: with their card.
        gallery: finds pictures again.
        no_previews: why there is no album, in words.
        curl: the line that asks a server, for a shell.

    Returns:
        HTML that opens offline.
    """
    section = metrics["card"].get("section", NOTHING)
    first, second = task_words.main_numbers(metrics)
    one, many = nouns(metrics.get("input", "image"))
    curves = ""
    if has_curves(record.history):
        rows = [
            {**row, "phase": words.phase_name(row["phase"])}
            for row in record.history
        ]
        curves = plots.in_both_themes(plots.curves_figure, rows, None)
    pictures = [
        (kind["title"], cards)
        for kind, cards in [
            *_shown(section["pictures"], "test", gallery),
            *_shown(_doubted(metrics["card"], many), "train", gallery),
        ]
        if cards
    ]
    return pages.render(
        "task_report.html",
        one=one,
        many=many,
        name=record.name,
        metrics=metrics,
        card=metrics["card"],
        section=section,
        reasons=task_words.reasons(metrics, words.phase_name),
        titles=(task_words.title(first), task_words.title(second)),
        rows=task_words.scoreboard(metrics, words.phase_name),
        curves=curves,
        figures=[
            (f["title"], plots.in_both_themes(plots.scatter_figure, f))
            for f in section["figures"]
        ],
        pictures=pictures,
        lost=metrics.get("regression", {}).get("lost", ()),
        no_previews=why_no_previews(gallery, no_previews, heat=False),
        curl=curl,
        limits=next_words.limits(metrics),
        words=words,
        search=search_view(metrics),
    )


def _shown(kinds, split: str, gallery: Gallery) -> list[tuple]:
    """Each kind of pictures, and (words, card) of each of them."""
    return [
        (
            kind,
            [(r["words"], gallery.plain(split, r["id"])) for r in kind["rows"]],
        )
        for kind in kinds
    ]


def _doubted(card: Mapping, many: str) -> list[dict]:
    """Training examples whose label is probably wrong, as kinds of them."""
    label_issues = card["data"].get("label_suspects", ())
    rows = [
        {
            "id": s["id"],
            "words": f"{s['guess']} {s['probability_of_guess']:.3f}",
        }
        for s in label_issues
    ]
    title = (
        f"Labels to look at: training {many} of which a classifier fitted to "
        "the others says"
    )
    return [{"title": title, "rows": rows}]


def as_markdown(metrics: Mapping) -> str:
    """The same in a page of Markdown, for a pull request."""
    card = metrics["card"]
    section = card.get("section", NOTHING)
    told = task_words.reasons(metrics, words.phase_name)
    lines = [
        f"# {code(card['name'])}: run card",
        "",
        plain(section["headline"]),
    ]
    lines += ["", *(f"- {plain(line)}" for line in told), ""]
    if metrics.get("phases"):
        first, second = map(task_words.title, task_words.main_numbers(metrics))
        lines += [
            f"| test split | {first} (95 % interval) | {second} |",
            "|---|---|---|",
        ]
        lines += [
            f"| {' | '.join(map(plain, row))} |"
            for row in task_words.scoreboard(metrics, words.phase_name)
        ]
        lines += [""]
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
