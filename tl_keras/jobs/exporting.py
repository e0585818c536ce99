"""A run's settings -> files for other runtimes, and what is said of them.

In: what was prepared, and the kept weights. Out: `run/exports/`, and the
`runtimes` of metrics.json. Whether the network can be converted at all is
found out before it is trained.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tl_keras import log
from tl_keras.config import TransferConfig
from tl_keras.errors import NotPublishedError
from tl_keras.exports import BATCH
from tl_keras.exports.files import (
    Result,
    Squares,
    check_convertible,
    write_files,
)
from tl_keras.exports.formats import Format, formats_of
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.preparation import Prepared
from tl_keras.runs import RunFolder
from tl_keras.sources import LabelledExamples, TensorMemory

# Pictures of training that int8 is quantized by.
REPRESENTATIVE = 100


class RuntimeFiles(NamedTuple):
    """What came of the files for other runtimes.

    Attributes:
        numbers: `runtimes` of metrics.json, by target's name; {} where none
            was asked.
        faults: one line for each file that is not there.
    """

    numbers: dict
    faults: tuple[str, ...]

    def refuse(self) -> None:
        """Raises NotPublishedError if a file is not there."""
        if self.faults:
            raise NotPublishedError(self.faults)


NO_FILES = RuntimeFiles({}, ())


def export_files(prepared: Prepared, folder: RunFolder) -> RuntimeFiles:
    """Makes what `--export` names beside the SavedModel.

    Args:
        prepared: what was trained; its model holds the kept weights.
        folder: of the run.
    """
    formats = asked_formats(prepared.config)
    if not formats:
        return NO_FILES
    labelled, test = prepared.labelled, prepared.labelled.test
    # Each file is asked all of them, so they are decoded once if they fit.
    memory = TensorMemory(prepared.config.feature_memory_gb)
    runs = runs_of(prepared.config)
    results = write_files(
        runs.converted(prepared.model, prepared.config, labelled),
        formats,
        folder.exports,
        Squares(
            test.examples.ids,
            test.examples.labels,
            lambda: _arrays(memory.held(test)),
            labelled.class_names,
        ),
        representative(labelled.train, prepared.config.seed),
        prepared.task,
    )
    if any(not result.refusal for result in results):
        beside = runs.help_runtimes(labelled, folder.exports)
        if beside:
            log.info(
                f"other runtimes: no tokenizer is in the files; "
                f"{' and '.join(beside)} beside them say what one needs"
            )
    return RuntimeFiles(
        {"runtimes": {r.format.name: _numbers(r, folder) for r in results}},
        tuple(
            f"{folder.exports / r.format.file} not written: {r.refusal} - "
            "the SavedModel is published without it"
            for r in results
            if r.refusal
        ),
    )


def asked_formats(config: TransferConfig) -> tuple[Format, ...]:
    """The files that a configuration asks for."""
    return formats_of(config.export, config.tflite_precision)


def refuse_unconvertible(prepared: Prepared) -> None:
    """Refuses, before training, what could not be made after it.

    Raises:
        ConfigError, MachineError: see `check_convertible`.
    """
    formats = asked_formats(prepared.config)
    if formats:
        model = runs_of(prepared.config).converted(
            prepared.model, prepared.config, prepared.labelled
        )
        check_convertible(model, formats, prepared.task)


def representative(labelled: LabelledExamples, seed: int) -> np.ndarray:
    """Some pictures of training, drawn by the seed, uint8 (n, s, s, 3)."""
    count = min(REPRESENTATIVE, len(labelled))
    drawn = np.random.default_rng(seed).choice(len(labelled), count, False)
    return np.concatenate(list(_arrays(labelled.take(np.sort(drawn)))))


def _arrays(labelled: LabelledExamples) -> Iterator[np.ndarray]:
    """uint8 batches (b, size, size, 3) in the order of the examples."""
    for tensors, _ in labelled.batches(BATCH):
        yield tensors.numpy()


def _numbers(result: Result, folder: RunFolder) -> dict:
    """One file as metrics.json holds it."""
    numbers = {
        "file": f"{folder.exports.name}/{result.format.file}",
        "bytes": result.size,
        "accuracy": None,
        "largest_difference": None,
        "mean_difference": None,
        "changed": None,
        "ties": None,
        "refused": result.refusal or None,
    }
    if result.report is not None:
        found = result.report.split
        numbers |= {
            "accuracy": found.accuracy,
            "changed": len(found.changed),
            "ties": found.ties,
        }
        # An answer that is no number is no JSON either; `refused` says it.
        if np.isfinite(found.mean_difference):
            numbers["largest_difference"] = found.largest_difference
            numbers["mean_difference"] = found.mean_difference
    return numbers
