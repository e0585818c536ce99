"""backbones.py: each row of the table against the network Keras builds."""

import hashlib
import inspect
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from conftest import ALWAYS_BUILT
from keras.src.applications import efficientnet, imagenet_utils
from keras.src.utils import file_utils

from tl_keras import TransferConfig
from tl_keras.errors import ConfigError, MachineError
from tl_keras.jobs import preparation
from tl_keras.networks import build_classifier
from tl_keras.networks.backbones import (
    BACKBONES,
    SCALINGS,
    build_backbone,
    describe_backbones,
    out_of_reach,
    parse_arguments,
    reach,
)
from tl_keras.networks.flattening import flattened
from tl_keras.strategies.freezing import first_unfrozen

NAMES = sorted(BACKBONES)
SMALL = {"VGG16", *ALWAYS_BUILT}
EACH_NETWORK = [
    pytest.param(name, marks=() if name in SMALL else pytest.mark.every_network)
    for name in NAMES
]


def build(name="MobileNetV2", image_size=32, weights=None, arguments=None):
    return build_backbone(
        name, image_size=image_size, weights=weights, arguments=arguments
    )


def randomized(network: keras.Model, seed: int) -> keras.Model:
    """The network with other weights; all positive, so variances are too."""
    random = np.random.default_rng(seed)
    network.set_weights(
        [random.uniform(0.05, 0.1, v.shape) for v in network.weights]
    )
    return network


def assert_same_weights(one: keras.Model, other: keras.Model) -> None:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def tensors_alive_before(network: keras.Model, name: str) -> int:
    """How many tensors lead from operations before `name` to it and later.

    One means that the graph can be cut there.
    """
    operations = network.operations
    start = next(
        index
        for index, operation in enumerate(operations)
        if operation.name == name
    )
    before = {
        id(tensor)
        for operation in operations[:start]
        for tensor in operation._inbound_nodes[0].output_tensors
    }
    read_later = {
        id(tensor)
        for operation in operations[start:]
        for tensor in operation._inbound_nodes[0].input_tensors
    }
    return len(before & read_later)


# The table


def test_the_proof_of_cuts_tells_a_cut_from_none():
    network = build("MobileNetV2")
    assert tensors_alive_before(network, "block_13_expand") == 1
    assert tensors_alive_before(network, "block_12_depthwise") == 2


def test_table_has_every_application():
    classes = {
        name
        for name, value in vars(keras.applications).items()
        if name[0].isupper() and inspect.isfunction(value)
    }
    assert set(NAMES) == classes
    assert len(NAMES) == 40


@pytest.mark.parametrize("name", NAMES)
def test_sizes_are_those_of_the_constructor(name, monkeypatch):
    row = BACKBONES[name]
    constructor = getattr(keras.applications, name)
    below = (row.least_size - 1, row.least_size - 1, 3)
    with pytest.raises(ValueError, match=f"at least {row.least_size}x"):
        constructor(include_top=False, weights=None, input_shape=below)

    class Stop(Exception):
        pass

    def spy(input_shape, default_size, **rest):
        raise Stop(default_size)

    monkeypatch.setattr(imagenet_utils, "obtain_input_shape", spy)
    if not name.startswith("MobileNetV3"):  # They have 224 in several places.
        with pytest.raises(Stop, match=f"^{row.usual_size}$"):
            constructor(include_top=True, weights=None)


@pytest.mark.parametrize("name", EACH_NETWORK)
def test_row_is_that_of_the_network(name):
    row = BACKBONES[name]
    network = build(name, row.least_size)
    assert network.count_params() == row.num_parameters
    assert network.input_shape == (None, row.least_size, row.least_size, 3)
    assert network.name == network.name.lower()
    assert len(network.output_shape) == 4
    # What is trained has the layers of models inside it in their place.
    network = flattened(network, row.least_size)
    names = [layer.name for layer in network.layers]
    firsts = []
    for stage in row.stages:
        matches = [other for other in names if other.startswith(stage)]
        firsts.append(stage if stage in names else matches[0])
    places = [names.index(first) for first in firsts]
    assert places == sorted(places)
    if name == "InceptionV3":  # The stage's own output is the cut.
        firsts = [names[place + 1] for place in places]
    if not name.startswith("NASNet"):
        alive = [tensors_alive_before(network, first) for first in firsts]
        assert alive == [1] * len(firsts)
    keras.backend.clear_session()


