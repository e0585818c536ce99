"""The folders of a root, looked into as far as a question needs.

    tree = Tree("flowers", ListOptions())
    tree.holders()              # the folders that hold pictures somewhere

In: a folder. Out: what stands in it, by names alone: nothing is opened, and
where the first picture answers, no other is looked at.
"""

import os
from collections.abc import Iterator

from tl_keras.data.looking import may_be_image
from tl_keras.data.options import ListOptions
from tl_keras.data.walking import (
    entries_of,
    folder_fault,
    is_folder,
    is_left_behind,
)

DEPTH = 8  # folders below each other that are looked into


class Tree:
    """The folders of a root; see the module's text.

    Attributes:
        root: the folder.
        options: of which the excluding patterns count.
        folders: name -> entry of each folder in it.
        images: how many pictures lie in it, by their names.
        table: the first .csv in it, or "".
    """

    def __init__(self, root: str, options: ListOptions):
        self.root = root
        self.options = options
        self.folders: dict[str, os.DirEntry] = {}
        self.images = 0
        self.table = ""
        for entry in self._entries(root):
            if is_folder(entry):
                self.folders[entry.name] = entry
            elif may_be_image(entry.name):
                self.images += 1
            elif entry.name.lower().endswith(".csv"):
                self.table = self.table or entry.path

    def _entries(self, folder: str) -> Iterator[os.DirEntry]:
        entries, _ = entries_of(folder)
        for entry in entries:
            path = os.path.relpath(entry.path, self.root)
            if not self.options.closes(path):
                yield entry

    def path(self, name: str) -> str:
        """The path of a folder in the root."""
        return os.path.join(self.root, name)

    def is_flat(self, name: str) -> bool:
        """Whether a folder holds pictures itself; the first one answers."""
        folder = self.path(name)
        try:
            with os.scandir(folder) as scanned:
                return any(
                    may_be_image(entry.name) and not self._left_out(entry)
                    for entry in scanned
                )
        except OSError as error:
            raise folder_fault(folder, error) from None

    def _left_out(self, entry: os.DirEntry) -> bool:
        inside = os.path.relpath(entry.path, self.root)
        return (
            is_left_behind(entry.name)
            or is_folder(entry)
            or self.options.closes(inside)
        )

    def below(self, name: str) -> list[str]:
        """The folders in a folder that hold pictures somewhere."""
        return [
            entry.name
            for entry in self._entries(self.path(name))
            if is_folder(entry) and self._holds(entry.path)
        ]

    def holders(self) -> list[str]:
        """The folders of the root that hold pictures somewhere."""
        return [name for name in self.folders if self._holds(self.path(name))]

    def _holds(self, folder: str, depth: int = DEPTH) -> bool:
        left: list[str] = []
        for entry in self._entries(folder):
            if not is_folder(entry):
                if may_be_image(entry.name):
                    return True
            elif not entry.is_symlink() and depth:
                left.append(entry.path)
        return any(self._holds(path, depth - 1) for path in left)
