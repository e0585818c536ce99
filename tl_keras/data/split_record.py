"""A split on disk: written once, and what became of its examples since.

    write_split("run/split.csv", splits, class_names)
    split_changes("run/split.csv", splits, class_names)   # "2 removed (a.jpg)"

In: examples by split. Out: a table that later runs are held against; an
account of all examples.
"""

import csv
import os
from collections.abc import Collection, Iterator

from tl_keras import atomic
from tl_keras.data.examples import Examples, Listing, label_text, total


def write_split(
    path: str | os.PathLike,
    splits: dict[str, Examples],
    class_names: tuple[str, ...],
) -> None:
    """Writes `id,label,split,sha256`, one row an example.

    Args:
        path: the .csv, replaced whole.
        splits: name -> its examples; their order is the rows'.
        class_names: by label.

    Raises:
        OSError: the disk does not take it.
    """
    with (
        atomic.replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(SPLIT_COLUMNS)
        writer.writerows(_split_rows(splits, class_names))


def split_changes(
    path: str | os.PathLike,
    splits: dict[str, Examples],
    class_names: tuple[str, ...],
    but: Collection[str] = (),
) -> str:
    """What became of the examples since `write_split` wrote them, in words.

    Args:
        path: the file it wrote.
        splits, class_names: as they are now.
        but: ids of training pictures that do not matter.

    Returns:
        "" where they are the same, else "3 added, 1 removed" and so on, with
        an example of each.
    """
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1:]
    lost = {(_shown(id_), "train") for id_ in but}
    before, now = (
        {(r[0], r[2]): r for r in some if (r[0], r[2]) not in lost}
        for some in (rows, _split_rows(splits, class_names))
    )
    both = [key for key in now if key in before]
    groups = {
        "added": [key for key in now if key not in before],
        "removed": [key for key in before if key not in now],
        "with another label": [k for k in both if now[k][1] != before[k][1]],
        "with other bytes": [k for k in both if now[k][3] != before[k][3]],
    }
    return ", ".join(
        f"{len(keys):,} {what} ({keys[0][0]})"
        for what, keys in groups.items()
        if keys
    )


def names_changed(path: str | os.PathLike, listing: Listing) -> str:
    """Which examples of a written split are listed no more, in words.

    Args:
        path: the file that `write_split` wrote.
        listing: as it is now; of its examples the names alone count.

    Returns:
        "" where all are there with their labels, else "2 removed (cats/1.jpg)"
        and the like.
    """
    with open(path, newline="", encoding="utf-8") as stream:
        before = {row[0]: row[1] for row in list(csv.reader(stream))[1:]}
    now = {
        _shown(id_): label_text(label, listing.class_names)
        for examples in listing.splits.values()
        for id_, label in zip(examples.ids, examples.labels, strict=True)
    }
    groups = {
        "removed": [id_ for id_ in before if id_ not in now],
        "with another label": [
            id_ for id_ in before if now.get(id_, before[id_]) != before[id_]
        ],
    }
    return ", ".join(
        f"{len(ids):,} {what} ({ids[0]})" for what, ids in groups.items() if ids
    )


SPLIT_COLUMNS = ("id", "label", "split", "sha256")


def _split_rows(splits, class_names) -> Iterator[list[str]]:
    for split, examples in splits.items():
        columns = examples.ids, examples.labels, examples.content_ids()
        for id_, label, content in zip(*columns, strict=True):
            yield [_shown(id_), label_text(label, class_names), split, content]


def _shown(id_: str) -> str:
    # Names need not be UTF-8, and a file of text must be.
    return id_.encode("utf-8", "backslashreplace").decode()


def counts_of(
    listing: Listing, splits: dict[str, Examples], left_out: dict[str, int]
) -> dict:
    """The balanced account: found = used + skipped + ignored.

    Args:
        listing: the dataset before it was cut.
        splits: name -> the examples that are used.
        left_out: reason -> how many a cut left aside.

    Returns:
        `found` and `skipped`, counts; `used`, by split; `ignored`, by reason.

    Raises:
        RuntimeError: they do not balance, a fault of ours.
    """
    used = {split: len(examples) for split, examples in splits.items()}
    ignored = {**listing.ignored, **left_out}
    found, skipped = listing.found(), len(listing.skipped)
    if found != total(used) + skipped + total(ignored):
        raise RuntimeError(
            f"{found} found, {used} used, {skipped} skipped, {ignored} ignored"
        )
    return {
        "found": found,
        "used": used,
        "skipped": skipped,
        "ignored": ignored,
    }
