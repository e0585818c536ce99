"""One root of class folders -> its picture files by class, and the rest.

In: a folder. Out: a `Walk` filled: pictures, what cannot be one (with the
reason), what was ignored (counted), faults. No file is opened, so a pipe or a
device named `x.jpg` cannot hold anything up; each real file is taken once.
"""

import collections
import dataclasses
import os
import stat
from collections.abc import Iterator

from tl_keras import storage
from tl_keras.errors import DataError

# What TensorFlow decodes, by content; other files are ignored and counted.
EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp",
)  # fmt: skip
# Pictures that a person would miss: skipped by name, not passed over.
UNSUPPORTED = {
    ".tif": "TIFF", ".tiff": "TIFF", ".heic": "HEIC", ".heif": "HEIF",
    ".avif": "AVIF", ".jp2": "JPEG 2000", ".j2k": "JPEG 2000",
    ".jxl": "JPEG XL", ".ico": "ICO", ".svg": "SVG", ".psd": "PSD",
    ".ppm": "PPM", ".pgm": "PGM", ".tga": "TGA", ".dng": "a raw photograph",
    ".cr2": "a raw photograph", ".nef": "a raw photograph",
    ".arw": "a raw photograph",
}  # fmt: skip
LABELS_FROM = ("first", "leaf", "path")
AGAIN = "a link to a folder that is taken already"
HIDDEN = "hidden, or left by a tool"
NO_PICTURE = "not a picture by its extension"
SAME_FILE = "a link to a file that is taken already"


@dataclasses.dataclass
class Walk:
    """What stands below one root of class folders.

    Attributes:
        root: the folder.
        follow_links: whether folders that are links are entered.
        label_from: one of `LABELS_FROM`: the class is the first folder below
            the root, the last one, or the path of them.
        pictures: class name -> paths, in the order of names.
        unusable: class name -> (path, reason).
        inodes: path -> (device, inode) of each picture.
        ignored, notes: counts by reason.
        faults: why the root cannot be used.
        strays: files beside the class folders.
    """

    root: str
    follow_links: bool = False
    label_from: str = "first"
    pictures: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    unusable: dict[str, list[tuple[str, str]]] = dataclasses.field(
        default_factory=dict
    )
    inodes: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    ignored: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    notes: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    faults: list[str] = dataclasses.field(default_factory=list)
    strays: int = 0
    _folders: set[tuple[int, int]] = dataclasses.field(default_factory=set)

    def run(self) -> "Walk":
        """Walks; gives itself."""
        self._enter(os.stat(self.root))
        for entry in entries_of(self.root, self.ignored):
            if not is_folder(entry):
                self.strays += 1
            elif entry.is_symlink() and not self.follow_links:
                self.faults.append(
                    f"{entry.path}: a link to a folder, which may lie "
                    "anywhere - give --follow_links to take it, or put the "
                    "folder here"
                )
            elif self._enter(entry.stat()):
                self._folder(entry.path, (entry.name,))
            else:
                self.ignored[AGAIN] += 1
        return self

    def _enter(self, status: os.stat_result) -> bool:
        """Whether a folder is met for the first time: no loop, no twin."""
        place = (status.st_dev, status.st_ino)
        new = place not in self._folders
        self._folders.add(place)
        return new

    def _folder(self, folder: str, parts: tuple[str, ...]) -> None:
        found = list(entries_of(folder, self.ignored))
        folders = [entry for entry in found if is_folder(entry)]
        if self.label_from == "first":
            name = parts[0]
        else:
            name = parts[-1] if self.label_from == "leaf" else "/".join(parts)
        if (len(parts) == 1 and self.label_from == "first") or not folders:
            self.pictures.setdefault(name, [])
        for entry in found:
            if not is_folder(entry):
                self._file(entry, name, len(parts) > 1)
                continue
            if entry.name.lower().endswith(EXTENSIONS):
                self.ignored["a folder named like a picture"] += 1
            if entry.is_symlink() and not self.follow_links:
                self.ignored["a link to a folder (see --follow_links)"] += 1
            elif self._enter(entry.stat()):
                self._folder(entry.path, (*parts, entry.name))
            else:
                self.ignored[AGAIN] += 1

    def _file(self, entry: os.DirEntry, name: str, nested: bool) -> None:
        is_picture, unsupported = name_fault(entry.name)
        if not is_picture:
            self.ignored[NO_PICTURE] += 1
            return
        reason, place = file_fault(entry.path)
        reason = reason or unsupported
        if reason:
            self.unusable.setdefault(name, []).append((entry.path, reason))
            return
        self.inodes[entry.path] = place
        self.pictures.setdefault(name, []).append(entry.path)
        if nested:
            self.notes["in a sub-folder of its class folder"] += 1


def is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder or leads to one; a link in a circle does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def file_fault(path: str) -> tuple[str, tuple[int, int]]:
    """Why a path is no file to read, or ""; and its (device, inode)."""
    reason, status = file_status(path)
    return reason, (0, 0) if reason else (status.st_dev, status.st_ino)


def file_status(path: str) -> tuple[str, os.stat_result | None]:
    """Why a path is no file to read, or ""; and what the disk says of it."""
    try:
        with storage.reading(path):
            status = os.stat(path)
    except OSError as error:
        if os.path.islink(path):
            return "a link that leads nowhere - mend or remove it", None
        if isinstance(error, FileNotFoundError):
            return "no such file - is --data_dir right?", None
        return f"cannot be read ({error.strerror}) - check its rights", None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device"
        if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
            kind = "a pipe or socket"
        return f"not a regular file but {kind} - take it away", status
    return "", status


def name_fault(name: str) -> tuple[bool, str]:
    """Whether a file's name is a picture's, and why it cannot be read."""
    suffix = os.path.splitext(name.strip().lower())[1]
    if suffix in UNSUPPORTED:
        return True, (
            f"{UNSUPPORTED[suffix]} is not supported - convert it to JPEG or "
            "PNG"
        )
    return suffix in EXTENSIONS, ""


def is_left_behind(name: str) -> bool:
    """Whether a name is hidden, or one that tools leave."""
    return name.startswith(".") or name == "__MACOSX"


def entries_of(
    folder: str, ignored: collections.Counter
) -> Iterator[os.DirEntry]:
    """What stands in a folder, by name, without what tools leave behind.

    Raises:
        DataError: the folder cannot be read.
    """
    try:
        with storage.reading(folder), os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        raise folder_fault(folder, error) from None
    for entry in entries:
        if is_left_behind(entry.name):
            ignored[HIDDEN] += 1
        else:
            yield entry


def folder_fault(folder: str, error: OSError) -> DataError:
    """That a folder cannot be read, in one line."""
    return DataError(
        f"{folder}: the folder cannot be read ({error.strerror}) - check the "
        "path and the right to read it"
    )
