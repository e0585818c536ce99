"""What an example is: an id, a label, and bytes of a picture somewhere.

    examples = Examples(("1.jpg",), np.array([0]), files=("photos/1.jpg",))
    examples.take([0]).read(0)

In: columns. Out: lists of examples, which are columns, not objects: a hundred
thousand of them are a list of names and an array of labels.
"""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tl_keras import io_watchdog
from tl_keras.inputs.kinds import nouns

Stamp = tuple[int, int, int]


class Hash(NamedTuple):
    """The hash of an example's bytes, and of which file it is the hash.

    Attributes:
        sha256: in hexadecimal.
        stamp: of the file before it was read, see `stamp_of`; None for bytes
            in memory.
    """

    sha256: str
    stamp: Stamp | None


def stamp_of(file: str) -> Stamp | None:
    """(size, modification time, inode): changes when a file does."""
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


@dataclasses.dataclass(frozen=True)
class Examples:
    """A list of labelled pictures, not yet decoded.

    Attributes:
        ids: one text each, which follows the example to its prediction row:
            the path relative to the dataset, or `NAME/split/index`.
        labels: int32 (n,), index into the class names; where an example has
            several labels, int32 (n, labels) of 0 and 1; where it has numbers,
            float32 (n, columns).
        files: path of each, or None when the bytes are in memory.
        encoded: bytes of each as a picture file, or None when they are in
            files.
        groups: what each belongs to (a patient, a speaker), or None; one group
            stays on one side of every cut.
        hashes: of each, None where nobody has read it yet; or None.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    files: tuple[str, ...] | None = None
    encoded: tuple[bytes, ...] | None = None
    groups: tuple[str, ...] | None = None
    hashes: tuple[Hash | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Sequence[int]) -> "Examples":
        """The examples at `indices`, in that order."""
        indices = [int(i) for i in indices]

        def pick(column):
            return column and tuple(column[i] for i in indices)

        return Examples(
            pick(self.ids),
            self.labels[indices],
            pick(self.files),
            pick(self.encoded),
            pick(self.groups),
            pick(self.hashes),
        )

    def read(self, index: int) -> bytes:
        """The picture file's bytes of one example.

        Raises:
            OSError: the file cannot be read.
        """
        if self.files:
            return io_watchdog.read(self.files[index])
        return self.encoded[index]

    def content_ids(self) -> list[str]:
        """SHA-256 of each example's bytes, in hexadecimal.

        Only what has no hash yet is read, and a file that has changed since.

        Raises:
            OSError: a file cannot be read.
        """
        return [known.sha256 for known in self._known_hashes()]

    def hashed(self) -> "Examples":
        """The same, with the hash of each.

        Raises:
            OSError: a file cannot be read.
        """
        return dataclasses.replace(self, hashes=tuple(self._known_hashes()))

    def stamps(self) -> list[Stamp | None]:
        """`stamp_of` each file; None of what is in memory, or gone."""
        if self.files is None:
            return [None] * len(self)
        return [stamp_of(file) for file in self.files]

    def _known_hashes(self) -> list[Hash]:
        hashes = self.hashes or (None,) * len(self)
        # Before a file is read, so that a later change is seen.
        stamps = self.stamps()
        return [
            known
            # A file that is gone has none, and is read, which says so.
            if known and (known.stamp == stamp is not None or not self.files)
            else Hash(hashlib.sha256(self.read(index)).hexdigest(), stamp)
            for index, (known, stamp) in enumerate(
                zip(hashes, stamps, strict=True)
            )
        ]


def joined(parts: Iterable[Examples]) -> Examples:
    """All examples of several lists of one source, one after another."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return EMPTY
    in_files = parts[0].files is not None
    return Examples(
        tuple(id_ for part in parts for id_ in part.ids),
        np.concatenate([part.labels for part in parts]),
        tuple(f for part in parts for f in part.files) if in_files else None,
        None if in_files else tuple(e for p in parts for e in p.encoded),
        None
        if parts[0].groups is None
        else tuple(group for part in parts for group in part.groups),
        None
        if any(part.hashes is None for part in parts)
        else tuple(known for part in parts for known in part.hashes),
    )


EMPTY = Examples((), np.zeros(0, np.int32))
NO_LABEL = "-"  # in a row of a file, of an example without any


