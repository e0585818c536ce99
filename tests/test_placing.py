"""Where work is done: its cost from names and files, the device it gets."""

import dataclasses
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_keras import TransferConfig
from tl_keras.compute import devices
from tl_keras.console import on_console
from tl_keras.inputs.image import pixels
from tl_keras.inputs.image.pixels import decoding as decoding_module
from tl_keras.jobs import placing
from tl_keras.networks import (
    inference,
    multiply_adds,
    ordered_nodes,
    pretrained,
    with_less_at_once,
)
from tl_keras.networks.backbones import (
    BACKBONES,
    build_backbone,
    file_cost,
    forward_cost,
)
from tl_keras.networks.backbones.cost import BILLIONS
from tl_keras.networks.inference_mode import _filled
from tl_keras.sources.decoding import _traced_batch
from tl_keras.training import steps


def counted(network: keras.Model) -> float:
    return sum(map(multiply_adds, ordered_nodes(network)))


@pytest.mark.parametrize(
    "name",
    [
        name
        if name in ("VGG16", "MobileNetV3Small")
        else pytest.param(name, marks=pytest.mark.every_network)
        for name in BACKBONES
    ],
)
def test_the_table_of_costs_is_what_the_networks_cost(name):
    size = BACKBONES[name].usual_size
    network = build_backbone(name, image_size=size, weights=None)
    # Two digits after the point, of billions.
    assert abs(counted(network) - forward_cost(name)) <= 0.006e9
    assert forward_cost(name, 2 * size) == 4 * forward_cost(name)


def test_every_network_has_a_cost():
    assert set(BILLIONS) == set(BACKBONES)


def test_a_files_cost_is_told_without_building_it(tmp_path, tiny_network):
    letters = pretrained.path_of("letters_vgg")
    for file in (letters, tiny_network):
        network = keras.models.load_model(file, compile=False)
        assert file_cost(file) == counted(network)
    x = keras.Input((32, 32, 4))
    y = keras.layers.Conv2D(8, 3, strides=2, padding="same", groups=2)(x)
    y = keras.layers.DepthwiseConv2D(3, padding="same")(y)
    inner = keras.Model(x, keras.layers.Conv2D(4, 1)(y))
    outer = keras.Input((32, 32, 4))
    keras.Model(outer, inner(outer)).save(tmp_path / "nested.keras")
    expected = 256 * (9 * 2 * 8 + 9 * 8 + 8 * 4)
    assert file_cost(tmp_path / "nested.keras") == expected


def test_a_file_that_tells_nothing_has_no_cost(tmp_path):
    file = tmp_path / "x.keras"
    assert file_cost(file) is None
    file.write_bytes(b"no archive")
    assert file_cost(file) is None
    for text in ("{", "[]", '{"config": 3}'):
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("config.json", text)
        assert file_cost(file) is None


QUICK = TransferConfig(
    dataset="digits", train_examples_per_class=10, backbone="letters_vgg",
    head_epochs=40, fine_tune_epochs=20, compare_scratch=True,
)  # fmt: skip


def test_the_work_of_a_run():
    cost = placing.forward_cost(QUICK)
    assert cost == file_cost(pretrained.path_of("letters_vgg"))
    # All pictures once; 100 of them in 20 epochs of tuning and 60 from scratch.
    assert placing.multiply_adds(QUICK) == cost * (1797 + 3 * 80 * 100)


def test_the_work_of_a_search():
    """As much again at most; in minutes, more is done where it is quicker."""
    config = TransferConfig(
        dataset="digits", train_examples_per_class=10, backbone="letters_vgg"
    )
    assert config.searches()
    cost = placing.forward_cost(config)
    fixed = dataclasses.replace(config, strategy="fine_tune")
    once, twice = map(placing.multiply_adds, (fixed, config))
    assert once == cost * (1797 + 3 * config.fine_tune_epochs * 100)
    assert twice - once == 3 * cost * config.fine_tune_epochs * 100
    in_time = dataclasses.replace(config, budget_minutes=1.0)
    assert placing.multiply_adds(in_time) is None


def test_work_that_is_unknown(tmp_path):
    missing = TransferConfig(dataset=str(tmp_path / "none"))
    assert placing.multiply_adds(missing) is None
    foreign = TransferConfig(dataset="digits", backbone=str(tmp_path / "x"))
    assert placing.multiply_adds(foreign) is None


@pytest.fixture
def gpu(monkeypatch):
    """A machine with a GPU and two cores; what was made of them."""
    done, visible = [], ["g"]

    def show(gpus, _):
        visible[:] = gpus
        done.append("hidden")

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["g"])
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda _: visible)
    monkeypatch.setattr(tf.config, "set_visible_devices", show)
    monkeypatch.setattr(
        tf.config.experimental,
        "set_memory_growth",
        lambda *a: done.append("growing"),
    )
    monkeypatch.setattr(devices.os, "sched_getaffinity", lambda _: {0, 1})
    return done