def test_a_network_of_models_is_unfrozen_from_its_stages():
    """3 s: the smallest of the one family that has models inside it."""
    model = build_classifier("ConvNeXtTiny", 2, weights="none", image_size=32)
    stages = BACKBONES["ConvNeXtTiny"].stages
    firsts = [first_unfrozen(model, stage).name for stage in stages]
    assert firsts == list(stages)


@pytest.mark.every_network
@pytest.mark.parametrize("name", ["MobileNetV3Large", "MobileNetV3Small"])
def test_usual_size_of_mobilenet_v3(name):
    text = inspect.getsource(
        inspect.getmodule(getattr(keras.applications, name))
    )
    assert f"rows != {BACKBONES[name].usual_size}" in text


@pytest.mark.parametrize("name", NAMES)
def test_scaling_is_the_preprocessing_of_keras(name):
    random = np.random.default_rng(0)
    raw = random.integers(0, 256, (2, 5, 5, 3)).astype(np.float32)
    module = inspect.getmodule(getattr(keras.applications, name))
    expected = module.preprocess_input(raw.copy())
    scaling = SCALINGS[BACKBONES[name].scaling]
    ours = raw[..., ::-1] if scaling.reverse_channels else raw
    ours = ours * np.float32(scaling.scale) + np.float32(scaling.offset)
    np.testing.assert_allclose(ours, expected, atol=1e-4, rtol=0)


def test_unit_scaling_ends_at_one():
    assert SCALINGS["unit"].scale == (1 / 255,) * 3
    assert SCALINGS["unit"].offset == (0.0,) * 3


@pytest.mark.parametrize(
    ("name", "inside"),
    [("EfficientNetB0", "Rescaling"), ("MobileNetV3Small", "Rescaling"),
     ("ConvNeXtTiny", "Normalization"), ("EfficientNetV2B0", "Rescaling")],
)  # fmt: skip
def test_networks_without_scaling_have_their_own(name, inside):
    assert BACKBONES[name].scaling == "none"
    assert type(build(name).layers[1]).__name__ == inside


def test_description_has_a_line_for_each_network():
    lines = describe_backbones().splitlines()
    assert [line.split()[0] for line in lines[-40:]] == NAMES
    assert "MobileNetV2" in describe_backbones()
    columns = {line.rindex(",") for line in lines[-40:]}
    assert len(columns) == 1  # aligned


