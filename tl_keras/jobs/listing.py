"""The settings of a command -> what its data hold, of whichever kind.

    listing = list_data(config)              # of train and check
    listing = list_labelled(config, "multiclass", kind="text")

In: settings. Out: a `Listing`. A run's kind of input is its backbone's; of a
check it is what stands there, or what `--input_kind` says; an evaluation's is
its model's. No TensorFlow.
"""

import dataclasses
import os
from collections.abc import Sequence

from tl_keras.config import DataConfig, EvaluateConfig, TransferConfig
from tl_keras.config.kinds import kind_faults, kind_of_network
from tl_keras.config.paths import columns_of_model
from tl_keras.config.settings import Settings
from tl_keras.data import Listing, is_table, list_dataset, set_apart
from tl_keras.data.texts import list_texts, raw_texts
from tl_keras.errors import ConfigError
from tl_keras.jobs.looking import looks_like
from tl_keras.tasks.tables import CLASSES, Reading, read_targets, targets_of


def kind_of(config: DataConfig) -> str:
    """The kind of input of a run or a check: "image" or "text".

    Raises:
        ConfigError: what stands there can be read in two ways, or is of
            another kind than the network; or a setting was given that is
            about another kind.
    """
    if isinstance(config, TransferConfig):
        kind = kind_of_network(config.backbone)
        if kind == "image" and config.input_kind == "auto":
            looks_like(config.dataset, config, "--backbone")
        return kind
    kind = config.input_kind
    if kind == "auto":
        kind = looks_like(config.dataset, config, "--input_kind")
    faults = [fault.message for fault in kind_faults(config, kind)]
    if faults:
        raise ConfigError(faults)
    return kind


def list_data(config: DataConfig, *, download: bool = True) -> Listing:
    """What the dataset of a run or a check holds.

    Args:
        config: the settings.
        download: whether a TFDS set may be fetched.
    """
    listing = _list_all(config, download)
    if config.reject_class:
        listing = set_apart(listing, config.reject_class)
    return listing


def _list_all(config: DataConfig, download: bool) -> Listing:
    """The same with what is of no class among it."""
    if kind_of(config) == "text":
        return _list_texts(config, config.task)
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
    column = getattr(config, "group_column", "")
    return read_targets(
        _split_paths(config),
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
    config: EvaluateConfig,
    task: str,
    names: Sequence[str] = (),
    kind: str = "image",
) -> Listing:
    """What the dataset of an evaluation holds: any part of the classes.

    Args:
        config: the settings.
        task: what the model predicts.
        names: of its outputs, where the task is not one class of several.
        kind: of input that it takes.

    Returns:
        As `list_data`.

    Raises:
        ConfigError: a setting was given that is about another kind.
    """
    faults = [fault.message for fault in kind_faults(config, kind)]
    if faults:
        raise ConfigError(faults)
    if kind == "text":
        return _list_texts(config, task, names, partial=True)
    return list_dataset(
        config.dataset,
        data_dir=config.data_dir,
        **_common(config),
        targets=read_tables(config, task, names).targets,
        # Nothing is trained on, so nothing can leak.
        allow_leakage=True,
        partial=True,
    )


def _list_texts(
    config: DataConfig | EvaluateConfig,
    task: str,
    names: Sequence[str] = (),
    *,
    partial: bool = False,
) -> Listing:
    """Labelled texts, of one class each, of labels or with numbers."""
    tables = _split_paths(config)
    columns = text_columns_of(config)
    how = {
        "text_columns": columns,
        "label_column": config.label_column,
        "encoding": config.text_encoding,
    }
    target = patterns(config.target)
    group = getattr(config, "group_column", "")
    reading = CLASSES
    if all(not os.path.isdir(path) for path in tables.values()):
        raw = {
            split: raw_texts(path, **how, target=target)
            for split, path in tables.items()
        }
        reading = targets_of(
            raw,
            task=task,
            target=target,
            separator=config.label_separator,
            leave_out=[group] if group else [],
            skip_unlabelled=config.skip_unlabelled,
            names=names,
        )
    listing = list_texts(
        tables["train"],
        val_dataset=tables.get("val", ""),
        test_dataset=tables.get("test", ""),
        **how,
        targets=reading.targets,
        group_column=group,
        skip_unlabelled=config.skip_unlabelled,
        partial=partial,
    )
    told = (*listing.told, *reading.told)
    return dataclasses.replace(listing, told=told)


def _split_paths(config: DataConfig | EvaluateConfig) -> dict[str, str]:
    """Split -> the path that it is read from; "train" may hold others."""
    paths = {"train": config.dataset}
    for split in ("val", "test"):
        if path := getattr(config, f"{split}_dataset", ""):
            paths[split] = path
    return paths


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


def text_columns_of(config: Settings) -> tuple[str, ...]:
    """The columns of texts that a setting names, or else the model that is
    asked: its answers to other ones would be no use.

    Args:
        config: of any command that reads texts.

    Returns:
        Names; () to find one by the usual names.
    """
    told, model = patterns(config.text_column), getattr(config, "model", "")
    return told or (columns_of_model(model) if model else ())


def patterns(text: str) -> tuple[str, ...]:
    """ "*_mask.png,thumbs" -> its patterns."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
