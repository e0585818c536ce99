"""Where what is worth keeping between runs lies: the user's cache folder.

    folder = user_cache("features")     # ~/.cache/tl_keras/features

In: a name. Out: a path that may not be there yet. All of it may be deleted at
any time; it is made anew when it is needed.
"""

import os
import pathlib


def user_cache(name: str) -> pathlib.Path:
    """The folder or file `name` in tl_keras's part of the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base, "tl_keras", name)
