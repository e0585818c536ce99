"""A report -> lines for a terminal, data_report.json and data_report.html.

In: what the check found. Out: text, or files written complete or not at all.
Every name is shown with control characters escaped; paths are relative to the
dataset, so that a report can be passed on.
"""

import collections
import dataclasses
import json
import os
import pathlib
from collections.abc import Mapping

from tl_keras import atomic, pages
from tl_keras.audit import report_view
from tl_keras.audit.duplicates import Pair, Row
from tl_keras.audit.rules import Rules
from tl_keras.data import (
    Listing,
    faults_of_skips,
    names_of_skips,
    without_unreadable,
)
from tl_keras.data.examples import class_counts
from tl_keras.inputs.kinds import nouns
from tl_keras.tasks.label_issue import LabelIssue

MAX_SHOWN = 60  # skipped pictures, and pairs, on the page


@dataclasses.dataclass(frozen=True)
class Report:
    """What the check of a listing found.

    Attributes:
        dataset: its name.
        rules: what was asked of pictures.
        listing: what can be used, and the skips.
        faults: why it cannot be trained on as it is, one line each.
        warnings: what hinders no training, one line each.
        notes: counts of what was accepted or repaired.
        rows: the usable pictures with their facts; none when nothing was read.
        groups: pictures with equal bytes.
        pairs: pictures that look alike.
        label_issues: training pictures whose label is doubted, found in
            training.
        seconds: what the check took.
        kind: of input, a name of `inputs.kinds`.
        by_finding: how often else something was found, by what it is.
    """

    dataset: str
    rules: Rules
    listing: Listing
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: dict[str, int] = dataclasses.field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    groups: tuple[tuple[Row, ...], ...] = ()
    pairs: tuple[Pair, ...] = ()
    label_issues: tuple[LabelIssue, ...] = ()
    seconds: float = 0.0
    kind: str = "image"
    by_finding: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def nouns(self) -> tuple[str, str]:
        """What an example is called, and several."""
        return nouns(self.kind)

    def counts(self) -> dict[str, int]:
        """found = used + skipped + ignored."""
        used = sum(len(examples) for examples in self.listing.splits.values())
        return {
            "found": self.listing.found(),
            "used": used,
            "skipped": len(self.listing.skipped),
            "ignored": sum(self.listing.ignored.values()),
        }

    def split_names(self) -> list[str]:
        """The splits of the listing, as they are used."""
        order = ("train", "val", "test")
        return [split for split in order if split in self.listing.splits]

    def class_counts(self) -> dict[str, dict[str, int]]:
        """Class name -> split -> how many pictures can be used."""
        names = self.listing.class_names
        splits = self.listing.splits
        counted = {
            split: class_counts(splits[split].labels, len(names))
            for split in self.split_names()
        }
        return {
            name: {split: int(counts[label]) for split, counts in
                   counted.items()}
            for label, name in enumerate(names)
        }  # fmt: skip


def named(report: Report) -> list[str]:
    """One line for what was found out about a table, for each unusable picture
    (the first 50) and each warning."""
    lines = list(report.listing.told)
    lines += [f"skip: {line}" for line in names_of_skips(report.listing)]
    lines += [f"warning: {line}" for line in report.warnings]
    return [pages.escape_controls(line) for line in lines]


def not_looked_at(
    listing: Listing, dataset: str, rules: Rules, kind: str = "image"
) -> Report:
    """The report where `--check=off`: what listing alone has found.

    Args:
        listing: the examples.
        dataset: its name, for messages.
        rules: what is asked of it.
        kind: of input.

    Returns:
        A `Report` of a listing without what could not be read.
    """
    listing = without_unreadable(listing)
    faults = faults_of_skips(listing, rules.max_bad_fraction, rules.bad_input)
    return Report(
        dataset,
        rules,
        listing,
        faults=tuple(faults),
        warnings=listing.warnings,
        kind=kind,
    )


