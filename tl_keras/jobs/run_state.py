"""Is there a run in this folder, and does the command go on with it?

    journal = look(config, restart=False)
    prepared = prepare(journal.config)
    journal = journal.opened(prepared)    # new, or the same run's once more
    journal = journal.noted(batch_size=16)

In: settings. Out: a folder to work in: a new one, that of an unfinished run of
the same settings, data and weights, or a finished one. Anything else is
refused with what differs.
"""

import dataclasses
import hashlib
import shutil
from collections.abc import Mapping, Sequence

import keras

from tl_keras import atomic, log, run_card
from tl_keras.config import TransferConfig
from tl_keras.data import split_changes, write_split
from tl_keras.errors import ConfigError, DataError, NotPublishedError
from tl_keras.jobs.preparation import Prepared
from tl_keras.jobs.same_run import ANEW, same_run, standard, stored_run
from tl_keras.jobs.unlabelled import unlabelled_changes, write_unlabelled
from tl_keras.runs import RunFolder, RunState, read_state, write_state
from tl_keras.runs.state import DIVERGED, FINISHED
from tl_keras.training import get_variables


@dataclasses.dataclass(frozen=True)
class Journal:
    """What a run's folder says of it; what is noted is on the disk at once.

    Attributes:
        config: the settings, with what an earlier process of the run decided.
        folder: of the run.
        state: of the run that is there; None before there is one.
    """

    config: TransferConfig
    folder: RunFolder
    state: RunState | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state is not None and self.state.is_finished

    @property
    def run_id(self) -> str:
        """Drawn once for a run, its export carries it; "" before that."""
        return self.state.id if self.state else ""

    @property
    def left_out(self) -> Mapping[str, Sequence[str]]:
        """Pictures to train on that were lost: id -> class name, why."""
        return self.state.left_out if self.state else {}

    def opened(self, prepared: Prepared) -> "Journal":
        """Makes the folder of a new run, or proves that this is the same one.

        Raises:
            DataError, ConfigError: data or weights are not what the run began
                with; says what differs.
        """
        if self.state is None:
            return self._begun(prepared)
        self._compare(self.state, prepared)
        return self

    def _begun(self, prepared: Prepared) -> "Journal":
        if self.folder.path.exists():
            self.folder.set_aside()
        state = RunState.new(weights_hash(prepared.model), run_card.versions())
        with atomic.building_folder(self.folder.output) as temporary:
            made = RunFolder(temporary)
            flags = prepared.config.to_flags()
            made.flags.write_text(flags, encoding="utf-8")
            _write_split(made, prepared)
            if prepared.unlabelled:
                write_unlabelled(made.unlabelled, prepared.unlabelled)
            write_state(made, state)
            atomic.publish_folder(temporary, self.folder.path)
        return dataclasses.replace(self, state=state)

    def _compare(self, state: RunState, prepared: Prepared) -> None:
        labelled, where = prepared.labelled, self.folder.path
        changes = split_changes(
            self.folder.split,
            labelled.examples(),
            labelled.class_names,
            but=state.left_out,
        )
        if changes:
            raise DataError(
                f"{where}: its run began with other data: {changes} - {ANEW}"
            )
        changes = prepared.unlabelled and unlabelled_changes(
            self.folder.unlabelled, prepared.unlabelled
        )
        if changes:
            raise DataError(
                f"{where}: its run began with other pictures in --unlabelled: "
                f"{changes} - {ANEW}"
            )
        if weights_hash(prepared.model) != state.weights:
            raise ConfigError(
                f"{where}: its run began with other weights than "
                f"{prepared.config.backbone} has now (--weights, --warm_start) "
                f"- {ANEW}"
            )
        here, there = run_card.versions(), state.versions
        other = [f"{n} {v}" for n, v in there.items() if here.get(n) != v]
        if other:
            log.info(
                f"this run began with {', '.join(other)}: it goes on, but not "
                "to the same bits"
            )
        log.info(f"going on with the run in {where}")

    def noted(self, **values) -> "Journal":
        """Writes more into the state.

        Args:
            **values: fields of `RunState`.
        """
        # The disk knows what a stage noted that failed and gave nothing back.
        state = dataclasses.replace(read_state(self.folder), **values)
        write_state(self.folder, state)
        return dataclasses.replace(self, state=state)

    def without(
        self, lost: Mapping[str, Sequence[str]], prepared: Prepared
    ) -> "Journal":
        """Goes on without more pictures, as `prepared` does already."""
        journal = self.noted(left_out={**self.left_out, **lost})
        _write_split(self.folder, prepared)
        return journal

    def diverged(self, why: str) -> "Journal":
        """Nothing can be gone on with."""
        return self.noted(state=DIVERGED, why=why)

    def refused(self, error: NotPublishedError) -> "Journal":
        """The model was trained and is not published; the saves stay, for it
        may be judged anew."""
        by = standard(self.config)
        return self.noted(refused={"why": list(error.faults), "by": by})

    def closed(self, version: int) -> "Journal":
        """Nothing is left to do; the saves have served."""
        journal = self.noted(state=FINISHED, version=version)
        # In this order: a kill between the two leaves saves behind, never an
        # unfinished run without them.
        shutil.rmtree(self.folder.saves, ignore_errors=True)
        return journal


def _write_split(folder: RunFolder, prepared: Prepared) -> None:
    labelled = prepared.labelled
    write_split(folder.split, labelled.examples(), labelled.class_names)


def look(config: TransferConfig, restart: bool) -> Journal:
    """What lies in the folder of these settings.

    Args:
        config: resolved settings.
        restart: begin anew, whatever lies there.

    Raises:
        ConfigError: a run of other settings, with each that differs; an
            unfinished one of an older version; or what is no run.
        DivergedError: a run of the same settings diverged.
        NotPublishedError: its model was refused.
    """
    folder = RunFolder.of(config.run_folder())
    atomic.remove_leftovers(folder.output)
    stored = None if restart else stored_run(folder)
    if stored is None:
        return Journal(config, folder)
    config = same_run(config, stored)
    if config.auto_batch and stored.state.batch_size:
        # What an earlier process had to go down to.
        config = dataclasses.replace(config, batch_size=stored.state.batch_size)
    return Journal(config, folder, stored.state)


def weights_hash(model: keras.Model) -> str:
    """SHA-256 of all variables, before the first step."""
    digest = hashlib.sha256()
    for value in get_variables(model):
        # The bytes alone do not tell (2, 3) from (3, 2).
        digest.update(repr((value.shape, str(value.dtype))).encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
