"""`--unlabelled`: what stands there, and what of it may be learnt from.

    found = list_unlabelled(config, report, labelled)
    found.loaded, found.numbers()

In: a folder, and the splits of a run. Out: those of its pictures that no split
holds, and why each of the others is left out; in the run's folder a file that
says so, by which the next process knows that they are the same.
"""

import csv
import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tl_keras import atomic
from tl_keras.audit import Report
from tl_keras.audit.cache import FactCache
from tl_keras.audit.unlabelled import summed, usable_unlabelled
from tl_keras.config import TransferConfig
from tl_keras.data import Examples, ListOptions, Unlabelled
from tl_keras.errors import DataError
from tl_keras.sources import LabelledExamples, LabelledSplits

NOT_READ = "cannot be read"
COLUMNS = ("id", "sha256", "left_out")


@dataclasses.dataclass(frozen=True)
class UnlabelledExamples:
    """What `--unlabelled` names.

    Attributes:
        loaded: those that may be learnt from.
        rows: all that were listed: (id, SHA-256 or "", why it is left out).
        ignored: reason -> how many things were no pictures.
    """

    loaded: LabelledExamples
    rows: tuple[tuple[str, str, str], ...]
    ignored: Mapping[str, int]

    def examples(self) -> dict[str, Examples]:
        """As of `LabelledSplits`, for whoever asks what cannot be read."""
        return {"loaded": self.loaded.examples}

    def numbers(self) -> dict:
        """Found = used + left out + ignored, as metrics.json holds them."""
        left_out = summed(why for _, _, why in self.rows)
        return {
            "found": len(self.rows) + sum(self.ignored.values()),
            "used": len(self.loaded),
            "left_out": left_out | dict(self.ignored),
        }

    def describe(self) -> str:
        """The account in a line."""
        numbers = self.numbers()
        told = "".join(
            f"; {count:,} left out: {why}"
            for why, count in numbers["left_out"].items()
        )
        return (
            f"unlabelled: {numbers['used']:,} of {numbers['found']:,} may be "
            f"learnt from{told}"
        )


def list_unlabelled(
    config: TransferConfig, report: Report, labelled: LabelledSplits, most: int
) -> UnlabelledExamples:
    """What `--unlabelled` holds, read and compared with the splits.

    Args:
        config: the settings.
        report: of the labelled data, whose hashes it has.
        labelled: the splits.
        most: so many are learnt from; where there are more, those at even
            distances of each other are.

    Returns:
        The pictures, in the order of their ids.

    Raises:
        DataError: nothing there can be learnt from.
    """
    folder = config.unlabelled
    source = Unlabelled(
        folder, options=ListOptions(follow_links=config.follow_links)
    )
    files = sorted(source, key=lambda one: os.fsencode(one.id))
    listed = [one for one in files if not one.reason]
    ids = tuple(one.id for one in listed)
    examples = Examples(
        ids, np.full(len(ids), -1, np.int32), tuple(map(source.path, ids))
    )
    reasons = usable_unlabelled(
        examples,
        labelled.examples(),
        report.rules,
        # Also those that the splits leave out: their labels are known.
        known=[r.facts.sha256 for r in report.rows if r.facts.sha256],
        caches=(FactCache.of(folder), FactCache.of(config.dataset)),
    )
    usable = [i for i, why in enumerate(reasons) if not why]
    if len(usable) > most:
        taken = np.linspace(0, len(usable) - 1, most).astype(int)
        for place in np.delete(usable, taken):
            reasons[place] = f"more than {most:,} would take too long"
        usable = [usable[i] for i in taken]
    used = examples.take(usable)
    rows = [(one.id, "", f"{NOT_READ}: {one.reason}")
            for one in files if one.reason]  # fmt: skip
    used = used.hashed()
    hashes = dict(zip(used.ids, used.content_ids(), strict=True))
    rows += [
        (id_, hashes.get(id_, ""), why)
        for id_, why in zip(ids, reasons, strict=True)
    ]
    found = UnlabelledExamples(
        LabelledExamples(used, labelled.train.decoding),
        tuple(rows),
        source.ignored,
    )
    if not ids or not len(used):
        raise DataError(
            f"--unlabelled={folder}: {found.describe()} - name a folder "
            "of other pictures, or leave it out"
        )
    return found


def write_unlabelled(path: pathlib.Path, found: UnlabelledExamples) -> None:
    """One row a picture: what it is, and why it was left out, if it was."""
    with (
        atomic.replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as stream,
    ):
        csv.writer(stream).writerows([COLUMNS, *map(_shown, found.rows)])


def unlabelled_changes(path: pathlib.Path, found: UnlabelledExamples) -> str:
    """What differs from the pictures that a run began with; "" for nothing.

    Args:
        path: what `write_unlabelled` wrote.
        found: as they are now.
    """
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            before = {tuple(row[:2]) for row in list(csv.reader(stream))[1:]
                      if not row[2]}  # fmt: skip
    except FileNotFoundError:
        before = set()
    now = {_shown(row)[:2] for row in found.rows if not row[2]}
    groups = {"added or changed": now - before, "removed or changed":
              before - now}  # fmt: skip
    return ", ".join(
        f"{len(some):,} {what} ({min(some)[0]})"
        for what, some in groups.items()
        if some
    )


def _shown(row: tuple[str, str, str]) -> tuple[str, ...]:
    """Names need not be UTF-8, and a file of text must be."""
    return tuple(
        cell.encode("utf-8", "backslashreplace").decode() for cell in row
    )


class Weighed(NamedTuple):
    """Whether pictures without labels help.

    Attributes:
        features: float32 (n, d), of them.
        numbers: what there was of them, and what cross-validation says, for
            metrics.json; `share` 0 where labels alone are better.
    """

    features: np.ndarray
    numbers: Mapping
