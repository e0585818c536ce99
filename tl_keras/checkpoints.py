"""Training state on disk: complete or absent, proven when it is read.

    kept = Checkpoints("run/checkpoints/head")
    kept.save({"weights/0": array}, {"epoch": 3})
    kept.newest().state["epoch"]        # 3; None where nothing was saved

In: named arrays and plain values. Out: the same bits, in another process, or a
line that says which file is damaged. Each save is a folder of its own under
the next number, renamed into place once all of it is on the disk; the last few
are kept, and none is written over.
"""

import contextlib
import json
import math
import os
import pathlib
from collections.abc import Mapping
from typing import NamedTuple

import ml_dtypes  # noqa: F401  (teaches NumPy the name bfloat16)
import numpy as np

from tl_keras import atomic, log
from tl_keras.errors import MachineError

ARRAYS, STATE = "arrays.bin", "state.json"
DAMAGED = "damaged-"


class Checkpoint(NamedTuple):
    """What was saved.

    Attributes:
        number: of the save, from 1.
        arrays: by name, as they were given.
        state: plain values, as JSON holds them.
    """

    number: int
    arrays: dict[str, np.ndarray]
    state: dict


class Checkpoints:
    """A folder of saves that one process at a time writes to.

    Args:
        folder: made at the first save.
        keep: how many of the last ones stay.
    """

    def __init__(self, folder: str | os.PathLike, keep: int = 2):
        self.folder = pathlib.Path(folder)
        self.keep = keep

    def save(self, arrays: Mapping[str, np.ndarray], state: Mapping) -> None:
        """Writes the next one, whole or not at all.

        Args:
            arrays: of any shape and number type.
            state: plain values; NaN and infinity are kept.

        Raises:
            OSError: the disk would not take it; those before are untouched.
        """
        final = self.folder / f"{max(self._numbers(), default=0) + 1:08d}"
        with atomic.building_folder(self.folder) as temporary:
            index = _write_arrays(temporary / ARRAYS, arrays)
            text = json.dumps({"state": state, "arrays": index})
            (temporary / STATE).write_text(text, encoding="utf-8")
            atomic.write_manifest(temporary)
            atomic.publish_folder(temporary, final)
        with contextlib.suppress(OSError):  # The next save tries again.
            for number in self._numbers()[: -self.keep]:
                atomic.remove_folder(self.folder / f"{number:08d}")

    def save_or_tell(
        self,
        arrays: Mapping[str, np.ndarray],
        state: Mapping,
        required: bool = False,
    ) -> None:
        """As `save`; where the disk does not take it, says so and goes on.

        Args:
            arrays: as in `save`.
            state: as in `save`.
            required: raise where the disk does not take it.

        Raises:
            MachineError: `required`, and the disk does not take it.
        """
        try:
            self.save(arrays, state)
        except OSError as error:
            fault = f"{self.folder}: not saved ({error.strerror or error})"
            if required:
                raise MachineError(f"{fault} - make room there") from None
            log.warn(f"{fault}; going on, make room there")

    def newest(self) -> Checkpoint | None:
        """The last one that is as it was written; None where none was saved.

        A damaged one is told as a warning and put aside, and the one before is
        taken.

        Raises:
            MachineError: all are damaged; each is named.
        """
        if not self.folder.is_dir():
            return None
        atomic.remove_leftovers(self.folder)
        faults, damaged = [], []
        found = None
        for number in reversed(self._numbers()):
            folder = self.folder / f"{number:08d}"
            fault = atomic.what_is_wrong(folder)
            if fault is None:
                found = _read(number, folder)
                break
            faults.append(f"checkpoint {folder}: {fault}")
            damaged.append(folder)
        if faults and found is None:
            raise MachineError(
                [
                    *faults,
                    f"{self.folder}: no checkpoint is as it was written - "
                    "check the disk; to begin anew on purpose, remove that "
                    "folder or use --restart",
                ]
            )
        for fault, folder in zip(faults, damaged, strict=True):
            log.warn(f"{fault}; going on from {found.number:08d}")
            folder.rename(folder.with_name(DAMAGED + folder.name))
        return found

    def _numbers(self) -> list[int]:
        """Of the saves in the folder, in order."""
        if not self.folder.is_dir():
            return []
        names = [path.name for path in self.folder.iterdir()]
        return sorted(int(name) for name in names if name.isdecimal())


def _write_arrays(file: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> list:
    """Their bytes one after the other; where each lies and what it is."""
    index = []
    with open(file, "wb") as stream:
        for name, array in arrays.items():
            array = np.asarray(array)
            index.append([name, str(array.dtype), list(array.shape)])
            stream.write(np.ascontiguousarray(array).view(np.uint8).data)
    return index


def _read(number: int, folder: pathlib.Path) -> Checkpoint:
    saved = json.loads((folder / STATE).read_text(encoding="utf-8"))
    arrays = {}
    with open(folder / ARRAYS, "rb") as stream:
        for name, dtype, shape in saved["arrays"]:
            dtype = np.dtype(dtype)
            content = bytearray(stream.read(math.prod(shape) * dtype.itemsize))
            arrays[name] = np.frombuffer(content, dtype).reshape(shape)
    return Checkpoint(number, arrays, saved["state"])
