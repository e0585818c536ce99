"""A run's folder -> its page, at the end of a run and again at any time.

In: `run/`. Out: report.html and report.md in it. Pictures are found again
through the listing of the dataset that run.flags names; where that is gone the
page is made without them.
"""

import os
import zipfile

import keras

from tl_keras import log, run_card
from tl_keras.config import ReportConfig, TransferConfig
from tl_keras.console import on_console
from tl_keras.data import Listing
from tl_keras.errors import TlKerasError
from tl_keras.jobs.kinds import runs_of
from tl_keras.jobs.listing import list_data
from tl_keras.jobs.preparation import Prepared
from tl_keras.runs import RunFolder, read_flags

GONE = (
    "The dataset that run.flags names is no longer there as it was, so no "
    "pictures are shown."
)


def record_with_card(
    prepared: Prepared,
    folder: RunFolder,
    metrics: dict,
    model: keras.Model | None,
) -> dict:
    """Writes metrics.json, then the page of the same numbers.

    In this order, so that no fault of the page costs the numbers.

    Args:
        prepared: the run.
        folder: where to.
        metrics: all numbers by name.
        model: pixels -> probabilities, for Grad-CAM; None shows none.

    Returns:
        The metrics with their `card`, as metrics.json holds them now.
    """
    run_card.write_metrics(folder.metrics, metrics)
    return publish_card(folder, prepared.config, prepared.report.listing, model)


def publish_card(
    folder: RunFolder,
    config: TransferConfig,
    listing: Listing | None,
    model: keras.Model | None,
) -> dict:
    """Writes the page of a run; see `tl_keras.run_card.write_card`.

    Args:
        folder: the run's, with metrics.json in it.
        config: its settings; read only with a listing.
        listing: its data; None shows no pictures.
        model: pixels -> probabilities, for Grad-CAM; None shows none.

    Returns:
        The metrics, with `card`.

    Raises:
        DataError: the folder holds no run.
    """
    album = None
    if listing is not None:
        metrics = run_card.read_run(folder.path).metrics
        album = runs_of(config).album(listing, config, metrics)
    return run_card.write_card(folder.path, album, model, GONE)


@on_console()
def report_on(config: ReportConfig) -> str:
    """Makes the page of `--run` again.

    Returns:
        Where it is.

    Raises:
        DataError: the folder holds no run.
    """
    folder = RunFolder.named(config.run)
    run_card.read_run(folder.path)  # Said first: whether there is a run at all.
    settings, listing = None, None
    try:
        settings = settings_of(folder)
        listing = list_data(settings, download=False)
    except (TlKerasError, OSError):
        pass
    explains = settings is not None and runs_of(settings).explains
    model = _model_of(folder) if explains else None
    publish_card(folder, settings, listing, model)
    log.result(f"report: {folder.page}", whole=True)
    return os.fspath(folder.page)


def settings_of(folder: RunFolder) -> TransferConfig:
    """The settings of a run, from its run.flags.

    Raises:
        ConfigError: they are not what this version knows, or a file or
            folder that they name is gone.
    """
    return TransferConfig.from_strings(read_flags(folder.flags))


def _model_of(folder: RunFolder) -> keras.Model | None:
    """The run's own model; None where it is gone or cannot be opened."""
    try:
        return keras.models.load_model(folder.model, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile):
        return None
