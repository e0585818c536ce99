"""A disk that forgets what was not synced: what is left after a power cut.

    with recording(folder) as disk:
        ...                       # saves something in the folder
    for number in range(len(disk.events) + 1):
        disk.leave(number, place, names=True)

Two bad disks: one that forgets every name and every byte that no fsync asked
for, and one that kept the names of files and folders but not their bytes.
"""

import contextlib
import os
import pathlib

CALLS = {"rename": "moved", "replace": "moved", "mkdir": "made"}


class Disk:
    """What was asked of a disk, in order."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        # Path -> bytes, or None for a folder: all of it is on the disk.
        self.begin = {
            str(path): path.read_bytes() if path.is_file() else None
            for path in [folder, *sorted(folder.rglob("*"))]
        }
        self.events: list[tuple] = []

    def leave(self, number: int, place: pathlib.Path, *, names: bool) -> None:
        """Writes to `place` what a cut after so many events leaves.

        With `names`, names that were not synced are there all the same.
        """
        root = _Folder()
        for path, content in self.begin.items():
            if path != str(self.folder):
                _put(root, self._parts(path), content)
        _settle(root)
        for event in self.events[:number]:
            self._replay(root, *event)
        _write(root, place, names)

    def _parts(self, path: str) -> list[str]:
        return list(pathlib.Path(path).relative_to(self.folder).parts)

    def _replay(self, root, what: str, path: str, more=None) -> None:
        parts = self._parts(path)
        if what == "folder synced":
            _find(root, parts).settle()
        elif what == "file synced":
            _put(root, parts, more)
            _find(root, parts).settle()
        elif what == "made":
            _put(root, parts, None)
        else:
            moved = _find(root, parts[:-1]).now.pop(parts[-1])
            *others, new = self._parts(more)
            _find(root, others).now[new] = moved


class _Folder:
    def __init__(self):
        self.now: dict = {}
        self.kept: dict = {}

    def settle(self):
        self.kept = dict(self.now)


class _File:
    def __init__(self):
        self.now = self.kept = b""

    def settle(self):
        self.kept = self.now


def _find(root, parts):
    for part in parts:
        root = root.now[part]
    return root


def _put(root, parts, content) -> None:
    parent = _find(root, parts[:-1])
    if content is None:
        parent.now.setdefault(parts[-1], _Folder())
    else:
        file = parent.now.setdefault(parts[-1], _File())
        file.now = content


def _settle(node) -> None:
    node.settle()
    if isinstance(node, _Folder):
        for child in node.now.values():
            _settle(child)


def _write(node, place: pathlib.Path, names: bool) -> None:
    if isinstance(node, _File):
        place.write_bytes(node.kept)
        return
    place.mkdir()
    for name, child in (node.now if names else node.kept).items():
        _write(child, place / name, names)


@contextlib.contextmanager
def recording(folder: pathlib.Path):
    """Notes what is asked of the disk below a folder.

    A file is there from its fsync on; what is removed comes last in a save,
    and stays on this disk.
    """
    disk = Disk(folder)
    real = {name: getattr(os, name) for name in ("fsync", *CALLS)}

    def fsync(descriptor):
        real["fsync"](descriptor)
        path = pathlib.Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_dir():
            disk.events.append(("folder synced", str(path)))
        else:
            disk.events.append(("file synced", str(path), path.read_bytes()))

    def noting(name):
        def call(path, *more, **options):
            found = real[name](path, *more, **options)
            rest = map(str, more if CALLS[name] == "moved" else ())
            disk.events.append((CALLS[name], str(path), *rest))
            return found

        return call

    os.fsync = fsync
    for name in CALLS:
        setattr(os, name, noting(name))
    try:
        yield disk
    finally:
        for name, function in real.items():
            setattr(os, name, function)