def test_import_loads_no_tensorflow():
    code = (
        "import sys, tl_keras.networks.backbones as b; b.describe_backbones();"
        "b.parse_arguments('a=1');"
        "print({'tensorflow', 'keras', 'h5py', 'numpy'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.stdout.strip() == "set()"


# Arguments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("  ", {}),
        ("alpha=0.35", {"alpha": 0.35}),
        (
            "alpha=0.35,minimalistic=true",
            {"alpha": 0.35, "minimalistic": True},
        ),
        (" a = 1 , b = x-y ", {"a": 1, "b": "x-y"}),
        ("a=False,b=None,c=1e-3", {"a": False, "b": None, "c": 0.001}),
        ("a=-2,b=c=d", {"a": -2, "b": "c=d"}),
    ],
)
def test_parse_arguments(text, expected):
    parsed = parse_arguments(text)
    assert parsed == expected
    assert [type(v) for v in parsed.values()] == [
        type(v) for v in expected.values()
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alpha", "expected name=value"),
        ("alpha=", "expected name=value"),
        ("=1", "expected name=value"),
        ("a=1,", "expected name=value"),
        ("2a=1", "expected name=value"),
        ("a=1,a=2", "a: given twice"),
    ],
)
def test_parse_arguments_refuses(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_arguments(text)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"name": "MobilNetV2"}, "near names: MobileNetV2"),
        ({"name": "qqq"}, "near names: none"),
        ({"image_size": 31}, "image_size=31: expected at least 32"),
        ({"name": "Xception", "image_size": 70}, "at least 71"),
        ({"arguments": {"beta": 1}}, "no argument beta - it takes alpha"),
        ({"arguments": {"pooling": "avg"}}, "no argument pooling"),
        ({"name": "VGG16", "arguments": {"alpha": 1}}, "it takes none"),
        (
            {"name": "MobileNetV3Small", "arguments": {"dropout_rate": 0.1}},
            "it takes alpha, minimalistic",
        ),
        ({"arguments": {"alpha": "x"}}, "alpha=x: expected a positive number"),
        ({"arguments": {"alpha": -1}}, "alpha=-1.0: expected a positive"),
        ({"arguments": {"alpha": float("nan")}}, "alpha=nan: expected"),
        (
            {"name": "MobileNetV3Small", "arguments": {"minimalistic": 1}},
            "minimalistic=1: expected true or false",
        ),
        (
            {"weights": "imagenet", "arguments": {"alpha": 0.4}},
            "Keras refuses them .*alpha",
        ),
        (
            {
                "name": "MobileNetV3Small",
                "weights": "imagenet",
                "arguments": {"alpha": 0.5},
            },
            "Keras refuses them .*alpha",
        ),
        ({"weights": "absent.weights.h5"}, "no such file"),
        ({"weights": "weights.npz"}, "no such file"),
    ],
)
def test_refusals(case, words):
    with pytest.raises(ConfigError, match=words) as caught:
        build(**case)
    assert "\n" not in str(caught.value)


# Weights by path


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folder with one network's weights in each format, and the network."""
    folder = tmp_path_factory.mktemp("weights")
    network = randomized(build(arguments={"alpha": 0.35}), 1)
    network.save_weights(folder / "own.weights.h5")
    network.save(folder / "own.keras")
    network.save(folder / "own.h5")
    return folder, network


@pytest.mark.parametrize("file", ["own.weights.h5", "own.keras", "own.h5"])
@pytest.mark.parametrize("as_path", [True, False])
def test_each_format_loads_at_another_size(saved, file, as_path):
    folder, network = saved
    weights = folder / file if as_path else str(folder / file)
    other = build(image_size=64, weights=weights, arguments={"alpha": 0.35})
    assert_same_weights(other, network)


@pytest.mark.parametrize("file", ["own.weights.h5", "own.keras", "own.h5"])
def test_a_file_of_another_network_shows_both_sides(saved, file):
    with pytest.raises(ConfigError) as caught:
        build(weights=saved[0] / file)  # alpha is 1
    message = str(caught.value)
    assert "it holds 260 arrays of 410,208 parameters" in message
    assert "mobilenetv2 has 260 arrays of 2,257,984" in message
    assert "\n" not in message


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras", ".h5"])
def test_a_bigger_file_is_refused(saved, tmp_path, suffix):
    network = saved[1]
    features = keras.layers.GlobalAveragePooling2D()(network.output)
    output = keras.layers.Dense(3)(features)
    bigger = keras.Model(network.input, output)
    file = tmp_path / f"bigger{suffix}"
    save = bigger.save_weights if suffix == ".weights.h5" else bigger.save
    save(file)
    with pytest.raises(ConfigError, match="holds 262 arrays"):
        build(weights=file, arguments={"alpha": 0.35})


def test_the_optimizer_in_a_file_does_not_count(saved, tmp_path):
    network = build(arguments={"alpha": 0.35})
    network.compile("adam", "mse")
    network.optimizer.build(network.trainable_variables)
    for file in ("own.weights.h5", "own.keras", "own.h5"):
        path = tmp_path / file
        save = network.save if ".w" not in file else network.save_weights
        save(path)
        other = build(weights=path, arguments={"alpha": 0.35})
        assert_same_weights(other, network)


@pytest.mark.parametrize("file", ["own.weights.h5", "own.keras", "own.h5"])
@pytest.mark.parametrize("length", [0, 100, 100_000])
def test_a_truncated_file_is_told(saved, tmp_path, file, length):
    path = tmp_path / file
    path.write_bytes((saved[0] / file).read_bytes()[:length])
    with pytest.raises(ConfigError, match="not readable") as caught:
        build(weights=path, arguments={"alpha": 0.35})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["own.weights.h5", "own.keras", "own.h5"])
