"""What a run leaves, from the run itself or from its folder.

    load_finished(journal).metrics["test"]["accuracy"]

In: a run that is finished. Out: its `RunResult`. Of the data the names alone
are looked at, and that costs no picture: a folder to which pictures were added
is another run, and one says so.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import keras

from tl_keras import log, run_card
from tl_keras.audit.leakage import COPIES
from tl_keras.data import names_changed
from tl_keras.data.examples import total
from tl_keras.data.splits import NOT_DRAWN
from tl_keras.errors import ConfigError, DataError
from tl_keras.jobs.listing import list_data
from tl_keras.jobs.run_state import Journal
from tl_keras.jobs.same_run import ANEW
from tl_keras.networks import LOGITS, inputs_of
from tl_keras.run_card import task_words
from tl_keras.run_card.page_view import PageView
from tl_keras.runs import RunFolder
from tl_keras.summaries import Summarized


@dataclasses.dataclass(frozen=True, repr=False)
class RunResult(Summarized):
    """What a run leaves.

    Attributes:
        metrics: all numbers, as in metrics.json.
        version: folder of the published SavedModel.
        run_folder: folder of everything else.
        model: pixels (batch, size, size, 3), 0 to 255 -> logits; where
            numbers are predicted, standardised ones.
        class_names: in the order of the outputs: of classes, labels, columns.
        history: one dictionary an epoch.

    Example:
        result: RunResult = run(TransferConfig(dataset="flowers"))
        answers = result.model.predict(pixels).argmax(axis=-1)
        [result.class_names[answer] for answer in answers]
        result.show()  # in a notebook: the page
    """

    metrics: dict
    version: pathlib.Path
    run_folder: pathlib.Path
    model: keras.Model
    class_names: tuple[str, ...]
    history: list[dict]

    def summary(self) -> str:
        """What the test split gave, and where everything is."""
        test = self.metrics["test"]
        first, _ = task_words.main_numbers(self.metrics)
        number = task_words.with_interval(first, test)
        return (
            f"{task_words.title(first)} {number} on {test['examples']:,} "
            f"examples of test, {self.version}, "
            f"page: {RunFolder(self.run_folder).page}"
        )

    def summary_rows(self) -> list[Sequence]:
        """Each phase on the test split, the kept one marked."""
        names = task_words.main_numbers(self.metrics)
        kept = self.metrics["kept_phase"]
        return [
            ("on the test split", *map(task_words.title, names), ""),
            *(
                (
                    phase["name"],
                    task_words.with_interval(names[0], phase["test"]),
                    task_words.shown(names[1], phase["test"][names[1]]),
                    "kept" if phase["name"] == kept else "",
                )
                for phase in self.metrics["phases"]
            ),
        ]

    def show(self, height: int = 800) -> PageView:
        """The page of the run, for the last line of a notebook's cell.

        Args:
            height: of the frame, in pixels; the page scrolls inside it.

        Returns:
            What a notebook shows as the page, and a prompt as its path.
        """
        return PageView(RunFolder(self.run_folder).page, height)


def load_finished(journal: Journal) -> RunResult:
    """The result of a finished run, from its folder; nothing is done.

    Raises:
        ConfigError: something that it left is gone.
        DataError: the dataset has other pictures by now, or its files do not
            fit together.
    """
    folder = journal.folder
    version = folder.version(journal.state.version)
    left = (folder.metrics, folder.model, folder.split, version)
    gone = [str(path) for path in left if not path.exists()]
    if gone:
        raise ConfigError(
            f"{folder.path}: this run was finished, and {', '.join(gone)} is "
            f"gone since - put it back, or {ANEW}"
        )
    record = run_card.read_run(folder.path)
    refuse_other_names(journal, record.metrics["data"])
    saved = keras.models.load_model(folder.model, compile=False)
    logits = saved.get_layer(LOGITS).output
    # Once more, for a process that was killed just before its end.
    journal.closed(journal.state.version)
    log.result(
        f"finished before, nothing is done: {version} - --restart does it again"
    )
    return RunResult(
        record.metrics,
        version,
        folder.path,
        keras.Model(inputs_of(saved), logits, name=saved.name),
        tuple(record.metrics["class_names"]),
        # As they were logged: a column that an epoch lacks was not in its row.
        [
            {name: v for name, v in row.items() if v == v}
            for row in record.history
        ],
    )


def refuse_other_names(journal: Journal, data: Mapping) -> None:
    """Raises DataError where the dataset is another one by its names.

    Args:
        journal: of a finished run.
        data: what it counted, as in metrics.json.
    """
    config = journal.config
    if config.dataset.startswith("tfds:"):
        return  # Its names are numbers, and listing it reads all of it.
    listing = list_data(config)
    changes = names_changed(journal.folder.split, listing)
    # Not what lies beside the pictures, such as the file that a browser of
    # folders leaves; but those that were looked at before they were left out.
    ignored = {
        why: count
        for why, count in data["ignored"].items()
        if why not in (COPIES, NOT_DRAWN)
    }
    then = data["found"] - total(ignored)
    now = listing.found() - total(listing.ignored)
    # A picture that was lost on the way counts as found.
    if not changes and now != then and not journal.left_out:
        many = listing.nouns[1]
        changes = f"{then:,} {many} were listed then, {now:,} now"
    if changes:
        raise DataError(
            f"{journal.folder.path}: its run, which is finished, was of other "
            f"data: {changes} - {ANEW}"
        )
