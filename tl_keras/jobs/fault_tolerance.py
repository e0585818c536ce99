"""A stage of a run on a bad day: once more, with less, or without what is gone.

    run, fit = fault_tolerant(run, lambda now: train(now, folder, store))

In: a run, and a stage that may be begun again. Out: both, further. Where
storage failed for a moment, it is tried again; where a picture to train on
cannot be read any more, it is left out and counted; where memory ran out,
`--auto_batch` halves the batch. Training then goes on from its last save, as a
killed run does.
"""

import contextlib
import dataclasses
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import tensorflow as tf

from tl_keras import io_watchdog, log, pages
from tl_keras.audit import Report, write_reports
from tl_keras.data import Skip, faults_of_skips, names_of_skips
from tl_keras.data.examples import label_text
from tl_keras.errors import DataError, MachineError
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.staging import Run
from tl_keras.out_of_memory import is_out_of_memory
from tl_keras.sources import LabelledSplits

T = TypeVar("T")

MAX_TRIES = 3
# What TensorFlow raises where a file cannot be read or decoded.
UNREADABLE = (
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
    tf.errors.FailedPreconditionError,
    tf.errors.AbortedError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
    tf.errors.DataLossError,
    tf.errors.OutOfRangeError,
    tf.errors.InvalidArgumentError,
)
GONE = "could not be read while training"


def fault_tolerant(run: Run, stage: Callable[[Prepared], T]) -> tuple[Run, T]:
    """Runs a stage until it is done, or cannot be.

    Args:
        run: as far as it has come.
        stage: may be begun again, with what is left.

    Returns:
        The run, without what it had to do without; and what the stage gave.

    Raises:
        DataError: pictures to validate or test on cannot be read, or too
            many to train on.
        MachineError: memory does not suffice.
    """
    tries = 0
    while True:
        try:
            with io_watchdog.expecting(files_of(run.prepared.labelled)):
                return run, stage(run.prepared)
        except Exception as error:
            if is_out_of_memory(error):
                run = with_less_memory(run)
            elif not isinstance(error, (*UNREADABLE, OSError)):
                raise
            else:
                mended = _mended(run, error)
                # Fewer pictures are another stage, which has its own tries.
                tries = tries + 1 if mended is run else 0
                if mended is None or tries == MAX_TRIES:
                    raise
                run = mended
        # What the stage held on the device, weights and rows, is in circles
        # of references, and the next try needs the room.
        gc.collect()


def with_less_memory(run: Run) -> Run:
    """The run with nothing on a GPU but what its steps need; then in batches
    of half the size.

    Raises:
        MachineError: the settings do not allow it, or it was one picture.
    """
    config = run.prepared.config
    if run.prepared.device == "gpu" and not run.prepared.crowded:
        log.info(
            f"out of memory with batches of {config.batch_size}: going on "
            "with nothing kept on the GPU from step to step"
        )
        prepared = dataclasses.replace(run.prepared, crowded=True)
        return dataclasses.replace(run, prepared=prepared)
    size = config.batch_size // 2
    if not config.auto_batch or not size:
        raise out_of_memory(config.batch_size) from None
    log.info(
        f"out of memory with batches of {config.batch_size}: going on "
        f"with {size} (--auto_batch)"
    )
    config = dataclasses.replace(config, batch_size=size)
    return dataclasses.replace(
        run,
        prepared=dataclasses.replace(run.prepared, config=config),
        journal=run.journal.noted(batch_size=size),
    )


def _mended(run: Run, error: Exception) -> Run | None:
    """The run to try again, without what cannot be read; None for not at all.

    The same run where the fault has passed.
    """
    labelled = run.prepared.labelled
    if not may_be_of_an_example(error, labelled):
        return None
    # TensorFlow's word for bytes that do not decode; no waiting mends them.
    passing = not isinstance(error, tf.errors.InvalidArgumentError)
    if isinstance(error, OSError):
        passing = error.errno in io_watchdog.PASSING
    bad = labelled.train.unreadable()
    # Those to validate or test on are never left out: the numbers would be of
    # another set.
    raise_unreadable(labelled, but_train=True)
    if bad:
        lost = {
            labelled.train.examples.ids[i]: [
                label_text(labelled.train.labels[i], labelled.class_names),
                why,
            ]
            for i, why in bad.items()
        }
        prepared = without(run.prepared, lost)
        journal = run.journal.without(lost, prepared)
        write_reports(prepared.report, run.folder.path)
        return dataclasses.replace(run, prepared=prepared, journal=journal)
    if not passing:
        return None
    log.info("a read failed, and now succeeds: trying once more")
    return run


