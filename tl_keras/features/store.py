"""Activations by example, computed once and kept on disk.

In: a frozen trunk and pictures. Out: the trunk's activations for each of them,
from the disk where they were computed before, in this run or another.
"""

import contextlib
import itertools
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from tl_keras import log, progress
from tl_keras.errors import MachineError
from tl_keras.features.activations import Activations, StoredBatches
from tl_keras.features.keys import trunk_key
from tl_keras.features.passing import (
    MAX_EXAMPLES,
    constants_pay,
    examples_at_once,
    shortened,
    through,
)
from tl_keras.features.shards import META, Shards, folder_bytes
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import inference
from tl_keras.sources import LabelledExamples, TrainingBatches, Views

SHARD_BYTES = 32e6  # what a kill can lose
GIGABYTE = 1e9


class FeatureStore:
    """Keeps what frozen trunks make of pictures; see `tl_keras.features`.

    Args:
        root: folder of the store; it may be shared by runs at the same time.
        limit_gb: what may be kept there, in gigabytes (1e9 bytes); the
            longest unused goes first.
        memory_gb: activations up to this size are held in memory while they
            are used, larger ones are read from the disk as they are needed.

    Attributes:
        examples_computed: pictures that went from pixels through a trunk.

    Example:
        FeatureStore("features").activations(trunk, images.train)
    """

    def __init__(
        self,
        root: str | os.PathLike,
        *,
        limit_gb: float = 20.0,
        memory_gb: float = 4.0,
    ):
        self.root = pathlib.Path(root)
        self.limit = limit_gb * GIGABYTE
        self.memory = memory_gb * GIGABYTE
        self.examples_computed = 0
        self._in_use: set[str] = set()
        # Traced once for training, validation and test. By content, since the
        # weights are constants there: (key, whether it starts from pixels).
        self._traced: dict[tuple[str, bool], Callable] = {}

    def training(
        self, trunk: keras.Model, train: TrainingBatches, via=None
    ) -> "StoredBatches":
        """As `train`, with activations in the place of pixels.

        Args:
            trunk: the frozen part, from pixels to activations.
            train: what would be fit on; `views` 1 or more where it augments.
            via: as in `activations`.

        Raises:
            ValueError: it augments without views: nothing could be kept.
        """
        labelled = train.labelled
        if train.augment != "none":
            if train.views < 1:
                raise ValueError(
                    f"views={train.views}: expected 1 or more with augment="
                    f"{train.augment!r}, since activations are kept"
                )
            labelled = Views.of(labelled, train.augment, train.views)
        activations = self.activations(trunk, labelled, via, train.batch_size)
        return StoredBatches(
            activations, train.batch_size, train.seed, train.groups
        )

    @standard_globals()
    def activations(
        self,
        trunk: keras.Model,
        labelled: LabelledExamples | Views,
        via: tuple[keras.Model, keras.Model] | None = None,
        batch_size: int = MAX_EXAMPLES,
    ) -> Activations:
        """What a trunk makes of pictures, computed where it is not stored.

        Args:
            trunk: pixels -> activations; it runs as in inference.
            labelled: the pictures, or views of them.
            via: (a shorter trunk, the rest of this one): start from the
                stored activations of the shorter one.
            batch_size: of training; `examples_at_once` follows from it.

        Returns:
            `Activations` in the order of the pictures.

        Raises:
            MachineError: they do not fit the limit or the disk.
        """
        at_once = examples_at_once(batch_size)
        key = trunk_key(trunk, labelled.made_by())
        shards = Shards(self.root / key)
        self._in_use.add(key)
        ids = labelled.content_ids()
        missing = self._missing(shards, ids)
        shape, lengths = _shape_and_lengths(trunk, labelled)
        if lengths is not None:
            # Those of about one length together: the longest of a batch
            # decides what it costs.
            missing.sort(key=lambda place: (lengths[place], place))
        dtype = np.dtype(tf.as_dtype(trunk.output.dtype).as_numpy_dtype)
        row_bytes = int(np.prod(shape)) * dtype.itemsize
        if missing:
            kind = "views" if isinstance(labelled, Views) else labelled.many
            what = f"features {trunk.name}: {len(missing):,} {kind}"
            self._make_room(len(missing) * row_bytes, what)
            per_shard = max(1, int(SHARD_BYTES / row_bytes) // at_once)
            batches = self._compute(
                key, trunk, labelled.take(missing), via, batch_size
            )
            left = [ids[i] for i in missing]
            with progress.doing("features", len(missing), kind) as work:
                batches = _counted(batches, work)
                while part := list(itertools.islice(batches, per_shard)):
                    rows = np.concatenate([_filled_up(b, shape) for b in part])
                    shards.add(left[: len(rows)], rows)
                    left = left[len(rows) :]
        # The longest unused key goes first; another run may have evicted it
        # by now, and what is open here stays readable.
        with contextlib.suppress(FileNotFoundError):
            os.utime(shards.folder)
        fits = len(ids) * row_bytes <= self.memory
        return Activations(
            shards.take(ids) if fits else _by_index(shards, ids),
            shape,
            dtype.name,
            labelled.labels,
            labelled.count if isinstance(labelled, Views) else 1,
            lengths,
        )

    @staticmethod
    def _missing(shards: Shards, ids: list[str]) -> list[int]:
        """Places of what is not stored, each content once."""
        seen: set[str] = set()
        missing = []
        for place, id_ in enumerate(ids):
            if id_ not in shards and id_ not in seen:
                missing.append(place)
                seen.add(id_)
        return missing

    def _compute(
        self, key: str, trunk, labelled, via, batch_size: int
    ) -> Iterator[np.ndarray]:
        """Batches of activations, from pixels or from a shorter trunk's."""
        source, rest = labelled, trunk
        if via is not None:
            shorter, rest = via
            source = self.activations(shorter, labelled, batch_size=batch_size)
        traced = key, via is None
        if traced not in self._traced:
            self._traced[traced] = inference(rest, constant=constants_pay(rest))
        run = self._traced[traced]
        batches = source.once(examples_at_once(batch_size))
        if via is None and None in trunk.input_shape[1:]:
            batches = shortened(batches, labelled.lengths)
        if via is None:
            batches = self._counting(batches)
        yield from through(run, batches)

    def _counting(self, batches: Iterator) -> Iterator:
        for batch in batches:
            self.examples_computed += len(tf.nest.flatten(batch)[0])
            yield batch

    def _make_room(self, need: int, what: str) -> None:
        """Says what will be stored; evicts, or refuses when it cannot fit."""
        self.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.root).free
        log.info(
            f"{what}, {need / 1e6:,.1f} MB to keep in {self.root} (limit "
            f"{self.limit / 1e9:g} GB, {free / 1e9:,.1f} GB free)"
        )
        kept = self._evict(self.limit - need)
        if kept + need > self.limit:
            raise MachineError(
                f"--feature_cache_gb={self.limit / 1e9:g}: expected room for "
                f"{(kept + need) / 1e9:.2f} GB of activations - raise it, or "
                "--feature_cache=off computes them each epoch"
            )
        free = shutil.disk_usage(self.root).free
        if need > free:
            raise MachineError(
                f"{self.root}: expected {need / 1e9:.2f} GB of free disk for "
                f"activations, found {free / 1e9:.2f} - name another folder "
                "by --feature_cache, or --feature_cache=off"
            )

    def _evict(self, allowed: float) -> int:
        """Removes the longest unused keys until `allowed` bytes are kept.

        Keys that this run uses stay.

        Returns:
            The bytes that are kept.
        """
        # By name and content, so that nothing else in the folder is touched.
        keys = [
            path
            for path in self.root.iterdir()
            if re.fullmatch(r"[0-9a-f]{64}", path.name)
            and (path / META).is_file()
        ]
        keys.sort(key=_last_used)
        sizes = {path: folder_bytes(path) for path in keys}
        kept = sum(sizes.values())
        for path in keys:
            if kept > allowed and path.name not in self._in_use:
                shutil.rmtree(path, ignore_errors=True)
                kept -= sizes[path]
        return kept


