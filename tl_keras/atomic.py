"""Writing that is complete or absent, and never half there.

    with replacing("run/metrics.json") as temporary:
        temporary.write_text(text)          # renamed into place on leaving
    publish_folder("flowers/.tmp-3-77", "flowers/3")

In: content under a temporary name beside its place. Out: the final name, which
a reader sees whole or not at all, also after a power cut: the content is
fsynced before the rename, the parent folder after it.
"""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
TEMPORARY_PREFIX = ".tmp-"
MANIFEST = "manifest.json"
MOUNTS = pathlib.Path("/proc/self/mountinfo")
OBJECT_STORES = frozenset(
    {
        "blobfuse", "blobfuse2", "cosfs", "gcsfuse", "geesefs", "goofys",
        "mountpoint-s3", "obsfs", "ossfs", "rclone", "s3fs",
    }
)  # fmt: skip


def sync_file(path: str | os.PathLike) -> None:
    """Forces a file's (or folder's) content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: str | os.PathLike) -> None:
    """Forces every file and folder below `folder`, and itself, to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync_file(os.path.join(parent, name))
        sync_file(parent)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a temporary path to write; it takes the place of `path` at the end.

    The temporary name keeps the suffixes of `path`, since many writers choose
    their format by them. If the body raises, `path` stays what it was.

    Args:
        path: where the file shall be; its folder is made if it is missing.

    Yields:
        The path to write to, in the same folder.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Drawn, since process numbers of two containers may be equal.
    token = secrets.token_hex(4)
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{token}-{path.name}")
    try:
        yield temporary
        sync_file(temporary)
        os.replace(temporary, path)
        sync_file(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def building_folder(parent: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives a fresh temporary folder in `parent`; removes what is left of it.

    Hand it to `publish_folder` inside the body to keep it. Its name is not a
    number, so TensorFlow Serving does not see it.
    """
    parent = pathlib.Path(parent)
    parent.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX, dir=parent))
    # mkdtemp keeps others out, which a published folder shall not.
    folder.chmod(0o777 & ~_umask())
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _umask() -> int:
    """What new files of this process may not be; it can only be read so."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def publish_folder(
    temporary: str | os.PathLike, final: str | os.PathLike
) -> None:
    """Renames a complete folder into place; `final` must not exist.

    Raises:
        FileExistsError: `final` is there already; nothing was changed.
    """
    temporary, final = pathlib.Path(temporary), pathlib.Path(final)
    if final.exists():
        raise FileExistsError(f"{final} is there already")
    sync_tree(temporary)
    os.rename(temporary, final)
    sync_file(final.parent)


def rename_fault(folder: str | os.PathLike) -> str:
    """Why what is renamed in a folder is not there whole or not at all.

    Stores of objects that are mounted as folders copy, name by name. Known
    ones are told by the kernel's list of mounts; others give themselves away
    as what was renamed is another file afterwards, or not at all.

    Args:
        folder: an empty one, in which files are made.

    Returns:
        The reason; "" where nothing speaks against it.
    """
    folder = pathlib.Path(folder).resolve()
    for kind in _mounted_as(folder):
        if kind.removeprefix("fuse.") in OBJECT_STORES:
            return f"{kind} does not rename at once"
    old, new = folder / "old", folder / "new"
    old.mkdir()
    (old / "file").write_text("1")
    was = os.stat(old), os.stat(old / "file")
    try:
        os.rename(old, new)
        os.replace(new / "file", new / "other")
        (new / "file").write_text("2")
        os.replace(new / "other", new / "file")
        now = os.stat(new), os.stat(new / "file")
        whole = (new / "file").read_text() == "1" and not old.exists()
    except OSError as error:
        if error.errno in FULL:
            raise  # That says nothing of renaming.
        return f"it does not rename ({error.strerror})"
    if not whole or not all(map(os.path.samestat, was, now)):
        return "it copies what is renamed"
    return ""


def _mounted_as(folder: pathlib.Path) -> list[str]:
    """The type and the source of the file system that holds a folder."""
    kinds = {}
    with contextlib.suppress(OSError):
        for line in MOUNTS.read_text(errors="surrogateescape").splitlines():
            words, _, more = line.partition(" - ")
            # Spaces in a path are written as \\040.
            place = words.split()[4].replace("\\040", " ")
            kinds[pathlib.Path(place)] = more.split()[:2]
    for place in (folder, *folder.parents):
        if place in kinds:
            return kinds[place]
    return []


def remove_folder(folder: str | os.PathLike) -> None:
    """Removes a folder so that it is never seen half gone."""
    folder = pathlib.Path(folder)
    token = secrets.token_hex(4)
    doomed = folder.with_name(f"{TEMPORARY_PREFIX}{token}-{folder.name}")
    folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def remove_leftovers(
    parent: str | os.PathLike, names: Collection[str] | None = None
) -> None:
    """Removes what a killed process was still making in a folder.

    Only for what no other process writes at the moment.

    Args:
        parent: the folder.
        names: of files that were being replaced; everything when None.
    """
    for left in pathlib.Path(parent).glob(f"{TEMPORARY_PREFIX}*"):
        _, _, name = left.name.removeprefix(TEMPORARY_PREFIX).partition("-")
        if names is not None and name not in names:
            continue
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def write_manifest(folder: str | os.PathLike) -> None:
    """Writes the sizes and SHA-256 of a folder's files into it, last of all."""
    folder = pathlib.Path(folder)
    lines = {path.name: _size_and_hash(path) for path in folder.iterdir()}
    (folder / MANIFEST).write_text(json.dumps(lines, indent=1))


def what_is_wrong(folder: str | os.PathLike) -> str | None:
    """Holds a folder against its manifest.

    Returns:
        None where every file is there as it was written, else what is not.
    """
    folder = pathlib.Path(folder)
    try:
        lines = json.loads((folder / MANIFEST).read_text())
        for name, expected in lines.items():
            if _size_and_hash(folder / name) != expected:
                return f"{name} is not as it was written"
    except OSError as error:
        name = os.path.basename(error.filename or MANIFEST)
        return f"{name} cannot be read ({error.strerror})"
    except (ValueError, AttributeError):
        return f"{MANIFEST} is not as it was written"
    return None


def _size_and_hash(path: pathlib.Path) -> list:
    with open(path, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return [path.stat().st_size, digest]
