"""Paths as a table writes them -> paths of this disk.

    places = Places("photos", follow_links=False)
    path, fault = places.find("cats/1.jpg")
    path, fault = places.find("C:/me/photos/cats/1")    # likewise
    places.told(40)                         # how such paths were read

In: texts. Out: absolute paths below one folder. What is not there as it is
written is read otherwise where one file alone can be meant, and told.
"""

import collections
import os

from tl_keras.data.explaining import Index, Why, how_written
from tl_keras.data.looking import may_be_image
from tl_keras.data.split_words import split_named


class Places:
    """Paths of rows -> absolute paths that stay below one folder."""

    def __init__(self, root: str, follow_links: bool):
        self.root = root
        self.real_root = os.path.realpath(root)
        self.follow_links = follow_links
        self.real_folders: dict[str, str] = {}
        self._index: Index | None = None
        # What all paths have too much, or too little, at their beginning.
        self._start: tuple[str, str] | None = None
        self._read: dict[Why, list[tuple[str, str]]] = {}
        self._counts: collections.Counter = collections.Counter()

    def inside(self, name: str) -> tuple[str, str]:
        """The path, and what is wrong with it, or ""."""
        if "\0" in name or "://" in name:
            return "", f"{name!r} is no path of a file on this disk"
        path = os.path.normpath(os.path.join(self.root, name))
        # Blanks around a path are a slip, unless a file is so named.
        if name != name.strip() and not os.path.lexists(path):
            path = os.path.normpath(os.path.join(self.root, name.strip()))
        if not _below(path, self.root):
            return "", (
                f"{name} leads out of {self.root} - give the right --data_dir"
            )
        if not self.follow_links and not _below(
            self._real(path), self.real_root
        ):
            return "", (
                f"{name} leads through a link out of {self.root} - give "
                "--follow_links if that is meant"
            )
        return path, ""

    def _real(self, path: str) -> str:
        """realpath, with the folder's kept: most rows share theirs."""
        folder, name = os.path.split(path)
        if folder not in self.real_folders:
            self.real_folders[folder] = os.path.realpath(folder)
        real = os.path.join(self.real_folders[folder], name)
        return os.path.realpath(real) if os.path.islink(real) else real

    def find(self, name: str) -> tuple[str, str]:
        """The path of the file that is meant, and what is wrong with it, or "".

        Backslashes, a missing extension, and what all paths have too much
        (C:/me/) or too little (train/) at their beginning are no fault, where
        one file alone can be meant.

        Args:
            name: as it is written.

        Returns:
            As `inside`; there need be no file where none can be meant.
        """
        path, fault = self.inside(name)
        if not fault and os.path.lexists(path):
            return path, ""
        meant = self._meant(name)
        return self.inside(meant) if meant else (path, fault)

    def _meant(self, name: str) -> str:
        """The file that a path means which is not there as it is written; ""
        where none can be meant, or several."""
        if self._index is None:
            self._index = Index(self.root)
        index = self._index
        if not index.whole:
            return ""
        why, file = index.explain(name)
        if why is None or not self._is_sure(why, name, file):
            return ""
        start = (why.taken_off, why.put_before)
        if any(start):
            if self._start not in (None, start):
                return ""
            self._start = start
        self._counts[why] += 1
        self._read.setdefault(why, [(name, file)])
        return file

    def _is_sure(self, why: Why, name: str, file: str) -> bool:
        """Whether the file is the only one that a path can mean."""
        if why.spelling or why.number or why.quoted:
            return False
        if why.suffix:
            written = name.replace("\\", "/").rpartition("/")[2]
            if may_be_image(written) or self._index.has_twin(file):
                return False
        if why.put_before and self._index.has_namesake(file):
            return False
        return not why.taken_off or self._may_go(why.taken_off, file)

    def _may_go(self, taken_off: str, file: str) -> bool:
        """Whether what paths have too much says nothing else: the folder's own
        name, or where it was on another machine."""
        last = os.path.basename(taken_off.rstrip("/"))
        if last == os.path.basename(self.root.rstrip("/")):
            return True
        absolute = taken_off.startswith("/") or taken_off[1:2] == ":"
        # Of a file train/1.jpg here, /data/test/1.jpg says nothing.
        return absolute and "/" in file and not split_named(last)

    def told(self, rows: int) -> list[str]:
        """How paths were read that are not there as they are written.

        Args:
            rows: how many there were in all.
        """
        return [
            f"{count:,} of {rows:,} paths "
            f"{how_written(self.root, why, self._read[why][0][0])}: "
            "{} is read as {}".format(*self._read[why][0])
            for why, count in self._counts.most_common()
        ]


def _below(path: str, root: str) -> bool:
    return path.startswith(os.path.join(root, ""))