def label_text(label: np.ndarray, names: Sequence[str]) -> str:
    """What an example is labelled, in words.

    Args:
        label: its row of `Examples.labels`.
        names: of classes, labels or columns.

    Returns:
        A class, "cat|outdoor", or numbers with commas between them.

    Example:
        label_text(examples.labels[0], listing.class_names)
    """
    label = np.asarray(label)
    if not label.ndim:
        return names[int(label)]
    if label.dtype.kind == "f":
        # The shortest that are the same numbers, in the type they have.
        return ",".join(str(value).removesuffix(".0") for value in label)
    given = [n for n, there in zip(names, label, strict=True) if there]
    return "|".join(given) or NO_LABEL


def label_key(label: np.ndarray, names: Sequence[str]) -> int | str:
    """What two examples of the same label have in common: the class's number,
    or the words for several labels or for numbers."""
    label = np.asarray(label)
    return label_text(label, names) if label.ndim else int(label)


def label_name(key: int | str, names: Sequence[str]) -> str:
    """The words for a `label_key`."""
    return key if isinstance(key, str) else names[key]


def class_counts(labels: np.ndarray, count: int) -> np.ndarray:
    """How many examples each of `count` names is said of, int (count,).

    Numbers are said of all: each column of each example has one.
    """
    if labels.ndim == 1:
        return np.bincount(labels, minlength=count)
    if labels.dtype.kind == "f":
        return np.full(count, len(labels))
    return labels.sum(axis=0)


@dataclasses.dataclass(frozen=True)
class Skip:
    """A picture that is listed and cannot be used.

    Attributes:
        id: as in `Examples.ids`.
        reason: what it is and the remedy, in one line.
        split: the split it would be in.
        class_name: the class it would be of.
        file: its path, or "" when its bytes are in memory.
        where: the row that names it, as `file.csv:LINE`.
    """

    id: str
    reason: str
    split: str
    class_name: str
    file: str = ""
    where: str = ""

    def line(self) -> str:
        """The line that names it: received, expected, remedy."""
        row = f"{self.where}: " if self.where else ""
        return f"{row}{self.id}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a source holds, before anything is cut.

    Attributes:
        splits: "train", and "val", "test" where the source has its own.
        class_names: in the order of the labels.
        ignored: how many things were found and not taken, by reason.
        skipped: pictures that cannot be used, each with its reason.
        marked: what is worth counting -> the ids of which it is true.
        kinds: file -> the kind of those that Pillow alone opens.
        warnings: what a person should know, and which hinders nothing.
        hints: why so many pictures were not found, each with the remedy.
        told: how a table was understood, where it could be otherwise.
        kind: of input, a name of `inputs.kinds`.
        of_none: examples of no class, which nobody learns (`set_apart`).
    """

    splits: Mapping[str, Examples]
    class_names: tuple[str, ...]
    ignored: Mapping[str, int]
    skipped: tuple[Skip, ...] = ()
    marked: Mapping[str, frozenset[str]] = dataclasses.field(
        default_factory=dict
    )
    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    kind: str = "image"

    @property
    def nouns(self) -> tuple[str, str]:
        """What an example is called, and several."""
        return nouns(self.kind)

    of_none: Examples = EMPTY

    @property
    def notes(self) -> dict[str, int]:
        """How many of the listed pictures each mark is true of."""
        ids = [id_ for e in self.splits.values() for id_ in e.ids]
        counts = {
            what: sum(id_ in marked for id_ in ids)
            for what, marked in self.marked.items()
        }
        return {what: count for what, count in counts.items() if count}

    def found(self) -> int:
        """Everything: listed + skipped + ignored."""
        listed = sum(len(examples) for examples in self.splits.values())
        return listed + len(self.skipped) + total(self.ignored)

    def without(self, skips: Sequence[Skip]) -> "Listing":
        """The listing with these pictures skipped, by their ids."""
        gone = {(skip.split, skip.id) for skip in skips}
        splits = {}
        for split, examples in self.splits.items():
            ids = enumerate(examples.ids)
            kept = [i for i, id_ in ids if (split, id_) not in gone]
            splits[split] = examples.take(kept)
        return dataclasses.replace(
            self, splits=splits, skipped=(*self.skipped, *skips)
        )

    def fingerprint(self) -> str:
        """SHA-256 over the ids, labels and class names of all splits.

        It tells that the same examples were listed; it does not read them.
        """
        digest = hashlib.sha256(repr(self.class_names).encode())
        for split in sorted(self.splits):
            examples = self.splits[split]
            digest.update(
                repr((split, examples.ids)).encode("utf-8", "replace")
            )
            digest.update(examples.labels.tobytes())
        return digest.hexdigest()


def total(counts: Mapping[str, int]) -> int:
    """The sum of counted things."""
    return sum(counts.values())
