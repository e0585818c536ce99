"""A few pictures of a run -> gallery.html, to look at.

In: rows one by one; of them the least sure, and the surest of each label, are
remembered (of numbers the lowest and the highest), a limited number however
many there are. Out: one page that opens
offline, with thumbnails that are encoded anew; a picture that is no longer
there is shown by its name.
"""

import collections
import heapq
import os
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tl_keras import atomic, pages
from tl_keras.audit.reading import read_regular
from tl_keras.data import Unlabelled
from tl_keras.inputs.image import pixels
from tl_keras.inputs.kinds import kind_named, nouns
from tl_keras.inputs.text.facts import excerpt

MAX_UNSURE, MAX_LABELS, A_LABEL, MAX_UNREADABLE = 24, 24, 3, 50
AN_END = 6  # of the highest, and of the lowest, of a number
MAX_BYTES = 64 << 20
MAX_NAME = 60  # of a text that is asked itself, in the page's title
TEMPLATE = "predictions.html"


def content_of(examples: Unlabelled, id_: str, limit: int) -> tuple[bytes, str]:
    """An example's bytes, and why it cannot be read, or "".

    Args:
        examples: where it is.
        id_: its id there.
        limit: bytes above which a file is not read.

    Returns:
        (bytes, reason).
    """
    held = examples.held(id_)
    if held is not None:
        return held, ""
    return read_regular(examples.path(id_), limit)


class Choice:
    """Remembers what is shown."""

    def __init__(self):
        self._unsure: list = []
        self._sure: dict[str, list] = collections.defaultdict(list)
        self._ends: dict[str, list] = collections.defaultdict(list)
        self.unreadable: list[dict] = []

    def see(self, row: dict) -> None:
        """Takes a row into account."""
        if row["status"] != "ok":
            if len(self.unreadable) < MAX_UNREADABLE:
                self.unreadable.append(row)
            return
        if "top" in row:
            self._see_label(row, MAX_UNSURE)
            return
        if "labels" not in row:
            self._see_numbers(row)
            return
        # Of several labels the last is the least sure.
        given = _one_by_one(row)
        for number, of_label in enumerate(given, 1):
            most = MAX_UNSURE if number == len(given) else 0
            self._see_label(of_label, most)

    def _see_label(self, row: dict, most_unsure: int) -> None:
        # By id where scores are alike, so that every run shows the same.
        if most_unsure:
            self._keep(self._unsure, -row["score"], row, most_unsure)
        self._keep(self._sure[row["label"]], row["score"], row, A_LABEL)

    def _see_numbers(self, row: dict) -> None:
        for name in columns_of(row):
            self._keep(self._ends[f"Highest {name}"], row[name], row, AN_END)
            self._keep(self._ends[f"Lowest {name}"], -row[name], row, AN_END)

    @staticmethod
    def _keep(heap: list, score: float, row: dict, most: int) -> None:
        item = (score, os.fsencode(row["id"]), row)
        if len(heap) < most:
            heapq.heappush(heap, item)
        else:
            heapq.heappushpop(heap, item)

    def unsure(self) -> list[dict]:
        """The least sure first."""
        return [row for *_, row in sorted(self._unsure, key=_key)]

    def sure(self, label: str) -> list[dict]:
        """A label's surest first."""
        return [row for *_, row in sorted(self._sure[label], key=_key)]

    def ends(self) -> dict[str, list[dict]]:
        """Title -> rows of the highest, and of the lowest, of each number."""
        return {
            title: [row for *_, row in sorted(heap, key=_key)]
            for title, heap in self._ends.items()
        }


def columns_of(row: Mapping) -> list[str]:
    """The numbers of a row that are answers, not ends of their intervals.

    Args:
        row: of numbers, as it stands in predictions.jsonl.
    """
    names = [name for name in row if name not in ("id", "status")]
    ends = {f"{name}_{end}" for name in names for end in ("low", "high")}
    return [name for name in names if name not in ends]


def _one_by_one(row: dict) -> list[dict]:
    """A row of several labels as one of each, that label before the others."""
    pairs = [
        {"label": label, "score": score}
        for label, score in zip(
            row.get("labels", ()), row.get("scores", ()), strict=True
        )
    ]
    return [
        {**row, **first, "top": [first, *(p for p in pairs if p is not first)]}
        for first in pairs
    ]


def _key(item: tuple) -> tuple:
    return -item[0], item[1]


