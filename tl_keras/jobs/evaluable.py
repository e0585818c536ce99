"""Which labelled data a model can be asked about.

    listing = one_split(labelled_like(config, export), "auto", config.dataset)
    refuse_other_classes(listing.class_names, export, config.dataset)

In: settings and an export. Out: a listing of one split whose labels mean what
the model's do; or what differs.
"""

import dataclasses
from collections.abc import Sequence

from tl_keras.config import EvaluateConfig
from tl_keras.data import Listing, faults_of_skips, joined, names_of_skips
from tl_keras.errors import DataError
from tl_keras.exports import Export
from tl_keras.jobs.listing import list_labelled
from tl_keras.tasks import task_like

ALL = "all"


def labelled_like(config: EvaluateConfig, export: Export) -> Listing:
    """What the dataset holds, read as what the model predicts.

    Args:
        config: the dataset, and how it is listed.
        export: the model that will be asked.

    Returns:
        All of its splits.

    Raises:
        DataError: it has labels of another kind.
    """
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
    """Raises where too much of it, or all, cannot be read.

    Args:
        listing: with what was skipped.
        max_bad_fraction: 0 to 1.

    Raises:
        DataError: each of the files, and what is expected.
    """
    faults = faults_of_skips(listing, max_bad_fraction)
    if not faults and not sum(map(len, listing.splits.values())):
        faults = [
            f"none of {len(listing.skipped):,} {listing.nouns[1]} can be used "
            "- mend them, or give another --dataset",
            *listing.hints,
        ]
    if faults:
        raise DataError([*names_of_skips(listing), *faults])
