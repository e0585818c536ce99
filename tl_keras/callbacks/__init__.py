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

What stands beside `AtomicBackup` goes on through a kill, at an epoch's end and
in its middle, as the tests show it:

| callback                                    | goes on                       |
|---------------------------------------------|-------------------------------|
| EarlyStopping, ReduceLROnPlateau, History,  | exactly: the same bits, and   |
| LearningRateScheduler, TerminateOnNaN,      | the same `history`            |
| SwapEMAWeights, ProgbarLogger               |                               |
| CSVLogger, TensorBoard                      | exactly: what was written     |
|                                             | after the save is cut off     |
|                                             | first (files on a disk)       |
| ModelCheckpoint                             | exactly: files that were      |
|                                             | written after the save are    |
|                                             | written again, the same       |
| HistoryLogger, KeepBestWeights,             | exactly                       |
| StopOnNonFinite, WarmupCosine               |                               |
| cyclic rates, one cycle, SWA, moving        | exactly, where they keep what |
| averages of weights, warm-ups, counters,    | they note in numbers, lists,  |
| metrics of one's own                        | dictionaries, arrays,         |
|                                             | generators of random numbers, |
|                                             | or in variables and models    |
|                                             | made before training begins   |
| LambdaCallback                              | exactly, but for what its     |
|                                             | functions keep elsewhere      |
| RemoteMonitor, wandb, mlflow and the like   | the weights exactly; rows     |
|                                             | sent after the last save are  |
|                                             | sent again, the same, with    |
|                                             | the same steps                |
| BackupAndRestore                            | refused                       |
| one that holds an iterator, or makes what   | refused by name;              |
| is not of the kinds above in a fit          | `without=[it]` leaves it out  |
| OrbaxCheckpoint                             | not tried                     |

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
