"""Settings -> numbers of an exported model on labelled pictures.

In: an `EvaluateConfig`. Out: what training says of its test split, under the
same names (`metrics.json`, key `test`), of any labelled set.
"""

import dataclasses
import pathlib
from collections.abc import Sequence

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
    faults_of_skips,
    joined,
    names_of_skips,
)
from tl_keras.data.examples import label_text
from tl_keras.errors import DataError, MachineError, NotPublishedError
from tl_keras.exports import (
    PREFIX,
    Export,
    inspect_export,
)
from tl_keras.inputs.kinds import kind_named, nouns
from tl_keras.jobs.listing import list_labelled
from tl_keras.jobs.telling.ending import numbers_alone
from tl_keras.runs import RunFolder, check_writable, run_lock
from tl_keras.serving.inference import MAX_BYTES, Loaded
from tl_keras.tasks import task_like
from tl_keras.tasks.task import Task
from tl_keras.tasks.values import Evaluation

ALL = "all"
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
    listing = one_split(_listed(config, export), config.split, config.dataset)
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
    if config.output_dir:
        folder = pathlib.Path(config.output_dir)
        with run_lock(folder):
            write_record(folder, metrics, listing, evaluation, export.task)
        log.info(f"record: {folder}")
    return metrics


def _listed(config: EvaluateConfig, export: Export) -> Listing:
    """What the dataset holds, read as what the model predicts."""
    task, names = export.task.name, export.labels
    if task == "multiclass":
        return list_labelled(config, task, kind=export.kind)
    listing = list_labelled(config, task, names, export.kind)
    if task != task_like(next(iter(listing.splits.values())).labels):
        raise DataError(
            f"--dataset={config.dataset}: expected a table of what "
            f"{export.folder} predicts ({task} of {', '.join(names)}) - give "
            "a .csv, and its columns by --target"
        )
    if task == "regression":
        listing = dataclasses.replace(listing, class_names=names)
    return listing


def one_split(listing: Listing, split: str, dataset: str) -> Listing:
    """The part of a dataset that is asked, as its only split.

    Args:
        listing: the whole dataset.
        split: "train", "val", "test", "all", or "auto" for test where there is
            one, else all.
        dataset: its name, for the message.

    Returns:
        A listing of one split, and of what was skipped there.

    Raises:
        DataError: it has no such part.
    """
    own = set(listing.splits)
    if split == "auto":
        split = "test" if "test" in own else ALL
    if split != ALL and split not in own:
        raise DataError(
            f"--split={split}: {dataset} has {', '.join(sorted(own))} - give "
            "one of these, or all"
        )
    wanted = sorted(own) if split == ALL else [split]
    skips = tuple(
        dataclasses.replace(skip, split=split)
        for skip in listing.skipped
        if skip.split in wanted
    )
    return dataclasses.replace(
        listing,
        splits={split: joined([listing.splits[name] for name in wanted])},
        skipped=skips,
        # Of other parts nobody can tell which were ignored.
        ignored=listing.ignored if split == ALL or own == {split} else {},
    )


def refuse_other_classes(
    names: Sequence[str], export: Export, dataset: str
) -> None:
    """Raises DataError with what differs, where it has classes of its own.

    Any part of the model's will do: one may ask cats alone.

    Args:
        names: the dataset's classes.
        export: the model that is asked.
        dataset: its name, for the message.

    Raises:
        DataError: a class that the model does not know.
    """
    extra = [name for name in names if name not in set(export.labels)]
    missing = [name for name in export.labels if name not in set(names)]
    if extra:
        raise DataError(
            f"--dataset={dataset}: its classes are not those of "
            f"{export.folder}: only in the dataset {extra or 'none'}, only in "
            f"the model {missing or 'none'} - name each folder or label as the "
            "model does; it may lack some"
        )


def refuse_unusable(listing: Listing, max_bad_fraction: float) -> None:
    """Raises DataError where too much of it, or all, cannot be read."""
    faults = faults_of_skips(listing, max_bad_fraction)
    if not faults and not sum(map(len, listing.splits.values())):
        faults = [
            f"none of {len(listing.skipped):,} {listing.nouns[1]} can be used "
            "- mend them, or give another --dataset",
            *listing.hints,
        ]
    if faults:
        raise DataError([*names_of_skips(listing), *faults])


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
                reason = kind_named(loaded.kind).explain(content, reason)
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


def summary(metrics: dict, skipped: Sequence[str]) -> str:
    """The numbers that a person reads first."""
    test, data = metrics["test"], metrics["data"]
    _, many = nouns(metrics.get("input", "image"))
    lines = [f"skip: {line}" for line in skipped]
    lines += by_name(test, many)
    lines.append(
        f"{data['found']:,} found = {test['examples']:,} used + "
        f"{data['skipped']:,} skipped + {sum(data['ignored'].values()):,} "
        "ignored"
    )
    first, second = run_card.main_numbers(metrics)
    low, high = (run_card.shown(first, x) for x in test[f"{first}_interval"])
    lines.append(
        f"{run_card.title(first)}: {run_card.shown(first, test[first], 4)} "
        f"({low} to {high}) on {test['examples']:,} {many} of "
        f"{data['split']}, {run_card.title(second)} "
        f"{run_card.shown(second, test[second])}, loss {test['loss']:.4f}"
    )
    lines += run_card.coverage(test)
    found = metrics["rounding"]
    if found:
        lines.append(
            f"rounding: moves a probability's logarithm by up to "
            f"{found['movement']:.2g} here; {found['ties']:,} {many} are "
            "right or wrong by that alone"
            + f": {', '.join(found['tied_pictures'])}"
            * bool(found["ties"])
        )
    return pages.escape_lines(lines)


def by_name(test: dict, many: str = "pictures") -> list[str]:
    """A line a class, a label or a column, of the numbers of a split."""
    rows = test.get("per_class") or test.get("per_label") or test["per_target"]
    width = max(map(len, rows))
    if "per_target" in test:
        head = f"{'column':<{width}}  mean error        RMSE      R2"
        return [head] + [
            f"{name:<{width}}  {row['mae']:>10.4g}  {row['rmse']:>10.4g}  "
            f"{row['r2']:>6.3f}"
            for name, row in rows.items()
        ]
    what = "class" if "per_class" in test else "label"
    return [f"{what:<{width}}  precision  recall      f1  {many:>8}"] + [
        f"{name:<{width}}  {row['precision']:>9.3f}  {row['recall']:>6.3f}  "
        f"{row['f1']:>6.3f}  {row['support']:>8,}"
        for name, row in rows.items()
    ]


def evaluated_for_programs(config: EvaluateConfig, metrics: dict) -> dict:
    """What `--json` prints of an evaluation."""
    return {
        "test": numbers_alone(metrics["test"]),
        **({"output_dir": config.output_dir} if config.output_dir else {}),
    }
