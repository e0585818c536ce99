"""What an input holds, in order, on the disk: the list of a run.

    listing = Listing.made(path, Unlabelled("photos"))
    for id_, reason in listing: ...
    listing.fingerprint, listing.count, listing.ignored

In: `Found` pictures in any order. Out: a file that gives them by name, each
real file once, whatever the disk's order and however many there are (SQLite
sorts on the disk, so memory stays what it is); and a fingerprint that tells
whether the input is still the same.
"""

import collections
import contextlib
import hashlib
import os
import pathlib
import sqlite3
import urllib.parse
from collections.abc import Iterator, Mapping

from tl_keras import atomic
from tl_keras.data import SAME_FILE, Unlabelled
from tl_keras.errors import MachineError

SAME_ROW = "the same row again"
TABLE = """
CREATE TABLE pictures (
    id BLOB PRIMARY KEY, reason TEXT, place TEXT, size INTEGER, modified INTEGER
) WITHOUT ROWID"""
# One name of each real file stays: the first in order.
TWINS = """
DELETE FROM pictures WHERE place != '' AND id NOT IN (
    SELECT min(id) FROM pictures WHERE place != '' GROUP BY place)"""
SELECT = "SELECT id, reason, size, modified FROM pictures ORDER BY id"
BATCH = 1000  # rows that are written at once


class Listing:
    """Pictures by name; iterate for (id, reason).

    Attributes:
        path: the file.
        ignored: counts of what was found and is no picture.
        count: how many pictures there are.
        fingerprint: SHA-256 of names, sizes and times of change.
    """

    def __init__(self, path: pathlib.Path, ignored: Mapping[str, int]):
        self.path = path
        self.ignored = dict(ignored)
        self.count, self.fingerprint = self._fingerprint()

    @classmethod
    def made(cls, path: pathlib.Path, examples: Unlabelled) -> "Listing":
        """Walks through the input and writes the list.

        Raises:
            DataError: the input cannot be read.
            MachineError: the list cannot be written.
        """
        try:
            ignored = cls._write(path, examples)
        except sqlite3.Error as error:
            raise MachineError(
                f"{path}: {error} - make room there and for temporary files"
            ) from None
        return cls(path, ignored)

    @staticmethod
    def _write(path: pathlib.Path, examples: Unlabelled) -> Mapping[str, int]:
        """Writes the list; counts of what is not in it."""
        with (
            atomic.replacing(path) as temporary,
            contextlib.closing(sqlite3.connect(temporary)) as base,
        ):
            # The file is complete or absent anyway.
            base.execute("PRAGMA journal_mode=OFF")
            base.execute("PRAGMA synchronous=OFF")
            base.execute(TABLE)
            found = 0
            for rows in _gathered(examples):
                found += len(rows)
                base.executemany(
                    "INSERT OR IGNORE INTO pictures VALUES (?,?,?,?,?)", rows
                )
            (kept,) = base.execute("SELECT count(*) FROM pictures").fetchone()
            twins = base.execute(TWINS).rowcount
            base.commit()
        counts = collections.Counter(examples.ignored)
        counts.update({SAME_ROW: found - kept, SAME_FILE: twins})
        return +counts

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for id_, reason, *_ in self._rows():
            yield os.fsdecode(id_), reason

    def _rows(self) -> Iterator[tuple]:
        with contextlib.closing(_opened(self.path)) as base:
            yield from base.execute(SELECT)

    def _fingerprint(self) -> tuple[int, str]:
        digest, count = hashlib.sha256(), 0
        for row in self._rows():
            digest.update(repr(row).encode("utf-8", "surrogateescape"))
            count += 1
        return count, digest.hexdigest()

    def differences(self, earlier: pathlib.Path) -> dict[str, int]:
        """How many pictures are new, gone or changed since an earlier list.

        Raises:
            sqlite3.Error: there is no such list any more.
        """
        here, there = "main.pictures", "earlier.pictures"
        only = (
            "SELECT count(*) FROM {} AS one LEFT JOIN {} AS other "
            "ON one.id = other.id WHERE other.id IS NULL"
        )
        changed = (
            f"SELECT count(*) FROM {here} AS one JOIN {there} AS other "
            "ON one.id = other.id WHERE (one.size, one.modified, one.reason) "
            "!= (other.size, other.modified, other.reason)"
        )
        questions = {
            "new": only.format(here, there),
            "gone": only.format(there, here),
            "changed": changed,
        }
        with contextlib.closing(_opened(self.path)) as base:
            base.execute("ATTACH ? AS earlier", (_address(earlier),))
            return {
                word: base.execute(question).fetchone()[0]
                for word, question in questions.items()
            }


def _gathered(examples: Unlabelled) -> Iterator[list[tuple]]:
    """Rows for the table, some at a time."""
    rows: list[tuple] = []
    for found in examples:
        # Bytes: a name need not be UTF-8, and bytes have one order.
        rows.append((os.fsencode(found.id), *found[1:]))
        if len(rows) == BATCH:
            yield rows
            rows = []
    yield rows


def _address(path: pathlib.Path) -> str:
    place = urllib.parse.quote(os.fsencode(path.absolute()))
    return f"file:{place}?mode=ro&immutable=1"


def _opened(path: pathlib.Path) -> sqlite3.Connection:
    """For reading alone, also where nothing can be locked."""
    return sqlite3.connect(_address(path), uri=True)
