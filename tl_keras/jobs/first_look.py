"""What can be refused before TensorFlow loads and anything is downloaded.

    listing = list_data(config)              # of train and check
    look_before_training(config)

In: the settings of a command. Out: the listing of its data, or the line that
says why it cannot be used: a header, a class, a path, a run of other settings.
This takes seconds where the start of a run takes a minute.
"""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence

from tl_keras.config import (
    CheckConfig,
    DataConfig,
    EvaluateConfig,
    PredictConfig,
    TransferConfig,
)
from tl_keras.config.paths import output_folder
from tl_keras.data import (
    Cut,
    Listing,
    check_cut,
    faults_of_skips,
    is_table,
    list_dataset,
    names_of_skips,
)
from tl_keras.data.unlabelled import check_header
from tl_keras.errors import ConfigError, DataError
from tl_keras.jobs.same_run import same_run, stored_run
from tl_keras.runs import RunFolder, check_writable, leaving_nothing
from tl_keras.tasks import task_class, task_like
from tl_keras.tasks.table_targets import CLASSES, Reading, read_targets
from tl_keras.versions import (
    LABELS_FILE,
    newest_version,
    read_labels,
    read_stored_task,
)


def list_data(config: DataConfig, *, download: bool = True) -> Listing:
    """What the dataset of a run or a check holds.

    Args:
        config: the settings.
        download: whether a TFDS set may be fetched.
    """
    reading = read_tables(config, config.task)
    listing = list_dataset(
        config.dataset,
        config.val_dataset,
        config.test_dataset,
        config.data_dir,
        **_common(config),
        targets=reading.targets,
        allow_empty_class=config.allow_empty_class,
        allow_leakage=config.allow_leakage,
        split_file=config.split_file,
        group_column=config.group_column,
        download=download,
    )
    told = (*listing.told, *reading.told)
    return dataclasses.replace(listing, told=told)


def read_tables(
    config: DataConfig | EvaluateConfig,
    task: str,
    names: Sequence[str] = (),
) -> Reading:
    """What the tables of a dataset say of their rows.

    Args:
        config: the settings.
        task: "auto", or what is predicted.
        names: of the model that is asked; () where one is trained.

    Returns:
        That there are classes, where the dataset is no table.

    Raises:
        ConfigError: a table can be read in two ways.
        DataError: it cannot be read so.
    """
    if not is_table(config.dataset) or config.label_regex:
        return CLASSES
    tables = {"train": config.dataset}
    for split in ("val", "test"):
        if table := getattr(config, f"{split}_dataset", ""):
            tables[split] = table
    column = getattr(config, "group_column", "")
    return read_targets(
        tables,
        task=task,
        target=patterns(config.target),
        separator=config.label_separator,
        leave_out=[column] if column else [],
        skip_unlabelled=config.skip_unlabelled,
        names=names,
        path_column=config.path_column,
        label_column=config.label_column,
    )


def list_labelled(
    config: EvaluateConfig, task: str, names: Sequence[str] = ()
) -> Listing:
    """What the dataset of an evaluation holds: any part of the classes.

    Args:
        config: the settings.
        task: what the model predicts.
        names: of its outputs, where the task is not one class of several.

    Returns:
        As `list_data`.
    """
    return list_dataset(
        config.dataset,
        data_dir=config.data_dir,
        **_common(config),
        targets=read_tables(config, task, names).targets,
        # Nothing is trained on, so nothing can leak.
        allow_leakage=True,
        partial=True,
    )


def _common(config: DataConfig | EvaluateConfig) -> dict:
    return {
        "label_from": config.label_from,
        "label_regex": config.label_regex,
        "include": patterns(config.include),
        "exclude": patterns(config.exclude),
        "follow_links": config.follow_links,
        "path_column": config.path_column,
        "label_column": config.label_column,
        "skip_unlabelled": config.skip_unlabelled,
        "case_sensitive_classes": config.case_sensitive_classes,
    }


def patterns(text: str) -> tuple[str, ...]:
    """ "*_mask.png,thumbs" -> its patterns."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def cut_of(config: DataConfig, listing: Listing) -> Cut:
    """How missing splits are cut.

    Raises:
        ConfigError: so many a class are asked for where there are no classes.
    """
    task = task_like(listing.splits["train"].labels)
    several = task != "multiclass"
    for name in ("train_examples_per_class", "val_examples_per_class"):
        if several and config.given(name):
            raise ConfigError(
                f"--{name}: given, but {config.dataset} has no classes (task "
                f"{task}) - leave it out"
            )
    return Cut(
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        train_per_class=config.train_examples_per_class,
        val_per_class=config.val_examples_per_class,
        seed=config.seed,
        stratify=task_class(task)().stratify if several else None,
    )


@contextlib.contextmanager
def _writing_to(folder: str | os.PathLike) -> Iterator[None]:
    """First of all: whether there is a place for what will come of it."""
    if not os.fspath(folder):
        yield
        return
    with leaving_nothing(pathlib.Path(folder), always=True):
        check_writable(folder)
        yield


def look_before_training(
    config: TransferConfig, *, restart: bool = False, dry_run: bool = False
) -> None:
    """Raises what a run would raise of its folder and its listing.

    Args:
        config: the settings.
        restart: whether a run that is there counts for nothing.
        dry_run: whether nothing will be written.

    Raises:
        MachineError: its folder cannot be written.
        ConfigError, DivergedError, NotPublishedError: another run is there,
            or this one has ended so.
        DataError: the data cannot be used; the check may find more.
    """
    config = config.resolved()
    with _writing_to("" if dry_run else config.run_folder()):
        folder = RunFolder.of(config.run_folder())
        stored = None if restart or dry_run else stored_run(folder)
        if stored:
            same_run(config, stored)
        if config.dataset.startswith("tfds:"):
            return
        listing = list_data(config)
        faults = faults_of_skips(
            listing, config.max_bad_fraction, config.bad_input
        )
        if faults:
            raise DataError([*names_of_skips(listing), *faults])
        check_cut(listing, cut_of(config, listing))


def look_before_checking(config: CheckConfig) -> None:
    """Raises what the listing of a check would raise."""
    with _writing_to(config.output_dir):
        if not config.dataset.startswith("tfds:"):
            list_data(config)


def look_before_evaluating(config: EvaluateConfig) -> None:
    """Raises what the listing of an evaluation would raise."""
    with _writing_to(config.output_dir):
        if not config.dataset.startswith("tfds:"):
            list_labelled(config, *_said_by(config.model))


def _said_by(model: str) -> tuple[str, Sequence[str]]:
    """What a model says it predicts, and the names where these are no
    classes; whatever is wrong with it is told when it is inspected."""
    try:
        version = newest_version(output_folder(model))
        task = read_stored_task(version).get("task", "multiclass")
        if task == "multiclass":
            return task, ()
        return task, read_labels(version / "assets.extra" / LABELS_FILE)
    except (OSError, ValueError, TypeError, AttributeError):
        return "multiclass", ()


def look_before_predicting(config: PredictConfig) -> None:
    """Raises what the header of a table would raise."""
    with _writing_to(config.output_dir):
        if is_table(config.input):
            check_header(config.input, config.path_column)
