"""What libjpeg says of a picture, which TensorFlow lets pass.

    with heard() as warnings:
        pixels.decode(encoded)
    warnings                       # ["Corrupt JPEG data: ..."]

In: code that decodes. Out: the lines libjpeg wrote to stderr meanwhile. A JPEG
with damage inside decodes to wrong pixels without any error; the only sign is
such a line, and it names no file.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

STARTS = (
    b"Corrupt JPEG data",
    b"Premature end of JPEG",
    b"Invalid SOS parameters",
    b"Warning: unknown JFIF",
    b"Inconsistent progression",
    b"Unsupported marker",
)


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Collects libjpeg's lines, complete on leaving; others go to stderr.

    Where there is no stderr or no room for a temporary file, nothing is heard.
    """
    lines: list[str] = []
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile())
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, AttributeError):
            yield lines
            return
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file.read().splitlines(keepends=True):
                if line.startswith(STARTS):
                    lines.append(line.decode("ascii", "replace").strip())
                else:
                    os.write(2, line)
