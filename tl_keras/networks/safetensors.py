"""Reads .safetensors: checked as a whole before any of it is believed.

    tensors = open_tensors("models/MiniLM")     # a folder or a file
    tensors["embeddings.word_embeddings.weight"]       # float32 array

In: a file that may come from anybody, or a folder with `model.safetensors` or
`model.safetensors.index.json` and its parts. Out: a mapping from names to
arrays, each read when it is asked for. A header is believed when its length,
offsets, shapes and sizes agree with one another and with the file: the tensors
fill the file from the header's end to the last byte, without a gap and without
an overlap.

Reference: github.com/huggingface/safetensors, "Format".
"""

import json
import math
import os
import pathlib
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from tl_keras.errors import ConfigError

ONE_FILE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_HEADER_BYTES = 100_000_000  # as the format's own reader has it
MAX_AXES = 32
# Type of the format -> what its bytes are read as.
DTYPES = {
    "BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2",
    "U32": "<u4", "I32": "<i4", "U64": "<u8", "I64": "<i8", "F16": "<f2",
    "BF16": "<u2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
METADATA = "__metadata__"
REMEDY = "fetch the file again"


class TensorPlace(NamedTuple):
    """Where a tensor lies.

    Attributes:
        file: that holds it.
        dtype: one of `DTYPES`.
        shape: of the array.
        start: its first byte in the file.
    """

    file: pathlib.Path
    dtype: str
    shape: tuple[int, ...]
    start: int

    def read(self) -> np.ndarray:
        """The array; bfloat16 as float32, which holds each of its numbers.

        Raises:
            ConfigError: the file is not what it was when it was checked.
        """
        kind = np.dtype(DTYPES[self.dtype])
        count = math.prod(self.shape)
        try:
            with open(self.file, "rb") as stream:
                stream.seek(self.start)
                flat = np.fromfile(stream, kind, count)
        except OSError as error:
            raise _unreadable(self.file, error) from None
        if flat.size != count:
            raise ConfigError(
                f"{self.file}: ends early, and did not when it was opened - "
                f"{REMEDY}"
            )
        if self.dtype == "BF16":
            flat = (flat.astype("<u4") << 16).view("<f4")
        return flat.reshape(self.shape)


class Tensors(Mapping):
    """Names -> arrays, of one file or of several.

    Args:
        places: name -> where it lies.

    Example:
        for name in open_tensors("model.safetensors"):
            print(name)
    """

    def __init__(self, places: Mapping[str, TensorPlace]):
        self.places = dict(places)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.places[name].read()

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def open_tensors(path: str | os.PathLike) -> Tensors:
    """Opens a file, or the file or files of a folder.

    Args:
        path: a `.safetensors` file; or a folder with `model.safetensors`, or
            with `model.safetensors.index.json` and the parts that it names.

    Returns:
        `Tensors`; their headers are read and checked, no tensor yet.

    Raises:
        ConfigError: a file is missing or damaged, or the index names a file
            outside of its folder.

    Example:
        weights = open_tensors("models/MiniLM")
    """
    path = pathlib.Path(path)
    if not path.is_dir():
        return Tensors(read_header(path))
    if (path / ONE_FILE).exists():
        return Tensors(read_header(path / ONE_FILE))
    if (path / INDEX).exists():
        return Tensors(_of_index(path / INDEX))
    others = [
        name
        for name in ("pytorch_model.bin", "tf_model.h5", "flax_model.msgpack")
        if (path / name).exists()
    ]
    found = (
        f"found {others[0]}, which is not read here"
        if others
        else ("found neither")
    )
    raise ConfigError(
        f"{path}: expected {ONE_FILE} or {INDEX}, {found} - fetch the model's "
        f"{ONE_FILE}"
    )


def read_header(path: str | os.PathLike) -> dict[str, TensorPlace]:
    """Reads and checks the header of one file.

    Args:
        path: a `.safetensors` file.

    Returns:
        Name -> where the tensor lies, in the order of the file's bytes.

    Raises:
        ConfigError: in one line, what is wrong with the file.
    """
    path = pathlib.Path(path)
    header, start, size = _header(path)
    places, spans = {}, []
    for name, entry in header.items():
        if name == METADATA:
            _check_metadata(entry, path)
            continue
        dtype, shape, begin, end = _entry(entry, path, name)
        places[name] = TensorPlace(path, dtype, shape, start + begin)
        spans.append((begin, end, name))
    reached = 0
    for begin, end, name in sorted(spans):
        if begin != reached:
            how = (
                "overlaps the one before it"
                if begin < reached
                else (f"leaves a gap of {begin - reached} bytes before it")
            )
            raise _damaged(path, f"tensor {name[:80]!r} {how}")
        reached = end
    if start + reached != size:
        raise _damaged(
            path,
            f"its tensors end at byte {start + reached:,}; expected its size, "
            f"{size:,}",
        )
    return dict(sorted(places.items(), key=lambda item: item[1].start))


def _header(path: pathlib.Path) -> tuple[dict, int, int]:
    """(what the header says, where the data begins, the file's size)."""
    try:
        if not path.is_file():
            raise ConfigError(
                f"{path}: expected a .safetensors file, found "
                f"{'none' if not path.exists() else 'something else'}"
            )
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            first = stream.read(8)
            if len(first) < 8:
                raise _damaged(
                    path, f"is {size} bytes long; expected 8 or more"
                )
            (length,) = struct.unpack("<Q", first)
            most = min(size - 8, MAX_HEADER_BYTES)
            if not 2 <= length <= most:
                raise _damaged(
                    path,
                    f"says of its header that it is {length:,} bytes long; "
                    f"expected 2 to {most:,}",
                )
            text = stream.read(length)
    except OSError as error:
        raise _unreadable(path, error) from None
    return _json_object(text, path, "its header"), 8 + length, size


def _json_object(text: bytes, path: pathlib.Path, what: str) -> dict:
    try:
        said = json.loads(text.decode("utf-8"), object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0][:100]
        raise _damaged(path, f"{what} is not readable ({reason})") from None
    if not isinstance(said, dict):
        raise _damaged(path, f"{what} is no object in JSON")
    return said


def _no_twins(pairs: list[tuple[str, object]]) -> dict:
    names = dict(pairs)
    if len(names) < len(pairs):
        seen: set[str] = set()
        twin = next(n for n, _ in pairs if n in seen or seen.add(n))
        raise ValueError(f"{twin[:60]!r} stands there twice")
    return names


def _check_metadata(entry, path: pathlib.Path) -> None:
    if not isinstance(entry, dict) or not all(
        isinstance(value, str) for value in entry.values()
    ):
        raise _damaged(path, f"{METADATA} is not of texts alone")


def _entry(
    entry, path: pathlib.Path, name: str
) -> tuple[str, tuple[int, ...], int, int]:
    """(type, shape, first byte, byte after the last) of one tensor."""
    shown = f"tensor {name[:80]!r}"
    keys = {"dtype", "shape", "data_offsets"}
    if not isinstance(entry, dict) or set(entry) != keys:
        raise _damaged(path, f"{shown} has not {', '.join(sorted(keys))} alone")
    dtype, shape = entry["dtype"], entry["shape"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ConfigError(
            f"{path}: {shown} is of type {dtype!r:.40}; expected one of "
            f"{', '.join(DTYPES)} - take the model in float32, float16 or "
            "bfloat16"
        )
    if not _are_counts(shape) or len(shape) > MAX_AXES:
        raise _damaged(path, f"{shown} has the shape {shape!r:.80}")
    offsets = entry["data_offsets"]
    if not _are_counts(offsets) or len(offsets) != 2:
        raise _damaged(path, f"{shown} has the offsets {offsets!r:.80}")
    begin, end = offsets
    expected = math.prod(shape) * np.dtype(DTYPES[dtype]).itemsize
    if end - begin != expected:
        raise _damaged(
            path,
            f"{shown} is {end - begin} bytes long; expected {expected} for "
            f"{dtype} {shape!r:.80}",
        )
    return dtype, tuple(shape), begin, end


def _are_counts(values) -> bool:
    """Whether it is a list of whole numbers that a file can hold."""
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 2**63 for value in values
    )


def _of_index(path: pathlib.Path) -> dict[str, TensorPlace]:
    """What the parts that an index names hold."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    weight_map = _json_object(text, path, "it").get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise _damaged(path, "has no weight_map")
    headers: dict[str, dict[str, TensorPlace]] = {}
    places = {}
    for name, part in weight_map.items():
        if not isinstance(part, str) or not _is_plain(part):
            raise ConfigError(
                f"{path}: names the file {part!r:.80}; expected one that lies "
                "beside it and ends in .safetensors"
            )
        if part not in headers:
            headers[part] = read_header(path.parent / part)
        if name not in headers[part]:
            raise _damaged(path, f"says that {part} holds {name[:80]!r}")
        places[name] = headers[part][name]
    return places


def _is_plain(name: str) -> bool:
    """Whether it is the name of a file in the same folder."""
    separated = any(mark in name for mark in ("/", "\\", ":", "\0"))
    return name.endswith(".safetensors") and not separated


def _damaged(path: pathlib.Path, what: str) -> ConfigError:
    return ConfigError(
        f"{path}: not readable as safetensors: {what} - {REMEDY}"
    )


def _unreadable(path: pathlib.Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path}: cannot be read ({error.strerror or error}) - check the path "
        "and its rights"
    )
