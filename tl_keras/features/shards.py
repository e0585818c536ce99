"""Rows of numbers on disk, by id: complete or absent, shared by processes.

    <root>/<key>/meta.json               shape and type of a row
    <root>/<key>/<shard>/rows.npy        some rows
    <root>/<key>/<shard>/ids.txt         their ids, one a line

In: rows with ids. Out: the same rows, also in a later process. A shard is a
folder that is renamed into place whole; two processes that compute the same
rows make the same shard, and the second one's is dropped.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Sequence

import ml_dtypes  # noqa: F401  (teaches NumPy the name bfloat16)
import numpy as np

from tl_keras import atomic

META, ROWS, IDS = "meta.json", "rows.npy", "ids.txt"
# A temporary folder this old was left by a process that died.
STALE_SECONDS = 24 * 3600


class Shards:
    """The rows stored under one key."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self._place: dict[str, tuple[int, int]] = {}
        self._arrays: list[np.ndarray] = []
        self._known: set[str] = set()
        self._dtype: np.dtype | None = None
        self.refresh()

    def refresh(self) -> None:
        """Takes in the shards that were completed since."""
        if not self.folder.is_dir():
            return
        for entry in sorted(os.scandir(self.folder), key=lambda e: e.name):
            if entry.name.startswith(atomic.TEMPORARY_PREFIX):
                self._drop_if_stale(entry)
            elif entry.is_dir() and entry.name not in self._known:
                self._read_shard(pathlib.Path(entry.path))

    def _read_shard(self, shard: pathlib.Path) -> None:
        try:
            dtype = json.loads((self.folder / META).read_text())["dtype"]
            rows = np.load(shard / ROWS, mmap_mode="r").view(np.dtype(dtype))
            ids = (shard / IDS).read_text().split()
            if len(ids) != len(rows):
                raise ValueError(f"{len(rows)} rows, {len(ids)} ids")
        except FileNotFoundError:
            return  # Another process has just evicted it.
        except (ValueError, KeyError, TypeError):
            # Damaged on the disk: its rows are computed again.
            shutil.rmtree(shard, ignore_errors=True)
            return
        number = len(self._arrays)
        self._arrays.append(rows)
        for row, id_ in enumerate(ids):
            self._place.setdefault(id_, (number, row))
        self._known.add(shard.name)

    def _drop_if_stale(self, entry: os.DirEntry) -> None:
        # Another process may be done with it by now.
        with contextlib.suppress(FileNotFoundError):
            if time.time() - entry.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(entry.path, ignore_errors=True)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._place

    def add(self, ids: Sequence[str], rows: np.ndarray) -> None:
        """Stores rows (n, ...) under n ids, all of them or none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        meta = {"shape": list(rows.shape[1:]), "dtype": str(rows.dtype)}
        if not (self.folder / META).exists():
            with atomic.replacing(self.folder / META) as temporary:
                temporary.write_text(json.dumps(meta))
        name = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:32]
        with atomic.building_folder(self.folder) as folder:
            # As bytes: the .npy format does not know bfloat16.
            np.save(folder / ROWS, np.ascontiguousarray(rows).view(np.uint8))
            (folder / IDS).write_text("\n".join(ids))
            try:
                atomic.publish_folder(folder, self.folder / name)
            except OSError:
                # Another process was first, with the same rows.
                if not (self.folder / name).is_dir():
                    raise
        self.refresh()

    def take(self, ids: Sequence[str]) -> np.ndarray:
        """The rows of `ids`, in their order, in memory."""
        places = np.array([self._place[id_] for id_ in ids])
        first = self._arrays[places[0, 0]]
        rows = np.empty((len(ids), *first.shape[1:]), first.dtype)
        for number in np.unique(places[:, 0]):
            mine = places[:, 0] == number
            rows[mine] = self._arrays[number][places[mine, 1]]
        return rows


def folder_bytes(folder: pathlib.Path) -> int:
    """Bytes of all files below a folder; files that vanish count 0."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                size += os.path.getsize(os.path.join(parent, name))
            except OSError:
                continue
    return size
