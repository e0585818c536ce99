"""One run at a time in a folder.

    with run_lock(folder): ...

In: a folder that is there. Out: nothing, or MachineError that names who is.
"""

import contextlib
import fcntl
import os
import pathlib
import socket
from collections.abc import Iterator

from tl_keras.errors import MachineError

LOCK = ".lock"


@contextlib.contextmanager
def run_lock(folder: pathlib.Path) -> Iterator[None]:
    """Keeps a second run out of a folder; a dead one's lock is gone with it.

    Raises:
        MachineError: another run writes there.
    """
    with open(folder / LOCK, "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A start that failed beside us may have taken the file away.
            mine, there = os.fstat(lock.fileno()), os.stat(folder / LOCK)
            if not os.path.samestat(mine, there):
                raise BlockingIOError
        except OSError:
            lock.seek(0)
            raise MachineError(
                f"--output_dir={folder}: another run writes there "
                f"({lock.read().strip() or 'unknown'}) - wait for it, or give "
                "another folder"
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        lock.flush()
        yield


def remove_lock(folder: pathlib.Path) -> None:
    """Removes the lock of a run that has left nothing else, if it is free."""
    try:
        if os.listdir(folder) != [LOCK]:
            return
        with open(folder / LOCK) as lock:
            # Another run may have begun: its lock stays.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (folder / LOCK).unlink()
    except OSError:
        return
