"""Settings about data -> the data, checked and cut.

In: a `DataConfig`, of training or of the check alone. Out: the check's report
and the splits. A training run and `python -m tl_keras.check` both come here,
so they cannot judge the same picture differently.
"""

import dataclasses
import os
import pathlib

from tl_keras import log
from tl_keras.audit import (
    Report,
    Rules,
    after_the_cut,
    check_listing,
    cut_apart,
    describe,
    labels_without_both,
    seen_in_training,
    write_reports,
)
from tl_keras.config import CheckConfig, DataConfig, TransferConfig
from tl_keras.console import on_console
from tl_keras.data import Listing, names_of_skips
from tl_keras.errors import DataError
from tl_keras.jobs.decoding import decoding_of
from tl_keras.jobs.first_look import cut_of
from tl_keras.jobs.listing import kind_of, list_data
from tl_keras.runs import RunFolder, check_writable
from tl_keras.sources import LabelledSplits, split_examples


def check_data(
    config: TransferConfig,
    image_size: int | None = None,
    *,
    download: bool = True,
) -> tuple[Report, LabelledSplits]:
    """Lists, checks and cuts the data of a run.

    Args:
        config: the settings.
        image_size: of pictures, the side of the square that the network sees;
            None where `LabelledSplits.decoded_by` will say how they are read.
        download: whether a TFDS set may be fetched.

    Returns:
        The report with its warnings, and the splits.

    Raises:
        DataError: it cannot be trained on as it is; all faults at once.
    """
    report = judge(config, list_data(config, download=download))
    if report.faults:
        # Nothing else names them: what a check prints, a run does not.
        names = names_of_skips(report.listing)
        raise DataError([*names, *report.faults])
    labelled = split_examples(
        report.listing,
        cut_of(config, report.listing),
        image_size and decoding_of(config, image_size),
    )
    return after_cutting(report, labelled, config), labelled


def after_cutting(
    report: Report, labelled: LabelledSplits, config: DataConfig
) -> Report:
    """The report, with what only the cut of its splits can show.

    Args:
        report: of the listing, before it was cut.
        labelled: the splits that were made of it.
        config: the settings; of them the group column counts.

    Returns:
        With more warnings and notes, and its pairs under the splits that they
        came to.
    """
    splits, notes = labelled.examples(), dict(report.notes)
    one, many = report.nouns
    more = cut_apart(report.pairs, splits)
    more += labels_without_both(splits, labelled.class_names)
    for split, places in seen_in_training(report.rows, splits).items():
        more.append(
            f"{len(places):,} of {len(splits[split]):,} {many} of {split} "
            f"{'has' if len(places) == 1 else 'have'} the bytes of a training "
            f"{one} (--allow_leakage) - the accuracy without them says more"
        )
    if config.group_column:
        groups = {s: len(set(e.groups or ())) for s, e in splits.items()}
        told = ", ".join(f"{count:,} in {s}" for s, count in groups.items())
        title = f"in groups of {config.group_column}: {told}"
        notes[title] = sum(len(examples) for examples in splits.values())
    return dataclasses.replace(
        report,
        notes=notes,
        warnings=(*report.warnings, *more),
        pairs=tuple(after_the_cut(report.pairs, splits)),
    )


def judge(config: DataConfig, listing: Listing) -> Report:
    """The check of a listing by the rules of the settings."""
    rules = Rules(
        check=config.check,
        max_bad_fraction=config.max_bad_fraction,
        bad_input=config.bad_input,
        max_pixels=config.max_pixels,
        min_side=config.min_side,
        max_aspect=config.max_aspect,
        allow_leakage=config.allow_leakage,
        near_duplicates=config.near_duplicates,
        data_manifest=config.data_manifest,
    )
    return check_listing(listing, config.dataset, rules, kind_of(config))


@on_console()
def report_on(config: CheckConfig) -> Report:
    """Checks the data of `python -m tl_keras.check`: prints, writes, raises.

    Raises:
        DataError: it cannot be trained on as it is. The report is printed,
            and written where `output_dir` says, before.
        MachineError: `output_dir` cannot be written.
    """
    if config.output_dir:
        check_writable(config.output_dir)
    report = judge(config, list_data(config))
    try:
        cut = cut_of(config, report.listing)
        labelled = split_examples(report.listing, cut, None)
        report = after_cutting(report, labelled, config)
    except DataError as error:
        faults = (*report.faults, *error.faults)
        report = dataclasses.replace(report, faults=faults)
    log.info(describe(report))
    if config.output_dir:
        write_reports(report, config.output_dir)
        page = RunFolder(pathlib.Path(config.output_dir)).data_page
        log.info(f"report: {page}")
    if report.faults:
        raise DataError(report.faults)
    log.result("can be trained on as it is")
    return report


def check_for_programs(config: CheckConfig, report: Report) -> dict:
    """What `--json` prints of data that can be used."""
    folder = config.output_dir and RunFolder(pathlib.Path(config.output_dir))
    return {
        "found": report.listing.found(),
        "used": {
            split: len(examples)
            for split, examples in report.listing.splits.items()
        },
        "skipped": len(report.listing.skipped),
        "ignored": dict(report.listing.ignored),
        "warnings": list(report.warnings),
        **({"page": os.fspath(folder.data_page)} if folder else {}),
    }
