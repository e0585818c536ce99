"""Predictions and metrics of several labels an example -> a page's section.

In: rows of predictions.csv, metrics.json. Out: plain values, as `Task.card`
says.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras.inputs.counting import counted
from tl_keras.inputs.kinds import nouns
from tl_keras.tasks.multilabel import label_words
from tl_keras.tasks.multilabel.evaluation import confused_company

MAX_SHOWN = 12  # pictures of each kind of mistake
MAX_LABELS = 100


def section(rows: Sequence[Mapping[str, str]], metrics: Mapping) -> dict:
    """Labels by AP, labels in each other's place, pictures wrong each way."""
    names, test = metrics["class_names"], metrics["test"]
    likely = np.array([[float(r[f"p:{n}"]) for n in names] for r in rows])
    truth, given = (
        np.array([[n in r[column].split("|") for n in names] for r in rows])
        for column in ("label", "predicted")
    )
    ids = [row["id"] for row in rows]
    nouns_ = nouns(metrics.get("input", "image"))
    asked = [f"test {noun}" for noun in nouns_]
    return {
        "headline": (
            f"All labels are right on {_percent(test['exact_match'])} of "
            f"{counted(test['examples'], *asked)}; mAP "
            f"{_percent(test['map'])} (95 % interval "
            f"{_range(test['map_interval'])})."
        ),
        "verdict": label_words.verdict(truth, given, test, nouns_),
        "lines": _lines(test),
        "to_do": label_words.to_do(test, names, nouns_),
        "simplest": {
            "name": "labels ranked by chance",
            "value": float(truth.mean()),
        },
        "figures": [],
        "tables": [
            _by_label(test, names, nouns_[1]),
            _company(truth, given, names, nouns_[1]),
        ],
        "pictures": [
            {
                "title": "Given, but not there: the surest first",
                "rows": _mistakes(given & ~truth, likely, ids, names),
            },
            {
                "title": "There, but not given: the least likely first",
                "rows": _mistakes(truth & ~given, -likely, ids, names),
            },
        ],
    }


def _lines(test: Mapping) -> list[str]:
    lines = [
        "A label is given above a probability that validation chose: micro-F1 "
        f"is then {_percent(test['micro_f1'])}, and "
        f"{_percent(test['hamming'])} of all answers, one per label and "
        "example, are wrong (Hamming loss)."
    ]
    if "ece_before" in test:
        before, after = f"{test['ece_before']:.3f}", f"{test['ece']:.3f}"
        lines.append(
            "Expected calibration error, a mean over labels: "
            + f"{before} before the temperatures, " * (before != after)
            + f"{after}{' after' * (before != after)}."
        )
    return lines


def _by_label(test: Mapping, names: Sequence[str], many: str) -> dict:
    def place(name: str) -> tuple:
        precision = test["per_label"][name]["ap"]
        return precision is None, precision or 0.0, name

    rows = []
    for name in sorted(names, key=place)[:MAX_LABELS]:
        of = test["per_label"][name]
        known = of["ap"] is not None
        rows.append(
            [
                name,
                f"{of['ap']:.3f}" if known else "-",
                "{:.3f} to {:.3f}".format(*of["ap_interval"]) if known else "",
                f"{of['f1']:.3f}",
                f"{of['precision']:.3f}",
                f"{of['recall']:.3f}",
                f"{of['threshold']:.3f}",
                f"{of['ece']:.3f}",
                f"{of['support']:,}",
            ]
        )
    return {
        "title": "By label, the lowest average precision first",
        "header": [
            "label", "AP", "95 % interval", "F1", "precision", "recall",
            "given from", "calibration error", many,
        ],
        "rows": rows,
    }  # fmt: skip


def _company(truth, given, names: Sequence[str], many: str) -> dict:
    found = confused_company(truth, given, names)
    return {
        "title": "One label missed and another given in its place",
        "header": ["missed", "given", many],
        "rows": [
            [p["missing"], p["instead"], f"{p['count']:,} of {p['of']:,}"]
            for p in found
        ],
    }


def _mistakes(wrong, surest, ids, names) -> list[dict]:
    """Cells that are wrong, the surest first, one a picture."""
    shown: dict[str, str] = {}
    for flat in np.argsort(-np.where(wrong, surest, -np.inf), axis=None):
        row, label = np.unravel_index(flat, wrong.shape)
        if not wrong[row, label] or len(shown) == MAX_SHOWN:
            break
        words = f"{names[label]} {_percent(abs(surest[row, label]))}"
        shown.setdefault(ids[row], words)
    return [{"id": id_, "words": words} for id_, words in shown.items()]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _range(pair: Sequence[float]) -> str:
    return f"{100 * pair[0]:.1f} to {100 * pair[1]:.1f} %"
