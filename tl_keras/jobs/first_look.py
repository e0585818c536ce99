"""What can be refused before TensorFlow loads and anything is downloaded.

    look_before_training(config)
    look_before_checking(config)

In: the settings of a command. Out: the listing of its data, or the line that
says why it cannot be used: a header, a class, a path, a run of other settings.
This takes seconds where the start of a run takes a minute.
"""

import contextlib
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
from tl_keras.config.paths import kind_of_model, output_folder
from tl_keras.data import (
    Cut,
    Listing,
    check_cut,
    faults_of_skips,
    is_table,
    names_of_skips,
)
from tl_keras.data.unlabelled import check_header
from tl_keras.errors import ConfigError, DataError
from tl_keras.jobs.listing import list_data, list_labelled
from tl_keras.jobs.same_run import same_run, stored_run
from tl_keras.runs import RunFolder, check_writable, leaving_nothing
from tl_keras.tasks import task_class, task_like
from tl_keras.versions import (
    LABELS_FILE,
    newest_version,
    read_labels,
    read_stored_task,
)


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
            list_labelled(
                config, *_said_by(config.model), kind_of_model(config.model)
            )


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
        if config.server or kind_of_model(config.model) == "text":
            return  # Its rows are read once, when they are asked.
        if is_table(config.input):
            check_header(config.input, config.path_column)
