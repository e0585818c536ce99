"""A run's folder -> its page, at the end of a run and again at any time.

In: `run/`. Out: report.html and report.md in it. Pictures are found again
through the listing of the dataset that run.flags names; where that is gone the
page is made without them.
"""

import functools
import zipfile

import keras
import numpy as np
import tensorflow as tf

from tl_keras import run_card
from tl_keras.config import ReportConfig, TransferConfig
from tl_keras.data import Listing
from tl_keras.data.examples import label_text
from tl_keras.errors import TlKerasError
from tl_keras.inputs.image import pixels
from tl_keras.jobs.checking import decoding_of
from tl_keras.jobs.first_look import list_data
from tl_keras.jobs.preparation import Prepared
from tl_keras.runs import RunFolder, read_flags

GONE = (
    "The dataset that run.flags names is no longer there as it was, so no "
    "pictures are shown."
)


class Album:
    """The pictures of a listing by split and id, as a network sees them.

    Args:
        listing: as `tl_keras.data.list_dataset` gives it.
        decoding: how bytes become squares.
    """

    def __init__(self, listing: Listing, decoding: pixels.Decoding):
        self.listing = listing
        self.decoding = decoding

    @functools.cached_property
    def _places(self) -> dict[tuple[str, str], int]:
        return {
            (split, _written(id_)): place
            for split, examples in self.listing.splits.items()
            for place, id_ in enumerate(examples.ids)
        }

    def _find(self, split: str, id_: str):
        """(examples, index), or None; a split that was cut lies in train."""
        for name in (split, "train"):
            place = self._places.get((name, _written(id_)))
            if place is not None:
                return self.listing.splits[name], place
        return None

    def square(self, split: str, id_: str) -> np.ndarray | None:
        """uint8 (size, size, 3), or None where it cannot be read now."""
        found = self._find(split, id_)
        if found is None:
            return None
        examples, place = found
        try:
            content = examples.read(place)
            # What the check repaired for training is repaired again.
            content = (
                pixels.repair(content, self.decoding.max_pixels) or content
            )
            with tf.device("CPU:0"):  # Many small steps.
                return self.decoding.load(tf.constant(content)).numpy()
        except (OSError, tf.errors.OpError):
            return None

    def label(self, split: str, id_: str) -> str:
        """The class it lies in; "" where it is not listed now."""
        found = self._find(split, id_)
        if found is None:
            return ""
        examples, place = found
        return label_text(examples.labels[place], self.listing.class_names)


def _written(id_: str) -> str:
    """An id as the files of a run hold it: in UTF-8 whatever it was."""
    return id_.encode("utf-8", "backslashreplace").decode()


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
    album, size = None, _image_size(folder)
    if listing is not None and size:
        album = Album(listing, decoding_of(config, size))
    return run_card.write_card(folder.path, album, model, GONE)


def _image_size(folder: RunFolder) -> int:
    record = run_card.read_run(folder.path)
    return record.metrics.get("model", {}).get("image_size", 0)


def report_on(config: ReportConfig) -> None:
    """Makes the page of `--run` again.

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
    model = _model_of(folder)
    publish_card(folder, settings, listing, model)
    print(f"report: {folder.page}", flush=True)


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
