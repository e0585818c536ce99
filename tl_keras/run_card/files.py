"""The files of a run: written once, read again by whoever shows them.

    write_metrics(folder / "metrics.json", metrics)
    record = read_run(folder)           # metrics, history, predictions, ...

In: metrics, an `Evaluation`. Out, each complete or absent: metrics.json (every
number) and predictions.csv (one row an example); and from a folder of such
files a `RunRecord`. Settings are no more than words here.
"""

import csv
import dataclasses
import hashlib
import json
import os
import pathlib
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata

import numpy as np

import tl_keras
from tl_keras import atomic
from tl_keras.errors import DataError
from tl_keras.run_card.task_words import of_classes
from tl_keras.runs import RunFolder, read_flags
from tl_keras.tasks import stored_task
from tl_keras.tasks.task import Task
from tl_keras.tasks.values import Evaluation


def write_metrics(path: str | os.PathLike, metrics: Mapping) -> None:
    """Writes numbers as JSON; refuses NaN, which is no JSON."""
    with atomic.replacing(path) as temporary:
        text = json.dumps(metrics, indent=2, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def write_predictions(
    path: str | os.PathLike,
    evaluation: Evaluation,
    ids: Sequence[str],
    class_names: Sequence[str],
    task: Task | None = None,
) -> None:
    """One row an example: id, then what `Task.table` says of it.

    Args:
        path: the .csv, replaced whole.
        evaluation: of n examples.
        ids: of the same n, in the same order.
        class_names: of the outputs.
        task: what is predicted; one class of several when None.

    Raises:
        OSError: the disk does not take it.
    """
    task = task or stored_task({})
    header, cells = task.table(evaluation, class_names)
    with (
        atomic.replacing(path) as temporary,
        open(
            temporary, "w", newline="", encoding="utf-8",
            errors="backslashreplace",
        ) as stream,
    ):  # fmt: skip
        writer = csv.writer(stream)
        writer.writerow(["id", *header])
        for id_, row in zip(ids, cells, strict=True):
            writer.writerow([id_, *row])


def versions() -> dict[str, str]:
    """Versions of what computed a run, for its record."""
    names = ("tensorflow", "keras", "numpy", "scikit-learn", "pillow")
    return {
        "tl_keras": tl_keras.__version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in names},
    }


@dataclasses.dataclass(frozen=True)
class Predictions:
    """predictions.csv as columns; row i is test example i.

    Attributes:
        ids: one text each.
        labels, predicted: int (n,), index into the class names.
        scores: probability of the predicted class, float (n,).
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """What `run/` says of a run.

    Attributes:
        name: of the run: its output folder's, that a server knows it by.
        metrics: as in metrics.json.
        history: one row an epoch; numbers, or NaN.
        predictions: None where nothing was evaluated.
        splits: split -> class name -> how many pictures, from split.csv.
        data_report: as in data_report.json; {} where there is none.
        settings: as in run.flags, by name.
        hashes: SHA-256 of the files that a run is known by.
        rows: of predictions.csv, where the task is not one class of several;
            `predictions` is None then.
    """

    name: str
    metrics: dict
    history: list[dict]
    predictions: Predictions | None
    splits: dict[str, dict[str, int]]
    data_report: dict
    settings: dict[str, str]
    hashes: dict[str, str]
    rows: tuple[dict[str, str], ...] = ()

    @property
    def task(self) -> Task:
        """What the run predicts, as its metrics say."""
        return stored_task(self.metrics.get("task", {}))


def read_run(folder: str | os.PathLike) -> RunRecord:
    """Reads a run's files.

    Raises:
        DataError: the folder holds no run, or a file of it cannot be read.
    """
    folder = RunFolder(pathlib.Path(folder).resolve())
    if not folder.metrics.is_file():
        raise DataError(
            f"--run={folder.path}: no {folder.metrics.name} in it; expected "
            "the run/ folder that a training run leaves, such as "
            "saved_models/flowers/run"
        )
    # Those that say which run this was; the pages are made from them.
    known_by = folder.model, folder.predictions, folder.split, folder.history
    try:
        metrics = _read_json(folder.metrics)
        if "rounding" in metrics:
            raise DataError(
                f"--run={folder.path}: the numbers of an evaluation; expected "
                "the run/ folder that a training run leaves"
            )
        for name in ("data", "model", "seconds", "seed", "device", "versions"):
            if name not in metrics:
                raise ValueError(f"metrics.json has no {name}")
        classes = of_classes(metrics)
        return RunRecord(
            folder.output.name,
            metrics,
            _read_history(folder.history),
            _read_predictions(folder.predictions, metrics) if classes else None,
            _read_splits(folder.split),
            _read_json(folder.data_report),
            read_flags(folder.flags) if folder.flags.exists() else {},
            {p.name: _sha256(p) for p in known_by if p.exists()},
            () if classes else tuple(_rows(folder.predictions)),
        )
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, IndexError, csv.Error) as error:
        raise DataError(
            f"--run={folder.path}: its files do not fit together "
            f"({type(error).__name__}: {error}) - restore them or train again"
        ) from None


def _rows(path: pathlib.Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _read_json(path: pathlib.Path) -> dict:
    if not path.exists():
        return {}
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name}: expected a JSON object")
    return value


def _read_history(path: pathlib.Path) -> list[dict]:
    def number(text: str | None) -> float:
        return float(text) if text else float("nan")

    return [
        {
            name: text if name == "phase" else number(text)
            for name, text in row.items()
        }
        for row in _rows(path)
    ]


def _read_predictions(path: pathlib.Path, metrics: dict) -> Predictions | None:
    if not path.exists():
        return None
    number = {name: i for i, name in enumerate(metrics["class_names"])}
    # Row by row: a thousand classes make a thousand columns, read and left.
    ids, labels, predicted, scores = [], [], [], []
    with open(path, newline="", encoding="utf-8") as stream:
        reader = csv.reader(stream)
        if next(reader)[:4] != ["id", "label", "predicted", "score"]:
            raise ValueError(f"{path.name}: not the header that a run writes")
        for row in reader:
            ids.append(row[0])
            labels.append(number[row[1]])
            predicted.append(number[row[2]])
            scores.append(float(row[3]))
    return Predictions(
        tuple(ids), np.array(labels), np.array(predicted), np.array(scores)
    )


def _read_splits(path: pathlib.Path) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for row in _rows(path):
        of_split = counts.setdefault(row["split"], {})
        of_split[row["label"]] = of_split.get(row["label"], 0) + 1
    return counts


def _sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
