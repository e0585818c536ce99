"""Settings -> numbers of an exported model on labelled pictures.

In: an `EvaluateConfig`. Out: what training says of its test split, under the
same names (`metrics.json`, key `test`), of any labelled set.
"""

import dataclasses
import pathlib

import numpy as np

from tl_keras import log, pages, progress, run_card
from tl_keras.audit.reading import SEE_TO_DISK, read_regular
from tl_keras.config import EvaluateConfig
from tl_keras.config.paths import output_folder
from tl_keras.console import on_console
from tl_keras.data import (
    Examples,
    Listing,
    Skip,
    names_of_skips,
)
from tl_keras.data.examples import label_text
from tl_keras.errors import MachineError, NotPublishedError
from tl_keras.exports import (
    PREFIX,
    Export,
    inspect_export,
)
from tl_keras.jobs.evaluable import (
    labelled_like,
    one_split,
    refuse_other_classes,
    refuse_unusable,
)
from tl_keras.jobs.seen_before import LEARNT, seen_before, seen_in_words
from tl_keras.jobs.telling.evaluated import summary
from tl_keras.runs import RunFolder, check_writable, run_lock
from tl_keras.serving.inference import MAX_BYTES, Loaded, explained
from tl_keras.tasks.task import Task
from tl_keras.tasks.values import Evaluation

MEASURED = 8  # pictures, for how far rounding moves the answers
MAX_NAMED = 20  # pictures that rounding decides


@on_console()
def evaluate_with(config: EvaluateConfig) -> dict:
    """Does what `python -m tl_keras.evaluate` was asked.

    Returns:
        The metrics, as metrics.json holds them.

    Raises:
        ConfigError, DataError, MachineError: see `tl_keras.errors`; each
            has one clear line.
    """
    model = output_folder(config.model)
    export = inspect_export(model, trust_model=config.trust_model)
    for line in export.warnings:
        log.warn(f"warning: {export.folder}: {line}")
    export = export.covering(config.coverage)
    listing = one_split(
        labelled_like(config, export), config.split, config.dataset
    )
    for line in listing.told:
        log.info(pages.escape_controls(line))
    for line in listing.warnings:
        log.info(f"warning: {pages.escape_controls(line)}")
    refuse_other_classes(listing.class_names, export, config.dataset)
    refuse_unusable(listing, config.max_bad_fraction)
    if config.output_dir:
        check_writable(config.output_dir)
    listing, evaluation = asked(Loaded(export), listing, config.batch_size)
    # A picture that is good, and which the disk does not give, is no reason
    # to leave it out.
    lost = [s.line() for s in listing.skipped if s.reason.endswith(SEE_TO_DISK)]
    if lost:
        raise MachineError(lost)
    refuse_unusable(listing, config.max_bad_fraction)
    metrics = numbers(export, listing, evaluation)
    metrics["rounding"] = rounding(export, listing, evaluation)
    log.result(summary(metrics, names_of_skips(listing)))
    if config.split not in LEARNT:
        _tell_seen(export, listing, evaluation)
    if config.output_dir:
        folder = pathlib.Path(config.output_dir)
        with run_lock(folder):
            write_record(folder, metrics, listing, evaluation, export.task)
        log.info(f"record: {folder}")
    return metrics


def asked(
    loaded: Loaded, listing: Listing, batch_size: int
) -> tuple[Listing, Evaluation]:
    """Asks about every picture.

    Args:
        loaded: the exported model.
        listing: of one split, with classes that the model has.
        batch_size: pictures asked at once.

    Returns:
        The listing without what could not be read, and what was answered.

    Raises:
        DataError: none of them can be read.
    """
    ((split, examples),) = listing.splits.items()
    # A dataset may lack classes of the model, so the numbers of its labels are
    # not the model's. Labels and numbers were read in the model's order.
    column = None
    if loaded.task.name == "multiclass":
        column = [loaded.labels.index(name) for name in listing.class_names]
    answers, kept, skips = [], [], []
    starts = range(0, len(examples), batch_size)
    for start in progress.counted(starts, "evaluating", len(starts), "batches"):
        rows = range(start, min(start + batch_size, len(examples)))
        contents = [_read(examples, row) for row in rows]
        good = [content for content, reason in contents if not reason]
        found, told = loaded.answers(good) if good else ([], [])
        answered = iter(zip(found, told, strict=True))
        for row, (content, reason) in zip(rows, contents, strict=True):
            if not reason:
                answer, reason = next(answered)
            if not reason:
                answers.append(answer)
                kept.append(row)
                continue
            if content:
                reason = explained(loaded.kind, content, reason)
            name = label_text(examples.labels[row], listing.class_names)
            skips.append(Skip(examples.ids[row], reason, split, name))
    if not kept:
        listing = dataclasses.replace(
            listing,
            splits={split: examples.take([])},
            skipped=(*listing.skipped, *skips),
        )
        # Raises, as all of them are skipped: there is nothing to count.
        refuse_unusable(listing, 0)
    examples = examples.take(kept)
    labels = examples.labels
    if column is not None:
        labels = np.array(column)[labels]
    listing = dataclasses.replace(
        listing,
        splits={split: examples},
        skipped=(*listing.skipped, *skips),
    )
    return listing, loaded.task.count_answers(
        np.stack(answers), labels, loaded.labels
    )


