"""Paths as a table writes them -> paths of this disk, and why not.

    places = Places("photos", follow_links=False)
    path, fault = places.inside("cats/1.jpg")
    explain_missing(places.root, missing, 40)      # lines, each with a remedy

In: texts. Out: absolute paths below one folder. Where many are not there,
what stands in the folder tells why: backslashes, another case, no extension,
a folder too high or too low.
"""

import collections
import os
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tl_keras.data.walking import is_left_behind

MOST_FILES = 200_000  # of a folder that are looked through for an explanation


class Places:
    """Paths of rows -> absolute paths that stay below one folder."""

    def __init__(self, root: str, follow_links: bool):
        self.root = root
        self.real_root = os.path.realpath(root)
        self.follow_links = follow_links
        self.real_folders: dict[str, str] = {}

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


def _below(path: str, root: str) -> bool:
    return path.startswith(os.path.join(root, ""))


class _Why(NamedTuple):
    """How a path that is written differs from the file that is meant.

    Attributes:
        slashes: whether it is written with backslashes.
        taken_off: the folders that it has too many, at its beginning.
        put_before: the folders that it lacks there.
        spelling: "", "case" or "accents".
        suffix: the end that the file has instead; "" where it is the same.
        number: whether it is a number that has lost its zeros, or got ".0".
        quoted: whether it is written as in an address, with %20.
    """

    slashes: bool
    taken_off: str
    put_before: str
    spelling: str
    suffix: str
    number: bool = False
    quoted: bool = False


def explain_missing(root: str, names: Sequence[str], rows: int) -> list[str]:
    """Why paths are not found, one line for each reason, with the remedy.

    Args:
        root: the folder that they start from.
        names: those that are not there, as they are written.
        rows: how many there are in all.

    Returns:
        Up to five lines, the most frequent reason first; [] where none is
        found.
    """
    if not names or not os.path.isdir(root):
        return []
    index = _Index(root)
    found: dict[_Why, list[tuple[str, str]]] = collections.defaultdict(list)
    numbers = 0
    for name in names:
        why, file = index.explain(name)
        if why is not None:
            found[why].append((name, file))
        elif name.strip().isdecimal():
            numbers += 1
    lines = [
        _told(root, why, some, rows)
        for why, some in sorted(found.items(), key=lambda item: -len(item[1]))
    ]
    if numbers:
        lines.append(
            f"{numbers:,} of {rows:,} rows have a number where their path "
            "should be - name the column of the paths path"
        )
    return lines[:5]


def _told(root: str, why: _Why, some: list[tuple[str, str]], rows: int) -> str:
    name, file = some[0]
    what, remedies = [], []
    if why.slashes:
        what.append("are written with \\")
        remedies.append("write / instead")
    folder = os.path.basename(root.rstrip("/"))
    if why.taken_off and why.taken_off.strip("/") == folder:
        what.append(f"begin with {why.taken_off}, the folder itself")
        remedies.append(f"--data_dir={os.path.dirname(root)}")
    elif why.taken_off:
        what.append(f"begin with {why.taken_off}, which is not here")
        remedies.append("take that off the paths")
    if why.put_before:
        what.append(f"lie in {why.put_before}")
        remedies.append(f"--data_dir={os.path.join(root, why.put_before)}")
    if why.spelling == "case":
        what.append("differ from their files in upper and lower case")
        remedies.append("write them as the files are named")
    elif why.spelling:
        what.append("encode accents otherwise than their files (NFC, NFD)")
        remedies.append("write them as the files are named")
    if why.number:
        what.append("are numbers that have lost their zeros")
        remedies.append("read the column as text where the table is made")
    if why.quoted:
        what.append("are written as addresses")
        remedies.append("write the characters themselves, not %20")
    if why.suffix:
        ending = os.path.splitext(name)[1]
        ending = f"end in {ending}" if ending else "have no extension"
        what.append(f"{ending}, their files have {why.suffix}")
        remedies.append(f"write {why.suffix} behind the names")
    return (
        f"{len(some):,} of {rows:,} paths {' and '.join(what)}: {name} is "
        f"{file} - {' and '.join(remedies)}"
    )


