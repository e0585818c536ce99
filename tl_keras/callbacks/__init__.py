"""Keras callbacks that stand alone in anyone's `fit`.

    from tl_keras import callbacks
    model.fit(data, epochs=10, callbacks=[
        callbacks.WarmupCosine(1e-3),
        callbacks.StopOnNonFinite(),
        callbacks.HistoryLogger("history.csv"),
        callbacks.AtomicBackup("backup"),
    ])

In: what Keras gives a callback. Out: what each class says. They know nothing
of settings or runs, and each starts anew at train begin, so that one object
serves several fits in a row.
"""

from tl_keras.callbacks.atomic_backup import AtomicBackup
from tl_keras.callbacks.backup import TrainingBackup
from tl_keras.callbacks.guarding import (
    KeepBestWeights,
    StopOnNonFinite,
    first_non_finite,
    is_better,
)
from tl_keras.callbacks.history import HistoryLogger, read_rows, write_rows
from tl_keras.callbacks.schedule import WarmupCosine

__all__ = [
    "AtomicBackup",
    "HistoryLogger",
    "KeepBestWeights",
    "StopOnNonFinite",
    "TrainingBackup",
    "WarmupCosine",
    "first_non_finite",
    "is_better",
    "read_rows",
    "write_rows",
]
