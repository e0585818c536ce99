"""precision.py: timed once, remembered, and never where it cannot pay."""

import json

import keras
import numpy as np
import pytest

from tl_keras.compute import precision
from tl_keras.networks.backbones import build_backbone


@pytest.fixture
def network() -> keras.Model:
    """A convolution of 1.2 billion multiply-adds for a picture."""
    x = keras.Input((64, 64, 3))
    y = keras.layers.Rescaling(1 / 255)(x)
    y = keras.layers.Conv2D(192, 7, padding="same")(y)
    y = keras.layers.Conv2D(32, 7, padding="same")(y)
    return keras.Model(x, y, name="dear")


@pytest.fixture
def both(monkeypatch, tmp_path):
    """A machine with bfloat16, and a cache of its own."""
    monkeypatch.setattr(
        precision, "native_precisions", lambda _: ["float32", "mixed_bfloat16"]
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("best", ["float32", "mixed_bfloat16"])
def test_the_fastest_is_taken_and_remembered(best, both, network, monkeypatch):
    asked = []

    def timed(network, candidates, pictures):
        asked.append(pictures)
        return {p: 1.0 if p == best else 2.0 for p in candidates}

    monkeypatch.setattr(precision, "time_precisions", timed)
    for _ in range(2):
        chosen = precision.choose_precision(network, device="cpu", name="x")
        assert chosen == best
    assert asked == [precision.CPU_EXAMPLES]
    # Another network is timed anew, and so is one whose note is damaged.
    precision.choose_precision(network, device="cpu", name="y")
    assert len(asked) == 2
    for file in both.rglob("*.json"):
        assert json.loads(file.read_text())["precision"] == best
        file.write_text("{")
    precision.choose_precision(network, device="cpu", name="x")
    assert len(asked) == 3


def test_small_networks_and_plain_cpus_are_not_timed(
    both, network, monkeypatch
):
    def never(*_):
        raise RuntimeError("timed")

    monkeypatch.setattr(precision, "time_precisions", never)
    small = build_backbone("MobileNetV2", image_size=96, weights=None)
    assert precision.choose_precision(small, device="cpu", name="s") == (
        "float32"
    )
    monkeypatch.setattr(precision, "native_precisions", lambda _: ["float32"])
    assert precision.choose_precision(network, device="cpu", name="d") == (
        "float32"
    )


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2"}, ["float32"]),
        ({"avx2", "avx512_bf16"}, ["float32", "mixed_bfloat16"]),
        ({"amx_bf16"}, ["float32", "mixed_bfloat16"]),
        (set(), ["float32"]),
    ],
)
def test_a_cpu_computes_what_its_flags_say_and_never_float16(
    flags, expected, monkeypatch
):
    monkeypatch.setattr(precision, "cpu_flags", lambda: flags)
    assert precision.native_precisions("cpu") == expected


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((6, 1), ["float32"]),
        ((7, 0), ["float32", "mixed_float16"]),
        ((9, 0), ["float32", "mixed_bfloat16", "mixed_float16"]),
    ],
)
def test_a_gpu_computes_what_its_generation_can(
    capability, expected, monkeypatch
):
    config = precision.tf.config
    monkeypatch.setattr(config, "list_physical_devices", lambda _: ["gpu"])
    monkeypatch.setattr(
        config.experimental,
        "get_device_details",
        lambda _: {"compute_capability": capability},
    )
    assert precision.native_precisions("gpu") == expected


def test_timing_leaves_the_network_as_it_was(network):
    x = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3))
    before = network.predict(x, verbose=0)
    seconds = precision.time_precisions(
        network, ["float32", "mixed_bfloat16"], 1
    )
    assert set(seconds) == {"float32", "mixed_bfloat16"}
    assert all(0 < s < float("inf") for s in seconds.values())
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}
    np.testing.assert_array_equal(network.predict(x, verbose=0), before)


def test_where_all_layers_train_a_step_of_training_is_timed(
    both, network, monkeypatch
):
    asked = []

    def timed(network, candidates, pictures, *, gpu):
        asked.append((candidates, pictures, gpu))
        return {"float32": 2.0, "mixed_bfloat16": 1.0}

    def never(*_):
        raise RuntimeError("timed forward")

    monkeypatch.setattr(precision, "time_training", timed)
    monkeypatch.setattr(precision, "time_precisions", never)
    for _ in range(2):
        chosen = precision.choose_precision(
            network, device="cpu", name="x", training=True
        )
        assert chosen == "mixed_bfloat16"
    assert asked == [
        (["float32", "mixed_bfloat16"], precision.CPU_TRAINED, False)
    ]
    # What is quicker forward was not asked, and is not remembered from here.
    with pytest.raises(RuntimeError, match="forward"):
        precision.choose_precision(network, device="cpu", name="x")


@pytest.mark.parametrize(
    ("native", "timed"),
    [
        (["float32", "mixed_bfloat16", "mixed_float16"], "mixed_bfloat16"),
        (["float32", "mixed_float16"], "mixed_float16"),
    ],
)
def test_bfloat16_is_preferred_to_float16(
    native, timed, network, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(precision, "native_precisions", lambda _: native)
    monkeypatch.setattr(precision, "machine", lambda _: "card")
    monkeypatch.setattr(
        precision,
        "time_training",
        # float16 would win by a hair.
        lambda _, candidates, __, gpu: {
            c: 1.0 if c == "mixed_float16" else 1.1 + (c == "float32")
            for c in candidates
            if gpu
        },
    )
    assert timed == precision.choose_precision(
        network, device="gpu", name="x", training=True
    )


def test_timing_of_training_moves_nothing():
    x = keras.Input((8, 8, 3))
    y = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(x))
    network = keras.Model(x, y)
    before = network.get_weights()
    seconds = precision.time_training(network, ["float32", "mixed_bfloat16"], 2)
    assert all(0 < s < float("inf") for s in seconds.values())
    assert {layer.compute_dtype for layer in network.layers} == {"float32"}
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("unfreeze_from", "training"), [("all", True), ("two", False)]
)
def test_the_phases_decide_what_is_timed(unfreeze_from, training, monkeypatch):
    from tl_keras import TransferConfig
    from tl_keras.jobs import preparation
    from tl_keras.jobs.kinds import pictures

    asked = []
    monkeypatch.setattr(
        pictures,
        "choose_precision",
        lambda _, **about: asked.append(about["training"]) or "float32",
    )
    for head_epochs in (0, 3):
        config = TransferConfig(
            dataset="digits", head_epochs=head_epochs, fine_tune_epochs=2,
            unfreeze_from=unfreeze_from,
        )  # fmt: skip
        preparation.decided_precision(config, None, "gpu")
    assert asked == [training] * 2