@pytest.mark.parametrize(
    ("wish", "work", "device"),
    [
        ("auto", 4e10, "cpu"),  # The quick start: 2 s on two cores.
        ("auto", 1e15, "gpu"),
        ("auto", None, "gpu"),
        ("gpu", 4e10, "gpu"),
        ("cpu", 1e15, "cpu"),
    ],
)
def test_auto_takes_what_is_done_first(wish, work, device, gpu, capsys):
    with on_console():
        assert devices.choose_device(wish, lambda: work) == device
    assert gpu == ["hidden" if device == "cpu" else "growing"]
    told = capsys.readouterr().out
    assert ("device: cpu, where all of this takes about 2 s" in told) == (
        (wish, device) == ("auto", "cpu")
    )


def test_a_gpus_memory_is_for_steps_first(monkeypatch):
    """What stays there takes a quarter at most, best weights what is left;
    nothing stays where memory ran out."""
    monkeypatch.setattr(placing, "device_memory", lambda: 1000)
    compute = placing.compute_of(QUICK, "gpu")
    assert compute.resident_bytes == 250
    for peak, room in ((None, 900), (600, 300), (950, 0)):
        monkeypatch.setattr(steps, "peak_device_memory", lambda peak=peak: peak)
        assert compute.room() == room
    compute = placing.compute_of(QUICK, "gpu", crowded=True)
    assert (compute.resident_bytes, compute.room()) == (0, 0)


def test_without_a_gpu_the_work_is_not_reckoned():
    def never():
        raise RuntimeError

    if not tf.config.list_physical_devices("GPU"):
        assert devices.choose_device("auto", never) == "cpu"
        assert devices.device_memory() == 0
        assert devices.peak_device_memory() is None


def test_the_quick_start_goes_to_the_cpu(gpu):
    assert placing.place(QUICK) == "cpu"


def nodes_of(function) -> list:
    """All operations of a traced function, those of its loops too."""
    graph = function.graph.as_graph_def()
    inner = [node for f in graph.library.function for node in f.node_def]
    return [*graph.node, *inner]


@pytest.mark.parametrize("many", [True, False])
def test_pictures_are_decoded_on_the_cpu_whatever_computes(many):
    """On a GPU each picture would be dozens of small kernels and copies."""
    decoding = pixels.Decoding(8)
    traced = decoding_module._traced_load(decoding)
    if many:
        traced = _traced_batch(decoding, True).get_concrete_function()
    free = {"Placeholder", "NoOp", "Identity"}
    elsewhere = {
        node.op
        for node in nodes_of(traced)
        if "CPU:0" not in node.device and node.op not in free
    }
    assert not {op for op in elsewhere if "Resize" in op or "Decode" in op}
    assert elsewhere <= {"PartitionedCall", "StatefulPartitionedCall"}


def test_a_partial_batch_is_filled_up_and_cut_again():
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(2)(x))
    run = inference(model, one_size=True)
    plain = inference(model, one_size=False)
    random = np.random.default_rng(0)
    for count in (1, 4, 3, 4, 2):
        batch = random.normal(size=(count, 3)).astype(np.float32)
        for given in (batch, tf.constant(batch)):
            np.testing.assert_allclose(run(given), plain(given), rtol=1e-6)


class Small:
    """A device that has room for so many rows at once."""

    def __init__(self, room: int):
        self.room, self.asked = room, []

    def __call__(self, batch):
        x, y = batch
        self.asked.append(len(x))
        if len(x) > self.room:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM")
        return {"sum": np.asarray(x + y), "first": np.asarray(x)}


def test_where_memory_runs_out_less_is_asked_at_once():
    """And no more than that from then on."""
    x, y = np.arange(7.0), np.arange(7.0) * 10
    small = Small(2)
    run = with_less_at_once(small)
    for batch in ((x, y), (tf.constant(x), tf.constant(y))):
        found = run(batch)
        np.testing.assert_array_equal(found["sum"], 11 * x)
        np.testing.assert_array_equal(found["first"], x)
    assert small.asked == [7, 3, *[1] * 7, *[1] * 7]
    assert len(run((x[:0], y[:0]))["sum"]) == 0
    with pytest.raises(tf.errors.ResourceExhaustedError):
        with_less_at_once(Small(0))((x, y))
    with pytest.raises(ValueError, match="other"):
        with_less_at_once(tiny_fault)((x, y))


def tiny_fault(batch):
    raise ValueError("other")


def test_a_model_is_asked_in_parts_too_where_batches_are_filled_up(
    monkeypatch,
):
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(2)(x))
    want = inference(model)(np.ones((5, 3)))
    asked, cast = [], tf.cast

    def tight(array, dtype):
        asked.append(len(array))
        if len(array) > 2:
            raise tf.errors.InternalError(None, None, "Out of memory")
        return cast(array, dtype)

    run = inference(model, one_size=True)
    monkeypatch.setattr(tf, "cast", tight)
    np.testing.assert_allclose(run(np.ones((5, 3))), want, rtol=1e-6)
    np.testing.assert_allclose(run(np.ones((3, 3))), want[:3], rtol=1e-6)
    assert max(asked[2:]) <= 2


def test_the_network_sees_one_size_from_the_largest_on():
    seen = []
    run = _filled(lambda x: seen.append(len(x)) or x)
    counts = [1, 4, 3, 4, 2]
    assert [len(run(np.ones((n, 2)))) for n in counts] == counts
    assert seen == [1, 4, 4, 4, 4]