def write_gallery(
    file: pathlib.Path, choice: Choice, pictures: Unlabelled, done: Mapping
) -> None:
    """Writes the page of a run's choice.

    Args:
        file: the .html, replaced whole.
        choice: has seen all rows.
        pictures: where they are looked for.
        done: the counts, as `results.write_results` gives them.
    """
    cards = _Cards(pictures)
    name = excerpt(pictures.source.encode("utf-8", "replace"), MAX_NAME)
    if os.path.exists(pictures.source):
        name = os.path.basename(os.path.abspath(pictures.source))
    shown = list(done["labels"])[:MAX_LABELS]
    page = pages.render(
        TEMPLATE,
        name=name,
        done=done,
        one=nouns(pictures.kind)[0],
        many=nouns(pictures.kind)[1],
        found=done["predicted"]
        + done["unreadable"]
        + sum(done["ignored"].values()),
        unsure=cards.of(choice.unsure()),
        labels=[
            {
                "name": label,
                "count": done["labels"][label],
                "share": 100 * done["labels"][label] / done["predicted"],
                "cards": cards.of(choice.sure(label)),
            }
            for label in shown
        ],
        ends=[
            (title, cards.of_numbers(rows))
            for title, rows in choice.ends().items()
        ],
        more_labels=len(done["labels"]) - len(shown),
        unreadable=choice.unreadable,
    )
    with atomic.replacing(file) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")


class _Cards:
    """Rows -> what the template shows, each picture read once."""

    def __init__(self, pictures: Unlabelled):
        self._pictures = pictures
        self._thumbnails: dict[str, str] = {}

    def of(self, rows: list[dict]) -> list[dict]:
        """One card a row."""
        return [
            {
                "name": row["id"],
                "label": row["label"],
                "score": f"{row['score']:.3f}",
                "others": ", ".join(
                    f"{best['label']} {best['score']:.3f}"
                    for best in row["top"][1:3]
                ),
                **self._shown(row["id"]),
            }
            for row in rows
        ]

    def of_numbers(self, rows: list[dict]) -> list[dict]:
        """One card a row: its numbers, and the interval of each."""
        return [
            {
                "name": row["id"],
                "label": "; ".join(
                    f"{name} {row[name]:.4g}" for name in columns_of(row)
                ),
                "score": "",
                "others": "; ".join(
                    f"{row[f'{name}_low']:.4g} to {row[f'{name}_high']:.4g}"
                    for name in columns_of(row)
                    if f"{name}_low" in row
                ),
                **self._shown(row["id"]),
            }
            for row in rows
        ]

    def _shown(self, id_: str) -> dict[str, str]:
        if self._pictures.kind == "image":
            return {"picture": self._thumbnail(id_), "excerpt": ""}
        content, _ = content_of(self._pictures, id_, MAX_BYTES)
        shown = kind_named(self._pictures.kind).preview(content)
        return {"picture": "", "excerpt": shown.excerpt}

    def _thumbnail(self, id_: str) -> str:
        if id_ not in self._thumbnails:
            self._thumbnails[id_] = self._made(id_)
        return self._thumbnails[id_]

    def _made(self, id_: str) -> str:
        content, reason = read_regular(self._pictures.path(id_), MAX_BYTES)
        if reason:
            return ""
        square = _small(content)
        if square is None:
            # Seldom, so that not every picture's header is read twice.
            mended = pixels.repair(content)
            square = None if mended is None else _small(mended)
        return "" if square is None else pages.thumbnail(without_bars(square))


def _small(encoded: bytes) -> np.ndarray | None:
    """uint8 (side, side, 3), or None where it cannot be read."""
    # All of the picture, not the square that the network saw.
    decoding = pixels.Decoding(pages.THUMBNAIL_SIDE, "pad")
    try:
        return decoding.load(tf.constant(encoded)).numpy()
    except tf.errors.OpError:
        return None


def without_bars(square: np.ndarray) -> np.ndarray:
    """A padded picture without its bars, which a light page shows as frames.

    Args:
        square: uint8 (side, side, 3), black bars at two sides of it.

    Returns:
        What lies between them; all of it where all is black.
    """
    for axis in (0, 1):
        seen = np.flatnonzero(square.any(axis=(1 - axis, 2)))
        if not seen.size:
            break
        # What is black at one side alone is picture: bars are as wide, but
        # for a pixel.
        dark = seen[0], square.shape[axis] - 1 - seen[-1]
        bar = min(dark) and min(dark) + 1
        kept = slice(min(bar, dark[0]), square.shape[axis] - min(bar, dark[1]))
        square = square[kept] if axis == 0 else square[:, kept]
    return square
