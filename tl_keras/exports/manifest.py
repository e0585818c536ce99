"""What an export's files are: written when it is made, and held against it.

    write_manifest(folder)
    hashes = hashes_of(folder)             # name -> SHA-256
    manifest_doubts(folder, hashes)        # [], or that there is no manifest

In: a folder. Out: `assets.extra/manifest.json` with the SHA-256 and size of
every other file; or RefusedError where a folder holds what may not stand there,
or is not what its manifest says.
"""

import hashlib
import json
import os
import pathlib
import stat

from tl_keras.exports.graph import GRAPH_FILE

EXTRA = "assets.extra"
MANIFEST = f"{EXTRA}/manifest.json"
NO_MANIFEST = f"it has no {MANIFEST}, so tl_keras did not export it"
FORMAT = 1
# Other forms of a graph, which a loader may prefer to the one that is checked.
OTHER_FORMS = (".pbtxt", ".cpb")
MAX_MANIFEST_BYTES = 16 << 20
MAX_SHOWN = 5
AGAIN = "export it again"


class RefusedError(Exception):
    """What is wrong with a folder, and what helps."""

    def __init__(self, what: str, remedy: str = AGAIN):
        super().__init__(what)
        self.what, self.remedy = what, remedy


def write_manifest(folder: str | os.PathLike) -> None:
    """Writes `assets.extra/manifest.json`: hash and size of all files."""
    folder = pathlib.Path(folder)
    files = {
        name: {"bytes": size, "sha256": _sha256(folder / name)}
        for name, size in sorted(_sizes(folder).items())
        if name != MANIFEST
    }
    text = json.dumps({"format": FORMAT, "files": files}, indent=2)
    (folder / EXTRA).mkdir(exist_ok=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _sizes(folder: pathlib.Path) -> dict[str, int]:
    """Name -> size of all files; raises what may not stand there."""
    found: dict[str, int] = {}
    left = [folder]
    while left:
        with os.scandir(left.pop()) as entries:
            for entry in entries:
                name = os.path.relpath(entry.path, folder)
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    left.append(pathlib.Path(entry.path))
                elif stat.S_ISREG(status.st_mode):
                    found[name] = status.st_size
                else:
                    kind = "a link" if entry.is_symlink() else "no file"
                    raise RefusedError(f"{name} is {kind}")
    for name in found:
        if name.startswith("saved_model") and name.endswith(OTHER_FORMS):
            raise RefusedError(
                f"{name} is another form of a graph; expected {GRAPH_FILE} "
                "alone"
            )
    if GRAPH_FILE not in found:
        raise RefusedError(f"{GRAPH_FILE} is missing")
    return found


def hashes_of(folder: pathlib.Path) -> dict[str, str]:
    """Name -> SHA-256 of all files, the manifest among them.

    Raises:
        RefusedError: a link, or anything else that may not stand there.
    """
    return {name: _sha256(folder / name) for name in sorted(_sizes(folder))}


def manifest_doubts(folder: pathlib.Path, hashes: dict[str, str]) -> list[str]:
    """Holds a folder's files against its manifest.

    Args:
        folder: of the export.
        hashes: as `hashes_of` gives them.

    Returns:
        That there is no manifest, if so.

    Raises:
        RefusedError: there is one, and it says otherwise.
    """
    if MANIFEST not in hashes:
        return [NO_MANIFEST]
    listed = _read_manifest(folder)
    present = {n: value for n, value in hashes.items() if n != MANIFEST}
    changed = [
        *(f"{name} is missing" for name in listed if name not in present),
        *(f"{name} was added" for name in present if name not in listed),
        *(
            f"{name} was changed"
            for name in present
            if name in listed and present[name] != listed[name]
        ),
    ]
    if changed:
        raise RefusedError(
            f"not what {MANIFEST} says: {first_of(sorted(changed))}",
            "export it again or restore it",
        )
    return []


def _read_manifest(folder: pathlib.Path) -> dict[str, str]:
    """Name -> SHA-256, as the manifest says."""
    try:
        if (folder / MANIFEST).stat().st_size > MAX_MANIFEST_BYTES:
            raise ValueError("too large")
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        stored = json.loads(text)
        if stored["format"] != FORMAT:
            raise ValueError(f"format {stored['format']!r}")
        return {n: str(f["sha256"]) for n, f in stored["files"].items()}
    except (
        ValueError, KeyError, TypeError, AttributeError, RecursionError,
    ) as error:  # fmt: skip
        raise RefusedError(
            f"{MANIFEST} cannot be read ({type(error).__name__}: {error})"
        ) from None


def _sha256(file: pathlib.Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def first_of(lines: list[str], between: str = "; ") -> str:
    """The first few in a line, and how many more there are."""
    more = len(lines) - MAX_SHOWN
    shown = between.join(lines[:MAX_SHOWN])
    return f"{shown}{between}and {more} more" if more > 0 else shown
