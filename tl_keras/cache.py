"""Where what is worth keeping between runs lies: the user's cache folder.

    folder = user_cache("features")     # ~/.cache/tl_keras/features

In: a name. Out: a path that may not be there yet. All of it may be deleted at
any time; it is made anew when it is needed. Where there is no home that can be
written to, as in a container, it is a folder for temporary files, and that is
said once.
"""

import functools
import os
import pathlib
import stat
import tempfile

from tl_keras import log


def user_cache(name: str) -> pathlib.Path:
    """The folder or file `name` in tl_keras's part of the user's cache."""
    # What the answer depends on, so that it is found, and told, once for each.
    asked = ("XDG_CACHE_HOME", "HOME", "TMPDIR")
    return _root(*map(os.environ.get, asked)) / name


def why_unusable(folder: str | os.PathLike) -> str:
    """Why nothing can be written to a folder or made there, or ""."""
    place = pathlib.Path(os.path.abspath(folder))
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if not os.path.isdir(place):
        return f"{place} is no folder"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{place} cannot be written to"
    return ""


@functools.cache
def _root(*_) -> pathlib.Path:
    wanted, why = _wanted()
    if not why:
        return wanted
    try:
        found = _temporary()
    except OSError:
        return wanted  # Whoever writes there says what to do.
    log.info(
        f"cache: {why}, so what is kept for later runs goes to {found} - set "
        "XDG_CACHE_HOME to a folder that lasts"
    )
    return found


def _wanted() -> tuple[pathlib.Path, str]:
    """(the folder as it should be, why it cannot be used or "")."""
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        base = base or pathlib.Path.home() / ".cache"
    except RuntimeError:  # No HOME, and a user whom the system does not know.
        return pathlib.Path("/.cache/tl_keras"), "there is no home folder"
    wanted = pathlib.Path(base, "tl_keras")
    return wanted, why_unusable(wanted)


def _temporary() -> pathlib.Path:
    """A folder for temporary files that is this user's alone."""
    found = pathlib.Path(tempfile.gettempdir(), f"tl_keras-{os.getuid()}")
    found.mkdir(mode=0o700, exist_ok=True)
    about = found.lstat()
    # Anybody may have made a folder of that name before.
    foreign = about.st_uid != os.getuid() or not stat.S_ISDIR(about.st_mode)
    if foreign or about.st_mode & 0o022:
        return pathlib.Path(tempfile.mkdtemp(prefix="tl_keras-"))
    return found