def without(prepared: Prepared, lost: Mapping[str, Sequence[str]]) -> Prepared:
    """The run without pictures to train on that it lost.

    Args:
        prepared: the run.
        lost: id -> (class name, why); what the check skips too, and what is
            no more among the files, is counted once.

    Raises:
        DataError: those are more than the settings allow.
    """
    labelled, report = prepared.labelled, prepared.report
    examples = labelled.train.examples
    known = {s.id for s in report.listing.skipped if s.split == "train"}
    skips = [
        Skip(id_, f"{GONE} ({why})", "train", class_name)
        for id_, (class_name, why) in lost.items()
        if id_ not in known
    ]
    if not skips:
        return prepared
    report = dataclasses.replace(report, listing=report.listing.without(skips))
    stay = [i for i, id_ in enumerate(examples.ids) if id_ not in lost]
    refuse_too_few(report, labelled, stay)
    lines = [f"skip: {pages.escape_controls(skip.line())}" for skip in skips]
    log.info("\n".join(lines))
    counts = {
        **labelled.counts,
        "found": report.listing.found(),
        "used": {**labelled.counts["used"], "train": len(stay)},
        "skipped": len(report.listing.skipped),
    }
    labelled = dataclasses.replace(
        labelled, train=labelled.train.take(stay), counts=counts
    )
    return dataclasses.replace(prepared, report=report, labelled=labelled)


def refuse_too_few(
    report: Report, labelled: LabelledSplits, stay: Sequence[int]
) -> None:
    """Raises DataError where the settings do not allow what was lost.

    Args:
        report: of the check, with what was lost among what it skipped.
        labelled: the splits before the loss.
        stay: indices of the training pictures that are left.

    Raises:
        DataError: too large a share was lost, or all pictures of a class.
    """
    rules, listing = report.rules, report.listing
    faults = faults_of_skips(listing, rules.max_bad_fraction, rules.bad_input)
    labels = labelled.train.labels
    if labels.ndim > 1:  # Not classes, of which none may be emptied.
        labels, stay = labels[:0, 0], []
    faults += [
        f"class {labelled.class_names[label]!r}: no picture to train on is "
        "left - mend or restore them"
        for label in sorted(set(labels) - set(labels[list(stay)]))
    ]
    if faults:
        raise DataError([*names_of_skips(listing), *faults])


def files_of(labelled: LabelledSplits) -> list[str]:
    """The files of all splits."""
    return [
        file
        for examples in labelled.examples().values()
        for file in examples.files or ()
    ]


def out_of_memory(batch_size: int | None = None) -> MachineError:
    """The fault, with the remedy."""
    halved = "halve --batch_size"
    if batch_size is not None and batch_size > 1:
        halved = f"give --batch_size={batch_size // 2} or --auto_batch"
    return MachineError(
        f"out of memory - {halved}, lower --image_size or --head_units, or "
        "choose a smaller --backbone"
    )


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Turns running out of memory into a line that names the remedy."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise out_of_memory() from None
        raise


@contextlib.contextmanager
def readable(labelled: LabelledSplits) -> Iterator[None]:
    """Turns faults of reading, which name no picture, into lines that do."""
    try:
        with enough_memory(), io_watchdog.expecting(files_of(labelled)):
            yield
    except (*UNREADABLE, OSError) as error:
        if may_be_of_an_example(error, labelled):
            raise_unreadable(labelled)
        raise


def may_be_of_an_example(error: Exception, labelled: LabelledSplits) -> bool:
    """Whether it is worth reading all pictures: not for a full disk."""
    if not isinstance(error, OSError):
        return True
    if error.filename:
        return error.filename in set(files_of(labelled))
    return error.errno in io_watchdog.PASSING


def raise_unreadable(labelled: LabelledSplits, but_train: bool = False) -> None:
    """Raises DataError naming the pictures that cannot be read, if any."""
    lines = []
    for split, examples in labelled.examples().items():
        if split == "train" and but_train:
            continue
        bad: Mapping[int, str] = getattr(labelled, split).unreadable()
        lines += [
            f"{examples.ids[i]}: {why} - mend or restore the file, and the "
            "same command goes on; --restart begins anew without it"
            for i, why in bad.items()
        ]
    if lines:
        raise DataError(lines)
