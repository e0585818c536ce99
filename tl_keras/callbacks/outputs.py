"""Files that callbacks write to, as they were at a save.

    saved = CsvFile(callback).save()
    CsvFile(callback).restore(saved)          # in another process

In: a callback that writes to a file. Out: what JSON needs to hold of it; and
the file again without what was written since.

A fit that goes on repeats what was done after its save, and one that was
killed before its first save all of it, so that rows which were written then
would stand there twice; and a `CSVLogger` empties its file as a fit begins.
"""

import csv
import os
import pathlib
import time

import keras
import tensorflow as tf

from tl_keras.callbacks.history import HistoryLogger


class CsvFile:
    """The rows of a `keras.callbacks.CSVLogger`."""

    def __init__(self, callback: keras.callbacks.CSVLogger):
        self.callback = callback

    def save(self) -> str:
        """All that is in the file."""
        file = self.callback.csv_file
        if file is not None and not file.closed:
            file.flush()
        with tf.io.gfile.GFile(self.callback.filename, "rb") as stream:
            return stream.read().decode()

    def restore(self, text: str) -> None:
        """Goes on writing after that text."""
        logger = self.callback
        logger.csv_file.close()
        with tf.io.gfile.GFile(logger.filename, "wb") as stream:
            stream.write(text.encode())
        logger.csv_file = open(logger.filename, "a")  # noqa: SIM115
        logger.append_header = not (logger.append and text)
        if text and logger.keys:
            # Else it would write its header once more.
            logger.writer = csv.DictWriter(
                logger.csv_file,
                fieldnames=["epoch", *logger.keys],
                delimiter=logger.sep,
            )


class EventFiles:
    """The events of a `keras.callbacks.TensorBoard`."""

    def __init__(self, callback: keras.callbacks.TensorBoard):
        self.callback = callback

    def save(self) -> dict:
        """How long each file is, and when that was."""
        for writer in self.callback._writers.values():
            writer.flush()
        return {"sizes": self._sizes(), "time": time.time()}

    def restore(self, saved: dict) -> None:
        """Cuts off the events after the save; they will be written again.

        Files that killed processes began after it are renamed, so that
        TensorBoard does not see them.
        """
        ours = self._open_files()
        for name, size in self._sizes().items():
            file = pathlib.Path(self.callback.log_dir, name)
            if name in saved["sizes"]:
                if size > saved["sizes"][name]:
                    with open(file, "r+b") as stream:
                        stream.truncate(saved["sizes"][name])
            elif file not in ours and _begun(file)[0] >= int(saved["time"]):
                hidden = file.name.replace("tfevents", "written_again")
                file.rename(file.with_name(hidden))

    def _open_files(self) -> set[pathlib.Path]:
        """Those that the callback is writing to now."""
        places = {
            "train": self.callback._train_dir, "val": self.callback._val_dir
        }  # fmt: skip
        found = set()
        for kind in self.callback._writers:
            files = pathlib.Path(places[kind]).glob(
                f"events.out.tfevents.*.{os.getpid()}.*"
            )
            found.add(max(files, key=_begun, default=pathlib.Path()))
        return found

    def _sizes(self) -> dict[str, int]:
        folder = pathlib.Path(self.callback.log_dir)
        return {
            str(file.relative_to(folder)): file.stat().st_size
            for file in sorted(folder.rglob("events.out.tfevents.*"))
        }


class HistoryRows:
    """The rows that were in a `HistoryLogger`'s file before the fit."""

    def __init__(self, callback: HistoryLogger):
        self.callback = callback

    def save(self) -> list[dict]:
        """Those rows; the fit's own are among the logger's notes."""
        return self.callback.before

    def restore(self, rows: list[dict]) -> None:
        """The next epoch's end writes the file anew, after them."""
        self.callback.before = rows


def _begun(file: pathlib.Path) -> tuple[int, int]:
    """(the second it was begun in, its number in the process), by its name.

    As in events.out.tfevents.1790000000.host.4711.2.v2.
    """
    parts = file.name.split(".")
    return tuple(
        int(part) if part.isdecimal() else 0 for part in (parts[3], parts[-2])
    )


OUTPUTS = {
    keras.callbacks.CSVLogger: CsvFile,
    keras.callbacks.TensorBoard: EventFiles,
    HistoryLogger: HistoryRows,
}
