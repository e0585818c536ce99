"""An output folder before anything is in it: can it be written, is it left.

    with leaving_nothing(folder):
        check_writable(folder)

In: a folder that may not be there yet. Out: one line where nothing can be
written; and after a start that failed the disk as it was.
"""

import contextlib
import os
import pathlib
from collections.abc import Iterator

from tl_keras import atomic
from tl_keras.errors import MachineError
from tl_keras.runs.lock import remove_lock


@contextlib.contextmanager
def leaving_nothing(
    folder: pathlib.Path, *, always: bool = False
) -> Iterator[None]:
    """Takes away what a start that fails has left: a lock, an empty folder.

    Args:
        folder: where it would write.
        always: also after a start that does not fail, of which nothing but
            the question whether it may write there was asked.
    """
    new = [p for p in (folder, *folder.parents) if not p.exists()]
    done = False
    try:
        yield
        done = not always
    finally:
        if not done:
            remove_lock(folder)
            for made in new:
                with contextlib.suppress(OSError):
                    made.rmdir()


def check_writable(folder: str | os.PathLike) -> None:
    """Finds out that nothing can be written before any work is done.

    Raises:
        MachineError: naming the folder and the reason; also where a kill
            could leave things half there.
    """
    try:
        with atomic.building_folder(folder) as temporary:
            fault = atomic.rename_fault(temporary)
        if fault:
            raise MachineError(
                f"--output_dir={folder}: {fault}, so that a kill could leave "
                "half a model - give a folder on a disk or a network share, "
                "and copy what is finished from there"
            )
    except OSError as error:
        raise MachineError(
            f"--output_dir={folder}: cannot be written ({error.strerror}) - "
            "give another folder or yourself the right"
        ) from None
