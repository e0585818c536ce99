"""Tables of `path,label[,split]` -> examples.

    path,label,split
    photos/1.jpg,cat,train
    photos/2.jpg,dog,test

In: tables as `rows` reads them. Out: a `Listing`. Paths start from `data_dir`,
or from the table's own folder, and stay below it. Every row is used, skipped
(its file cannot be read), ignored (counted) or a fault that names
`file.csv:LINE`; all faults are told at once. Several tables may hold a split
each.
"""

import collections
import dataclasses
import difflib
import os
import pathlib
from collections.abc import Mapping

import numpy as np

from tl_keras.data.entries import Entry, read_entries
from tl_keras.data.examples import EMPTY, Examples, Listing, Skip
from tl_keras.data.explaining import explain_missing
from tl_keras.data.folders import lacks
from tl_keras.data.looking import NO_SUCH_FILE, look_at
from tl_keras.data.masks import mask_warnings
from tl_keras.data.options import AS_IT_IS, LEFT_OUT, ListOptions
from tl_keras.data.places import Places
from tl_keras.data.rows import MAX_FAULTS, raise_first
from tl_keras.errors import DataError
from tl_keras.runs import RunFolder, read_flags

SAME_ROW = "the same row again"


def list_csv(
    tables: Mapping[str, str],
    data_dir: str = "",
    options: ListOptions = AS_IT_IS,
) -> Listing:
    """Lists the pictures that one or more tables name.

    Args:
        tables: split -> file, as `rows.Rows` reads it: paths, labels and, if
            wanted, a column split (train, val or test). All rows of "val" and
            "test" are of that split and replace what "train" says of it. Other
            columns are ignored.
        data_dir: the folder that paths start from; a table's own when empty.
        options: what is taken.

    Returns:
        A listing with "train" and the other splits that the rows name.

    Raises:
        DataError: naming the rows: a column or value is missing, a path leads
            out of the folder, a picture has two labels, labels are numbers.
    """
    file, ignored = tables["train"], collections.Counter()
    by_table, told = {}, []
    folders = {
        split: os.path.abspath(data_dir or os.path.dirname(table) or ".")
        for split, table in tables.items()
    }
    for split, table in tables.items():
        by_table[split], about, left = read_entries(
            table, split, options, folders[split]
        )
        ignored += left
        told += [f"{table}: {line}" for line in about]
    for split in set(tables) - {"train"}:
        kept = [e for e in by_table["train"] if e.split != split]
        replaced = len(by_table["train"]) - len(kept)
        ignored[f"rows of {split}, replaced"] += replaced
        by_table["train"] = kept
    entries = [entry for some in by_table.values() for entry in some]
    if options.targets:
        class_names = options.targets.names
    else:
        class_names = _class_names(entries, file, options)
    taken = _Taken(class_names, ignored, options)
    for split, some in by_table.items():
        taken.take(some, folders[split], tables[split])
        if taken.lost_files() and not taken.hints:
            taken.hints += _of_a_run(tables[split], data_dir)
    raise_first(taken.faults, taken.hints)
    told += taken.told
    return dataclasses.replace(taken.listing(file), told=tuple(told))


