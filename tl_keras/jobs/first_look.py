"""What can be refused before TensorFlow loads and anything is downloaded.

    listing = list_data(config)              # of train and check
    look_before_training(config)

In: the settings of a command. Out: the listing of its data, or the line that
says why it cannot be used: a header, a class, a path, a run of other settings.
This takes seconds where the start of a run takes a minute.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from tl_keras.config import (
    CheckConfig,
    DataConfig,
    EvaluateConfig,
    PredictConfig,
    TransferConfig,
)
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
from tl_keras.errors import DataError
from tl_keras.jobs.same_run import same_run, stored_run
from tl_keras.runs import RunFolder, check_writable, leaving_nothing


def list_data(config: DataConfig, *, download: bool = True) -> Listing:
    """What the dataset of a run or a check holds.

    Args:
        config: the settings.
        download: whether a TFDS set may be fetched.
    """
    return list_dataset(
        config.dataset,
        config.val_dataset,
        config.test_dataset,
        config.data_dir,
        **_common(config),
        allow_empty_class=config.allow_empty_class,
        allow_leakage=config.allow_leakage,
        group_column=config.group_column,
        download=download,
    )


def list_labelled(config: EvaluateConfig) -> Listing:
    """What the dataset of an evaluation holds: any part of the classes."""
    return list_dataset(
        config.dataset,
        data_dir=config.data_dir,
        **_common(config),
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
        "skip_unlabelled": config.skip_unlabelled,
        "case_sensitive_classes": config.case_sensitive_classes,
    }


def patterns(text: str) -> tuple[str, ...]:
    """ "*_mask.png,thumbs" -> its patterns."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def cut_of(config: DataConfig) -> Cut:
    """How missing splits are cut."""
    return Cut(
        val_fraction=config.val_fraction,
        test_fraction=config.test_fraction,
        train_per_class=config.train_examples_per_class,
        val_per_class=config.val_examples_per_class,
        seed=config.seed,
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
        check_cut(listing, cut_of(config))


def look_before_checking(config: CheckConfig) -> None:
    """Raises what the listing of a check would raise."""
    with _writing_to(config.output_dir):
        if not config.dataset.startswith("tfds:"):
            list_data(config)


def look_before_evaluating(config: EvaluateConfig) -> None:
    """Raises what the listing of an evaluation would raise."""
    with _writing_to(config.output_dir):
        if not config.dataset.startswith("tfds:"):
            list_labelled(config)


def look_before_predicting(config: PredictConfig) -> None:
    """Raises what the header of a table would raise."""
    with _writing_to(config.output_dir):
        if is_table(config.input):
            check_header(config.input)
