"""A run's record -> every number that its page shows, for metrics.json.

In: a `RunRecord`. Out: the `card` of metrics.json. The page and report.md are
filled from metrics.json with this in it, so that no number of theirs is
anywhere else.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras.run_card import statistics
from tl_keras.run_card.files import Predictions, RunRecord
from tl_keras.run_card.scores import axis_of
from tl_keras.tasks.multiclass.calibration import reliability
from tl_keras.tasks.multiclass.evaluation import CONFIDENCE
from tl_keras.tasks.multiclass.pairing import paired_comparison

MAX_PAIRS = 8  # of confused classes
MAX_SHOWN = 12  # uncertain pictures
MAX_MISTAKES = 60
# Right pictures: a few of each class, and one of each in the end.
MAX_RIGHT, MAX_RIGHT_A_CLASS, MAX_RIGHT_CLASSES = 40, 4, 100
MAX_DUPLICATES = 12
MAX_CLASSES = 100  # rows of the table by class


def card_numbers(record: RunRecord) -> dict:
    """Numbers that follow from a run's files, beside those in its metrics."""
    metrics = record.metrics
    card = {
        "confidence": CONFIDENCE,
        "name": record.name,
        "settings": shown_settings(record),
        "hashes": record.hashes,
        "class_counts": _class_counts(record),
        "books": {
            kind: sum(metrics["data"][kind].values())
            for kind in ("used", "ignored")
        },
        "comparisons": [
            # Of the other tasks it is whole; of this one four counts.
            compared
            if "verdict" in compared
            else compared | paired_comparison(compared)
            for compared in metrics.get("comparisons", ())
        ],
        "data": _data(record.data_report),
    }
    if record.rows and "test" in metrics:
        training = record.splits.get("train", {})
        card["section"] = record.task.card(record.rows, metrics, training)
        # Numbers or sets of labels have no table by class.
        del card["class_counts"]
    if "test" in metrics:
        card["axis"] = list(axis_of(metrics))
    if record.predictions is not None and "test" in metrics:
        card |= _of_predictions(record.predictions, record)
    return card


def shown_settings(record: RunRecord) -> dict[str, str]:
    """As they were given, and what became of them."""
    shown = {name: _shown(value) for name, value in record.settings.items()}
    used = str(record.metrics.get("batch_size", ""))
    if used and shown.get("batch_size", used) != used:
        shown["batch_size"] += f", in the end {used} (--auto_batch)"
    return shown


def _shown(value: str) -> str:
    """A setting without the folders of a full path: they tell names."""
    if os.path.isabs(value) or value.startswith("~"):
        return os.path.basename(value.rstrip("/"))
    return value


def _class_counts(record: RunRecord) -> dict[str, list[int]]:
    """Split -> pictures of each class, in the order of the class names."""
    names = record.metrics.get("class_names", ())
    return {
        split: [counts.get(name, 0) for name in names]
        for split, counts in record.splits.items()
    }


def _of_predictions(rows: Predictions, record: RunRecord) -> dict:
    names = record.metrics["class_names"]
    support = np.bincount(rows.labels, minlength=len(names))
    cells = statistics.confusion_cells(rows.labels, rows.predicted)
    pairs = statistics.confused_pairs(cells, dict(enumerate(support.tolist())))
    bins, error = reliability(rows.scores, rows.predicted == rows.labels)
    test = record.metrics["test"]
    calibration = {
        "bins": bins,
        "bin_count": len(bins),
        "ece": test.get("ece", error),
    }
    if "ece_before" in test:
        calibration["ece_before"] = test["ece_before"]
    return _only_answer(rows, names) | {
        "majority": _majority(record, support),
        "one_in": _one_in(test),
        "confusion": cells,
        "confused_pairs": pairs[:MAX_PAIRS],
        "confused_pairs_in_all": len(pairs),
        "mistakes": int((rows.predicted != rows.labels).sum()),
        "calibration": calibration,
        "thresholds": statistics.thresholds(
            rows.scores, rows.predicted, rows.labels
        ),
        "worst_classes": _worst_classes(test["per_class"], names),
        "gallery": _gallery(rows, pairs[:MAX_PAIRS], len(names)),
    }


