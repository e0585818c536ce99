"""`.keras` backbones of others: one line, and nothing of them runs."""

import json
import re
import tomllib
import zipfile

import keras
import pytest
from conftest import CHECKOUT

from tl_keras.errors import ConfigError
from tl_keras.networks import load_backbone

# Safe mode was bypassed in versions before it.
MIN_KERAS = (3, 15, 1)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv", activation="relu")(inputs)
    file = tmp_path_factory.mktemp("plain") / "plain.keras"
    keras.Model(inputs, x).save(file)
    return file


def replaced(place: str, kind: str, **config) -> dict:
    """Another class in the layer's place."""
    return {"module": place, "class_name": kind, "config": config}


def activation(module: str, name: str) -> dict:
    """A function from anywhere as the layer's activation."""
    function = {
        "module": module, "class_name": "function", "config": name,
        "registered_name": "function",
    }  # fmt: skip
    return {"config": {"activation": function}}


CODE = {"code": "4wAAAAA=", "defaults": None, "closure": None}
EVIL = {
    "python code": replaced(
        "keras.layers", "Lambda", name="conv",
        function={"class_name": "__lambda__", "config": CODE},
    ),
    "a SavedModel": replaced(
        "keras.layers", "TFSMLayer", name="conv", filepath="MADE",
        call_endpoint="serve",
    ),
    "a command": replaced("os", "system", command="touch MADE"),
    "a class of Python": replaced("subprocess", "Popen", args="touch MADE"),
    "exec": activation("builtins", "exec"),
    "a download": activation("keras.utils", "get_file"),
    "loading another model": activation("keras.models", "load_model"),
    "a file of words": replaced(
        "keras.layers", "StringLookup", name="conv", vocabulary="/etc/passwd"
    ),
    "a pickle": replaced(
        "keras.layers", "TorchModuleWrapper",
        module={"class_name": "__bytes__", "config": {"value": "gAQ="}},
    ),
    "a registered name": {"registered_name": "Evil>Layer"},
}  # fmt: skip


def rewritten(plain, change: dict, made):
    """The plain network with its layer's description changed."""
    file = made.parent / "evil.keras"
    change = json.loads(json.dumps(change).replace("MADE", str(made)))
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                described = json.loads(content)
                (layer,) = [
                    each
                    for each in described["config"]["layers"]
                    if each["class_name"] == "Conv2D"
                ]
                config = change.get("config", {})
                if "class_name" not in change:
                    config = {**layer["config"], **config}
                layer.update({**change, "config": config})
                content = json.dumps(described)
            new.writestr(name, content)
    return file


@pytest.mark.parametrize("kind", EVIL)
def test_a_backbone_that_is_more_than_layers_is_one_line(kind, plain, tmp_path):
    made = tmp_path / "made"
    file = rewritten(plain, EVIL[kind], made)
    with pytest.raises(ConfigError) as told:
        load_backbone(str(file))
    (line,) = told.value.faults
    assert line.startswith(f"--backbone={file}: not readable as a .keras file")
    assert len(line.splitlines()) == 1
    assert not made.exists()


def test_the_plain_one_is_taken(plain, tmp_path):
    file = rewritten(plain, {}, tmp_path / "made")
    assert load_backbone(str(file)).output_shape == (None, 6, 6, 4)


def test_the_floor_of_keras_is_set():
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    needed = tomllib.loads(text)["project"]["dependencies"]
    (keras_floor,) = [n for n in needed if re.match(r"keras\b", n)]
    numbers = keras_floor.removeprefix("keras>=").split(".")
    assert tuple(map(int, numbers)) >= MIN_KERAS