class _Index:
    """The files of a folder, found again by parts of their paths."""

    def __init__(self, root: str):
        self.root = root
        self.by_key: dict[str, str] = {}
        self.by_stem: dict[str, str] = {}
        self.by_name: dict[str, str] = {}
        self.by_number: dict[int, str] = {}
        for number, path in enumerate(_files(root)):
            if number == MOST_FILES:
                break
            key = _key(path)
            stem = os.path.splitext(key)[0]
            self.by_key.setdefault(key, path)
            self.by_stem.setdefault(stem, path)
            for name in (os.path.basename(key), os.path.basename(stem)):
                self.by_name.setdefault(name, path)
            if os.path.basename(stem).isdecimal():
                self.by_number.setdefault(int(os.path.basename(stem)), path)

    def explain(self, name: str) -> tuple[_Why | None, str]:
        """What is wrong with a path, and the file that it means."""
        if ".." in name or "://" in name:
            return None, ""  # It leads out on purpose.
        if re.search("%[0-9a-fA-F]{2}", name):
            why, file = self.explain(urllib.parse.unquote(name))
            plain = urllib.parse.unquote(name)
            if why is None and self._find(plain):
                return _Why(False, "", "", "", "", quoted=True), plain
            return why and why._replace(quoted=True), file
        slashes = "\\" in name
        plain = name.strip().replace("\\", "/")
        drive = re.match(r"[A-Za-z]:/*|/+", plain)
        start = drive[0] if drive else ""
        parts = plain[len(start) :].removeprefix("./").split("/")
        for first in range(len(parts)):
            rest = "/".join(parts[first:])
            file = self._find(rest)
            if file:
                off = start + "/".join([*parts[:first], ""] if first else [])
                why = self._why(slashes, off, "", rest, file)
                return (why if any(why) else None), file
        base = _key(parts[-1])
        file = self.by_name.get(base) or self.by_name.get(
            os.path.splitext(base)[0]
        )
        wanted = os.path.splitext(_key("/".join(parts)))[0]
        if file and os.path.splitext(_key(file))[0].endswith(wanted):
            depth = file.count("/") - len(parts) + 1
            before = "/".join(file.split("/")[:depth])
            inner = "/".join(file.split("/")[depth:])
            why = self._why(slashes, start, before, "/".join(parts), inner)
            return why, file
        return self._as_number("/".join(parts))

    def _as_number(self, path: str) -> tuple[_Why | None, str]:
        """A number behind which a file's name has gone: 7 or 7.0 for 0007."""
        above, name = os.path.split(path)
        digits = re.fullmatch(r"(\d+)(?:\.0)?(\.[a-zA-Z]+)?", name)
        file = digits and self.by_number.get(int(digits[1]))
        if not file:
            return None, ""
        folder, found = os.path.split(file)
        same = os.path.splitext(found)[0] == os.path.splitext(name)[0]
        if same or not _key(folder).endswith(_key(above)):
            return None, ""
        folder = folder[: len(folder) - len(above)].rstrip("/")
        suffix = "" if digits[2] else os.path.splitext(found)[1]
        return _Why(False, "", folder, "", suffix, number=True), file

    def _find(self, name: str) -> str:
        key = _key(name)
        stem, suffix = os.path.splitext(key)
        return (
            self.by_key.get(key)
            or self.by_stem.get(key)
            or (suffix and self.by_stem.get(stem))
            or ""
        )

    @staticmethod
    def _why(
        slashes: bool, off: str, before: str, name: str, file: str
    ) -> _Why:
        suffix = os.path.splitext(file)[1]
        one, two = (unicodedata.normalize("NFC", n) for n in (name, file))
        if one.casefold() != two.casefold():
            # Another ending, or none.
            stem = two[: -len(suffix)] if suffix else two
            one = os.path.splitext(one)[0] if one != stem else one
            spelling = "" if one == stem else "case"
        else:
            suffix = ""
            spelling = "case" if one != two else "accents" * (name != file)
        return _Why(slashes, off, before, spelling, suffix)


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _files(root: str) -> Iterator[str]:
    """Paths from the root, of files that no tool has left."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(n for n in folders if not is_left_behind(n))
        inside = os.path.relpath(folder, root)
        for name in sorted(names):
            if not is_left_behind(name):
                yield name if inside == "." else os.path.join(inside, name)