def _one_in(test: Mapping) -> dict[str, float | None]:
    """Of how many examples one is wrong: as measured, at worst, at best."""
    low, high = test["accuracy_interval"]
    shares = {"measured": test["accuracy"], "worst": low, "best": high}
    return {
        name: 1 / (1 - share) if share < 1 else None
        for name, share in shares.items()
    }


def _only_answer(rows: Predictions, names: Sequence[str]) -> dict:
    """The class that all of several classes' pictures are taken for, if any."""
    answers = np.unique(rows.predicted)
    if len(answers) != 1 or len(np.unique(rows.labels)) < 2:
        return {}
    return {"only_answer": names[int(answers[0])]}


def _majority(record: RunRecord, support: np.ndarray) -> dict:
    """Always answering with the class that training has most of."""
    names = record.metrics["class_names"]
    train = record.splits.get("train", {})
    counts = [train.get(name, 0) for name in names]
    most = int(np.argmax(counts if any(counts) else support))
    return {
        "class": names[most],
        "accuracy": float(support[most] / support.sum()),
    }


def _worst_classes(per_class: Mapping, names: Sequence[str]) -> list[int]:
    """Classes by their F1, the worst first; those with no pictures last."""

    def place(number: int) -> tuple:
        of_class = per_class[names[number]]
        return not of_class["support"], of_class["f1"], number

    return sorted(range(len(names)), key=place)[:MAX_CLASSES]


def _gallery(rows: Predictions, pairs: Sequence[Mapping], classes: int) -> dict:
    """Which pictures are shown; indices of rows, best suited first."""
    wrong = rows.predicted != rows.labels
    surest = np.argsort(-rows.scores, kind="stable")
    mistakes = [i for i in surest if wrong[i]]
    examples = [
        next(
            i
            for i in mistakes
            if rows.labels[i] == pair["true"]
            and rows.predicted[i] == pair["predicted"]
        )
        for pair in pairs
    ]
    a_class = max(1, min(MAX_RIGHT_A_CLASS, MAX_RIGHT // classes))
    right: list[int] = []
    for number in range(min(classes, MAX_RIGHT_CLASSES)):
        of_class = (rows.labels[surest] == number) & ~wrong[surest]
        right += surest[of_class][:a_class].tolist()
    shown = {
        "mistakes": mistakes[:MAX_MISTAKES],
        "uncertain": surest[::-1][:MAX_SHOWN],
        "right": right,
        "pairs": examples,
    }
    return {
        kind: [_example(rows, int(i)) for i in places]
        for kind, places in shown.items()
    }


def _example(rows: Predictions, index: int) -> dict:
    return {
        "id": rows.ids[index],
        "true": int(rows.labels[index]),
        "predicted": int(rows.predicted[index]),
        "score": float(rows.scores[index]),
    }


def _data(report: Mapping) -> dict:
    """What the data check found, as far as the page shows it."""
    if not report:
        return {}
    same = [
        {"kind": "the same bytes", "pictures": group}
        for group in report["same_bytes"]
    ]
    alike = [
        {
            "kind": pair["kind"],
            "pictures": [
                {"id": id_, "split": split}
                for id_, split in zip(pair["ids"], pair["splits"], strict=True)
            ],
        }
        for pair in report["look_alike"]
    ]
    return {
        "checked": report["rules"]["check"],
        "notes": report["notes"],
        "warnings": report["warnings"],
        "skipped": report["skipped"][:MAX_SHOWN],
        "skipped_in_all": len(report["skipped"]),
        "label_suspects": report.get("label_suspects", [])[:MAX_SHOWN],
        "suspects_in_all": len(report.get("label_suspects", [])),
        "duplicates": [*same, *alike],
        "duplicates_in_all": len(same) + len(alike),
        "seconds": report["seconds"],
    }