@pytest.mark.parametrize(
    "name", ["w", "w.h5", "w.weights.h5", "w.keras", "w.bin", "w.hdf5"]
)
def test_a_file_is_what_is_in_it_not_its_name(saved, tmp_path, file, name):
    path = tmp_path / name
    shutil.copy(saved[0] / file, path)
    other = build(weights=path, arguments={"alpha": 0.35})
    assert_same_weights(other, saved[1])


def test_real_imagenet_weights(shared):
    file = shared / "weights" / "mobilenet_v2_0.35_224_notop.weights.h5"
    network = build(image_size=96, weights=file, arguments={"alpha": 0.35})
    kernel = network.get_layer("Conv1").get_weights()[0]
    assert kernel.shape == (3, 3, 3, 16)
    assert np.abs(kernel).max() > 0.5


# Weights of ImageNet, in a Keras home of the test's own


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The folder for official files; downloading fails as it does offline."""

    def refuse(url, target, report=None):
        raise file_utils.urllib.error.URLError("no network")

    monkeypatch.setattr(file_utils, "urlretrieve", refuse)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models"
    folder.mkdir(parents=True)
    return folder


OFFICIAL_FILES = [
    ("VGG16", None, "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    (
        "MobileNetV2",
        {"alpha": 0.35},
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5",
    ),
    (
        "MobileNetV3Small",
        {"alpha": 1},
        "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
    ),
    ("EfficientNetV2B0", None, "efficientnetv2-b0_notop.h5"),
    ("ConvNeXtTiny", None, "convnext_tiny_notop.h5"),
    (
        "ResNet50V2",
        None,
        "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
    ),
]


@pytest.mark.parametrize(("name", "arguments", "file"), OFFICIAL_FILES)
def test_f22_offline_names_file_folder_and_flag(models, name, arguments, file):
    with pytest.raises(MachineError) as caught:
        build(name, 224, "imagenet", arguments)
    message = "\n".join(caught.value.faults)
    assert f"{file} is not in {models}" in message
    assert "URL fetch failure" in message
    assert "--weights=PATH" in message
    for works in ("=FILE.keras", "--backbone=letters_vgg", "--weights=none"):
        assert works in message
    assert "\n" not in message


@pytest.mark.parametrize(("name", "arguments", "file"), OFFICIAL_FILES)
def test_f22_weights_are_out_of_reach_without_file_and_address(
    models, monkeypatch, name, arguments, file
):
    def nobody_knows(*_):
        raise OSError("Name or service not known")

    monkeypatch.setattr(reach.urllib.request, "getproxies", dict)
    monkeypatch.setattr(reach.socket, "getaddrinfo", lambda *_: [])
    assert not out_of_reach(name)
    monkeypatch.setattr(reach.socket, "getaddrinfo", nobody_knows)
    assert out_of_reach(name)
    (models / file).write_bytes(b"")
    assert not out_of_reach(name)
    other = "Xception" if name != "Xception" else "VGG19"
    assert out_of_reach(other)
    # A proxy looks addresses up by itself.
    proxies = {"https": "http://proxy"}
    monkeypatch.setattr(reach.urllib.request, "getproxies", lambda: proxies)
    assert not out_of_reach(other)


def test_f22_without_a_network_no_picture_is_read_first(models, monkeypatch):
    def read(*_, **__):
        raise AssertionError("pictures are read")

    def nobody_knows(*_):
        raise OSError("Name or service not known")

    monkeypatch.setattr(preparation, "check_data", read)
    monkeypatch.setattr(reach.urllib.request, "getproxies", dict)
    monkeypatch.setattr(reach.socket, "getaddrinfo", nobody_knows)
    config = TransferConfig(dataset="pets", backbone="VGG16", image_size=32)
    with pytest.raises(MachineError, match="cannot be fetched"):
        preparation.prepare(config)
    with pytest.raises(AssertionError):  # A plan downloads nothing.
        preparation.prepare(config, download=False)


def test_a_wrong_file_in_place_is_refused_and_kept(models):
    file = models / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    file.write_bytes(b"mine")
    with pytest.raises(MachineError, match="not the official file") as caught:
        build("VGG16", weights="imagenet")
    assert str(file) in str(caught.value)
    assert file.read_bytes() == b"mine"


def test_a_wrong_file_without_a_hash_is_refused_and_kept(models):
    file = models / "mobilenet_1_0_224_tf_no_top.h5"
    file.write_bytes(b"mine")
    with pytest.raises(ConfigError, match="not readable"):
        build("MobileNet", 224, "imagenet")
    assert file.read_bytes() == b"mine"


def test_an_unreadable_official_file_is_the_machine(models):
    file = models / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    file.mkdir()
    with pytest.raises(MachineError, match="not readable"):
        build("VGG16", weights="imagenet")
    assert file.is_dir()


def test_keras_gets_its_own_download_back(models):
    before = file_utils.get_file
    with pytest.raises(MachineError):
        build("VGG16", weights="imagenet")
    assert file_utils.get_file is before


def test_a_file_in_place_is_used(models):
    network = randomized(build("MobileNet"), 2)
    network.save(models / "mobilenet_1_0_224_tf_no_top.h5")
    assert_same_weights(build("MobileNet", 224, "imagenet"), network)


# EfficientNet: what "imagenet" builds, a path builds too


def efficientnet_file(folder, mean: bool) -> keras.Model:
    network = randomized(build("EfficientNetB0"), 3)
    values = network.get_weights()
    values[0] = np.float32([0.485, 0.456, 0.406]) * mean
    network.set_weights(values)
    network.save(folder / "efficientnetb0_notop.h5")
    network.save_weights(folder / "efficientnetb0.weights.h5")
    return network


def test_efficientnet_by_path_is_the_imagenet_network(models, monkeypatch):
    efficientnet_file(models, mean=True)
    official = models / "efficientnetb0_notop.h5"
    digest = hashlib.md5(official.read_bytes()).hexdigest()
    monkeypatch.setitem(efficientnet.WEIGHTS_HASHES, "b0", ("", digest))
    expected = build("EfficientNetB0", 64, "imagenet")
    raw = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3))
    raw = raw.astype(np.float32)
    for file in (official, models / "efficientnetb0.weights.h5"):
        network = build("EfficientNetB0", 64, file)
        assert_same_weights(network, expected)
        kinds = [type(layer) for layer in network.layers]
        assert kinds == [type(layer) for layer in expected.layers]
        assert network.name == expected.name
        first = network.get_layer("stem_conv_pad").input
        stem = keras.Model(network.input, first)
        first = expected.get_layer("stem_conv_pad").input
        expected_stem = keras.Model(expected.input, first)
        assert np.isfinite(expected_stem(raw)).all()
        np.testing.assert_array_equal(stem(raw), expected_stem(raw))
        assert np.isfinite(expected(raw)).all()
        np.testing.assert_array_equal(network(raw), expected(raw))


def test_efficientnet_trained_from_scratch_stays_as_it_is(tmp_path):
    network = efficientnet_file(tmp_path, mean=False)
    other = build("EfficientNetB0", 32, tmp_path / "efficientnetb0.weights.h5")
    assert_same_weights(other, network)
    assert len(other.layers) == len(network.layers)


def test_efficientnet_with_the_rescaling_saves_and_loads(tmp_path):
    efficientnet_file(tmp_path, mean=True)
    file = tmp_path / "efficientnetb0.weights.h5"
    network = build("EfficientNetB0", 32, file)
    network.save(tmp_path / "again.keras")
    network.save_weights(tmp_path / "again.weights.h5")
    raw = np.full((1, 32, 32, 3), 100, np.float32)
    for again in (
        keras.models.load_model(tmp_path / "again.keras"),
        build("EfficientNetB0", 32, tmp_path / "again.keras"),
        build("EfficientNetB0", 32, tmp_path / "again.weights.h5"),
    ):
        np.testing.assert_array_equal(again(raw), network(raw))
