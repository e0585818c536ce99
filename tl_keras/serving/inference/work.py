"""A run's folder while it is not done: what it began with, and its parts.

    work = Work(folder, identity, listing)      # begins, or goes on
    for part in work.missing(): work.write(part, rows)
    for row in work.rows(): ...                 # all of them, in order

In: `identity`, which names the model and the settings, and the pictures. Out:
a `work` folder in it with parts, each complete or absent; or one line, where
it was begun with another model, other settings or another input.
"""

import json
import pathlib
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tl_keras import atomic
from tl_keras.data import Unlabelled
from tl_keras.errors import ConfigError, DataError, MachineError
from tl_keras.serving.inference.listing import Listing

WORK, DONE = "work", "predict.json"
RESULTS = ("predictions.jsonl", "predictions.csv", "gallery.html")
IDENTITY, EXAMPLES, PARTS = "identity.json", "pictures.sqlite", "parts"
FRESH = "fresh.sqlite"
# Of a finished run: what it was of, so that new pictures can be told.
KEPT = ".pictures.sqlite"
EARLIER = "earlier.jsonl"  # its rows, while new pictures are asked
PART_BATCHES = 8  # of a part; what a kill loses at most


class AskedExample(NamedTuple):
    """One of the list.

    Attributes:
        id: as in the list.
        reason: why it cannot be read, or "".
        row: what was answered before, or None.
    """

    id: str
    reason: str
    row: dict | None


