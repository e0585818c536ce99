"""keras_globals: what a person has set changes no number of ours."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_imports import ALLOWED

import tl_keras
from tl_keras import grad_cam, keras_globals, train
from tl_keras.networks import (
    build_classifier,
    probabilities_model,
    split_layers,
)
from tl_keras.strategies import training_graph
from tl_keras.tasks.multiclass.evaluation import evaluate_classifier
from tl_keras.training import Phase, fit_phases

CONFIG, OPTIMIZER = keras.config, tf.config.optimizer
POLICY = keras_globals._globals()[3]


def amp(value: bool) -> None:
    OPTIMIZER.set_experimental_options({"auto_mixed_precision": value})


# Name -> (how a script sets it, how it is put back).
HOSTILE = {
    "channels_first": (
        lambda: CONFIG.set_image_data_format("channels_first"),
        lambda: CONFIG.set_image_data_format("channels_last"),
    ),
    "float16": (
        lambda: CONFIG.set_floatx("float16"),
        lambda: CONFIG.set_floatx("float32"),
    ),
    "float64": (
        lambda: CONFIG.set_floatx("float64"),
        lambda: CONFIG.set_floatx("float32"),
    ),
    "epsilon": (
        lambda: CONFIG.set_epsilon(0.1),
        lambda: CONFIG.set_epsilon(1e-7),
    ),
    "mixed_float16": (
        lambda: CONFIG.set_dtype_policy("mixed_float16"),
        lambda: POLICY[1](None),
    ),
    "bfloat16": (
        lambda: CONFIG.set_dtype_policy("bfloat16"),
        lambda: POLICY[1](None),
    ),
    "eager": (
        lambda: tf.config.run_functions_eagerly(True),
        lambda: tf.config.run_functions_eagerly(False),
    ),
    "one epoch": (
        lambda: CONFIG.set_max_epochs(1),
        lambda: CONFIG.set_max_epochs(None),
    ),
    "one step": (
        lambda: CONFIG.set_max_steps_per_epoch(1),
        lambda: CONFIG.set_max_steps_per_epoch(None),
    ),
    "XLA": (
        lambda: OPTIMIZER.set_jit(True),
        lambda: OPTIMIZER.set_jit(False),
    ),
    "automatic precision": (lambda: amp(True), lambda: amp(False)),
}


def data(count: int = 16) -> tf.data.Dataset:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    labels = np.arange(count, dtype=np.int32) % 2
    return tf.data.Dataset.from_tensor_slices((pictures, labels)).batch(8)


def all_numbers() -> list[np.ndarray]:
    """What the pieces give, from a network to a map of Grad-CAM."""
    keras.utils.set_random_seed(0)
    model = build_classifier("letters_vgg", 2, dropout=0.2)
    head, tune = Phase("head", 1, 1e-2), Phase("tune", 2, 1e-3, "block2")
    fit = fit_phases(model, [head, tune], data(), data(8), verbose=0)
    found = evaluate_classifier(model, data(8), class_names=["a", "b"])
    pictures = next(iter(data(4)))[0].numpy()
    maps = grad_cam(probabilities_model(model), pictures)
    losses = [row["loss"] for row in fit.history]
    return [*model.get_weights(), found.probabilities, maps, np.array(losses)]


@pytest.fixture(scope="module")
def plain() -> list[np.ndarray]:
    return all_numbers()


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(list(HOSTILE), id="all at once"),
        *(
            pytest.param([name], id=name, marks=pytest.mark.nightly)
            for name in HOSTILE
        ),
    ],
)
def test_a_global_of_a_person_changes_no_bit(names, plain):
    before = [get() for get, *_ in keras_globals._globals()]
    for name in names:
        HOSTILE[name][0]()
    own = [get() for get, *_ in keras_globals._globals()]
    assert own != before
    try:
        received = all_numbers()
        # And the person's own is in force again.
        assert [get() for get, *_ in keras_globals._globals()] == own
    finally:
        for name in names:
            HOSTILE[name][1]()
    for expected, found in zip(plain, received, strict=True):
        assert expected.dtype == found.dtype
        np.testing.assert_array_equal(expected, found)


def test_layers_of_the_head_say_their_own_format_and_dtype():
    """So that model.keras is the same network wherever it is loaded."""
    CONFIG.set_image_data_format("channels_first")
    CONFIG.set_dtype_policy("mixed_float16")
    try:
        for pooling in ("avg", "max", "flatten"):
            model = build_classifier("letters_vgg", 2, pooling=pooling)
            loaded = keras.Model.from_config(model.get_config())
            for layer in (*split_layers(model)[1], *loaded.layers[1:]):
                assert layer.compute_dtype == "float32", layer.name
                place = getattr(layer, "data_format", "channels_last")
                assert place == "channels_last", layer.name
            assert training_graph(model).dtype_policy.name == "float32"
    finally:
        CONFIG.set_image_data_format("channels_last")
        POLICY[1](None)


def test_the_globals_come_back_after_an_error():
    CONFIG.set_floatx("float64")
    try:
        with (
            pytest.raises(ZeroDivisionError),
            keras_globals.standard_globals(),
        ):
            assert CONFIG.floatx() == "float32"
            _ = 1 / 0
        assert CONFIG.floatx() == "float64"
    finally:
        CONFIG.set_floatx("float32")


def test_who_asks_for_the_policy_does_not_decide_it():
    POLICY[1](None)
    with keras_globals.standard_globals():
        pass
    assert POLICY[0]() is None


# Before Keras loads: keras.json and variables, in a process without it.


@pytest.fixture
def unloaded(monkeypatch, tmp_path):
    """As if Keras were not imported yet; gives the folder of keras.json."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path


