"""One root of class folders -> its picture files by class, and the rest.

In: a folder. Out: a `Walk` filled: pictures, what cannot be read (with the
reason), what was ignored (counted), faults. A pipe or a device named `x.jpg`
cannot hold anything up; each real file is taken once.
"""

import collections
import dataclasses
import os
from collections.abc import Iterator

from tl_keras import io_watchdog
from tl_keras.data.looking import EXTENSIONS, look_at
from tl_keras.data.options import AS_IT_IS, LEFT_OUT, ListOptions
from tl_keras.errors import DataError

AGAIN = "a link to a folder that is taken already"
HIDDEN = "hidden, or left by a tool"
NO_IMAGE = "not a picture by its first bytes"
SAME_FILE = "a link to a file that is taken already"
NESTED = "in a sub-folder of its class folder"
MAX_NAMED = 3  # files that a fault gives as examples
# What tools leave beside pictures, thumbnails and deleted pictures among it;
# compared in lower case.
LEFT_BEHIND = {
    "__macosx", "@eadir", "@tmp", "@recycle", "@recently-snapshot",
    "@sharebin", "@snapshot", "@__thumb", "#recycle", "#snapshot",
    "$recycle.bin", "recycler", "system volume information", "lost+found",
    "network trash folder", "temporary items", "thevolumesettingsfolder",
    "__pycache__", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db",
    "desktop.ini", "icon\r", "picasa.ini", "zbthumbnail.info", "webviewcache",
    "found.000",
}  # fmt: skip
LEFT_BEHIND_STARTS = (".", "~$", "synophoto_thumb", "synofile_thumb")


