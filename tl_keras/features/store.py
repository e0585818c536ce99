"""Activations by example, computed once and kept on disk.

In: a frozen trunk and pictures. Out: the trunk's activations for each of them,
from the disk where they were computed before, in this run or another.
"""

import collections
import contextlib
import dataclasses
import itertools
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from tl_keras import log
from tl_keras.errors import MachineError
from tl_keras.features.keys import trunk_key
from tl_keras.features.shards import META, Shards, folder_bytes
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import inference
from tl_keras.sources import EpochSource, Images, TrainingBatches, Views
from tl_keras.sources.pipeline import (
    epoch_indices,
    labelled_places,
    with_length,
)

SHARD_BYTES = 32e6  # what a kill can lose
GIGABYTE = 1e9
# Batches in the trunk at once: a small network does not fill two cores.
AT_ONCE = 2
MOST_PICTURES = 32  # in a batch; more is not faster on a CPU
# On a GPU a frozen network needs less memory than one that trains and is the
# quicker the more it is given: batches so many times as large, up to a limit.
GPU_TIMES, MOST_GPU_PICTURES = 4, 128


@dataclasses.dataclass(frozen=True)
class Activations:
    """The activations of n examples, in their order.

    Attributes:
        rows: array (n, ...), in memory or mapped from the disk; or a function
            from indices (b,) to rows (b, ...).
        shape, dtype: of one row.
        labels: int32 (n,).
        views: so many rows in a row are views of one picture.
    """

    rows: np.ndarray | Callable[[np.ndarray], np.ndarray]
    shape: tuple[int, ...]
    dtype: str
    labels: np.ndarray
    views: int = 1

    def batches(
        self, batch_size: int, *, places: bool = False
    ) -> tf.data.Dataset:
        """All rows once, in their order: (rows (b, ...), labels (b,)).

        With `places`, int64 (b,) indices stand in for the rows.
        """
        indices = tf.data.Dataset.range(len(self.labels))
        if places:
            return labelled_places(indices, self.labels, batch_size)
        return self._load(indices, batch_size)

    def rows_in_memory(self) -> np.ndarray | None:
        """`rows`, or None where they are read as they are needed."""
        return self.rows if isinstance(self.rows, np.ndarray) else None

    def once(self, batch_size: int) -> Iterator[tf.Tensor]:
        """The rows of `batches`."""
        return (rows for rows, _ in self.batches(batch_size))

    def shuffled_epoch(
        self,
        batch_size: int,
        *,
        seed: int,
        epoch,
        skip=0,
        places: bool = False,
    ) -> tf.data.Dataset:
        """As of `Images.shuffled_epoch`, with activations for pixels.

        Of each picture one view is taken; in `views` epochs each has its
        turn, beginning with one drawn from (seed, picture).
        """
        views = self.views
        count = len(self.labels) // views
        first = np.random.default_rng([seed, views]).integers(views, size=count)
        first = tf.constant(first, tf.int64)

        def row(index, number):
            return index * views + (first[index] + number) % views

        indices = epoch_indices(count, seed, epoch, lambda: skip * batch_size)
        indices = indices.map(row)
        if places:
            batches = labelled_places(indices, self.labels, batch_size)
        else:
            batches = self._load(indices, batch_size)
        return with_length(batches, count, batch_size)

    def _load(self, indices: tf.data.Dataset, size: int) -> tf.data.Dataset:
        with tf.device("CPU:0"):  # A GPU's memory is for training.
            labels = tf.constant(self.labels, tf.int32)
            in_memory = isinstance(self.rows, np.ndarray)
            rows = tf.constant(self.rows) if in_memory else None
        if in_memory:

            def take(index):
                return tf.gather(rows, index), tf.gather(labels, index)

        else:

            def take(index):
                got = tf.numpy_function(
                    self.rows, [index], self.dtype, stateful=False
                )
                got.set_shape((None, *self.shape))
                return got, tf.gather(labels, index)

        loaded = indices.batch(size).map(take, num_parallel_calls=2)
        return loaded.prefetch(tf.data.AUTOTUNE)


@dataclasses.dataclass(frozen=True)
class StoredBatches(EpochSource):
    """Stored activations as `TrainingBatches` gives pictures."""

    activations: Activations
    batch_size: int
    seed: int
    groups: Sequence[str] | None = None

    def __call__(
        self, epoch=0, skip=0, *, places: bool = False
    ) -> tf.data.Dataset:
        """One epoch's batches but the first `skip`, or tf.Variables of both."""
        return self.activations.shuffled_epoch(
            self.batch_size,
            seed=self.seed,
            epoch=epoch,
            skip=skip,
            places=places,
        )

    @property
    def rows(self) -> np.ndarray | None:
        """All activations, where they are in memory."""
        return self.activations.rows_in_memory()

    def once(self) -> tf.data.Dataset:
        """All rows once: of each picture all its views, side by side."""
        return self.activations.batches(self.batch_size)

    @property
    def rows_per_example(self) -> int:
        """How many views of each picture there are."""
        return self.activations.views


