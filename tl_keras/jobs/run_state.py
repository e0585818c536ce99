"""Is there a run in this folder, and does the command go on with it?

    found = look(config, restart=False)
    prepared = prepare(found.config)
    folder = found.open(prepared)         # new, or the same run's once more

In: settings. Out: a folder to work in: a new one, that of an unfinished run of
the same settings, data and weights, or a finished one. Anything else is
refused with what differs.
"""

import dataclasses
import hashlib
import json
import pathlib
import secrets
import shutil

import keras

from tl_keras import atomic, run_card
from tl_keras.config import TransferConfig
from tl_keras.data import split_changes, write_split
from tl_keras.errors import ConfigError, DataError, NotPublishedError
from tl_keras.jobs.preparation import Prepared
from tl_keras.runs.run_flags import (
    ANEW,
    FLAGS,
    STATE,
    same_run,
    standard,
    stored_run,
)
from tl_keras.training import get_variables

SPLIT, SAVES = "split.csv", "saves"


@dataclasses.dataclass
class Found:
    """What lies in a run's folder.

    Attributes:
        config: the settings, with what an earlier process of the run decided.
        folder: `<output_dir>/run`.
        state: of the run that is there, as state.json holds it; {} for none.
    """

    config: TransferConfig
    folder: pathlib.Path
    state: dict

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.state.get("state") == "finished"

    @property
    def run_id(self) -> str:
        """Drawn once for a run, its export carries it; "" before that."""
        return self.state.get("id", "")

    @property
    def left_out(self) -> dict[str, list[str]]:
        """Pictures to train on that were lost: id -> class name, why."""
        return self.state.get("left_out", {})

    def leave_out(self, lost: dict[str, list[str]], prepared: Prepared) -> None:
        """Goes on without more of them, as `prepared` does already."""
        self.note(left_out={**self.left_out, **lost})
        images = prepared.images
        write_split(self.folder / SPLIT, images.examples(), images.class_names)

    def open(self, prepared: Prepared) -> pathlib.Path:
        """Makes the folder of a new run, or proves that this is the same one.

        Raises:
            DataError, ConfigError: data or weights are not what the run began
                with; says what differs.
        """
        if self.state:
            self._compare(prepared)
        else:
            self._begin(prepared)
        return self.folder

    def _begin(self, prepared: Prepared) -> None:
        if self.folder.exists():
            number = 1
            while (kept := self.folder.with_name(f"run.{number}")).exists():
                number += 1
            self.folder.rename(kept)
        images = prepared.images
        self.state = {
            "id": secrets.token_hex(16),
            "state": "unfinished",
            "weights": weights_hash(prepared.model),
            "versions": run_card.versions(),
        }
        with atomic.building_folder(self.folder.parent) as temporary:
            flags = prepared.config.to_flags()
            (temporary / FLAGS).write_text(flags, encoding="utf-8")
            write_split(
                temporary / SPLIT, images.examples(), images.class_names
            )
            (temporary / STATE).write_text(json.dumps(self.state, indent=1))
            atomic.publish_folder(temporary, self.folder)

    def _compare(self, prepared: Prepared) -> None:
        images = prepared.images
        changes = split_changes(
            self.folder / SPLIT,
            images.examples(),
            images.class_names,
            but=self.left_out,
        )
        if changes:
            raise DataError(
                f"{self.folder}: its run began with other data: {changes} - "
                f"{ANEW}"
            )
        if weights_hash(prepared.model) != self.state["weights"]:
            raise ConfigError(
                f"{self.folder}: its run began with other weights than "
                f"{prepared.config.backbone} has now (--weights, --warm_start) "
                f"- {ANEW}"
            )
        here, there = run_card.versions(), self.state["versions"]
        other = [f"{n} {v}" for n, v in there.items() if here.get(n) != v]
        if other:
            print(
                f"this run began with {', '.join(other)}: it goes on, but not "
                "to the same bits",
                flush=True,
            )
        if not self.finished:
            print(f"going on with the run in {self.folder}", flush=True)

    def note(self, **values) -> None:
        """Writes more into state.json."""
        self.state |= values
        with atomic.replacing(self.folder / STATE) as temporary:
            temporary.write_text(json.dumps(self.state, indent=1))

    def refuse(self, error: NotPublishedError) -> None:
        """The model was trained and is not published; the saves stay, for it
        may be judged anew."""
        by = standard(self.config)
        self.note(refused={"why": list(error.faults), "by": by})

    def finish(self, version: int) -> None:
        """Nothing is left to do; the saves have served."""
        self.note(state="finished", version=version)
        shutil.rmtree(self.folder / SAVES, ignore_errors=True)


def look(config: TransferConfig, restart: bool) -> Found:
    """What lies in the folder of these settings.

    Args:
        config: resolved settings.
        restart: begin anew, whatever lies there.

    Raises:
        ConfigError: a run of other settings, with each that differs.
        DivergedError: a run of the same settings diverged.
        NotPublishedError: its model was refused.
    """
    atomic.remove_leftovers(config.run_folder())
    folder = config.run_folder() / "run"
    state, old = ({}, {}) if restart else stored_run(folder)
    if not state:
        return Found(config, folder, {})
    config = same_run(config, state, old, folder)
    if config.auto_batch and "batch_size" in state:
        # What an earlier process had to go down to.
        config = dataclasses.replace(config, batch_size=state["batch_size"])
    return Found(config, folder, state)


def weights_hash(model: keras.Model) -> str:
    """SHA-256 of all variables, before the first step."""
    digest = hashlib.sha256()
    for value in get_variables(model):
        digest.update(repr((value.shape, str(value.dtype))).encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
