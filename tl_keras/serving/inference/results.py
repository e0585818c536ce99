"""Rows -> predictions.jsonl, predictions.csv, gallery.html, and the counts.

In: a run whose parts are whole. Out: the files, each complete or absent.
The .jsonl is exact, one object a line. The .csv is for spreadsheets: a cell
that would be run as a formula (CWE-1236) begins with an apostrophe there, and
texts are quoted, so that no name can begin a cell of its own.
"""

import collections
import csv
import json
import os
from collections.abc import Mapping

from tl_keras import atomic
from tl_keras.data import Unlabelled
from tl_keras.serving.inference.gallery import Choice, write_gallery
from tl_keras.serving.inference.work import RESULTS, Work

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
JSONL, CSV, GALLERY = RESULTS


def safe_cell(text: str) -> str:
    """A text that a spreadsheet does not run.

    Blanks before the sign do not hide it, nor do the signs' wide forms.
    """
    first = text.lstrip(" \u00a0\u3000\ufeff")[:1]
    wide = {"\uff1d": "=", "\uff0b": "+", "\uff0d": "-", "\uff20": "@"}
    if text.startswith(FORMULA) or wide.get(first, first) in FORMULA[:4]:
        return "'" + text if first else text
    return text


def write_results(
    work: Work, examples: Unlabelled, ignored: Mapping[str, int]
) -> dict:
    """Writes all files, and says that they are whole.

    Args:
        work: a run whose parts are all there.
        examples: what was asked.
        ignored: reason -> how many files were no pictures to ask.

    Returns:
        predicted, unreadable, ignored, labels, reasons, as in `Done`.

    Raises:
        OSError: the disk does not take them.
    """
    labels: collections.Counter = collections.Counter()
    reasons: collections.Counter = collections.Counter()
    choice, width, predicted = Choice(), 1, 0
    more: list[str] = []
    sets = False
    with (
        atomic.replacing(work.folder / JSONL) as temporary,
        open(temporary, "w", encoding="ascii") as lines,
    ):
        for row in work.rows():
            lines.write(json.dumps(row) + "\n")
            choice.see(row)
            if row["status"] == "ok":
                predicted += 1
                labels.update(labels_of(row))
                width = max(width, len(row.get("top", ())))
                sets = sets or "set" in row
                if "top" not in row:
                    more = [n for n in row if n not in ("id", "status")]
            else:
                reasons[row["reason"]] += 1
    _write_csv(work, width, more, sets)
    done = {
        "predicted": predicted,
        "unreadable": reasons.total(),
        "ignored": dict(sorted(ignored.items())),
        "labels": _most_first(labels),
        "reasons": _most_first(reasons),
    }
    write_gallery(work.folder / GALLERY, choice, examples, done)
    work.finish(done)
    return done


def _most_first(counts: collections.Counter) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def labels_of(row: dict) -> list[str]:
    """What a picture is counted under: its label, or all that it has."""
    if "top" in row:
        return [row["label"]]
    return row.get("labels", [])


def _write_csv(work: Work, width: int, more: list[str], sets: bool) -> None:
    """id,label,score,label_2,score_2,...,status,reason, with a column set
    before the status where there are sets of classes; of what has no best
    label its own columns in the place of these."""
    header = ["id", "label", "score"]
    for place in range(2, width + 1):
        header += [f"label_{place}", f"score_{place}"]
    header = ["id", *map(safe_cell, more)] if more else header
    last = ["set"] * sets
    with (
        atomic.replacing(work.folder / CSV) as temporary,
        open(
            temporary, "w", newline="", encoding="utf-8",
            errors="backslashreplace",
        ) as stream,
    ):  # fmt: skip
        writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow([*header, *last, "status", "reason"])
        for row in work.rows():
            cells: list[str | float] = [safe_cell(os.fspath(row["id"]))]
            for best in row.get("top", ()):
                cells += [safe_cell(best["label"]), best["score"]]
            cells += [_cell(row[name]) for name in more if name in row]
            cells += [""] * (len(header) - len(cells))
            cells += [_cell(row.get(name, "")) for name in last]
            cells += [row["status"], safe_cell(row.get("reason", ""))]
            writer.writerow(cells)


def _cell(value: float | str | list) -> str | float:
    """A number, or several texts or numbers with | between."""
    if isinstance(value, list):
        return safe_cell("|".join(map(str, value)))
    return value
