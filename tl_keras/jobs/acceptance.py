"""Is a new version good enough to be one? `--min_accuracy`, `--not_worse_than`.

    accept = Acceptance(config)            # before anything is trained
    numbers = accept(images, probabilities)    # or NotAcceptedError

In: the settings, and a new export's own answers to the test split. Out: numbers
for metrics.json, or NotAcceptedError, which has them too. An earlier version
is asked the very same pictures, through the loader, in a process of its own.
Worse is: fewer of them right. How sure that is, McNemar's test says beside it;
one that is as good passes. A picture is a tie where rounding on this device
could give either version the other's answer; no version is worse by those it
lost so.
"""

import csv
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from tl_keras import atomic, run_card
from tl_keras.config import TransferConfig
from tl_keras.config.paths import output_folder
from tl_keras.data import Examples
from tl_keras.errors import ConfigError, DataError, NotPublishedError
from tl_keras.exports import PREFIX, Export, inspect_export, run_of
from tl_keras.runs import RunFolder
from tl_keras.sources import ImageSplits
from tl_keras.tasks.multiclass.differs import ClassDiffers, near_ties

MAX_PRINTED = 5  # of the pictures that the new version gets wrong
MAX_SHOWN = 12  # of them, on the page
MAX_NAMES = 5  # of classes, in a message
MEASURED = 8  # pictures, for how far rounding moves an earlier version
COLUMNS = ("id", "label", "old", "new", "change", "tie")
TIE = "tie"  # what rounding decides
UNREAD = ""  # the prediction for a picture that a version cannot read


class NotAcceptedError(NotPublishedError):
    """An export was judged, and not taken.

    Attributes:
        numbers: what was found, as `Acceptance` gives it.
    """

    def __init__(self, faults: Sequence[str], numbers: Mapping):
        super().__init__(faults)
        self.numbers = numbers


class Acceptance:
    """Judges an export that passed its gate, before it gets its number.

    Args:
        config: whose `min_accuracy`, `not_worse_than` and folder count.
        run_id: of the run; a version that it has published itself, before it
            was killed, is not an earlier one.

    Raises:
        ConfigError: what `--not_worse_than` names may not be loaded.
    """

    def __init__(self, config: TransferConfig, run_id: str = ""):
        self.min_accuracy = config.min_accuracy
        self.earlier = _earlier_version(config, run_id)
        self.file = RunFolder.of(config.run_folder()).changed

    def check(self, images: ImageSplits) -> None:
        """Finds out, before training, that no comparison will be possible.

        Raises:
            DataError: the earlier version has other classes; says which.
            ConfigError: it cannot be loaded and asked.
        """
        if self.earlier is None:
            return
        where = f"--not_worse_than={self.earlier.folder}"
        differing = _differing(self.earlier.labels, images.class_names)
        if differing:
            raise DataError(
                f"{where}: its classes are not those of this dataset "
                f"({differing}) - name a version of the same classes, or leave "
                "it out"
            )
        try:
            self.earlier.ask([images.test.examples.read(0)])
        except NotPublishedError as error:
            words = str(error).removeprefix(PREFIX)
            raise ConfigError(f"{where}: {words} - name another") from None
        except DataError as error:
            raise ConfigError(error.faults) from None

    def __call__(
        self,
        images: ImageSplits,
        probabilities: np.ndarray,
        movement: float = 0.0,
    ) -> dict:
        """Takes an export, or says why not.

        Args:
            images: the data; its test split was asked.
            probabilities: the export's answers, (n, num_classes).
            movement: how far rounding moves a logarithm of them, in nats.

        Returns:
            `regression` of metrics.json, under its name; {} where nothing was
            asked.

        Raises:
            NotAcceptedError: with each reason.
        """
        names = np.array(images.class_names)
        examples = images.test.examples
        labels, says = names[examples.labels], names[probabilities.argmax(-1)]
        found, reasons = {}, []
        if self.min_accuracy is not None:
            found["min_accuracy"] = self.min_accuracy
            reasons += self._too_low(float((says == labels).mean()))
        if self.earlier is not None:
            new = Answers(names, probabilities, movement)
            compared, worse = self._compared(examples, names, new)
            found |= compared
            reasons += worse
        if reasons:
            raise NotAcceptedError(
                [f"not published: {reason}" for reason in reasons],
                {"regression": {**found, "refused": reasons}},
            )
        return {"regression": found} if found else {}

    def _too_low(self, accuracy: float) -> list[str]:
        least = self.min_accuracy
        if accuracy >= least:
            return []
        return [f"test accuracy {accuracy:.4f}, --min_accuracy={least:g}"]

    def _compared(
        self, examples: Examples, names: np.ndarray, new: "Answers"
    ) -> tuple[dict, list[str]]:
        """Numbers of the comparison, and why the new version is worse."""
        labels, old = names[examples.labels], self._earlier_answers(examples)
        rows = _changed(examples.ids, labels, old, new)
        _write_rows(self.file, rows)
        counts = run_card.paired_counts(labels, old.says, new.says)
        found = {
            # Its folders tell names, and are in run.flags.
            "version": os.path.join(*self.earlier.folder.parts[-2:]),
            "examples": len(labels),
            "accuracy": float((old.says == labels).mean()),
            "accuracy_of_new": float((new.says == labels).mean()),
            "unread": int((old.says == UNREAD).sum()),
            "changed": len(rows),
            "ties": sum(row["tie"] == TIE for row in rows),
            "movement": old.movement,
            "movement_of_new": new.movement,
            "lost": [row for row in rows if row["change"] == "lost"][
                :MAX_SHOWN
            ],
            **counts,
            **run_card.paired_comparison(counts),
        }
        told = f"{self.earlier.folder} {in_words(found)}{_lost(rows)}"
        surely_lost = sum(
            row["change"] == "lost" and row["tie"] != TIE for row in rows
        )
        if counts["second_only"] < surely_lost:
            return found, [f"worse than {told}; all that changed: {self.file}"]
        print(f"not worse than {told}", flush=True)
        return found, []

    def _earlier_answers(self, examples: Examples) -> "Answers":
        """What the earlier version says of the test split."""
        answers = self.earlier.ask(map(examples.read, range(len(examples))))
        some = range(min(MEASURED, len(examples)))
        movement = self.earlier.movement(
            [examples.read(row) for row in some],
            answers[: len(some)],
            ClassDiffers(self.earlier.labels),
        )
        names = np.array(self.earlier.labels)
        return Answers(names, answers, movement)


