"""Epochs as they go by: counted within their phase, a line for each.

    with epochs_told(phase, first, batches) as told:
        model.fit(..., callbacks=[*others, told])

In: a phase, and the numbers that Keras logs of an epoch. Out: work that
`tl_keras.progress` shows, and lines of `tl_keras.log`, each of which holds
until the next. It takes what Keras's own bar would take, which writes no
number twice and needs no more than 80 columns.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping

import keras

from tl_keras import log, progress
from tl_keras.callbacks.logs import plain_logs
from tl_keras.training.phase import Phase

COLUMNS = 79
VAL = "val_"
# Of the numbers of an epoch these come first, the others as they are logged.
FIRST = ("loss", "accuracy")


class EpochLines(keras.callbacks.Callback):
    """Counts batches and epochs of a phase; see `epochs_told`.

    Args:
        work: what is counted on.
        phase: whose epochs they are.
        first: how many epochs came before.
        batches: of an epoch; None where nobody knows.
    """

    def __init__(
        self, work: progress.Work, phase: Phase, first: int, batches: int | None
    ):
        super().__init__()
        self.work, self.phase, self.first = work, phase, first
        self.batches, self.began = batches, time.monotonic()

    def _place(self, epoch: int) -> str:
        """ "head 3/10"."""
        return f"{self.phase.name} {epoch - self.first + 1}/{self.phase.epochs}"

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.monotonic()
        self.work.what = self._place(epoch)
        if self.batches:
            # A process that goes on has not done those before.
            self.work.done = (epoch - self.first) * self.batches

    def on_train_batch_end(self, batch, logs=None):
        self.work.advance()

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.first:  # It had to be traced.
            self.work.steady()
        seconds = progress.in_words(time.monotonic() - self.began)
        place = f"{self._place(epoch)}  {seconds}  "
        numbers = in_a_line(plain_logs(logs), COLUMNS - len(place))
        log.passing(f"{place}{numbers}")


@contextlib.contextmanager
def epochs_told(
    phase: Phase, first: int, batches: int | None
) -> Iterator[EpochLines]:
    """Inside, the epochs of a phase are under way.

    Args:
        phase: whose epochs they are.
        first: how many epochs came before.
        batches: of an epoch; None where nobody knows.

    Returns:
        A context of the callback that tells of them.

    Example:
        with epochs_told(Phase("head", 10, 1e-3), 0, 40) as told:
            model.fit(data, epochs=10, callbacks=[told])
    """
    total = batches and phase.epochs * batches
    with progress.doing(phase.name, total, "batches", line=False) as work:
        yield EpochLines(work, phase, first, batches)


def in_a_line(logs: Mapping, columns: int | None = None) -> str:
    """The numbers of an epoch, those of validation behind, none of them twice.

    Args:
        logs: name -> number, as Keras gives them; lists are left out.
        columns: what they may take; the last are left out where it is less.

    Returns:
        "loss 0.431, accuracy 0.871; validation 0.402, 0.880": what has the
        names of training in its order needs no names.
    """
    numbers = {n: v for n, v in logs.items() if isinstance(v, float)}
    train = _once({n: v for n, v in numbers.items() if not n.startswith(VAL)})
    val = _once(
        {
            n.removeprefix(VAL): v
            for n, v in numbers.items()
            if n.startswith(VAL)
        }
    )

    def told() -> str:
        words = ", ".join(_named(name, v) for name, v in train)
        same = [name for name, _ in val] == [name for name, _ in train]
        beside = ", ".join(
            f"{v:.3f}" if same else _named(name, v) for name, v in val
        )
        return f"{words}; validation {beside}" if val else words

    while columns and len(told()) > columns and max(len(train), len(val)) > 1:
        max(val, train, key=len).pop()
    return told()


def _named(name: str, value: float) -> str:
    return f"{name.replace('_', ' ')} {value:.3f}"


def _once(numbers: Mapping[str, float]) -> list[tuple[str, float]]:
    """In order, without what equals the loss."""
    order = [n for n in FIRST if n in numbers]
    order += [n for n in numbers if n not in order]
    loss = numbers.get("loss")
    return [
        (name, numbers[name])
        for name in order
        if name in FIRST or numbers[name] != loss
    ]
