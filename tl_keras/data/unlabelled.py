"""Pictures without labels: a folder, a .csv or a file -> what stands there.

    pictures = Unlabelled("photos")
    for found in pictures: found.id, found.reason
    pictures.ignored                    # afterwards: counts by reason

In: a path. Out: one `Found` each, in the order of the disk, none of them
opened, so that a pipe or a device cannot hold anything up; and counts of what
is no picture. Nothing is gathered: a million files need the memory of one.
"""

import collections
import os
from collections.abc import Iterator
from typing import NamedTuple

from tl_keras import storage
from tl_keras.data.tables import (
    Places,
    field_fault,
    raise_first,
    read_rows,
)
from tl_keras.data.walking import (
    HIDDEN,
    NO_PICTURE,
    file_status,
    folder_fault,
    is_folder,
    is_left_behind,
    name_fault,
)
from tl_keras.errors import DataError

HEADER = "path (other columns are not read)"
FOLDER_LINK = "a link to a folder"
MOST_KEPT = 1000  # of a .csv's faults; the rest would only take memory


class Found(NamedTuple):
    """A picture that stands somewhere.

    Attributes:
        id: its path from the root.
        reason: why it cannot be read, with the remedy, or "".
        place: device and inode, or "".
        size: in bytes.
        modified: time of its last change, in nanoseconds.
    """

    id: str
    reason: str
    place: str
    size: int
    modified: int


class Unlabelled:
    """What stands in a folder, a .csv or a file; iterate over it once.

    Args:
        source: a folder; a .csv with a column `path`; or a picture file.
        data_dir: where a .csv's paths start; its own folder when empty.

    Attributes:
        root: what ids are relative to.
        ignored: counts by reason; whole when the iteration has ended.
    """

    def __init__(self, source: str, data_dir: str = ""):
        self.source = source
        self.ignored: collections.Counter = collections.Counter()
        self._is_folder = os.path.isdir(source)
        folder = source if self._is_folder else os.path.dirname(source)
        self.root = os.path.abspath(data_dir or folder or ".")

    def __iter__(self) -> Iterator[Found]:
        if self._is_folder:
            return self._of_folder()
        if self.source.lower().endswith(".csv"):
            return self._of_csv()
        return self._of_file()

    def path(self, id_: str) -> str:
        """The file of an id."""
        return os.path.join(self.root, id_)

    def _of_folder(self) -> Iterator[Found]:
        left = [self.root]
        while left:
            folder = left.pop()
            try:
                with storage.reading(folder):
                    scanned = os.scandir(folder)
                with scanned as entries:
                    for entry in entries:
                        if is_left_behind(entry.name):
                            self.ignored[HIDDEN] += 1
                        elif not is_folder(entry):
                            yield from self._of_entry(entry)
                        elif entry.is_symlink():
                            self.ignored[FOLDER_LINK] += 1
                        else:
                            left.append(entry.path)
            except OSError as error:
                raise folder_fault(folder, error) from None

    def _of_entry(self, entry: os.DirEntry) -> Iterator[Found]:
        is_picture, unsupported = name_fault(entry.name)
        if not is_picture:
            self.ignored[NO_PICTURE] += 1
            return
        yield self._found(entry.path, unsupported)

    def _of_csv(self) -> Iterator[Found]:
        places = Places(self.root, follow_links=False)
        faults = []
        for row, where in read_rows(self.source, ("path",), HEADER):
            path, fault = "", field_fault(row)
            if not fault and not row["path"].strip():
                fault = "the path is empty - fill it"
            if not fault:
                path, fault = places.inside(row["path"])
            if not fault:
                yield self._found(path, "")
            elif len(faults) < MOST_KEPT:
                faults.append(f"{where}: {fault}")
        raise_first(faults)

    def _of_file(self) -> Iterator[Found]:
        found = self._found(os.path.abspath(self.source), "")
        if found.reason:
            raise DataError(f"{self.source}: {found.reason}")
        yield found

    def _found(self, path: str, unsupported: str) -> Found:
        reason, status = file_status(path)
        id_ = os.path.relpath(path, self.root)
        if reason or status is None:
            return Found(id_, reason, "", 0, 0)
        place = f"{status.st_dev}:{status.st_ino}"
        return Found(
            id_, unsupported, place, status.st_size, status.st_mtime_ns
        )
