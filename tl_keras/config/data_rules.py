"""What is wrong with the settings about data. No TensorFlow.

In: a `ListingConfig`, `DataConfig` or `EvaluateConfig`. Out: its faults, one
line each: received, expected, remedy; see `tl_keras.config.rules`.
"""

import os
import re
from collections.abc import Iterator

from tl_keras.config.data import DataConfig, ListingConfig
from tl_keras.config.paths import is_table, no_such
from tl_keras.config.settings import Fault


def data_faults(config: DataConfig) -> Iterator[Fault]:
    """Faults of the settings about data, which several commands share."""
    yield from listing_faults(config)
    yield from _task_faults(config)
    yield from _split_path_faults(config)
    yield from _split_faults(config)
    yield from _check_faults(config)


def dataset_faults(dataset: str) -> Iterator[Fault]:
    """Faults of a `--dataset` alone."""
    if not dataset:
        yield Fault(
            ("dataset",),
            "--dataset: nothing received; expected a folder, a table "
            "(.csv), tfds:NAME or digits - for a first try --dataset=digits",
        )
    elif is_table(dataset):
        if not os.path.isfile(dataset):
            yield no_such("dataset", dataset, "a table's file")
    elif dataset != "digits" and not dataset.startswith("tfds:"):
        if not os.path.isdir(dataset):
            yield no_such(
                "dataset", dataset, "a folder, a table (.csv) or tfds:NAME"
            )


def listing_faults(config: ListingConfig) -> Iterator[Fault]:
    """Faults of what is listed, and how."""
    yield from dataset_faults(config.dataset)
    table = is_table(config.dataset)
    folder = config.dataset != "digits" and os.path.isdir(config.dataset)
    if config.given("label_from") and not folder:
        yield idle("label_from", f"--dataset={config.dataset} is no folder")
    elif config.given("label_from") and config.label_regex:
        yield idle("label_from", "--label_regex says the class")
    for name in ("follow_links", "label_regex", "include", "exclude"):
        if config.given(name) and not (folder or table):
            yield idle(name, "only a folder or a table has files")
    for name in ("path_column", "label_column"):
        if getattr(config, name) and not table:
            yield idle(name, "only a table has columns")
    if config.label_column and config.label_regex:
        yield idle("label_column", "--label_regex says the class")
    if config.skip_unlabelled and not table:
        yield idle("skip_unlabelled", "only a table has rows")
    for name in ("target", "label_separator"):
        if config.given(name) and not table:
            yield idle(name, "only a table has columns")
        elif config.given(name) and config.label_regex:
            yield idle(name, "--label_regex says the class")
    if config.label_regex:
        yield from _pattern_faults(config.label_regex)
    if config.data_dir and (folder or config.dataset == "digits"):
        yield idle("data_dir", "only a table or tfds: dataset has one")
    elif config.data_dir and not os.path.isdir(config.data_dir):
        yield no_such("data_dir", config.data_dir, "a folder")


def _task_faults(config: DataConfig) -> Iterator[Fault]:
    """Several labels, or numbers, of what has one class."""
    several = config.task in ("multilabel", "regression")
    if several and not is_table(config.dataset):
        yield idle("task", "only a table says more than one class")
    elif several and config.label_regex:
        yield idle("task", "--label_regex says the class")
    if config.task == "regression" and config.label_separator:
        yield idle("label_separator", "--task=regression reads numbers")


def _pattern_faults(pattern: str) -> Iterator[Fault]:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        yield Fault(
            ("label_regex",),
            f"--label_regex={pattern}: {error} - expected a Python pattern, "
            "such as (.+)_[0-9]+",
        )
        return
    if not groups:
        yield Fault(
            ("label_regex",),
            f"--label_regex={pattern}: expected a group that is the class, "
            "such as (.+)_[0-9]+",
        )


def _split_path_faults(config: DataConfig) -> Iterator[Fault]:
    table = is_table(config.dataset)
    in_files = table or os.path.isdir(config.dataset)
    for name in ("val_dataset", "test_dataset"):
        path = getattr(config, name)
        if not path:
            continue
        if table and not (is_table(path) and os.path.isfile(path)):
            yield no_such(name, path, "a table, as --dataset is one")
        elif not table and not os.path.isdir(path):
            yield no_such(name, path, "a folder")
        elif not in_files:
            yield idle(name, f"--dataset={config.dataset} is no folder")
    if config.split_file and not table:
        yield idle("split_file", "only a table has rows that it could split")
    elif config.split_file and not (
        is_table(config.split_file) and os.path.isfile(config.split_file)
    ):
        yield no_such("split_file", config.split_file, "a table's file")
    if config.data_manifest and not os.path.isfile(config.data_manifest):
        yield no_such("data_manifest", config.data_manifest, "a file")


def _split_faults(config: DataConfig) -> Iterator[Fault]:
    is_folder = config.dataset != "digits" and os.path.isdir(config.dataset)
    if config.allow_empty_class and not is_folder:
        yield idle(
            "allow_empty_class", f"--dataset={config.dataset} is no folder"
        )
    if config.group_column and not is_table(config.dataset):
        yield idle("group_column", "only a table has columns")
    for name in ("train_examples_per_class", "val_examples_per_class"):
        if config.group_column and config.given(name):
            yield Fault(
                (name, "group_column"),
                f"--{name}: given, but --group_column cuts whole groups - "
                "leave one of them out",
            )
    if config.train_examples_per_class and config.given("test_fraction"):
        yield idle(
            "test_fraction",
            "with --train_examples_per_class the rest is test",
        )
    if config.val_examples_per_class and config.given("val_fraction"):
        yield idle("val_fraction", "--val_examples_per_class says how many")
    both = config.val_fraction + config.test_fraction
    if both >= 1 and not config.train_examples_per_class:
        yield Fault(
            ("val_fraction", "test_fraction"),
            f"--val_fraction={config.val_fraction} --test_fraction="
            f"{config.test_fraction}: expected a sum below 1 - nothing is "
            "left to train on",
        )


def _check_faults(config: DataConfig) -> Iterator[Fault]:
    """Settings of the check that its mode, or the dataset, does not read."""
    if config.bad_input == "fail" and config.given("max_bad_fraction"):
        yield idle("max_bad_fraction", "--bad_input=fail allows none")
    in_files = os.path.exists(config.dataset) and config.dataset != "digits"
    if config.data_manifest and not in_files:
        yield idle("data_manifest", f"--dataset={config.dataset} has no files")
    if config.check == "off":
        for name in ("data_manifest", "min_side", "max_aspect"):
            if config.given(name):
                yield idle(name, "--check=off reads no picture")
    if config.check != "full" and not config.near_duplicates:
        yield idle("near_duplicates", "only --check=full looks for them")


def idle(name: str, why: str) -> Fault:
    """That a setting was given which nothing reads."""
    return Fault(
        (name,), f"--{name}: given, but does nothing here: {why} - leave it out"
    )
