"""The folder of a run: its paths, its settings, its lock and its state.

    folder = RunFolder.of("saved_models/flowers")
    read_flags(folder.flags)["dataset"], read_state(folder).is_finished

In: where a run lives. Out: paths and plain values; it knows no settings
object and loads no TensorFlow, so that every room can ask it.
"""

from tl_keras.runs.flag_file import parse_flags, read_flags
from tl_keras.runs.folder import RunFolder
from tl_keras.runs.lock import LOCK, run_lock
from tl_keras.runs.outputs import check_writable, leaving_nothing
from tl_keras.runs.state import RunState, read_state, write_state

__all__ = [
    "LOCK",
    "RunFolder",
    "RunState",
    "check_writable",
    "leaving_nothing",
    "parse_flags",
    "read_flags",
    "read_state",
    "run_lock",
    "write_state",
]
