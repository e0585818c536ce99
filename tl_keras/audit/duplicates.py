"""Facts -> pictures that are there twice: the same bytes, or the same look.

In: rows of (split, id, label, facts). Out: groups of equal SHA-256, and pairs
whose perceptual hashes (`imagehash.dhash`, 256 bits) differ in few bits, as
they are or mirrored.

`MAX_BITS` was chosen on 600 photographs of cats and dogs: of planted copies
(JPEG quality 30 to 90, 40 to 100 % of the size, mirrored) the farthest lay 24
bits away, of different photographs the nearest pair 69.
"""

import collections
import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from tl_keras.audit.facts import Facts

MAX_BITS = 40
MAX_PAIRS = 20_000  # of the frames of one film every pair would be near
NO_LOOK = ("", "none")
BLOCK = 512  # rows compared at once: 512 x n distances in memory
SAME, MIRRORED = "re-encoded or resized", "mirrored"


@dataclasses.dataclass(frozen=True)
class Row:
    """One listed picture with its facts, and what it belongs to, or ""."""

    split: str
    id: str
    label: int | str
    facts: Facts
    file: str = ""
    group: str = ""


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two pictures that look alike.

    Attributes:
        first, second: the pictures.
        kind: `SAME` or `MIRRORED`.
        bits: how many of 256 differ.
    """

    first: Row
    second: Row
    kind: str
    bits: int

    def crosses(self) -> str:
        """What makes the pair a danger: "splits", "labels" or neither."""
        if self.first.split != self.second.split:
            return "splits"
        return "labels" if self.first.label != self.second.label else ""


def same_bytes(rows: Sequence[Row]) -> list[list[Row]]:
    """Groups of two or more pictures with equal bytes, in listed order."""
    groups = collections.defaultdict(list)
    for row in rows:
        if row.facts.sha256:
            groups[row.facts.sha256].append(row)
    return [group for group in groups.values() if len(group) > 1]


def near_pairs(rows: Sequence[Row]) -> list[Pair]:
    """Pairs that look alike and differ in their bytes, the nearest first.

    Of pictures with equal bytes one stands for all.
    """
    seen: set[str] = set()
    looked = []
    for row in rows:
        facts = row.facts
        if facts.look not in NO_LOOK and facts.sha256 not in seen:
            seen.add(facts.sha256)
            looked.append(row)
    if len(looked) < 2:
        return []
    looks = _bits(row.facts.look for row in looked)
    mirrors = _bits(row.facts.mirrored for row in looked)
    found: dict[tuple[int, int], tuple[int, str]] = {}
    for kind, others in ((SAME, looks), (MIRRORED, mirrors)):
        close = itertools.islice(_close(looks, others), MAX_PAIRS)
        for first, second, bits in close:
            # A pair may be near both ways, as of pictures that are their own
            # mirror; the nearer one counts.
            best = found.get((first, second), (257, ""))
            found[first, second] = min(best, (bits, kind))
    pairs = [
        Pair(looked[first], looked[second], kind, bits)
        for (first, second), (bits, kind) in found.items()
    ]
    return sorted(
        pairs,
        key=lambda p: (
            p.crosses() != "splits",
            p.bits,
            p.first.id,
            p.second.id,
        ),
    )


def near_any(facts: Sequence[Facts], others: Sequence[Facts]) -> np.ndarray:
    """Which pictures look like one of others, as they are or mirrored.

    Args:
        facts, others: of pictures; those without a hash are like none.

    Returns:
        bool (n,), of `facts`.
    """
    hashed = [i for i, fact in enumerate(facts) if fact.look not in NO_LOOK]
    known = [fact for fact in others if fact.look not in NO_LOOK]
    near = np.zeros(len(facts), bool)
    if not hashed or not known:
        return near
    looks = _bits(facts[i].look for i in hashed)
    compared = _bits(
        [fact.look for fact in known] + [fact.mirrored for fact in known]
    )
    for start in range(0, len(looks), BLOCK):
        block = looks[start : start + BLOCK]
        bits = _distances(block, compared)
        near[hashed[start : start + BLOCK]] = (bits <= MAX_BITS).any(axis=1)
    return near


def _distances(looks: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Bits that differ, uint16 (n, m), of hashes (n, words), (m, words)."""
    bits = np.zeros((len(looks), len(others)), np.uint16)
    for word in range(looks.shape[1]):
        bits += np.bitwise_count(looks[:, word, None] ^ others[None, :, word])
    return bits


def _bits(hashes) -> np.ndarray:
    """Hexadecimal hashes -> uint64 (n, words)."""
    raw = b"".join(bytes.fromhex(text) for text in hashes)
    return np.frombuffer(raw, np.uint64).reshape(-1, 4)


def _close(
    looks: np.ndarray, others: np.ndarray
) -> Iterator[tuple[int, int, int]]:
    """(i, j, bits) of each i < j whose hashes differ in few bits."""
    count = len(looks)
    for start in range(0, count, BLOCK):
        block = looks[start : start + BLOCK]
        near = _distances(block, others[start:])
        for row, column in np.argwhere(near <= MAX_BITS):
            if column > row:
                yield (
                    start + int(row),
                    start + int(column),
                    int(near[row, column]),
                )
