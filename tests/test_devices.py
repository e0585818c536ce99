"""devices.py on a machine without a GPU."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf
from tensorflow.python.framework import config as tf_config

from tl_keras.compute.devices import (
    DETERMINISTIC,
    check_precision,
    choose_device,
    compute_deterministically,
    own_determinism,
)
from tl_keras.errors import MachineError
from tl_keras.exports.fresh_process import fresh_python

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


class Machine:
    """TensorFlow on a machine with two GPUs, as far as it is set up."""

    def __init__(self, monkeypatch):
        self.gpus = self.visible = ["g0", "g1"]
        self.grown: list[str] = []
        self.in_use = False
        config = tf.config
        for place, name, does in (
            (config, "list_physical_devices", lambda _: self.gpus),
            (config, "get_visible_devices", lambda _: self.visible),
            (config, "set_visible_devices", self.show),
            (config.experimental, "set_memory_growth", self.grow),
        ):
            monkeypatch.setattr(place, name, does)

    def show(self, gpus, _):
        if self.in_use and gpus != self.visible:
            raise RuntimeError("Visible devices cannot be modified after being")
        self.visible = gpus

    def grow(self, gpu, on):
        if self.in_use:
            raise RuntimeError("Physical devices cannot be modified after bei")
        assert on
        self.grown.append(gpu)


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def little():
    return 1e9


def much():
    return 1e16


def test_memory_grows_on_every_gpu(machine):
    """A GPU that TensorFlow sees is set up before anything is computed."""
    assert choose_device("auto") == choose_device("gpu") == "gpu"
    assert machine.grown == ["g0", "g1"] * 2


def test_a_person_may_choose_among_gpus(machine):
    machine.visible = ["g1"]
    assert choose_device("gpu") == "gpu"
    assert machine.visible == ["g1"]
    machine.visible = []
    assert choose_device("auto", much) == "cpu"
    with pytest.raises(MachineError, match="set up for the cpu, by a run bef"):
        choose_device("gpu")
    assert machine.visible == []


@pytest.mark.parametrize(
    ("before", "taken", "other"), [(little, "cpu", "gpu"), (much, "gpu", "cpu")]
)
def test_a_process_keeps_to_the_device_that_it_used(
    machine, before, taken, other, capsys
):
    """As two runs of a notebook, or a script that has used TensorFlow."""
    assert choose_device("auto", before) == taken
    machine.in_use = True
    for work in (little, much, None):
        assert choose_device("auto", work) == taken
    assert choose_device(taken) == taken
    with pytest.raises(MachineError) as caught:
        choose_device(other)
    assert caught.value.faults == (
        f"--device={other}: this process is set up for the {taken}, by a run "
        "before or by your script, and TensorFlow keeps to it - begin in a new "
        "process, or leave --device out",
    )
    assert "GPU needs to get ready" not in capsys.readouterr().out


def test_float16_is_refused_on_a_cpu():
    with pytest.raises(MachineError, match="mixed_float16: expected a GPU"):
        check_precision("mixed_float16", "cpu")
    check_precision("mixed_float16", "gpu")
    check_precision("mixed_bfloat16", "cpu")


@pytest.mark.parametrize(
    ("wish", "device", "asked"),
    [
        (True, "gpu", True),
        (None, "gpu", False),
        (None, "cpu", True),
        (False, "cpu", False),
    ],
)
def test_the_same_bits_here_and_in_processes_of_ours(
    monkeypatch, tmp_path, wish, device, asked
):
    monkeypatch.setenv(DETERMINISTIC, "")  # Undone afterwards.
    monkeypatch.delenv(DETERMINISTIC)
    calls = []
    monkeypatch.setattr(
        tf.config.experimental,
        "enable_op_determinism",
        lambda: calls.append(True),
    )
    compute_deterministically(wish, device)
    assert bool(calls) == asked
    script, found = tmp_path / "child.py", tmp_path / "found"
    script.write_text(
        "import os, sys; "
        "open(sys.argv[2], 'w').write(os.getenv('TF_DETERMINISTIC_OPS', ''))"
    )
    with fresh_python(str(script), found) as child:
        child.finish("a child")
    assert found.read_text() == ("1" if asked else "")


@pytest.mark.parametrize("own", [False, True])
def test_a_script_keeps_its_own_rule(monkeypatch, own):
    """Whatever a run inside it decided; also where the run fails."""
    monkeypatch.setenv(DETERMINISTIC, "")  # Undone afterwards.
    monkeypatch.delenv(DETERMINISTIC)
    before = tf_config.is_op_determinism_enabled()
    try:
        tf_config.disable_op_determinism()
        if own:
            tf.config.experimental.enable_op_determinism()
        with pytest.raises(KeyError), own_determinism():
            compute_deterministically(True, "cpu")
            assert tf_config.is_op_determinism_enabled()
            assert os.environ[DETERMINISTIC] == "1"
            raise KeyError
        assert tf_config.is_op_determinism_enabled() == own
        assert DETERMINISTIC not in os.environ
    finally:
        tf_config.disable_op_determinism()
        if before:
            tf.config.experimental.enable_op_determinism()


@pytest.mark.nightly  # Some seconds, to import TensorFlow once more.
@pytest.mark.parametrize("value", ["0", "1"])
def test_tensorflow_reads_from_its_surroundings_that_bits_count(value):
    """A process of ours that is told so refuses chance without a seed."""
    done = subprocess.run(
        [sys.executable, "-c",
         "import tensorflow as tf; tf.function(tf.random.uniform)([2])"],
        env={**os.environ, DETERMINISTIC: value}, text=True,
        capture_output=True,
    )  # fmt: skip
    refused = "Random ops require a seed to be set" in done.stderr
    assert refused == bool(done.returncode) == (value == "1"), done.stderr
