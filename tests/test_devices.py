"""devices.py on a machine without a GPU."""

import os

import pytest
import tensorflow as tf

from tl_keras.compute.devices import (
    check_precision,
    choose_device,
    compute_deterministically,
)
from tl_keras.errors import MachineError

NO_GPU = not tf.config.list_physical_devices("GPU")


@pytest.mark.skipif(not NO_GPU, reason="there is a GPU here")
def test_f26_a_gpu_that_is_not_there_is_one_clear_line():
    assert choose_device("auto") == "cpu"
    assert choose_device("cpu") == "cpu"
    with pytest.raises(MachineError) as caught:
        choose_device("gpu")
    (line,) = caught.value.faults
    assert "expected a GPU that TensorFlow sees, found none - " in line
    assert "\n" not in line


def test_memory_grows_on_every_gpu(monkeypatch):
    """A GPU that TensorFlow sees is set up before anything is computed."""
    grown = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["g0"])
    monkeypatch.setattr(
        tf.config.experimental,
        "set_memory_growth",
        lambda gpu, on: grown.append((gpu, on)),
    )
    assert choose_device("auto") == choose_device("gpu") == "gpu"
    assert grown == [("g0", True)] * 2


def test_float16_is_refused_on_a_cpu():
    with pytest.raises(MachineError, match="mixed_float16: expected a GPU"):
        check_precision("mixed_float16", "cpu")
    check_precision("mixed_float16", "gpu")
    check_precision("mixed_bfloat16", "cpu")


@pytest.mark.parametrize(
    ("wish", "device", "asked", "tuned"),
    [
        (True, "gpu", True, "0"),
        (None, "gpu", False, None),
        (None, "cpu", True, None),
        (False, "cpu", False, None),
    ],
)
def test_the_same_bits_want_the_same_algorithms(
    monkeypatch, wish, device, asked, tuned
):
    monkeypatch.setenv("TF_CUDNN_USE_AUTOTUNE", "")  # Undone afterwards.
    monkeypatch.delenv("TF_CUDNN_USE_AUTOTUNE")
    calls = []
    monkeypatch.setattr(
        tf.config.experimental,
        "enable_op_determinism",
        lambda: calls.append(True),
    )
    compute_deterministically(wish, device)
    assert bool(calls) == asked
    assert os.environ.get("TF_CUDNN_USE_AUTOTUNE") == tuned
