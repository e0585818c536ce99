"""Run folders made of drawn numbers, and readers of the pages they give."""

import html.parser
import json
import pathlib
import re

import numpy as np

from tl_keras import run_card
from tl_keras.tasks.multiclass import evaluation

VOID = {"meta", "img", "source", "br"}


def history(epochs: int, phases=("head", "fine_tune"), val=True) -> list[dict]:
    rows = []
    for epoch in range(1, epochs + 1):
        phase = phases[min(len(phases) - 1, (epoch - 1) * 2 // max(2, epochs))]
        row = {
            "phase": phase,
            "epoch": epoch,
            "cross_entropy": 1 / epoch,
            "accuracy": 1 - 0.5 / epoch,
        }
        if val:
            row["val_cross_entropy"] = 1.1 / epoch
            row["val_accuracy"] = 0.9 - 0.4 / epoch
        rows.append({**row, "learning_rate": 1e-3 / epoch})
    return rows


def draw(names, count: int, seed: int, skill: float = 2.0):
    """An evaluation of a classifier that is right as often as `skill` says."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % len(names)
    logits = random.normal(size=(count, len(names)))
    logits[np.arange(count), labels] += skill
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return evaluation.count(logs, labels, names)


def phase(name: str, one, first: int, last: int, val=True) -> dict:
    logs = {"cross_entropy": 0.2, "accuracy": 0.95}
    if val:
        logs |= {"val_cross_entropy": 0.31 + 0.01 * last, "val_accuracy": 0.9}
    return {
        "name": name, "solver": "adam", "unfreeze_from": "none",
        "trainable_parameters": 1234, "first_epoch": first,
        "last_epoch": last, "best_epoch": last, "at_best_epoch": logs,
        "seconds": 12.5, "pictures_per_second": 81.25, "test": one.metrics,
        "done_once": None,
    }  # fmt: skip


def make_run(
    root: pathlib.Path,
    names=("cat", "dog"),
    *,
    count: int = 60,
    ids=None,
    epochs: int = 6,
    phases=("head", "fine_tune"),
    val: bool = True,
    stopped: str = "",
    scratch: bool = True,
) -> pathlib.Path:
    """Writes the files of a run as a job does, in `root/flowers/run`."""
    folder = root / "flowers" / "run"
    folder.mkdir(parents=True)
    names = list(names)
    evaluations = [draw(names, count, n, 2 + n) for n in range(len(phases))]
    ids = list(
        ids or (f"{names[i % len(names)]}/{i}.jpg" for i in range(count))
    )
    rows = history(epochs, phases, val)
    if stopped:
        for row in rows[-2:]:
            row |= {"cross_entropy": float("nan"), "accuracy": 0.1}
    write_rows(folder / "history.csv", rows)
    (folder / "run.flags").write_text(
        "--dataset=/home/somebody/flowers\n--batch_size=32\n"
    )
    used = {"train": 4 * count, "val": count if val else 0, "test": count}
    metrics = {
        "monitor": "val_loss",
        "data": {
            "found": sum(used.values()) + 5,
            "used": used, "skipped": 2, "ignored": {"no picture": 3},
            "fingerprint": "ab" * 32,
        },
        "class_names": names,
        "model": {"backbone": "VGG16", "parameters": 98765, "image_size": 8,
                  "precision": "float32"},
        "device": "cpu", "seed": 7,
        "seconds": {"prepare": 1.25, "train": 31.5, "total": 40.75},
        "cost": {"peak_memory_bytes": 1_234_567_890},
        "versions": run_card.versions(),
    }  # fmt: skip
    if stopped:
        metrics["stopped"] = stopped
    else:
        metrics |= results(evaluations, names, phases, val, epochs, scratch)
        run_card.write_predictions(
            folder / "predictions.csv", evaluations[-1], ids, names
        )
        splits = [
            {"id": id_, "label": names[i % len(names)], "split": "test"}
            for i, id_ in enumerate(ids)
        ]
        splits += [{**row, "split": "train"} for row in splits]
        write_rows(folder / "split.csv", splits)
    report = data_report(ids)
    (folder / "data_report.json").write_text(json.dumps(report))
    run_card.write_metrics(folder / "metrics.json", metrics)
    return folder


def results(evaluations, names, phases, val, epochs, scratch) -> dict:
    """What is measured on the test split."""
    best = evaluations[-1]
    found = {
        "test": best.metrics,
        "kept_phase": phases[-1],
        "phases": [
            phase(name, one, 1 + number, epochs, val)
            for number, (name, one) in enumerate(
                zip(phases, evaluations, strict=True)
            )
        ],
        "comparisons": [
            {"first": phases[0], "second": name}
            | run_card.paired_counts(
                best.labels, evaluations[0].predicted, one.predicted
            )
            for name, one in zip(phases[1:], evaluations[1:], strict=True)
        ],
        "export": {
            "version": 3,
            "signatures": {
                "serving_default": {
                    "inputs": {"image_bytes": "string (batch,)"},
                    "outputs": {"scores": "float32 (batch, 5)"},
                }
            },
        },
    }
    found["cost"] = {
        "peak_memory_bytes": 1_234_567_890, "latency_seconds": 0.01234,
        "pictures_per_second": 210.4, "model_bytes": 2_345_678,
        "export_bytes": 3_456_789,
        "trunk_passes": {"needed": 3900, "computed": 600, "saved": 3300},
    }  # fmt: skip
    if scratch:
        poor = draw(names, len(best.labels), 9, 0.3)
        found["scratch"] = {"test": poor.metrics}
        counts = run_card.paired_counts(
            best.labels, poor.predicted, best.predicted
        )
        found["comparisons"].append(
            {"first": "scratch", "second": phases[-1], **counts}
        )
    return found


def data_report(ids) -> dict:
    one, two = ids[0], ids[1]
    return {
        "rules": {"check": "full"},
        "notes": {"turned upright": 4},
        "warnings": [f"1 pair looks alike: {one} and {two}"],
        "skipped": [{"id": one, "reason": "empty file - take it away",
                     "split": "train", "class": "x"}] * 2,
        "same_bytes": [[{"id": one, "split": "train"},
                        {"id": two, "split": "test"}]],
        "look_alike": [{"ids": [one, two], "splits": ["train", "test"],
                        "kind": "re-encoded", "bits": 2}],
        "label_suspects": [
            {"id": ids[3], "label": "<i>cat</i>", "guess": "dog",
             "probability_of_label": 0.0213, "probability_of_guess": 0.9312},
        ],
        "seconds": 1.5,
    }  # fmt: skip


def write_rows(path: pathlib.Path, rows) -> None:
    import csv

    with open(
        path, "w", newline="", encoding="utf-8", errors="backslashreplace"
    ) as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


class StubAlbum:
    """Noise for every picture: nothing is larger as a JPEG."""

    kind = "image"

    def __init__(self, side: int = 8):
        self.side = side

    def square(self, split, id_):
        random = np.random.default_rng(abs(hash((split, id_))) % 2**32)
        return random.integers(0, 255, (self.side, self.side, 3), np.uint8)

    def label(self, split, id_):
        return "<b>label</b>" if split == "train" else "other"


class Page(html.parser.HTMLParser):
    """A page as a parser of its own sees it.

    Attributes:
        elements: each with its attributes' names, in order.
        pictures: (src, alt) of each <img>; sources: srcset of <source>.
        text: the visible text, without that of names and code.
    """

    HIDDEN = frozenset({"style", "title", "pre"})
    NAMES = frozenset({"name", "hash", "said", "label", "labels"})

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.elements, self.pictures, self.sources = [], [], []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(text)
        self.close()
        assert self._open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        assert len(values) == len(attributes), attributes
        self.elements.append((tag, *sorted(values)))
        self.attributes += [(tag, k, v) for k, v in attributes]
        if tag == "img":
            self.pictures.append((values.get("src"), values.get("alt")))
        if tag == "source":
            self.sources.append(values.get("srcset"))
        if tag not in VOID:
            classes = set((values.get("class") or "").split())
            hidden = tag in self.HIDDEN or bool(classes & self.NAMES)
            self._open.append((tag, hidden))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        if not any(hidden for _, hidden in self._open):
            self.words.append(data)


NUMBER = re.compile(r"(?<![\w.,-])[+-]?\d+(?:,\d{3})*(?:\.\d+)?(?!\w|\.\d)")