class Work:
    """What there is to do for an input, and what is done.

    Args:
        folder: of the results.
        identity: name -> value of what the rows depend on, `batch_size` among
            them, beside the pictures.
        examples: the input.

    Attributes:
        listing: the pictures in order.
        done: what `finish` wrote, where it did; else None.

    Raises:
        ConfigError: the folder holds or was begun with something else.
        DataError: its input has changed since.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        identity: Mapping[str, object],
        examples: Unlabelled,
    ):
        self.folder = folder
        self._work = folder / WORK
        self._part = PART_BATCHES * int(identity["batch_size"])
        self._refuse_other_results()
        self._compare(identity)
        self._work.mkdir(parents=True, exist_ok=True)
        atomic.remove_leftovers(folder, (*RESULTS, DONE))
        fresh = Listing.made(self._work / FRESH, examples)
        self.identity = {**identity, "pictures": fresh.fingerprint}
        self.done = self._stored(folder / DONE)
        self._compare_examples(fresh)
        if self.done is None:
            (self._work / PARTS).mkdir(exist_ok=True)
            fresh.path.replace(self._work / EXAMPLES)
            _write_json(self._work / IDENTITY, self.identity)
            # Where there are new pictures, it is done no more.
            (folder / DONE).unlink(missing_ok=True)
        else:
            self._clear()
        self.listing = fresh
        self.listing.path = self._work / EXAMPLES

    def _refuse_other_results(self) -> None:
        """A training run's folder has predictions of its own."""
        if (self.folder / DONE).exists() or self._work.exists():
            return
        there = [name for name in RESULTS if (self.folder / name).exists()]
        if there:
            raise ConfigError(
                f"--output_dir={self.folder}: holds {', '.join(there)} of "
                "something else - give another folder"
            )

    def _before(self) -> dict | None:
        """What the folder was begun, or done, with."""
        done = self._stored(self.folder / DONE)
        return done["identity"] if done else self._stored(self._work / IDENTITY)

    def _compare(self, identity: Mapping[str, object]) -> None:
        before = self._before() or identity
        unlike = [
            f"{name} was {_short(before.get(name))}, is {_short(value)}"
            for name, value in identity.items()
            if before.get(name) != value
        ]
        if unlike:
            raise ConfigError(
                f"--output_dir={self.folder}: was begun otherwise "
                f"({'; '.join(unlike)}) - give the same again, or another "
                "folder"
            )

    def _compare_examples(self, fresh: Listing) -> None:
        before = self._before() or self.identity
        if before["pictures"] == fresh.fingerprint:
            return
        try:
            counts = fresh.differences(self._known_list())
            if counts["new"] == sum(counts.values()) and self._take_in():
                return
            told = ", ".join(f"{n:,} {word}" for word, n in counts.items())
        except sqlite3.Error:
            told = "other pictures, or changed ones"
        fresh.path.unlink()
        if self.done is not None:
            self._clear()
        raise DataError(
            f"--output_dir={self.folder}: its input is not what it was ({told})"
            " - give another folder for what there is now"
        )

    def _known_list(self) -> pathlib.Path:
        """The list of the run that is there, begun or done."""
        begun = self._work / EXAMPLES
        return begun if begun.exists() else self.folder / KEPT

    def _take_in(self) -> bool:
        """Keeps the answers of a finished run, since no picture of it has
        changed; whether there are some."""
        earlier = self._work / EARLIER
        if self.done is not None:
            with atomic.replacing(earlier) as temporary:
                shutil.copyfile(self.folder / RESULTS[0], temporary)
            self.done = None
        elif earlier.exists():
            # More came before the first were asked: parts are cut anew.
            shutil.rmtree(self._work / PARTS, ignore_errors=True)
        return earlier.exists()

    def _clear(self) -> None:
        """Takes the work of a finished run away, but for its list."""
        if (self._work / EXAMPLES).exists():
            (self._work / EXAMPLES).replace(self.folder / KEPT)
        shutil.rmtree(self._work)

    def _answered(self) -> Iterator[dict]:
        """Rows of before that can be used again, in the order of the list."""
        if not (self._work / EARLIER).exists():
            return
        with open(self._work / EARLIER, encoding="ascii") as lines:
            for line in lines:
                row = json.loads(line)
                if row["status"] == "ok":
                    yield row

    def _stored(self, file: pathlib.Path) -> dict | None:
        try:
            stored = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError):
            stored = None
        if not isinstance(stored, dict):
            raise MachineError(
                f"{file}: damaged - take {self.folder} away and begin anew"
            )
        return stored

    def batches(
        self, batch_size: int
    ) -> Iterator[tuple[int, list[AskedExample]]]:
        """(part, pictures) of the parts that are missing, a batch each.

        Parts and batches begin at the same pictures in every run.
        """
        there = set(self._parts())
        answered = self._answered()
        known = next(answered, None)
        batch: list[AskedExample] = []
        for number, (id_, reason) in enumerate(self.listing):
            row = None
            if known is not None and known["id"] == id_:
                row, known = known, next(answered, None)
            part = number // self._part
            if part in there:
                continue
            batch.append(AskedExample(id_, reason, row))
            if len(batch) == batch_size or number == self.listing.count - 1:
                yield part, batch
                batch = []

    def count_done(self) -> int:
        """Pictures in the parts that are there."""
        count = self.listing.count
        return sum(
            min(self._part, count - part * self._part) for part in self._parts()
        )

    def _parts(self) -> Iterator[int]:
        """Numbers of the parts that are there; a kill leaves other files."""
        for file in (self._work / PARTS).glob("*.jsonl"):
            if file.stem.isdecimal():
                yield int(file.stem)

    def write(self, part: int, rows: Sequence[dict]) -> None:
        """Keeps the rows of a part."""
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        with atomic.replacing(self._place(part)) as temporary:
            temporary.write_text(lines, encoding="ascii")

    def rows(self) -> Iterator[dict]:
        """All rows in order; refuses parts that are not the list's."""
        examples = iter(self.listing)
        for part in range(-(-self.listing.count // self._part)):
            with open(self._place(part), encoding="ascii") as lines:
                for line in lines:
                    row = json.loads(line)
                    if row["id"] != next(examples, ("", ""))[0]:
                        raise self._damaged(part)
                    yield row
        if next(examples, None) is not None:
            raise self._damaged(part)

    def _damaged(self, part: int) -> MachineError:
        return MachineError(
            f"{self._place(part)}: damaged - take {self.folder / WORK} away "
            "and begin anew"
        )

    def _place(self, part: int) -> pathlib.Path:
        return self._work / PARTS / f"{part:09}.jsonl"

    def finish(self, done: Mapping) -> None:
        """Says that the results are whole, and takes the parts away."""
        _write_json(self.folder / DONE, {**done, "identity": self.identity})
        self._clear()


def _short(value: object) -> str:
    """The first digits of a hash tell it apart."""
    return str(value)[:12]


def _write_json(file: pathlib.Path, value: Mapping) -> None:
    with atomic.replacing(file) as temporary:
        text = json.dumps(value, indent=2)
        temporary.write_text(text + "\n", encoding="utf-8")
