"""Facts of unchanged files, kept in the user's cache folder.

    cache = FactCache.of("flowers")
    cache.get(path, stamp)             # None when unknown or changed
    cache.save()

In: facts of files. Out: the same, the next time. A file is unchanged while its
path, size, modification time and inode are. The store is one file a dataset,
written complete or not at all; one that is damaged, or of another version,
counts as none.
"""

import base64
import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable

from tl_keras import atomic
from tl_keras.audit.facts import Facts
from tl_keras.cache import user_cache
from tl_keras.data.examples import Stamp
from tl_keras.inputs.image import formats, pixels

VERSION = 3
FIELDS = tuple(field.name for field in dataclasses.fields(Facts))


@dataclasses.dataclass
class FactCache:
    """Facts by path; see the module's synopsis.

    Attributes:
        file: where they are kept.
        known: path -> [stamp, facts].
        used: the paths asked for or put; others are forgotten by `save`.
    """

    file: pathlib.Path
    known: dict[str, list]
    used: set[str] = dataclasses.field(default_factory=set)
    changed: bool = False

    @classmethod
    def of(cls, dataset: str) -> "FactCache":
        """Opens the cache of a dataset; an empty one when there is none."""
        key = hashlib.sha256(os.fsencode(os.path.abspath(dataset)))
        file = user_cache("checks") / f"{key.hexdigest()[:32]}.json"
        return cls(file, _load(file))

    def get(self, path: str, stamp: Stamp | None) -> Facts | None:
        """The facts of a file that has not changed since, or None."""
        key = _key(path)
        self.used.add(key)
        kept = self.known.get(key)
        if stamp is None or kept is None or tuple(kept[0]) != stamp:
            return None
        values = dict(zip(FIELDS, kept[1], strict=True))
        return Facts(**{**values, "notes": tuple(values["notes"])})

    def put(self, rows: Iterable[tuple[str, Stamp | None, Facts]]) -> None:
        """Remembers facts, in memory until `save`."""
        for path, stamp, facts in rows:
            # What could not be read has no hash, and may be read next time.
            if stamp is not None and facts.sha256:
                values = [getattr(facts, name) for name in FIELDS]
                key = _key(path)
                self.known[key] = [stamp, values]
                self.used.add(key)
                self.changed = True

    def save(self) -> None:
        """Writes what is known; a cache that cannot be written is no fault."""
        if not self.changed:
            return
        body = json.dumps(
            {k: v for k, v in self.known.items() if k in self.used}
        )
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with atomic.replacing(self.file) as temporary:
                temporary.write_text(f"{_seal(body)}\n{body}", encoding="ascii")
        except OSError:
            return
        self.changed = False


def _key(path: str) -> str:
    """The absolute path, also of a name that is not UTF-8, as ASCII."""
    path = os.path.abspath(path)
    if path.isascii():
        return path
    # No path has a NUL in it, so this is no other file's key.
    return "\0" + base64.b64encode(os.fsencode(path)).decode()


def _seal(body: str) -> str:
    """What a file must begin with to be believed."""
    # Once it is installed, pictures are read that were refused before.
    plug_in = formats.is_installed("HEIC")
    made_by = (
        f"{VERSION} {pixels.DECODER_VERSION} {','.join(FIELDS)} {plug_in} "
    )
    return hashlib.sha256((made_by + body).encode()).hexdigest()


def _load(file: pathlib.Path) -> dict[str, list]:
    try:
        seal, _, body = file.read_text(encoding="ascii").partition("\n")
    except (OSError, ValueError):
        return {}
    return json.loads(body) if seal == _seal(body) else {}
