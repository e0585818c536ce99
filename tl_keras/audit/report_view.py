"""A report -> the rows and thumbnails that its page shows.

In: a `Report`. Out: plain lists of dictionaries for the template. A picture
that cannot be shown gives no thumbnail, and is shown by its reason alone.
"""

import collections
import itertools
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tl_keras import pages
from tl_keras.audit.duplicates import Row
from tl_keras.audit.reading import read_regular
from tl_keras.data.examples import label_name
from tl_keras.inputs.image import formats, pixels
from tl_keras.inputs.image.libjpeg_warnings import heard

MAX_PIXELS = 30_000_000  # of a picture that is decoded for its thumbnail
MAX_BYTES = 100_000_000
# Upper edges of the shorter side, in pixels, as people think of sizes:
SIDES = (64, 128, 256, 512, 1024, 4096)


def thumbnail_of(content: bytes) -> str:
    """A data: address, or "" for what cannot be shown.

    A JPEG that ends early is shown as far as it goes.
    """
    try:
        with heard():
            content = pixels.repair(content, MAX_PIXELS) or content
            picture = _shown(content)
        return pages.thumbnail(picture.numpy())
    except (tf.errors.OpError, ValueError):
        return ""


def _shown(content: bytes) -> tf.Tensor:
    try:
        return pixels.decode(tf.constant(content), max_pixels=MAX_PIXELS)
    except tf.errors.InvalidArgumentError:
        if pixels.status(content, MAX_PIXELS) != "" or (
            formats.kind_of(content[: formats.ENOUGH]).name != "JPEG"
        ):
            raise
    return tf.io.decode_jpeg(content, channels=3, try_recover_truncated=True)


class Contents:
    """The bytes of listed pictures, wherever they are."""

    def __init__(self, report):
        self.encoded = {
            (split, id_): content
            for split, examples in report.listing.splits.items()
            for id_, content in zip(
                examples.ids, examples.encoded or (), strict=False
            )
        }

    def thumbnail(self, split: str, id_: str, file: str) -> str:
        """As `thumbnail_of`; "" for what cannot be read.

        Args:
            split: "train", "val" or "test".
            id_: the picture's id there.
            file: its path; "" where the listing holds its bytes.

        Returns:
            A data: address.
        """
        # What was cut off training is listed there.
        content = self.encoded.get((split, id_)) or self.encoded.get(
            ("train", id_), b""
        )
        if file:
            content, _ = read_regular(file, MAX_BYTES)
        return thumbnail_of(content)


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


def sizes(rows: Sequence[Row]) -> dict:
    """How many pictures of each format, and of each range of sides."""
    formats = collections.Counter(row.facts.format for row in rows)
    sides = [row.facts.side for row in rows]
    edges = [0, *SIDES, np.inf]
    counts, _ = np.histogram(sides, bins=edges)
    labels = [f"under {SIDES[0]}"]
    labels += [f"{a} to {b - 1}" for a, b in itertools.pairwise(SIDES)]
    labels += [f"{SIDES[-1]} and more"]
    most = max(1, max(counts, default=1))
    return {
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
            "picture": contents.thumbnail(skip.split, skip.id, skip.file),
        }
        for skip in report.listing.skipped[:most]
    ]


def _card(report, contents: Contents, row: Row) -> dict:
    return {
        "name": row.id,
        "split": row.split,
        "label": label_name(row.label, report.listing.class_names),
        "size": f"{row.facts.width} x {row.facts.height}",
        "picture": contents.thumbnail(row.split, row.id, row.file),
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
            "name": suspect.id,
            "label": suspect.label,
            "guess": suspect.guess,
            "own": f"{suspect.own:.0%}",
            "other": f"{suspect.other:.0%}",
            "picture": contents.thumbnail("train", suspect.id, suspect.file),
        }
        for suspect in report.suspects
    ]


def shown_name(dataset: str) -> str:
    """A dataset's name without the folders it lies in."""
    return os.path.basename(dataset.rstrip("/")) or dataset
