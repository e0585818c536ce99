"""One path on the disk -> whether it is a picture, and whether it can be read.

    look = look_at("photos/1.jpg_large")
    look.is_image, look.reason, look.kind

In: a path. Out: a `Look`. What a file is called decides only where it is
called like what the graph decodes, which is not opened here; of any other
regular file the first bytes are read and decide. Nothing that is not a regular
file is opened, so a pipe or a device cannot hold anything up.
"""

import os
import re
import stat
from typing import NamedTuple

from tl_keras import io_watchdog
from tl_keras.inputs.image import formats

# Not opened here: whoever decodes it looks inside.
EXTENSIONS = tuple(
    suffix
    for kind in ("JPEG", "PNG", "GIF", "BMP", "WebP")
    for suffix in formats.SUFFIXES[kind]
)
# Also of pictures that are not read: a person would miss them.
_NAMED_AS_IMAGE = re.compile(
    r"\.(p?jpe?g|jpe|jfif|jif|a?png|gif|bmp|dib|webp|tiff?|hei[cf]|avif|jp2|jxl"
    r"|ico|svg|psd|p[pgb]m|tga)(?![a-z0-9])",
    re.IGNORECASE,
)
NO_SUCH_FILE = "no such file"


class Look(NamedTuple):
    """What a path is.

    Attributes:
        is_image: false for what is passed over and counted.
        reason: why a picture cannot be read, with the remedy, or "".
        kind: of a picture that Pillow alone opens, such as "TIFF"; else "".
        status: what the disk says of it; None where it says nothing.
    """

    is_image: bool
    reason: str = ""
    kind: str = ""
    status: os.stat_result | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Device and inode; zeros where there is no such file."""
        if self.status is None:
            return 0, 0
        return self.status.st_dev, self.status.st_ino


def look_at(path: str) -> Look:
    """Looks at a path; never raises."""
    if path.lower().endswith(EXTENSIONS):
        reason, status = file_status(path)
        return Look(True, reason, "", status)
    name = os.path.basename(path).strip()
    suffix = os.path.splitext(name.lower())[1]
    called = suffix in EXTENSIONS or bool(_NAMED_AS_IMAGE.search(name))
    reason, status = file_status(path)
    if reason or suffix in EXTENSIONS:
        return Look(called, reason, status=status)
    first, reason = _first_bytes(path)
    if reason:
        # Without a suffix either, nobody can tell that it is none.
        return Look(called or not suffix, reason, status=status)
    if suffix in formats.BY_NAME_ALONE:
        kind = formats.kind_of(first)
        if kind.use != formats.GRAPH:
            kind = formats.Kind(formats.BY_NAME_ALONE[suffix], formats.PICTURE)
    else:
        kind = formats.kind_of(first)
    if kind.use == formats.OTHER:
        return Look(called, _no_image(kind) * called, status=status)
    through_pillow = kind.name if kind.use == formats.PILLOW else ""
    return Look(True, formats.refusal(kind), through_pillow, status)


def _no_image(kind: formats.Kind) -> str:
    """What is called a picture and is none."""
    return f"{kind.name}, no picture - take it away or fetch the picture"


def may_be_image(name: str) -> bool:
    """Whether a name speaks for a picture; for hints, nothing is opened."""
    return bool(_NAMED_AS_IMAGE.search(name))


def file_status(path: str) -> tuple[str, os.stat_result | None]:
    """Why a path is no file to read, or ""; and what the disk says of it."""
    try:
        with io_watchdog.reading(path):
            status = os.stat(path)
    except OSError as error:
        if os.path.islink(path):
            return "a link that leads nowhere - mend or remove it", None
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            return f"{NO_SUCH_FILE} - is --data_dir right?", None
        return f"cannot be read ({error.strerror}) - check its rights", None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device"
        if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
            kind = "a pipe or socket"
        return f"not a regular file but {kind} - take it away", status
    return "", status


def _first_bytes(path: str) -> tuple[bytes, str]:
    try:
        with io_watchdog.reading(path):
            # It may have become a pipe meanwhile.
            descriptor = os.open(
                path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            )
            try:
                return os.read(descriptor, formats.ENOUGH), ""
            finally:
                os.close(descriptor)
    except OSError as error:
        return b"", f"cannot be read ({error.strerror}) - check its rights"
