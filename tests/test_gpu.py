"""What can only be seen on a GPU: `pytest -m gpu`, some minutes on one card.

Each run is a process of its own, as TensorFlow keeps its device for good.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from conftest import CHECKOUT
from killing import fingerprint

pytestmark = pytest.mark.gpu
LOOK = "import tensorflow as tf; print(tf.config.list_physical_devices('GPU'))"
TRAIN = (sys.executable, "-m", "tl_keras.train")


def surroundings() -> dict[str, str]:
    """The environment of a process that sees the GPU."""
    found = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if found.get("CUDA_VISIBLE_DEVICES") == "-1":  # conftest.py's.
        del found["CUDA_VISIBLE_DEVICES"]
    # One thread each is for tests side by side.
    return {k: v for k, v in found.items() if not k.endswith("_THREADS")}


@pytest.fixture(scope="module", autouse=True)
def gpu():
    """Skips where TensorFlow sees no GPU."""
    asked = subprocess.run(
        [sys.executable, "-c", LOOK], env=surroundings(), text=True,
        capture_output=True,
    )  # fmt: skip
    if "PhysicalDevice" not in asked.stdout:
        pytest.skip("TensorFlow sees no GPU here")


def ran(*command, code: int = 0) -> str:
    """What a process printed, which ended with this code."""
    done = subprocess.run(
        list(map(str, command)), env=surroundings(), text=True,
        capture_output=True, cwd=CHECKOUT, timeout=200,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == code, said[-3000:]
    return said


def flags(folder, network, out, **more) -> list[str]:
    """A short run of everything on the GPU."""
    settings = {
        "dataset": folder, "backbone": network, "output_dir": out,
        "device": "gpu", "head_epochs": 1, "fine_tune_epochs": 3,
        "unfreeze_from": "all", "batch_size": 5, "feature_cache": "off",
        "head_solver": "adam", "test_fraction": 0.25, "val_fraction": 0.25,
        **more,
    }  # fmt: skip
    return [f"--{name}={value}" for name, value in settings.items()]


def metrics_of(out) -> dict:
    return json.loads((out / "run" / "metrics.json").read_text())


def test_the_quick_start_and_its_answers(tmp_path, color_folder):
    out = tmp_path / "quick"
    said = ran(
        *TRAIN, "--flagfile=configs/quickstart.flags", "--device=gpu",
        "--nocompare_scratch", f"--output_dir={out}",
        f"--feature_cache={tmp_path / 'features'}",
    )  # fmt: skip
    assert "XLA off, since compiling takes about" in said
    metrics = metrics_of(out)
    assert metrics["device"] == "gpu"
    assert metrics["test"]["accuracy"] > 0.9
    assert metrics["cost"]["peak_device_memory_bytes"] > 0
    assert metrics["cost"]["waiting_for_data"]["fine_tune"] < 0.5
    ran(
        sys.executable, "-m", "tl_keras.predict", f"--model={out}",
        f"--input={color_folder}", f"--output_dir={tmp_path / 'answers'}",
    )  # fmt: skip
    assert (
        "blue_not/0.jpg"
        in (tmp_path / "answers" / "predictions.csv").read_text()
    )


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_each_precision_is_published(
    precision, color_folder, tiny_network, tmp_path
):
    """float32 is: `test_the_same_run_gives_the_same_bits_also_when_killed`."""
    out = tmp_path / "out"
    given = flags(color_folder, tiny_network, out, precision=precision)
    ran(*TRAIN, *given)
    assert metrics_of(out)["model"]["precision"] == precision
    assert (out / "1" / "saved_model.pb").is_file()


def test_the_same_run_gives_the_same_bits_also_when_killed(
    color_folder, tiny_network, tmp_path
):
    def run(name, *more):
        out = tmp_path / name
        given = flags(
            color_folder, tiny_network, out, precision="float32",
            deterministic="true", fine_tune_epochs=6,
        )  # fmt: skip
        return out, [*TRAIN, *given, *more]

    straight, command = run("straight")
    ran(*command)
    again, command = run("again")
    ran(*command)
    assert fingerprint(straight) == fingerprint(again)
    killed, command = run("killed")
    log = tmp_path / "log"
    with open(log, "w") as stream:
        child = subprocess.Popen(
            command, env=surroundings(), cwd=CHECKOUT, stdout=stream,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        ends = time.monotonic() + 100
        while "phase fine_tune" not in log.read_text():
            assert child.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.05)
        time.sleep(1)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    ran(*command)
    assert fingerprint(straight) == fingerprint(killed)


# A step of 12 pictures keeps five arrays of 154 MB and more, one of 6 half as
# much; the smallest that fits what is left is found on the way.
FULL = """
    import sys
    import keras, tensorflow as tf
    from tl_keras import TransferConfig, run
    from tl_keras.compute import devices

    devices.choose_device("gpu")
    ballast = tf.zeros([devices.device_memory() - 500_000_000], tf.uint8)
    folder, out, jit = sys.argv[1:]
    x = inputs = keras.Input((224, 224, 3))
    for _ in range(3):
        x = keras.layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    keras.Model(inputs, keras.layers.MaxPooling2D(8)(x)).save(out + ".keras")
    config = TransferConfig(
        dataset=folder, output_dir=out, device="gpu", backbone=out + ".keras",
        head_epochs=0, fine_tune_epochs=1, unfreeze_from="all", batch_size=12,
        precision="float32", auto_batch=True, test_fraction=0.25,
        val_fraction=0.25, jit=jit,
    )
    print("in the end:", run(config).metrics["batch_size"], len(ballast))