@dataclasses.dataclass
class Walk:
    """What stands below one root of class folders.

    Attributes:
        root: the folder.
        options: what is taken, and what the class is.
        start: what stands before a path in `root` to make it one in the
            dataset, for the patterns: "" or "train/".
        images: class name -> paths, in the order of names.
        unusable: class name -> (path, reason).
        inodes: path -> (device, inode) of each picture.
        kinds: path -> the kind of those that Pillow alone opens.
        nested: paths that lie deeper than their class folder.
        ignored: counts by reason.
        emptied: class folders out of which the patterns left something.
        unlabelled: names in which `label_regex` finds no class.
        faults: why the root cannot be used.
        strays: files beside the class folders.
    """

    root: str
    options: ListOptions = AS_IT_IS
    start: str = ""
    images: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    unusable: dict[str, list[tuple[str, str]]] = dataclasses.field(
        default_factory=dict
    )
    inodes: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    kinds: dict[str, str] = dataclasses.field(default_factory=dict)
    nested: set[str] = dataclasses.field(default_factory=set)
    ignored: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    emptied: set[str] = dataclasses.field(default_factory=set)
    unlabelled: list[str] = dataclasses.field(default_factory=list)
    faults: list[str] = dataclasses.field(default_factory=list)
    strays: int = 0
    _folders: set[tuple[int, int]] = dataclasses.field(default_factory=set)

    def run(self) -> "Walk":
        """Walks; gives itself."""
        self._enter(os.stat(self.root))
        by_name = bool(self.options.label_regex)
        for entry in self._entries(self.root):
            if is_folder(entry):
                self._top_folder(entry)
            elif by_name:
                self._file(entry, "", False)
            else:
                self.strays += 1
        self._drop_emptied()
        if self.unlabelled:
            self.faults.append(self._without_label())
        return self

    def _top_folder(self, entry: os.DirEntry) -> None:
        if entry.is_symlink() and not self.options.follow_links:
            self.faults.append(
                f"{entry.path}: a link to a folder, which may lie "
                "anywhere - give --follow_links to take it, or put the "
                "folder here"
            )
        elif self._enter(entry.stat()):
            self._folder(entry.path, (entry.name,))
        else:
            self.ignored[AGAIN] += 1

    def _drop_emptied(self) -> None:
        """Takes away classes of which the patterns have left nothing."""
        by_folder = self.options.label_from in ("auto", "first")
        for name in [n for n, files in self.images.items() if not files]:
            if (name in self.emptied) if by_folder else self.emptied:
                if not self.unusable.get(name):
                    del self.images[name]

    def _without_label(self) -> str:
        some = ", ".join(self.unlabelled[:MAX_NAMED])
        return (
            f"{self.root}: --label_regex={self.options.label_regex} finds no "
            f"class in {len(self.unlabelled):,} of its file names, such as "
            f"{some} - mend the pattern, or leave these out by --exclude"
        )

    def _entries(self, folder: str) -> Iterator[os.DirEntry]:
        """What stands in a folder and is not excluded."""
        entries, hidden = entries_of(folder)
        self.ignored[HIDDEN] += hidden
        for entry in entries:
            if self.options.exclude and self.options.closes(
                self._from_root(entry.path)
            ):
                self.ignored[LEFT_OUT] += 1
                self._emptied_by(entry)
            else:
                yield entry

    def _from_root(self, path: str) -> str:
        return self.start + path[len(os.path.join(self.root, "")) :]

    def _emptied_by(self, entry: os.DirEntry) -> None:
        """Its class may have nothing left, which then is no fault."""
        inside = entry.path[len(os.path.join(self.root, "")) :]
        self.emptied.add(inside.split(os.sep)[0])

    def _enter(self, status: os.stat_result) -> bool:
        """Whether a folder is met for the first time: no loop, no twin."""
        place = (status.st_dev, status.st_ino)
        new = place not in self._folders
        self._folders.add(place)
        return new

    def _folder(self, folder: str, parts: tuple[str, ...]) -> None:
        found = list(self._entries(folder))
        folders = [entry for entry in found if is_folder(entry)]
        first = self.options.label_from in ("auto", "first")
        if first:
            name = parts[0]
        elif self.options.label_from == "leaf":
            name = parts[-1]
        else:
            name = "/".join(parts)
        if not self.options.label_regex and (
            (len(parts) == 1 and first) or not folders
        ):
            self.images.setdefault(name, [])
        for entry in found:
            if not is_folder(entry):
                self._file(entry, name, len(parts) > 1)
                continue
            if entry.name.lower().endswith(EXTENSIONS):
                self.ignored["a folder named like a picture"] += 1
            if entry.is_symlink() and not self.options.follow_links:
                self.ignored["a link to a folder (see --follow_links)"] += 1
            elif self._enter(entry.stat()):
                self._folder(entry.path, (*parts, entry.name))
            else:
                self.ignored[AGAIN] += 1

    def _file(self, entry: os.DirEntry, name: str, nested: bool) -> None:
        patterns = self.options.include or self.options.exclude
        if patterns and self.options.leaves_out(self._from_root(entry.path)):
            self.ignored[LEFT_OUT] += 1
            self._emptied_by(entry)
            return
        look = look_at(entry.path)
        if not look.is_image:
            self.ignored[NO_IMAGE] += 1
            return
        if self.options.label_regex:
            name = self.options.label_in(entry.name) or ""
            if not name:
                self.unlabelled.append(entry.name)
                return
        if look.reason:
            self.unusable.setdefault(name, []).append((entry.path, look.reason))
            return
        if look.kind:
            self.kinds[entry.path] = look.kind
        self.inodes[entry.path] = look.place
        self.images.setdefault(name, []).append(entry.path)
        if nested:
            self.nested.add(entry.path)


def is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder or leads to one; a link in a circle does not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_left_behind(name: str) -> bool:
    """Whether a name is hidden, or one that tools leave."""
    lower = name.lower()
    return lower in LEFT_BEHIND or lower.startswith(LEFT_BEHIND_STARTS)


def entries_of(folder: str) -> tuple[list[os.DirEntry], int]:
    """What stands in a folder, by name, without what tools leave behind; and
    how much that is.

    Raises:
        DataError: the folder cannot be read.
    """
    try:
        with io_watchdog.reading(folder), os.scandir(folder) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        raise folder_fault(folder, error) from None
    kept = [entry for entry in entries if not is_left_behind(entry.name)]
    return kept, len(entries) - len(kept)


def folder_fault(folder: str, error: OSError) -> DataError:
    """That a folder cannot be read, in one line."""
    return DataError(
        f"{folder}: the folder cannot be read ({error.strerror}) - check the "
        "path and the right to read it"
    )
