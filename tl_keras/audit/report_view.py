"""A report -> the rows and thumbnails that its page shows.

In: a `Report`. Out: plain lists of dictionaries for the template. A picture
that cannot be shown gives no thumbnail, and is shown by its reason alone.
"""

import collections
import itertools
import os
from collections.abc import Sequence

import numpy as np

from tl_keras import pages
from tl_keras.audit.duplicates import Row
from tl_keras.audit.reading import read_regular
from tl_keras.data.examples import label_name
from tl_keras.inputs.kinds import kind_named

MAX_BYTES = 100_000_000
# Upper edges of the shorter side, in pixels, as people think of sizes:
SIDES = (64, 128, 256, 512, 1024, 4096)
# And of a text's length, in words.
LENGTHS = (5, 10, 20, 50, 100, 200, 500)


def thumbnail_of(content: bytes) -> str:
    """A data: address of a picture, or "" for what cannot be shown.

    A JPEG that ends early is shown as far as it goes.
    """
    shown = kind_named("image").preview(content).pixels
    return "" if shown is None else pages.thumbnail(shown)


class Contents:
    """The bytes of listed examples, wherever they are."""

    def __init__(self, report):
        self.kind = report.kind
        self.encoded = {
            (split, id_): content
            for split, examples in report.listing.splits.items()
            for id_, content in zip(
                examples.ids, examples.encoded or (), strict=False
            )
        }

    def shown(self, split: str, id_: str, file: str) -> dict[str, str]:
        """What a card shows of an example: a `picture` or an `excerpt`, ""
        for what cannot be read.

        Args:
            split: "train", "val" or "test".
            id_: the example's id there.
            file: its path; "" where the listing holds its bytes.

        Returns:
            A data: address, and one line of text.
        """
        # What was cut off training is listed there.
        content = self.encoded.get((split, id_)) or self.encoded.get(
            ("train", id_), b""
        )
        if file:
            content, _ = read_regular(file, MAX_BYTES)
        if self.kind == "image":
            return {"picture": thumbnail_of(content), "excerpt": ""}
        shown = kind_named(self.kind).preview(content)
        return {"picture": "", "excerpt": shown.excerpt}


def classes(report) -> list[dict]:
    """One row a class: its counts, and its share of the largest for a bar."""
    counts = report.class_counts()
    largest = max((sum(c.values()) for c in counts.values()), default=0)
    skipped = collections.Counter(s.class_name for s in report.listing.skipped)
    return [
        {
            "name": name,
            "splits": list(splits.values()),
            "total": sum(splits.values()),
            "skipped": skipped[name],
            "share": round(100 * sum(splits.values()) / max(1, largest)),
        }
        for name, splits in counts.items()
    ]


def sizes(rows: Sequence[Row], kind: str = "image") -> dict:
    """How many examples of each format, and of each range of sizes.

    Args:
        rows: the examples with their facts.
        kind: of input; of pictures the shorter side counts, of texts the
            words.
    """
    formats = collections.Counter(row.facts.format for row in rows)
    known, title = SIDES, "shorter side, pixels"
    if kind == "text":
        known, title = LENGTHS, "words"
    found = [row.facts.side for row in rows]
    edges = [0, *known, np.inf]
    counts, _ = np.histogram(found, bins=edges)
    labels = [f"under {known[0]}"]
    labels += [f"{a} to {b - 1}" for a, b in itertools.pairwise(known)]
    labels += [f"{known[-1]} and more"]
    most = max(1, max(counts, default=1))
    return {
        "title": title,
        "formats": formats.most_common(),
        "sides": [
            {"label": label, "count": int(n), "share": round(100 * n / most)}
            for label, n in zip(labels, counts, strict=True)
            if n
        ],
    }


def skipped(report, most: int) -> list[dict]:
    """The first skipped pictures, with thumbnails where there can be one."""
    contents = Contents(report)
    return [
        {
            "name": skip.where + ": " + skip.id if skip.where else skip.id,
            "what": skip.reason.split(" - ")[0],
            "remedy": skip.reason.partition(" - ")[2],
            **contents.shown(skip.split, skip.id, skip.file),
        }
        for skip in report.listing.skipped[:most]
    ]


def _card(report, contents: Contents, row: Row) -> dict:
    return {
        "name": row.id,
        "split": row.split,
        "label": label_name(row.label, report.listing.class_names),
        "size": row.facts.in_words(),
        **contents.shown(row.split, row.id, row.file),
    }


def same_bytes(report, most: int) -> list[dict]:
    """Groups of equal bytes: one picture and all its names."""
    contents = Contents(report)
    shown = []
    for group in report.groups[:most]:
        labels = {row.label for row in group}
        splits = {row.split for row in group}
        danger = "two labels" if len(labels) > 1 else ""
        if not danger and len(splits) > 1:
            danger = "two splits"
        first = _card(report, contents, group[0])
        names = [
            {
                "name": row.id,
                "split": row.split,
                "label": label_name(row.label, report.listing.class_names),
            }
            for row in group
        ]
        shown.append({**first, "names": names, "danger": danger})
    return shown


def look_alike(report, most: int) -> list[dict]:
    """Pairs that look alike, side by side."""
    contents = Contents(report)
    return [
        {
            "cards": [
                _card(report, contents, row)
                for row in (pair.first, pair.second)
            ],
            "kind": pair.kind,
            "danger": {"splits": "two splits", "labels": "two labels"}.get(
                pair.crosses(), ""
            ),
        }
        for pair in report.pairs[:most]
    ]


def doubted(report) -> list[dict]:
    """Pictures whose label is doubted, the worst first."""
    contents = Contents(report)
    return [
        {
            "name": label_issue.id,
            "label": label_issue.label,
            "guess": label_issue.guess,
            "own": f"{100 * label_issue.own:.1f} %",
            "other": f"{100 * label_issue.other:.1f} %",
            **contents.shown("train", label_issue.id, label_issue.file),
        }
        for label_issue in report.label_issues
    ]


def shown_name(dataset: str) -> str:
    """A dataset's name without the folders it lies in."""
    return os.path.basename(dataset.rstrip("/")) or dataset
