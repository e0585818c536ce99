"""The reader of .safetensors: what it reads, and what it refuses."""

import json
import random
import struct

import numpy as np
import pytest

from tl_keras.errors import ConfigError
from tl_keras.networks.safetensors import DTYPES, INDEX, open_tensors

ARRAYS = {
    "a.weight": np.arange(6, dtype="<f4").reshape(2, 3),
    "b": np.array(1.5, "<f8"),
    "c": np.array([1, -2, 0.5], "<f2"),
    "empty": np.zeros((0, 4), "<i4"),
    "flags": np.array([True, False]),
    "ids": np.array([[2**40, -1]], "<i8"),
}
NAMES = {"<f4": "F32", "<f8": "F64", "<f2": "F16", "<i4": "I32", "|b1": "BOOL",
         "<i8": "I64"}  # fmt: skip


def written(arrays=ARRAYS, **metadata) -> bytes:
    """A file of these arrays."""
    header, data = {}, b""
    for name, array in arrays.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": NAMES[array.dtype.str],
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    if metadata:
        header["__metadata__"] = metadata
    return packed(header, data)


def packed(header, data: bytes) -> bytes:
    """A file of a header, as JSON or as bytes, and what follows it."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def one(dtype="F32", shape=(2,), offsets=(0, 8), **more) -> dict:
    """The entry of a tensor."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


@pytest.fixture
def opened(tmp_path):
    """Bytes -> what the reader makes of a file of them."""

    def open_bytes(content: bytes):
        file = tmp_path / "model.safetensors"
        file.write_bytes(content)
        return open_tensors(file)

    return open_bytes


def test_each_array_is_what_was_written(opened):
    tensors = opened(written(format="pt"))
    assert list(tensors) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)


def test_bfloat16_is_float32_of_the_same_numbers(opened):
    numbers = np.array([1.0, -2.5, 3.140625, 0.0, 1e38], "<f4")
    upper = (numbers.view("<u4") >> 16).astype("<u2")
    tensors = opened(packed({"x": one("BF16", [5], [0, 10])}, upper.tobytes()))
    expected = (upper.astype("<u4") << 16).view("<f4")
    assert tensors["x"].dtype == np.float32
    np.testing.assert_array_equal(tensors["x"], expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "0 bytes long"),
        (b"\1\2\3", "3 bytes long"),
        (struct.pack("<Q", 2**63) + b"{}", "expected 2 to 2"),
        (struct.pack("<Q", 9) + b"{}", "expected 2 to 2"),
        (packed(b"not json", b""), "header is not readable"),
        (packed(b"\xff\xfe{}", b""), "header is not readable"),
        (packed(b"[" * 100_000, b""), "header is not readable"),
        (packed([], b""), "no object"),
        (packed(b'{"x": 1, "x": 2}', b""), "'x' stands there twice"),
        (packed({"x": 3}, b""), "has not data_offsets, dtype, shape alone"),
        (packed({"x": one(more=1)}, b"0" * 8), "has not data_offsets"),
        (packed({"x": one("F8_E4M3")}, b"0" * 8), "type 'F8_E4M3'"),
        (packed({"x": one(["F32"])}, b"0" * 8), "type ['F32']"),
        (packed({"x": one(shape=[-2])}, b"0" * 8), "the shape [-2]"),
        (packed({"x": one(shape=[2.0])}, b"0" * 8), "the shape [2.0]"),
        (packed({"x": one(shape=[True])}, b"0" * 4), "the shape [True]"),
        (packed({"x": one(shape=[1] * 33)}, b"0" * 4), "the shape [1, 1"),
        (packed({"x": one(offsets=[8, 0])}, b"0" * 8), "-8 bytes long"),
        (packed({"x": one(offsets=[0])}, b"0" * 8), "the offsets [0]"),
        (packed({"x": one(offsets=[0, 4])}, b"0" * 4), "expected 8 for F32"),
        (packed({"x": one(shape=[2**62, 2**62])}, b"0" * 8), "8 bytes long"),
        (packed({"x": one()}, b"0" * 9), "expected its size"),
        (packed({"x": one()}, b"0" * 7), "expected its size"),
        (packed({"x": one(offsets=[4, 12])}, b"0" * 12), "a gap of 4 bytes"),
        (
            packed({"x": one(), "y": one(offsets=[4, 12])}, b"0" * 12),
            "'y' overlaps",
        ),
        (packed({"__metadata__": {"a": 1}}, b""), "of texts alone"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(opened, content, expected):
    with pytest.raises(ConfigError) as caught:
        opened(content)
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def mutated(content: bytes, draw: random.Random) -> bytes:
    """The file with something in it changed, mostly in its header."""
    content = bytearray(content)
    length = struct.unpack("<Q", content[:8])[0]
    for _ in range(draw.randint(1, 3)):
        kind = draw.randrange(5)
        reach = draw.choice([8, 8 + length, len(content)])
        place = draw.randrange(min(reach, len(content)))
        if kind == 0:
            content[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            content[place] = draw.choice(b'0123456789[]{},:"-.e')
        elif kind == 2:
            del content[place : place + draw.randint(1, 9)]
        elif kind == 3:
            content[place:place] = draw.randbytes(draw.randint(1, 9))
        else:
            del content[place:]
        if len(content) < 9:
            break
    if len(content) >= 8 and draw.random() < 0.5:
        # So that not the length alone stops it.
        fixed = max(0, min(len(content) - 8, length))
        content[:8] = struct.pack("<Q", fixed)
    return bytes(content)


def look_at_mutations(opened, seeds):
    whole = written(format="pt")
    refused, lines = 0, []
    for seed in seeds:
        content = mutated(whole, random.Random(seed))
        try:
            tensors = opened(content)
        except ConfigError as error:
            refused += 1
            lines.append(str(error))
            continue
        # Whatever it is taken for, it is no more than is there.
        assert all(tensors[name].size <= len(content) for name in tensors)
    assert all(len(line.splitlines()) == 1 for line in lines)
    assert refused > 0.5 * len(seeds)


def test_a_mutated_file_is_refused_or_read_within_its_bounds(opened):
    look_at_mutations(opened, range(500))


@pytest.mark.nightly
def test_many_mutated_files(opened):
    look_at_mutations(opened, range(500, 50_000))


def test_a_file_cut_after_it_was_opened_says_so(tmp_path, opened):
    tensors = opened(written())
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ConfigError, match="ends early"):
        tensors["ids"]


def write_parts(folder, weight_map):
    (folder / "one.safetensors").write_bytes(written({"b": ARRAYS["b"]}))
    (folder / "two.safetensors").write_bytes(written({"c": ARRAYS["c"]}))
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))