def describe(report: Report) -> str:
    """The lines a person reads on the terminal."""
    lines = [*named(report), *_table(report)]
    lines.append(
        "{found:,} found = {used:,} used + {skipped:,} skipped + "
        "{ignored:,} ignored".format(**report.counts())
    )
    for title, counts in (
        ("ignored", report.listing.ignored), ("of the used", report.notes)
    ):  # fmt: skip
        lines += [f"  {title} {n:,}: {why}" for why, n in counts.items()]
    return "\n".join(lines)


def _table(report: Report) -> list[str]:
    """Classes by splits, the largest 20 classes and the rest summed."""
    counts = sorted(
        report.class_counts().items(), key=lambda item: -sum(item[1].values())
    )
    splits = report.split_names()
    rows = [(name, [c[s] for s in splits]) for name, c in counts[:20]]
    if len(counts) > 20:
        rest = [sum(c[s] for _, c in counts[20:]) for s in splits]
        rows.append((f"{len(counts) - 20} more classes", rest))
    rows.append(("all", [sum(c[s] for _, c in counts) for s in splits]))
    shown = [
        (pages.escape_controls(name)[:28], numbers) for name, numbers in rows
    ]
    width = max(len(name) for name, _ in [("class", []), *shown])
    lines = [f"{'class':<{width}}" + "".join(f"{s:>10}" for s in splits)]
    return lines + [
        f"{name:<{width}}" + "".join(f"{n:>10,}" for n in numbers)
        for name, numbers in shown
    ]


def as_json(report: Report) -> dict:
    """The report as data_report.json holds it."""
    told = {} if report.kind == "image" else {
        "input": report.kind, "findings": dict(report.by_finding),
    }  # fmt: skip
    return {
        "dataset": report_view.shown_name(report.dataset),
        **told,
        "rules": {
            **dataclasses.asdict(report.rules),
            "data_manifest": os.path.basename(report.rules.data_manifest),
        },
        "trainable": not report.faults,
        "books": report.counts(),
        "ignored": dict(report.listing.ignored),
        "notes": report.notes,
        "classes": report.class_counts(),
        "faults": list(report.faults),
        "warnings": list(report.warnings),
        **_examples_of(report),
        "formats": dict(
            collections.Counter(row.facts.format for row in report.rows)
        ),
        "seconds": round(report.seconds, 3),
    }


def _examples_of(report: Report) -> dict[str, list]:
    """What was found of single examples, as data_report.json holds it."""
    return {
        "skipped": [
            {
                "id": skip.id,
                "reason": skip.reason,
                "split": skip.split,
                "class": skip.class_name,
            }
            for skip in report.listing.skipped
        ],
        "same_bytes": [
            [{"id": row.id, "split": row.split} for row in group]
            for group in report.groups
        ],
        "look_alike": [
            {
                "ids": [pair.first.id, pair.second.id],
                "splits": [pair.first.split, pair.second.split],
                "kind": pair.kind,
                "bits": pair.bits,
            }
            for pair in report.pairs
        ],
        "label_suspects": [
            {
                "id": label_issue.id,
                "label": label_issue.label,
                "guess": label_issue.guess,
                "probability_of_label": round(label_issue.own, 4),
                "probability_of_guess": round(label_issue.other, 4),
            }
            for label_issue in report.label_issues
        ],
    }


def write_reports(report: Report, folder: str | os.PathLike) -> None:
    """Writes data_report.json and data_report.html into a folder."""
    folder = pathlib.Path(folder)
    with atomic.replacing(folder / "data_report.json") as temporary:
        # ASCII alone, so that names which are not UTF-8 can be written too.
        text = json.dumps(as_json(report), indent=2)
        temporary.write_text(text + "\n", encoding="ascii")
    with atomic.replacing(folder / "data_report.html") as temporary:
        page = pages.render(
            "data_report.html",
            name=report_view.shown_name(report.dataset),
            report=report,
            counts=report.counts(),
            classes=report_view.classes(report),
            sizes=report_view.sizes(report.rows, report.kind),
            skipped=report_view.skipped(report, MAX_SHOWN),
            same=report_view.same_bytes(report, MAX_SHOWN),
            alike=report_view.look_alike(report, MAX_SHOWN),
            label_issues=report_view.doubted(report),
        )
        temporary.write_text(page, encoding="utf-8")
