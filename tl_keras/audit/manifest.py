"""A list of SHA-256 sums -> which pictures are not what they were.

    sha256sum */*.jpg > pictures.sha256

In: a file as `sha256sum` writes it, its paths relative to the dataset. Out:
path -> sum. A changed byte inside a JPEG decodes without any error; only a
list made when the pictures were good can tell.
"""

import re

from tl_keras.errors import DataError

LINE = re.compile(r"(\\?)([0-9a-fA-F]{64}) [ *](.+)")
ESCAPES = {r"\\": "\\", r"\n": "\n", r"\r": "\r"}


def read_manifest(path: str) -> dict[str, str]:
    """Reads a list of sums.

    Args:
        path: a text file, one `SUM  PATH` a line.

    Returns:
        Path relative to the dataset -> SHA-256 in lower-case hexadecimal.

    Raises:
        DataError: a line is something else, or a path stands twice with two
            sums.
    """
    sums: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            lines = stream.read().splitlines()
    except OSError as error:
        raise DataError(
            f"--data_manifest={path}: cannot be read ({error.strerror}) - "
            "check the path"
        ) from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parts = LINE.fullmatch(line)
        if parts is None:
            raise DataError(
                f"{path}:{number}: expected a SHA-256 and a path, as sha256sum "
                f"writes them, received {line[:80]!r}"
            )
        escaped, digest, name = parts.groups()
        if escaped:
            name = re.sub(r"\\[\\nr]", lambda m: ESCAPES[m[0]], name)
        # `find . -type f` begins its paths so.
        name = name.removeprefix("./")
        if sums.setdefault(name, digest.lower()) != digest.lower():
            raise DataError(
                f"{path}:{number}: {name} stands above with another sum - keep "
                "one line"
            )
    if not sums:
        raise DataError(f"{path}: no sums in it - make it with sha256sum")
    return sums
