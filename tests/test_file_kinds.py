"""backbones.file_kinds: a file is what is in it, whatever its name."""

import io
import os
import pickle
import zipfile

import h5py
import keras
import numpy as np
import pytest

from tl_keras.config import TransferConfig
from tl_keras.errors import ConfigError
from tl_keras.networks import backbones
from tl_keras.networks.backbones import kind_of, load_weights


def network(units: int = 3) -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.Conv2D(units, 1, name="last")(x))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The network's weights in each form that Keras 2 and 3 write."""
    folder = tmp_path_factory.mktemp("kinds")
    model = network()
    model.set_weights(
        [np.random.uniform(0.1, 1, w.shape) for w in model.weights]
    )
    model.save(folder / "network.keras")
    model.save_weights(folder / "weights.weights.h5")
    model.save(folder / "legacy_model.h5")
    with (
        h5py.File(folder / "legacy_model.h5") as whole,
        h5py.File(folder / "legacy_weights.h5", "w") as store,
    ):
        weights = whole["model_weights"]
        for name in weights:
            whole.copy(weights[name], store, name)
        for name, value in weights.attrs.items():
            store.attrs[name] = value
    return folder, model


USABLE = {
    "network.keras": "network",
    "weights.weights.h5": "weights",
    "legacy_model.h5": "legacy model",
    "legacy_weights.h5": "legacy weights",
}


@pytest.mark.parametrize("file", USABLE)
@pytest.mark.parametrize("name", ["w.h5", "w.keras", "w.weights.h5", "w"])
def test_each_kind_loads_under_any_name(file, name, files, tmp_path):
    folder, model = files
    path = tmp_path / name
    path.write_bytes((folder / file).read_bytes())
    assert kind_of(path).name == USABLE[file]
    other = network()
    load_weights(other, str(path))
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_lambda_in_a_legacy_model_is_never_read(files, tmp_path):
    """Its configuration may be a program; its weights are numbers."""
    folder, model = files
    path = tmp_path / "evil.h5"
    path.write_bytes((folder / "legacy_model.h5").read_bytes())
    with h5py.File(path, "r+") as store:
        store.attrs["model_config"] = '{"class_name": "Lambda", broken'
    other = network()
    load_weights(other, str(path))
    np.testing.assert_array_equal(
        other.get_weights()[0], model.get_weights()[0]
    )


def zipped(**members) -> bytes:
    place = io.BytesIO()
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return place.getvalue()


def npz() -> bytes:
    place = io.BytesIO()
    np.savez(place, a=np.zeros(2))
    return place.getvalue()


def hdf5(write) -> bytes:
    place = io.BytesIO()
    with h5py.File(place, "w") as store:
        write(store)
    return place.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"
OTHERS = {
    "empty": (b"", "an empty file"),
    "lfs": (LFS, "a pointer of Git LFS"),
    "html": (b"\n<!DOCTYPE html><html>404", "a page of HTML"),
    "safetensors": (
        (2).to_bytes(8, "little") + b"{}" + bytes(9), "a file of safetensors"
    ),
    "torch": (zipped(archive__data_pkl=b"x"), "a checkpoint of PyTorch"),
    "old torch": (pickle.dumps({}, protocol=2), "a pickle"),
    "npz": (npz(), "arrays of NumPy (.npz)"),
    "gzip": (b"\x1f\x8b" + bytes(99), "compressed by gzip"),
    "tflite": (bytes(4) + b"TFL3" + bytes(9), "a TFLite (LiteRT) file"),
    "json": (b'{"a": 1}', "a file of JSON"),
    "text": (b"hello", "a file of text"),
    "bytes": (bytes(range(256)), "of no format known here"),
    "packed": (zipped(my_keras=b"x"), "a zip archive with my.keras in it"),
    "other zip": (zipped(a_txt=b"x"), "a zip archive without a network"),
    "other hdf5": (
        hdf5(lambda s: s.create_dataset("table", data=[1])),
        "an HDF5 file without weights of Keras (table in it)",
    ),
    "external link": (
        hdf5(lambda s: s.create_group("layers").__setitem__(
            "a", h5py.ExternalLink("/etc/passwd", "/"))),
        "layers/a is a link to another place",
    ),
    "soft link": (
        hdf5(lambda s: s.create_group("layers").__setitem__(
            "a", h5py.SoftLink("/layers"))),
        "layers/a is a link to another place",
    ),
    "values elsewhere": (
        hdf5(lambda s: s.create_dataset(
            "layers/a", (4,), "u1", external=[("/etc/passwd", 0, 4)])),
        "layers/a lies in another file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["w.weights.h5", "w.keras", "w.h5"])
@pytest.mark.parametrize("case", OTHERS)
def test_others_are_named_for_what_they_are(case, name, tmp_path):
    content, words = OTHERS[case]
    path = tmp_path / name
    path.write_bytes(content)
    assert kind_of(path).name == ""
    for told in (
        backbones.weights_fault(str(path)),
        backbones.network_fault("--backbone", str(path)),
    ):
        assert words in told
        assert len(told.splitlines()) == 1
    with pytest.raises(ConfigError, match="not readable"):
        load_weights(network(), str(path))


@pytest.mark.parametrize("file", USABLE)
def test_every_cut_of_a_file_is_one_line(file, files, tmp_path):
    whole = (files[0] / file).read_bytes()
    path = tmp_path / "cut.bin"
    for length in np.linspace(1, len(whole) - 1, 25).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match="not readable") as told:
            load_weights(network(), str(path))
        assert "\n" not in str(told.value)


def folder_of(path, *names):
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(b"x")
    return path


def test_folders_are_named_too(tmp_path):
    saved = folder_of(tmp_path / "a", "saved_model.pb", "variables/x")
    assert "a SavedModel" in kind_of(saved).words
    run = folder_of(tmp_path / "b", "1/saved_model.pb", "run/model.keras")
    assert "run/model.keras" in kind_of(run).words
    loose = folder_of(tmp_path / "c", "config.json", "model.weights.h5")
    assert "an unpacked .keras file" in kind_of(loose).words


def test_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "w.h5")
    assert kind_of(tmp_path / "w.h5") == ("", "no regular file")


FLAGS = {
    "weights": {"backbone": "VGG16", "weights": "FILE"},
    "backbone": {"backbone": "FILE"},
    "warm_start": {"backbone": "VGG16", "warm_start": "FILE"},
}


@pytest.mark.parametrize("flag", FLAGS)
def test_a_wrong_file_is_told_before_anything_loads(flag, tmp_path):
    path = tmp_path / "w.weights.h5"
    path.write_bytes(LFS)
    settings = {k: v.replace("FILE", str(path)) for k, v in FLAGS[flag].items()}
    with pytest.raises(ConfigError) as told:
        TransferConfig(dataset="digits", **settings).validate()
    (line,) = told.value.faults
    assert line.startswith(f"--{flag}={path}: not readable")
    assert "Git LFS" in line


def test_weights_alone_are_no_backbone(files):
    for name in ("weights.weights.h5", "legacy_weights.h5", "legacy_model.h5"):
        told = backbones.network_fault("--backbone", str(files[0] / name))
        assert "--backbone=NAME --weights=FILE" in told
