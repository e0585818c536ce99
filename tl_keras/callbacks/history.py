"""A row an epoch in a .csv, across fits and processes.

    model.fit(..., callbacks=[HistoryLogger("history.csv", phase="head")])
    read_rows("history.csv")[-1]["val_loss"]

In: the logs of each epoch. Out: a table that is whole after each of them, with
a column for all that any epoch logged.
"""

import csv
import os
from collections.abc import Sequence

import keras

from tl_keras import atomic
from tl_keras.callbacks.logs import learning_rate, plain_logs


class HistoryLogger(keras.callbacks.Callback):
    """Appends a row for each epoch to a .csv, across fits and processes.

    `keras.callbacks.CSVLogger` empties its file at each fit unless told not
    to, and then writes a second header. Here a fit with other metrics widens
    the table instead. A metric that gives several values, such as `F1Score`
    does a class, is written as a list.

    Args:
        path: the .csv; appended to when it is there. None writes no file.
        earlier: the rows that the file shall begin with; those that it holds
            when the fit begins, if None.
        **columns: fixed values for every row, such as phase="head".

    Attributes:
        rows: the rows of the last fit, as dictionaries.
        before: the rows that stand before them in the file.

    Example:
        log = HistoryLogger("history.csv", phase="head")
        model.fit(data, epochs=10, callbacks=[log])
    """

    def __init__(
        self,
        path: str | os.PathLike | None,
        earlier: Sequence[dict] | None = None,
        **columns,
    ):
        super().__init__()
        self.path = path
        self.earlier = earlier
        self.columns = columns
        self.rows: list[dict] = []
        self.before: list[dict] = []

    def on_train_begin(self, logs=None):
        self.rows = []
        self.before = list(self.earlier or ())
        if self.earlier is None and self.path is not None:
            self.before = read_rows(self.path)

    def on_epoch_end(self, epoch, logs=None):
        logs = plain_logs(logs)
        rate = learning_rate(self.model.optimizer)
        if rate is not None:
            logs.setdefault("learning_rate", rate)
        row = {**self.columns, "epoch": epoch + 1, **logs}
        self.rows.append(row)
        if self.path is not None:
            write_rows(self.path, [*self.before, *self.rows])


def read_rows(path: str | os.PathLike) -> list[dict]:
    """The rows of a .csv as texts; none where there is no file.

    Example:
        losses = [float(row["loss"]) for row in read_rows("history.csv")]
    """
    if not os.path.exists(path):
        return []
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def write_rows(path: str | os.PathLike, rows: Sequence[dict]) -> None:
    """Writes a .csv, complete or not at all, as wide as its widest rows.

    Example:
        write_rows("history.csv", [{"epoch": 1, "loss": 0.7}])
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    with (
        atomic.replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