FILES = {
    "another backend": ({"backend": "jax"}, "backend of Keras is jax"),
    "no floatx": ({"floatx": "float8"}, "floatx is float8; expected one of"),
    "no format": ({"image_data_format": "last"}, "image_data_format is last"),
    "no epsilon": ({"epsilon": 1}, "epsilon is 1; expected a number"),
    "a list": ([1], "expected settings by name"),
}


@pytest.mark.parametrize("case", FILES)
def test_keras_json_that_cannot_be_used_is_one_line(case, unloaded):
    content, words = FILES[case]
    (unloaded / "keras.json").write_text(json.dumps(content))
    (line,) = keras_globals.faults()
    assert words in line
    assert str(unloaded / "keras.json") in line


def test_what_keras_ignores_is_no_fault(unloaded):
    (unloaded / "keras.json").write_text("not json")
    assert keras_globals.faults() == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("KERAS_BACKEND", "torch", "KERAS_BACKEND=torch: the backend"),
        ("KERAS_MAX_EPOCHS", "few", "KERAS_MAX_EPOCHS=few: expected a whole"),
    ],
)
def test_variables_that_cannot_be_used(
    name, value, words, unloaded, monkeypatch
):
    monkeypatch.setenv(name, value)
    (line,) = keras_globals.faults()
    assert line.startswith(words)


def test_the_variable_wins_over_the_file(unloaded, monkeypatch):
    (unloaded / "keras.json").write_text('{"backend": "torch"}')
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert keras_globals.faults() == []


def test_a_command_ends_with_exit_code_2(unloaded, capsys):
    (unloaded / "keras.json").write_text('{"backend": "jax"}')
    assert train.main(["--dataset=digits", "--backbone=letters_vgg"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith(f"error: {unloaded}/keras.json: the backend")


def test_rooms_that_need_keras_are_refused_and_the_others_work():
    code = (
        "import importlib, sys\n"
        "import tl_keras\n"
        "for room in sys.argv[2].split(','):\n"
        "    try: importlib.import_module(f'tl_keras.{room}')\n"
        "    except ImportError as e: print(room, type(e).__name__, e)\n"
        "try: from tl_keras import build_classifier\n"
        "except ImportError as e: print('from', e)\n"
        "print(sorted({'keras', 'jax'} & set(sys.modules)))\n"
    )
    without = tl_keras._WITHOUT_KERAS | tl_keras._FACES_WITHOUT_KERAS
    with_keras = sorted(
        {
            *ALLOWED,
            "compute.precision",
            "networks.building",
            "serving.inference",
        }
        - without
        - {"__init__"}
    )
    # Those without it are imported too; two of them load TensorFlow.
    without = sorted(without - {"inputs.image.pixels", "checkpoints"})
    ran = subprocess.run(
        [sys.executable, "-c", code, "", ",".join(with_keras + without)],
        capture_output=True, text=True,
        env={**os.environ, "KERAS_BACKEND": "jax",
             "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    lines = ran.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-2]] == [
        [room, "ImportError"] for room in with_keras
    ], ran.stderr
    assert all("set KERAS_BACKEND=tensorflow" in line for line in lines[:-1])
    assert lines[-1] == "[]"