def _shape_and_lengths(
    trunk: keras.Model, labelled: LabelledExamples | Views
) -> tuple[tuple[int, ...], np.ndarray | None]:
    """The shape of a row as it is kept, and how much of it is not zeros.

    Args:
        trunk: may give rows of any length.
        labelled: what it is given.

    Returns:
        The shape, as long as the longest example of all; and `Activations.
        lengths`, None where a row has one length, or on a GPU, whose compiled
        steps want one.
    """
    shape = tuple(trunk.output_shape[1:])
    if None not in shape:
        return shape, None
    (longest,) = labelled.decoded.shape[1:]
    fixed = bool(tf.config.get_visible_devices("GPU"))
    return (longest, *shape[1:]), None if fixed else labelled.lengths


def _counted(
    batches: Iterator[np.ndarray], work: progress.Work
) -> Iterator[np.ndarray]:
    """The same batches, each counted when it is there."""
    for batch in batches:
        work.advance(len(batch))
        yield batch


def _filled_up(rows: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Rows (b, ...) with zeros at their ends, (b, *shape)."""
    lacking = [(0, 0)] + [
        (0, whole - side)
        for whole, side in zip(shape, rows.shape[1:], strict=True)
    ]
    return np.pad(rows, lacking) if any(map(any, lacking)) else rows


def _last_used(path: pathlib.Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # Another run has just evicted it.
        return 0.0


def _by_index(shards: Shards, ids: list[str]):
    """Indices (b,) -> rows (b, ...), read from the disk at each call."""

    def take(indices: np.ndarray) -> np.ndarray:
        return shards.take([ids[i] for i in indices])

    return take
