"""README.md: what it shows to be run is run."""

import pathlib
import re
import runpy

import keras
import numpy as np
from conftest import CHECKOUT, write_picture


def python_blocks() -> list[str]:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", readme, re.DOTALL)


def test_the_piece_in_your_own_script_runs_as_printed(tmp_path, monkeypatch):
    """With random weights in the place of the file that Keras would fetch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for color, name in enumerate(("rose", "tulip")):
        for number in range(10):
            file = pathlib.Path("flowers", name, f"{number}.jpg")
            write_picture(file, 10 * color + number, color)
    models = tmp_path / "keras" / "models"
    models.mkdir(parents=True)
    network = keras.applications.MobileNetV2(include_top=False, weights=None)
    network.save(
        models / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224"
        "_no_top.h5"
    )
    script = tmp_path / "script.py"
    script.write_text(python_blocks()[0], encoding="utf-8")
    names = runpy.run_path(str(script))
    model = keras.models.load_model("classifier.keras")
    assert model.output_shape == (None, 2)
    for one, two in zip(model.variables, names["model"].variables, strict=True):
        assert (one.numpy() == two.numpy()).all()


def test_the_backup_goes_on_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = np.ones((20, 3), np.float32), np.zeros((20, 1), np.float32)
    file = tmp_path / "script.py"
    script = python_blocks()[1].replace("epochs=50", "epochs=3, verbose=0")
    file.write_text(script, encoding="utf-8")
    weights = []
    for _ in range(2):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        runpy.run_path(str(file), {"model": model, "x": x, "y": y})
        weights.append(model.get_weights()[0])
        assert model.history.epoch == [0, 1, 2]
    assert (weights[0] == weights[1]).all()
    assert (tmp_path / "backup" / "fit_1").is_dir()
    assert len(python_blocks()) == 2
