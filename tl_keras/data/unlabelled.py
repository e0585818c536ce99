"""Pictures without labels: a folder, a table or a file -> what stands there.

    pictures = Unlabelled("photos")
    for found in pictures: found.id, found.reason
    pictures.ignored                    # afterwards: counts by reason

In: a path. Out: one `Found` each, in the order of the disk; and counts of what
is no picture. A pipe or a device cannot hold anything up. Nothing is gathered:
a million files need the memory of one.
"""

import collections
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from tl_keras import io_watchdog
from tl_keras.data.explaining import explain_missing
from tl_keras.data.looking import NO_SUCH_FILE, Look, look_at
from tl_keras.data.options import AS_IT_IS, LEFT_OUT, ListOptions
from tl_keras.data.places import Places
from tl_keras.data.rows import Rows, blank, is_table, raise_first
from tl_keras.data.walking import (
    AGAIN,
    HIDDEN,
    NO_IMAGE,
    folder_fault,
    is_folder,
    is_left_behind,
)
from tl_keras.data.wanted import Wanted
from tl_keras.errors import DataError

FOLDER_LINK = "a link to a folder (see --follow_links)"
MAX_KEPT = 1000  # of a table's faults; the rest would only take memory


def check_header(file: str, path_column: str = "") -> None:
    """Raises DataError where a table has no column of paths."""
    next(iter(Rows(file, wanted_of(path_column))), None)


def wanted_of(path_column: str) -> Wanted:
    """The columns that are read of a table whose pictures are asked."""
    return Wanted(path_column, expected="path (other columns are not read)")


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
    """What stands in a folder, a table or a file; iterate over it once.

    Args:
        source: a folder; a table with a column of paths; or a picture file.
        data_dir: where a table's paths start; its own folder when empty.
        options: which of it is taken; what is said of labels is not read.

    Attributes:
        kind: of input.
        root: what ids are relative to.
        ignored: counts by reason; whole when the iteration has ended.
        hints: why paths of a table are not found; likewise.
        told: what was found out about a table's columns; likewise.
    """

    kind = "image"

    def __init__(
        self,
        source: str,
        data_dir: str = "",
        options: ListOptions = AS_IT_IS,
    ):
        self.source = source
        self.options = options
        self.ignored: collections.Counter = collections.Counter()
        self.hints: list[str] = []
        self.told: tuple[str, ...] = ()
        self._is_folder = os.path.isdir(source)
        folder = source if self._is_folder else os.path.dirname(source)
        self.root = os.path.abspath(data_dir or folder or ".")

    def __iter__(self) -> Iterator[Found]:
        if self._is_folder:
            return self._of_folder()
        if is_table(self.source):
            return self._of_table()
        return self._of_file()

    def held(self, id_: str) -> None:
        """Nothing: pictures are read from their files."""

    def path(self, id_: str) -> str:
        """The file of an id."""
        return os.path.join(self.root, id_)

    def _of_folder(self) -> Iterator[Found]:
        left, entered = [self.root], set()
        while left:
            folder = left.pop()
            try:
                with io_watchdog.reading(folder):
                    status = os.stat(folder)
                    scanned = os.scandir(folder)
            except OSError as error:
                raise folder_fault(folder, error) from None
            with scanned as entries:
                if (status.st_dev, status.st_ino) in entered:
                    self.ignored[AGAIN] += 1
                    continue
                entered.add((status.st_dev, status.st_ino))
                for entry in entries:
                    if self._passes_over(entry):
                        continue
                    if is_folder(entry):
                        left.append(entry.path)
                    else:
                        yield from self._of_entry(entry)

    def _passes_over(self, entry: os.DirEntry) -> bool:
        """Whether something is not looked at, and counts it."""
        id_ = os.path.relpath(entry.path, self.root)
        reason = ""
        if is_left_behind(entry.name):
            reason = HIDDEN
        elif is_folder(entry):
            if entry.is_symlink() and not self.options.follow_links:
                reason = FOLDER_LINK
            elif self.options.closes(id_):
                reason = LEFT_OUT
        elif self.options.leaves_out(id_):
            reason = LEFT_OUT
        if reason:
            self.ignored[reason] += 1
        return bool(reason)

    def _of_entry(self, entry: os.DirEntry) -> Iterator[Found]:
        look = look_at(entry.path)
        if look.is_image:
            yield self._found(entry.path, look)
        else:
            self.ignored[NO_IMAGE] += 1

    def _of_table(self) -> Iterator[Found]:
        places = Places(self.root, self.options.follow_links)
        faults, missing, rows = [], [], 0
        table = Rows(self.source, wanted_of(self.options.path_column))
        self.told = table.told
        for row in table:
            rows += 1
            path, fault = "", row.fault
            if not fault and blank(row.cells, "path"):
                fault = "the path is empty - fill it"
            if not fault:
                path, fault = places.find(row.cells["path"])
            if fault:
                faults += [f"{row.where}: {fault}"] * (len(faults) < MAX_KEPT)
                continue
            if self.options.leaves_out(os.path.relpath(path, self.root)):
                self.ignored[LEFT_OUT] += 1
                continue
            found = self._found(path, look_at(path))
            if found.reason.startswith(NO_SUCH_FILE) and (
                len(missing) < MAX_KEPT
            ):
                missing.append(row.cells["path"])
            yield found
        self.ignored += table.ignored
        self.told = (*self.told, *places.told(rows))
        self.hints = explain_missing(self.root, missing, rows)
        raise_first(faults, self.hints)

    def _of_file(self) -> Iterator[Found]:
        path = os.path.abspath(self.source)
        found = self._found(path, look_at(path))
        if found.reason:
            raise DataError(f"{self.source}: {found.reason}")
        yield found

    def _found(self, path: str, look: Look) -> Found:
        id_ = os.path.relpath(path, self.root)
        status = look.status
        if status is None or not stat.S_ISREG(status.st_mode):
            return Found(id_, look.reason, "", 0, 0)
        place = f"{status.st_dev}:{status.st_ino}"
        return Found(
            id_, look.reason, place, status.st_size, status.st_mtime_ns
        )