class Answers:
    """What a version says of some pictures.

    Args:
        names: of its classes.
        probabilities: (n, num_classes); zeros for what it could not read.
        movement: how far rounding moves a logarithm of them, in nats.

    Attributes:
        says: name of the class, UNREAD where it could not.
    """

    def __init__(
        self, names: np.ndarray, probabilities: np.ndarray, movement: float
    ):
        self.movement = movement
        said = names[probabilities.argmax(axis=-1)]
        self.says = np.where(probabilities.any(axis=-1), said, UNREAD)
        self._column = {str(name): i for i, name in enumerate(names)}
        self._near = near_ties(probabilities, movement)

    def could_say(self, row: int, name: str) -> bool:
        """Whether rounding could have made it say so."""
        return name != UNREAD and bool(self._near[row, self._column[name]])


def _earlier_version(config: TransferConfig, run_id: str) -> Export | None:
    """The version that `--not_worse_than` names, if it names one."""
    if not config.not_worse_than:
        return None
    try:
        earlier = inspect_export(
            output_folder(config.not_worse_than),
            trust_model=config.trust_model,
            flag="--not_worse_than",
            skip=lambda version: bool(run_id) and run_of(version) == run_id,
        )
    except DataError as error:
        raise ConfigError(error.faults) from None
    for line in earlier.warnings:
        print(f"warning: {earlier.folder}: {line}", file=sys.stderr)
    return earlier


def _differing(there: Sequence[str], here: Sequence[str]) -> str:
    """Class names that only one of two has, in words; "" if none."""
    told = []
    for place, names in (
        ("there", sorted(set(there) - set(here))),
        ("here", sorted(set(here) - set(there))),
    ):
        more = ", ..." * (len(names) > MAX_NAMES)
        if names:
            told.append(f"only {place}: {', '.join(names[:MAX_NAMES])}{more}")
    return "; ".join(told)


def in_words(found: dict) -> str:
    """Numbers of a comparison in a line."""
    return (
        f"on the same {found['examples']:,} test pictures: "
        f"{found['accuracy']:.4f} there, {found['accuracy_of_new']:.4f} here "
        f"({found['second_only']:,} won, {found['first_only']:,} lost, "
        f"{_ties(found['ties'])}McNemar p = {found['p_value']:.3g})"
    )


def _ties(count: int) -> str:
    """How many of the changed ones say nothing, in words."""
    return f"{count:,} of these within rounding, " * bool(count)


def _lost(rows: Sequence[dict]) -> str:
    """The first pictures that the earlier version had right."""
    lost = [row for row in rows if row["change"] == "lost"]
    some = ", ".join(
        f"{row['id']} ({row['label']}, now {row['new']}"
        f"{', within rounding' * bool(row['tie'])})"
        for row in lost[:MAX_PRINTED]
    )
    return f"; lost: {some}{', ...' * (len(lost) > MAX_PRINTED)}" * bool(lost)


def _changed(
    ids: Sequence[str], labels: np.ndarray, old: Answers, new: Answers
) -> list[dict]:
    """A row for each picture that is answered otherwise."""
    rows = []
    for row in np.flatnonzero(old.says != new.says):
        label, said, says = labels[row], old.says[row], new.says[row]
        tie = new.could_say(row, said) or old.could_say(row, says)
        rows.append(
            {
                "id": ids[row],
                "label": label,
                "old": said,
                "new": says,
                "change": _change(label, said, says),
                "tie": TIE * tie,
            }
        )
    return rows


def _change(label: str, old: str, new: str) -> str:
    """Or "other", where both are wrong."""
    if label == new:
        return "won"
    return "lost" if label == old else "other"


def _write_rows(path: pathlib.Path, rows: Sequence[dict]) -> None:
    """id,label,old,new,change,tie."""
    with (
        atomic.replacing(path) as temporary,
        open(
            temporary, "w", newline="", encoding="utf-8",
            errors="backslashreplace",
        ) as stream,
    ):  # fmt: skip
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
