"""What a file of weights or of a network is, judged by what is in it.

    kind_of("w.h5")            # Kind("weights", "weights of Keras 3 in HDF5")
    weights_fault("w.h5"), network_fault("--backbone", "w.h5")

In: a path, whatever it is named. Out: its kind and, of what cannot be used,
words for what it is. Nothing of a file is run or trusted: names come from its
first bytes, from the list of a zip archive, and from the groups of HDF5, which
h5py reads. A link that leads out of an HDF5 file is refused.
"""

import contextlib
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

# The kinds that can be used, and how Keras wants a file of each to be named.
NETWORK, WEIGHTS_3, LEGACY_WEIGHTS, LEGACY_MODEL = (
    "network", "weights", "legacy weights", "legacy model"
)  # fmt: skip
SUFFIXES = {
    NETWORK: ".keras",
    WEIGHTS_3: ".weights.h5",
    LEGACY_WEIGHTS: ".h5",
    LEGACY_MODEL: ".h5",
}
HEAD_BYTES = 4096
MEMBER = "model.weights.h5"  # of a .keras file
CONFIG = "config.json"

# How files begin that are something else, and what they are.
_BEGINNINGS = (
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself "
     "(git lfs pull fetches it)"),
    (b"\x80\x02", "a pickle, as PyTorch writes it, which is a program"),
    (b"\x80\x03", "a pickle, which is a program"),
    (b"\x80\x04", "a pickle, which is a program"),
    (b"\x80\x05", "a pickle, which is a program"),
    (b"\x93NUMPY", "one array of NumPy (.npy)"),
    (b"\x1f\x8b", "compressed by gzip; unpack it"),
    (b"BZh", "compressed by bzip2; unpack it"),
    (b"\xfd7zXZ", "compressed by xz; unpack it"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)  # fmt: skip
_HDF5 = b"\x89HDF\r\n\x1a\n"


class Kind(NamedTuple):
    """What a file is.

    Attributes:
        name: a key of `SUFFIXES`, or "" for what cannot be used.
        words: it in words, as in "an empty file".
    """

    name: str
    words: str


def kind_of(file: str | os.PathLike) -> Kind:
    """Looks a file or folder over; see the module's text."""
    file = os.fspath(file)
    try:
        about = os.stat(file)
        if stat.S_ISDIR(about.st_mode):
            return Kind("", _words_for_folder(file))
        if not stat.S_ISREG(about.st_mode):
            return Kind("", "no regular file")
        with open(file, "rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        return Kind("", f"nothing that can be read ({error.strerror})")
    if not head:
        return Kind("", "an empty file")
    if head.startswith(b"PK"):
        return _of_zip(file)
    if head.startswith(_HDF5):
        return _of_hdf5(file)
    return Kind("", _words_for(head, file))


def weights_fault(file: str) -> str:
    """Why a file cannot be `--weights`, in one line, or ""."""
    kind = kind_of(file)
    if kind.name:
        return ""
    return (
        f"--weights={file}: not readable: it is {kind.words}; expected weights "
        "of Keras - save them with model.save_weights or model.save"
    )


def network_fault(flag: str, file: str) -> str:
    """Why a file cannot be a network with its layers, in one line, or "".

    Args:
        flag: that names it, as in "--backbone".
        file: its path.
    """
    kind = kind_of(file)
    if kind.name == NETWORK:
        return ""
    wanted = "a .keras file"
    remedy = "save the network with model.save in Keras 3"
    if flag == "--warm_start":
        wanted, remedy = "the model.keras of a run", "check the path"
    elif os.path.isdir(file):
        wanted = "a .keras file or an encoder of texts"
        remedy = (
            "an encoder's has config.json in it; a network of your own is "
            "saved with model.save in Keras 3"
        )
    elif kind.name == LEGACY_MODEL:
        remedy = (
            "of such a file the weights alone are read, since its layers may "
            "be programs: --backbone=NAME --weights=FILE, or load it with "
            "Keras and save it as .keras"
        )
    elif kind.name:
        remedy = "it holds no layers: --backbone=NAME --weights=FILE"
    return (
        f"{flag}={file}: not readable as {wanted}: it is {kind.words} - "
        f"{remedy}"
    )


@contextlib.contextmanager
def named_for_keras(file: str | os.PathLike, kind: str) -> Iterator[str]:
    """A path to a file that ends as Keras asks for its kind.

    Keras judges by names; a file that is named otherwise is linked to.
    """
    file, suffix = os.fspath(file), SUFFIXES[kind]
    plain = suffix == ".h5"
    if file.endswith(suffix) and not (plain and file.endswith(".weights.h5")):
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        link = os.path.join(folder, f"file{suffix}")
        os.symlink(os.path.abspath(file), link)
        yield link


def _words_for_folder(folder: str) -> str:
    names = set(os.listdir(folder))
    if "saved_model.pb" in names:
        return (
            "a SavedModel, a graph without layers that could be trained or "
            "cut - build the network in Keras 3, load its weights, save it"
        )
    if {CONFIG, MEMBER} <= names:
        return "an unpacked .keras file; pack these files into a zip archive"
    if "run" in names and any(name.isdecimal() for name in names):
        return "the folder of a run, whose network is run/model.keras in it"
    return "a folder"


def _words_for(head: bytes, file: str) -> str:
    """What begins so, in words."""
    for beginning, words in _BEGINNINGS:
        if head.startswith(beginning):
            return words
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text[:200].lower().startswith((b"<!doctype html", b"<html", b"<head")):
        return "a page of HTML, as a failed download leaves it"
    length = int.from_bytes(head[:8], "little")
    if len(head) > 9 and head[8:9] == b"{" and 2 <= length < 1 << 30:
        return "a file of safetensors, as PyTorch and Hugging Face have them"
    if head[4:8] == b"TFL3":
        return "a TFLite (LiteRT) file"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it"
    if text.startswith(b"{"):
        if file.endswith(".weights.json"):
            return (
                "the list of weights that are in several files; save them "
                "in one, without max_shard_size"
            )
        return "a file of JSON, which holds no weights"
    if text.startswith(b"<"):
        return "a file of XML"
    name = os.path.basename(file)
    if name.endswith(".index") or ".data-0" in name or name == "checkpoint":
        return "a checkpoint of TensorFlow"
    if name.endswith(".pb"):
        return "a graph of TensorFlow"
    if name.endswith(".onnx"):
        return "an ONNX file"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head[:200]):
        return "a file of text"
    return "of no format known here"


