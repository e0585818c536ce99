"""A process of its own: asks an export through TensorFlow's C++ loader.

    python -I ask_c.py PLACES-AS-JSON

In: messages on standard input, each a folder with questions. Out: beside them
the answers of the SavedModel in float32; the export itself is loaded too, so
that it is known to load.

No TensorFlow of Python is imported: ctypes calls `TF_LoadSessionFromSavedModel`
in the library that comes with it. That is the loader which TensorFlow Serving
links.
"""

import ctypes
import functools
import importlib.util
import json
import os
import pathlib
import sys
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path]

import numpy as np
from asking import C_ANSWERS, Asked, messages, save_answers

# Names of the libraries on Linux and macOS, the first of them loaded first.
LIBRARIES = (
    ("libtensorflow_framework.so.2", "libtensorflow_framework.2.dylib"),
    ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib"),
)
# TF_DataType, and NumPy's name of those that hold numbers.
STRING = 7
NUMBERS = {1: "float32", 3: "int32", 4: "uint8", 9: "int64", 10: "bool"}
STRING_SIZE = 24  # of a TF_TString


class Output(ctypes.Structure):
    """TF_Output: one result of an operation."""

    _fields_ = (("operation", c_void_p), ("index", c_int))


# Function -> its result and arguments, as c_api.h and tf_tstring.h have them.
FUNCTIONS = {
    "TF_NewStatus": (c_void_p, []),
    "TF_GetCode": (c_int, [c_void_p]),
    "TF_Message": (c_char_p, [c_void_p]),
    "TF_NewGraph": (c_void_p, []),
    "TF_NewSessionOptions": (c_void_p, []),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        [
            c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p,
            c_void_p, c_void_p,
        ],
    ),
    "TF_CloseSession": (None, [c_void_p, c_void_p]),
    "TF_DeleteSession": (None, [c_void_p, c_void_p]),
    "TF_GraphOperationByName": (c_void_p, [c_void_p, c_char_p]),
    "TF_AllocateTensor": (
        c_void_p, [c_int, POINTER(c_int64), c_int, c_size_t],
    ),
    "TF_DeleteTensor": (None, [c_void_p]),
    "TF_TensorData": (c_void_p, [c_void_p]),
    "TF_TensorType": (c_int, [c_void_p]),
    "TF_NumDims": (c_int, [c_void_p]),
    "TF_Dim": (c_int64, [c_void_p, c_int]),
    "TF_StringInit": (None, [c_void_p]),
    "TF_StringCopy": (None, [c_void_p, c_char_p, c_size_t]),
    "TF_StringGetDataPointer": (c_void_p, [c_void_p]),
    "TF_StringGetSize": (c_size_t, [c_void_p]),
    "TF_SessionRun": (
        None,
        [
            c_void_p, c_void_p, POINTER(Output), POINTER(c_void_p), c_int,
            POINTER(Output), POINTER(c_void_p), c_int, c_void_p, c_int,
            c_void_p, c_void_p,
        ],
    ),
}  # fmt: skip