"""


@pytest.mark.parametrize("jit", ["off", "on"])
def test_a_gpu_that_is_full_is_told_and_trained_on_with_less(
    jit, color_folder, tmp_path
):
    """Its export is asked too: on the CPU, if there is no room for that."""
    out = tmp_path / "out"
    said = ran(
        sys.executable, "-c", textwrap.dedent(FULL), color_folder, out, jit,
    )  # fmt: skip
    assert "with nothing kept on the GPU from step to step" in said
    assert "out of memory with batches of 12: going on with 6" in said
    assert metrics_of(out)["batch_size"] <= 6
    assert (out / "1" / "saved_model.pb").is_file()


PLANTED = """
    import pathlib, sys
    import keras, numpy as np, tensorflow as tf
    from tl_keras.compute import devices
    from tl_keras.inputs.image import pixels
    from tl_keras.networks import LOGITS, build_classifier
    from tl_keras.errors import NotPublishedError
    from tl_keras.exports import export_saved_model
    from tl_keras.exports.gate import check_export
    from tl_keras.tasks.multiclass.task import Multiclass

    devices.choose_device("gpu")
    network, folder, picture = sys.argv[1:]
    golden = {"0": pathlib.Path(picture).read_bytes()}
    names = ["a", "b", "c"]
    for precision in ("float32", "mixed_bfloat16", "mixed_float16"):
        keras.utils.set_random_seed(0)
        model = build_classifier(network, 3, precision=precision)
        version = export_saved_model(
            model, f"{folder}/{precision}", class_names=names,
            golden=list(golden.values()),
        )
        known = (
            version, model, names, pixels.Decoding(16), golden,
            Multiclass(),
        )
        check_export(*known)
        print("published", precision)
        head = model.get_layer(LOGITS)
        kernel, bias = (np.array(v) for v in head.variables)
        norm = model.get_layer("one_norm")
        moved = np.array(norm.moving_variance)
        faults = {
            "bias": lambda: head.bias.assign(bias + [1e-3, 0, 0]),
            "swapped": lambda: head.kernel.assign(kernel[:, [1, 0, 2]]),
            "twice": lambda: head.kernel.assign(2 * kernel),
            "stale": lambda: norm.moving_variance.assign(1.5 * moved),
        }
        for name, plant in faults.items():
            plant()
            try:
                check_export(*known)
                print("missed", precision, name)
            except NotPublishedError:
                print("refused", precision, name)
            head.kernel.assign(kernel)
            head.bias.assign(bias)
            norm.moving_variance.assign(moved)
"""


def test_planted_faults_are_refused_in_each_precision(
    color_folder, tiny_network, tmp_path
):
    said = ran(
        sys.executable, "-c", textwrap.dedent(PLANTED), tiny_network,
        tmp_path / "exports", color_folder / "green" / "0.jpg",
    )  # fmt: skip
    assert "missed" not in said
    for precision in ("float32", "mixed_bfloat16", "mixed_float16"):
        assert f"published {precision}" in said
        for fault in ("bias", "swapped", "twice", "stale"):
            assert f"refused {precision} {fault}" in said