def _of_zip(file: str) -> Kind:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if not {MEMBER, CONFIG} <= names:
                return Kind("", _words_for_zip(names))
            with archive.open(MEMBER) as stream:
                fault = _fault_of_hdf5(stream)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError,
            RuntimeError) as error:  # fmt: skip
        return Kind("", f"a zip archive, cut off or damaged ({_line(error)})")
    return Kind("", fault) if fault else Kind(NETWORK, "a .keras file")


def _words_for_zip(names: set[str]) -> str:
    if any(name.endswith("data.pkl") for name in names):
        return "a checkpoint of PyTorch, whose pickle is a program"
    if names and all(name.endswith(".npy") for name in names):
        return "arrays of NumPy (.npz)"
    packed = [n for n in sorted(names) if n.endswith((".keras", ".h5"))]
    if packed:
        return f"a zip archive with {packed[0]} in it; unpack it"
    return "a zip archive without a network of Keras in it"


def _of_hdf5(file: str) -> Kind:
    import h5py

    if fault := _fault_of_hdf5(file):
        return Kind("", fault)
    with h5py.File(file, "r") as store:
        names, marks = set(store), set(store.attrs)
    if "model_weights" in names:
        return Kind(LEGACY_MODEL, "a whole model of Keras 2 in HDF5")
    if marks & {"layer_names", "layer_names0"}:
        return Kind(LEGACY_WEIGHTS, "weights of Keras 2 in HDF5")
    if names & {"layers", "_layer_checkpoint_dependencies", "vars"}:
        return Kind(WEIGHTS_3, "weights of Keras 3 in HDF5")
    shown = ", ".join(sorted(names)[:3]) or "nothing"
    return Kind("", f"an HDF5 file without weights of Keras ({shown} in it)")


def _fault_of_hdf5(place) -> str:
    """What an HDF5 file may not be: cut off, or leading out of itself."""
    import h5py

    odd = []

    def look_at_link(name, link):
        if not isinstance(link, h5py.HardLink):
            odd.append(f"{name} is a link to another place")

    def look_at(name, item):
        if isinstance(item, h5py.Dataset):
            # Both take their values from files elsewhere.
            if item.external or item.is_virtual:
                odd.append(f"{name} lies in another file")

    try:
        with h5py.File(place, "r") as store:
            store.visititems_links(look_at_link)
            store.visititems(look_at)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        return f"an HDF5 file, cut off or damaged ({_line(error)})"
    if odd:
        return f"an HDF5 file that is not whole in itself: {odd[0]}"
    return ""


def config_of(file: str | os.PathLike) -> dict:
    """The description of the layers in a .keras file.

    Raises:
        ValueError: it is damaged.
    """
    with zipfile.ZipFile(file) as archive:
        try:
            return json.loads(archive.read(CONFIG))
        except RecursionError:
            raise ValueError("layers within layers without end") from None


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