def test_parts_are_found_by_their_index(tmp_path):
    write_parts(tmp_path, {"b": "one.safetensors", "c": "two.safetensors"})
    tensors = open_tensors(tmp_path)
    np.testing.assert_array_equal(tensors["b"], ARRAYS["b"])
    np.testing.assert_array_equal(tensors["c"], ARRAYS["c"])


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("../one.safetensors", "lies beside it"),
        ("/etc/one.safetensors", "lies beside it"),
        ("..\\one.safetensors", "lies beside it"),
        ("C:one.safetensors", "lies beside it"),
        ("pytorch_model.bin", "lies beside it"),
        (7, "lies beside it"),
        ("three.safetensors", "found none"),
        ("two.safetensors", "says that two.safetensors holds 'b'"),
    ],
)
def test_an_index_that_leads_nowhere_is_refused(tmp_path, part, expected):
    write_parts(tmp_path, {"b": part})
    with pytest.raises(ConfigError, match=expected):
        open_tensors(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{}", '{"weight_map": 1}', "{"])
def test_an_index_without_parts_is_refused(tmp_path, content):
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(ConfigError, match="not readable as safetensors"):
        open_tensors(tmp_path)


def test_a_folder_without_safetensors_says_what_it_has(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"found pytorch_model\.bin"):
        open_tensors(tmp_path)
    with pytest.raises(ConfigError, match=r"expected a \.safetensors"):
        open_tensors(tmp_path / "nothing.safetensors")


def test_each_type_has_the_size_that_the_format_gives_it():
    sizes = {name: np.dtype(kind).itemsize for name, kind in DTYPES.items()}
    for name, size in sizes.items():
        bits = int("".join(filter(str.isdigit, name)) or 8)
        assert 8 * size == bits, name
