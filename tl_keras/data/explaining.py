"""Paths that are not there -> the files that are meant, and how they differ.

    index = Index("photos")
    why, file = index.explain("cats\\1.jpg")     # Why(slashes=True, ...)
    explain_missing("photos", missing, 40)      # lines, each with a remedy

In: texts as a table writes them. Out: what stands in the folder tells why they
are not found: backslashes, another case, no extension, a folder too high or
too low.
"""

import collections
import os
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tl_keras.data.walking import is_left_behind

MAX_FILES = 200_000  # of a folder that are looked through for an explanation


class Why(NamedTuple):
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
    index = Index(root)
    found: dict[Why, list[tuple[str, str]]] = collections.defaultdict(list)
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


def _told(root: str, why: Why, some: list[tuple[str, str]], rows: int) -> str:
    name, file = some[0]
    return (
        f"{len(some):,} of {rows:,} paths {how_written(root, why, name)}: "
        f"{name} is {file} - {' and '.join(_remedies(root, why))}"
    )


def how_written(root: str, why: Why, name: str) -> str:
    """How paths differ from the files that are meant, in words.

    Args:
        root: the folder they start from.
        why: how.
        name: one of them.

    Returns:
        Such as "are written with \\ and have no extension, ...".
    """
    what = []
    if why.slashes:
        what.append("are written with \\")
    if why.taken_off and _is_itself(root, why):
        what.append(f"begin with {why.taken_off}, the folder itself")
    elif why.taken_off:
        what.append(f"begin with {why.taken_off}, which is not here")
    if why.put_before:
        what.append(f"lie in {why.put_before}")
    if why.spelling == "case":
        what.append("differ from their files in upper and lower case")
    elif why.spelling:
        what.append("encode accents otherwise than their files (NFC, NFD)")
    if why.number:
        what.append("are numbers that have lost their zeros")
    if why.quoted:
        what.append("are written as addresses")
    if why.suffix:
        ending = os.path.splitext(name)[1]
        ending = f"end in {ending}" if ending else "have no extension"
        what.append(f"{ending}, their files have {why.suffix}")
    return " and ".join(what)


def _remedies(root: str, why: Why) -> list[str]:
    remedies = []
    if why.slashes:
        remedies.append("write / instead")
    if why.taken_off and _is_itself(root, why):
        remedies.append(f"--data_dir={os.path.dirname(root)}")
    elif why.taken_off:
        remedies.append("take that off the paths")
    if why.put_before:
        remedies.append(f"--data_dir={os.path.join(root, why.put_before)}")
    if why.spelling:
        remedies.append("write them as the files are named")
    if why.number:
        remedies.append("read the column as text where the table is made")
    if why.quoted:
        remedies.append("write the characters themselves, not %20")
    if why.suffix:
        remedies.append(f"write {why.suffix} behind the names")
    return remedies


def _is_itself(root: str, why: Why) -> bool:
    """Whether what paths have too much is the folder's own name."""
    return why.taken_off.strip("/") == os.path.basename(root.rstrip("/"))


class Index:
    """The files of a folder, found again by parts of their paths.

    Attributes:
        root: the folder.
        whole: whether all its files were looked at.
        twice: names, and paths without extension, of more than one file.
    """

    def __init__(self, root: str):
        self.root = root
        self.whole = True
        self.twice: set[str] = set()
        self.by_key: dict[str, str] = {}
        self.by_stem: dict[str, str] = {}
        self.by_name: dict[str, str] = {}
        self.by_number: dict[int, str] = {}
        for number, path in enumerate(_files(root)):
            if number == MAX_FILES:
                self.whole = False
                break
            key = _key(path)
            stem = os.path.splitext(key)[0]
            self.by_key.setdefault(key, path)
            if self.by_stem.setdefault(stem, path) != path:
                self.twice.add(stem)
            for name in (os.path.basename(key), os.path.basename(stem)):
                if self.by_name.setdefault(name, path) != path:
                    self.twice.add(name)
            if os.path.basename(stem).isdecimal():
                self.by_number.setdefault(int(os.path.basename(stem)), path)

    def has_twin(self, file: str) -> bool:
        """Whether another file differs from one in its extension alone."""
        return os.path.splitext(_key(file))[0] in self.twice

    def has_namesake(self, file: str) -> bool:
        """Whether a file in another folder has its name."""
        name = os.path.basename(_key(file))
        return bool({name, os.path.splitext(name)[0]} & self.twice)

    def explain(self, name: str) -> tuple[Why | None, str]:
        """What is wrong with a path, and the file that it means."""
        if ".." in name or "://" in name:
            return None, ""  # It leads out on purpose.
        if re.search("%[0-9a-fA-F]{2}", name):
            why, file = self.explain(urllib.parse.unquote(name))
            plain = urllib.parse.unquote(name)
            if why is None and self._find(plain):
                return Why(False, "", "", "", "", quoted=True), plain
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

    def _as_number(self, path: str) -> tuple[Why | None, str]:
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
        return Why(False, "", folder, "", suffix, number=True), file

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
    def _why(slashes: bool, off: str, before: str, name: str, file: str) -> Why:
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
        return Why(slashes, off, before, spelling, suffix)


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