class _Taken:
    """What is gathered of the rows of all tables."""

    def __init__(self, names, ignored, options: ListOptions):
        self.names, self.ignored, self.options = names, ignored, options
        self.numbers = {name: number for number, name in enumerate(names)}
        self.items: dict[str, list[tuple]] = collections.defaultdict(list)
        self.skipped: list[Skip] = []
        self.seen: dict[str, Entry] = {}
        self.kinds: dict[str, str] = {}
        self.faults: list[str] = []
        self.hints: list[str] = []
        self.told: list[str] = []

    def take(self, entries: list[Entry], root: str, file: str) -> None:
        """Takes the rows of a table, whose paths start from `root`."""
        places = Places(root, self.options.follow_links)
        missing, outside, leading_out = [], [], []
        for entry in entries:
            path, fault = places.find(entry.path)
            if fault:
                outside.append(entry.path)
                leading_out.append(f"{entry.where}: {fault}")
                fault = ""
            elif self.options.leaves_out(os.path.relpath(path, root)):
                self.ignored[LEFT_OUT] += 1
            elif path in self.seen:
                self.ignored[SAME_ROW] += 1
                fault = _conflict(entry, self.seen[path])
            else:
                self.seen[path] = entry
                if not self._image(entry, path, os.path.relpath(path, root)):
                    missing.append(entry.path)
            if fault:
                self.faults.append(f"{entry.where}: {fault}")
        self.told += [f"{file}: {one}" for one in places.told(len(entries))]
        hints = explain_missing(root, [*outside, *missing], len(entries))
        # Where the reason is known, one row is example enough.
        self.faults += leading_out[:1] if hints else leading_out
        self.hints += hints

    def _image(self, entry: Entry, path: str, id_: str) -> bool:
        """Takes or skips a picture; whether there is such a file."""
        look = look_at(path)
        if look.reason:
            self.skipped.append(
                Skip(id_, look.reason, entry.split, entry.label, path,
                     entry.where)
            )  # fmt: skip
            return not look.reason.startswith(NO_SUCH_FILE)
        if look.kind:
            self.kinds[path] = look.kind
        targets = self.options.targets
        label = (
            targets.rows[entry.where] if targets else self.numbers[entry.label]
        )
        item = (id_, path, label, entry.group)
        self.items[entry.split].append(item)
        return True

    def lost_files(self) -> bool:
        """Whether files that rows name are not there."""
        return any(s.reason.startswith(NO_SUCH_FILE) for s in self.skipped)

    def _told(self, skip: Skip) -> Skip:
        """A skip, without the question whether --data_dir is right where
        something else is known to be wrong."""
        if self.hints and skip.reason.startswith(NO_SUCH_FILE):
            return dataclasses.replace(skip, reason=NO_SUCH_FILE)
        return skip

    def listing(self, file: str) -> Listing:
        """All of it as a listing."""
        grouped = bool(self.options.group_column)
        lost = {skip.split for skip in self.skipped} - set(self.items)
        splits = {
            split: _columns(items, grouped)
            for split, items in self.items.items()
        }
        splits |= {split: EMPTY for split in lost}
        if not splits or ("train" not in splits and not self.options.partial):
            raise DataError(f"{file}: no row is of split train - add some")
        warnings = [
            line for e in splits.values()
            for line in mask_warnings(e.files or ())
        ]  # fmt: skip
        names = tuple(self.names)
        if not self.options.partial and not self.options.targets:
            for split in sorted(set(splits) - {"train"}):
                held = set(splits[split].labels.tolist())
                held |= {self.numbers[s.class_name] for s in self.skipped
                         if s.split == split}  # fmt: skip
                missing = [n for i, n in enumerate(names) if i not in held]
                warnings += [lacks(split, missing)] if missing else []
        return Listing(
            splits,
            names,
            dict(+self.ignored),
            tuple(self._told(skip) for skip in self.skipped),
            kinds=self.kinds,
            warnings=tuple(warnings),
            hints=tuple(self.hints),
        )


def _of_a_run(file: str, data_dir: str) -> list[str]:
    """Where the paths of a run's split.csv start: its run.flags says it."""
    try:
        flags = read_flags(RunFolder(pathlib.Path(file).parent).flags)
    except (OSError, ValueError):
        return []
    dataset = flags.get("dataset", "")
    if not os.path.isdir(dataset) or dataset == data_dir:
        return []
    return [
        f"{file} is of a run, and its paths start from that run's dataset - "
        f"--data_dir={dataset}"
    ]


def _conflict(row: Entry, above: Entry) -> str:
    """What is wrong with a path that stands in a row above, or ""."""
    if (row.label, row.split) == (above.label, above.split):
        return ""
    return (
        f"{row.path} stands here as {row.label} in {row.split}, and in row "
        f"{above.where} as {above.label} in {above.split} - keep one row"
    )


def _class_names(
    entries: list[Entry], file: str, options: ListOptions
) -> tuple[str, ...]:
    """The labels of the training rows; no other row may have one of its own.

    Where pictures are only asked, those of all rows.
    """
    names = {
        entry.label
        for entry in entries
        if entry.split == "train" or options.partial
    }
    if not names:
        raise DataError(f"{file}: no row is of split train - add some")
    _refuse_measurements(entries, file)
    faults = []
    for entry in entries:
        if entry.label not in names:
            near = difflib.get_close_matches(entry.label, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            faults.append(
                f"{entry.where}: the label {entry.label!r} is of no training "
                f"row{hint} - mend it, or add training rows"
            )
    raise_first(faults)
    if len(names) < 2 and not options.partial:
        raise DataError(
            f"{file}: {len(names)} label in its rows; expected 2 or more "
            "classes"
        )
    return tuple(sorted(names))


def _refuse_measurements(entries: list[Entry], file: str) -> None:
    """Numbers such as 0.73, nan and inf are no names of classes."""
    try:
        numbers = [float(entry.label) for entry in entries]
    except ValueError:
        return
    broken = [
        entry.where
        for entry, number in zip(entries, numbers, strict=True)
        if not number.is_integer()
    ]
    if broken:
        shown = ", ".join(broken[:MAX_FAULTS])
        raise DataError(
            f"{file}: its labels are numbers and {len(broken):,} of them are "
            f"not whole ({shown}{', ...' if len(broken) > MAX_FAULTS else ''})"
            "; expected names of classes - --task=regression predicts numbers"
        )


def _columns(items: list[tuple], grouped: bool) -> Examples:
    ids, files, labels, groups = zip(*items, strict=True)
    return Examples(
        ids,
        _label_array(labels),
        files=files,
        groups=groups if grouped else None,
    )


def _label_array(labels: tuple) -> np.ndarray:
    """Numbers of classes, or rows of targets, which know their own type."""
    if isinstance(labels[0], np.ndarray):
        return np.stack(labels)
    return np.array(labels, np.int32)