class Loaded:
    """An export in TensorFlow's C++ runtime.

    Args:
        folder: the SavedModel.

    Raises:
        RuntimeError: what the library says, or that there is no library.
    """

    def __init__(self, folder: str):
        self.tf = _library()
        self.status = self.tf.TF_NewStatus()
        self.graph = self.tf.TF_NewGraph()
        tags = (c_char_p * 1)(b"serve")
        self.session = self.tf.TF_LoadSessionFromSavedModel(
            self.tf.TF_NewSessionOptions(), None, os.fsencode(folder), tags, 1,
            self.graph, None, self.status,
        )  # fmt: skip
        self._check()

    def ask(self, feeds: dict, fetches: dict[str, str]) -> dict:
        """Tensor name -> value in, output -> array out."""
        names = list(fetches)
        given = (c_void_p * len(feeds))(*map(self._tensor, feeds.values()))
        answers = (c_void_p * len(names))()
        self.tf.TF_SessionRun(
            self.session, None, self._places(feeds), given, len(feeds),
            self._places(fetches.values()), answers, len(names), None, 0, None,
            self.status,
        )  # fmt: skip
        self._check()
        values = {
            name: self._array(answer)
            for name, answer in zip(names, answers, strict=True)
        }
        for tensor in (*given, *answers):
            self.tf.TF_DeleteTensor(tensor)
        return values

    def close(self) -> None:
        """Gives its memory back."""
        self.tf.TF_CloseSession(self.session, self.status)
        self.tf.TF_DeleteSession(self.session, self.status)

    def _check(self) -> None:
        if self.tf.TF_GetCode(self.status):
            raise RuntimeError(self.tf.TF_Message(self.status).decode())

    def _places(self, names) -> ctypes.Array:
        """ "operation:0" -> TF_Output, for each."""
        places = []
        for name in names:
            operation, _, index = name.partition(":")
            found = self.tf.TF_GraphOperationByName(
                self.graph, operation.encode()
            )
            if not found:
                raise RuntimeError(f"the graph has no operation {operation}")
            places.append(Output(found, int(index or 0)))
        return (Output * len(places))(*places)

    def _tensor(self, value) -> int:
        """A list of bytes, or an array of numbers, as a TF_Tensor."""
        if isinstance(value, list):
            size = STRING_SIZE * len(value)
            shape, kind = (len(value),), STRING
        else:
            value = np.ascontiguousarray(value)
            size, shape = value.nbytes, value.shape
            (kind,) = (k for k, n in NUMBERS.items() if n == value.dtype.name)
        sides = (c_int64 * len(shape))(*shape)
        tensor = self.tf.TF_AllocateTensor(kind, sides, len(shape), size)
        data = self.tf.TF_TensorData(tensor)
        if kind != STRING:
            ctypes.memmove(data, value.ctypes.data, size)
            return tensor
        for number, text in enumerate(value):
            place = data + STRING_SIZE * number
            self.tf.TF_StringInit(place)
            self.tf.TF_StringCopy(place, text, len(text))
        return tensor

    def _array(self, tensor: int) -> np.ndarray:
        """A TF_Tensor of numbers or strings as an array."""
        shape = [
            self.tf.TF_Dim(tensor, axis)
            for axis in range(self.tf.TF_NumDims(tensor))
        ]
        kind, data = (
            self.tf.TF_TensorType(tensor),
            self.tf.TF_TensorData(tensor),
        )
        count = int(np.prod(shape))
        if kind in NUMBERS:
            dtype = np.dtype(NUMBERS[kind])
            content = ctypes.string_at(data, dtype.itemsize * count)
            return np.array(np.frombuffer(content, dtype)).reshape(shape)
        if kind != STRING:
            raise RuntimeError(f"an output of type {kind}, expected float32")
        texts = np.empty(count, object)
        for number in range(count):
            place = data + STRING_SIZE * number
            texts[number] = ctypes.string_at(
                self.tf.TF_StringGetDataPointer(place),
                self.tf.TF_StringGetSize(place),
            )
        return texts.reshape(shape)


@functools.cache
def _library() -> ctypes.CDLL:
    """TensorFlow's C library, with its functions declared."""
    found = importlib.util.find_spec("tensorflow")
    folder = pathlib.Path(found.submodule_search_locations[0])
    library = None
    for names in LIBRARIES:
        file = next((folder / n for n in names if (folder / n).exists()), None)
        if file is None:
            raise RuntimeError(f"no {' or '.join(names)} in {folder}")
        library = ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def main(_: str) -> None:
    """Answers the questions; any fault ends the process."""
    loaded, name = None, None
    _library()  # While there is no folder yet.
    for message in messages(sys.stdin.buffer):
        folder = message.decode()
        asked = Asked(folder)
        if asked.exact != name:
            if asked.export != asked.exact:
                Loaded(asked.export).close()
            loaded, name = Loaded(asked.exact), asked.exact
        answers = [loaded.ask(*question) for question in asked.questions]
        save_answers(os.path.join(folder, C_ANSWERS), answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