def _read(examples: Examples, row: int) -> tuple[bytes, str]:
    if examples.files is None:
        return examples.read(row), ""
    return read_regular(examples.files[row], MAX_BYTES)


def _tell_seen(
    export: Export, listing: Listing, evaluation: Evaluation
) -> None:
    """Warns of examples that the model has learnt from."""
    (examples,) = listing.splits.values()
    seen = seen_before(export.folder, examples)
    if seen.any():
        words = seen_in_words(
            seen, evaluation, export.task, export.labels, export.kind
        )
        log.warn(f"warning: {words}")


def numbers(export: Export, listing: Listing, evaluation: Evaluation) -> dict:
    """All numbers, as metrics.json holds them.

    Args:
        export: the model that was asked.
        listing: of one split, without what could not be read.
        evaluation: of its pictures.

    Returns:
        Plain values, by the names that a training run uses.
    """
    ((split, examples),) = listing.splits.items()
    trust = export.task.trust(evaluation, None)
    stored = export.task.stored()
    kind = export.kind
    return {
        **({"input": kind} if kind != "image" else {}),
        "test": {**evaluation.metrics, **trust},
        **({"task": stored} if stored else {}),
        "data": {
            "split": split,
            "found": listing.found(),
            "used": {split: len(examples)},
            "skipped": len(listing.skipped),
            "ignored": dict(listing.ignored),
            "fingerprint": listing.fingerprint(),
        },
        "class_names": list(export.labels),
        "model": {"version": export.folder.name, "sha256": export.sha256},
        "versions": run_card.versions(),
    }


def rounding(
    export: Export, listing: Listing, evaluation: Evaluation
) -> dict | None:
    """What rounding on this device decides; None where answers are exact.

    A version that was trained on another device, or is asked in bfloat16, has
    a few pictures right here and wrong there; that is no change of it.

    Args:
        export: the model that was asked.
        listing: of one split, in the order of the evaluation.
        evaluation: what was answered.

    Returns:
        `movement`, the largest that was measured; `ties`, how many pictures it
        decides; `tied_pictures`, the ids of the first of them. None also where
        it cannot be measured; a warning is printed then.
    """
    (examples,) = listing.splits.values()
    some = range(min(MEASURED, len(examples)))
    encoded = [_read(examples, row)[0] for row in some]
    answers, task = evaluation.answers, export.task
    try:
        movement = export.movement(
            encoded, answers[: len(some)], task.differs(export.labels)
        )
    except NotPublishedError as error:
        words = "\n".join(error.faults).removeprefix(PREFIX)
        log.warn(f"warning: rounding is not measured: {words}")
        return None
    if not movement:
        return None
    ties = np.flatnonzero(task.ties(answers, evaluation.targets, movement))
    return {
        "movement": movement,
        "ties": len(ties),
        "tied_pictures": [examples.ids[row] for row in ties[:MAX_NAMED]],
    }


def write_record(
    folder: pathlib.Path,
    metrics: dict,
    listing: Listing,
    evaluation: Evaluation,
    task: Task,
) -> None:
    """Writes metrics.json and predictions.csv, of classes confusion.png too.

    Args:
        folder: to write to; it is there.
        metrics: all numbers (`numbers`).
        listing: of one split, in the order of the evaluation.
        evaluation: what was answered.
        task: what is predicted.
    """
    (examples,) = listing.splits.values()
    names = metrics["class_names"]
    # Named as a training run names its own.
    record = RunFolder(folder)
    run_card.write_predictions(
        record.predictions, evaluation, examples.ids, names, task
    )
    if hasattr(evaluation, "confusion"):
        run_card.plot_confusion(record.confusion, evaluation.confusion, names)
    # Last, so that a folder with it is a whole one.
    run_card.write_metrics(record.metrics, metrics)