@dataclasses.dataclass(frozen=True)
class StoredFixedBatches(EpochSource):
    """Stored activations as `FixedBatches` gives pictures."""

    activations: Activations
    batch_size: int
    groups: Sequence[str] | None = None

    def __call__(
        self, epoch=0, skip=0, *, places: bool = False
    ) -> tf.data.Dataset:
        """The batches; every epoch has the same."""
        batches = self.activations.batches(self.batch_size, places=places)
        return batches.skip(skip) if skip else batches

    def once(self) -> tf.data.Dataset:
        """The batches."""
        return self()

    @property
    def rows(self) -> np.ndarray | None:
        """All activations, where they are in memory."""
        return self.activations.rows_in_memory()


class FeatureStore:
    """Keeps what frozen trunks make of pictures; see `tl_keras.features`.

    Args:
        root: folder of the store; it may be shared by runs at the same time.
        limit_gb: what may be kept there, in gigabytes (1e9 bytes); the
            longest unused goes first.
        memory_gb: activations up to this size are held in memory while they
            are used, larger ones are read from the disk as they are needed.

    Attributes:
        pictures_computed: pictures that went from pixels through a trunk.

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
        self.pictures_computed = 0
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
        images = train.images
        if train.augment != "none":
            if train.views < 1:
                raise ValueError(
                    f"views={train.views}: expected 1 or more with augment="
                    f"{train.augment!r}, since activations are kept"
                )
            images = Views.of(images, train.augment, train.views)
        activations = self.activations(trunk, images, via, train.batch_size)
        return StoredBatches(
            activations, train.batch_size, train.seed, train.groups
        )

    @standard_globals()
    def activations(
        self,
        trunk: keras.Model,
        images: Images | Views,
        via: tuple[keras.Model, keras.Model] | None = None,
        batch_size: int = MOST_PICTURES,
    ) -> Activations:
        """What a trunk makes of pictures, computed where it is not stored.

        Args:
            trunk: pixels -> activations; it runs as in inference.
            images: the pictures, or views of them.
            via: (a shorter trunk, the rest of this one): start from the
                stored activations of the shorter one.
            batch_size: of training; `pictures_at_once` follows from it.

        Returns:
            `Activations` in the order of the pictures.

        Raises:
            MachineError: they do not fit the limit or the disk.
        """
        at_once = pictures_at_once(batch_size)
        key = trunk_key(trunk, images.made_by())
        shards = Shards(self.root / key)
        self._in_use.add(key)
        ids = images.content_ids()
        missing = self._missing(shards, ids)
        shape = tuple(trunk.output_shape[1:])
        dtype = np.dtype(tf.as_dtype(trunk.output.dtype).as_numpy_dtype)
        row_bytes = int(np.prod(shape)) * dtype.itemsize
        if missing:
            kind = "views" if isinstance(images, Views) else "pictures"
            what = f"features {trunk.name}: {len(missing):,} {kind}"
            self._make_room(len(missing) * row_bytes, what)
            per_shard = max(1, int(SHARD_BYTES / row_bytes) // at_once)
            batches = self._compute(
                key, trunk, images.take(missing), via, batch_size
            )
            left = [ids[i] for i in missing]
            while part := list(itertools.islice(batches, per_shard)):
                rows = np.concatenate(part)
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
            images.labels,
            images.count if isinstance(images, Views) else 1,
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
        self, key: str, trunk, images, via, batch_size: int
    ) -> Iterator[np.ndarray]:
        """Batches of activations, from pixels or from a shorter trunk's."""
        source, rest = images, trunk
        if via is not None:
            shorter, rest = via
            source = self.activations(shorter, images, batch_size=batch_size)
        traced = key, via is None
        if traced not in self._traced:
            self._traced[traced] = inference(rest, constant=True)
        run = self._traced[traced]
        waiting: collections.deque = collections.deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for batch in source.once(pictures_at_once(batch_size)):
                if via is None:
                    self.pictures_computed += len(tf.nest.flatten(batch)[0])
                waiting.append(pool.submit(run, batch))
                if len(waiting) > AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

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


def pictures_at_once(batch_size: int) -> int:
    """How many pictures go through a frozen trunk together.

    Args:
        batch_size: of training; less where memory ran out there.
    """
    if tf.config.get_visible_devices("GPU"):
        return min(GPU_TIMES * batch_size, MOST_GPU_PICTURES)
    return min(batch_size, MOST_PICTURES)


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
