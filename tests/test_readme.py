"""README.md: what it shows to be run is run."""

import pathlib
import re
import runpy

import keras
from conftest import CHECKOUT, write_picture


def python_block() -> str:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    return block


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
    script.write_text(python_block(), encoding="utf-8")
    names = runpy.run_path(str(script))
    model = keras.models.load_model("classifier.keras")
    assert model.output_shape == (None, 2)
    for one, two in zip(model.variables, names["model"].variables, strict=True):
        assert (one.numpy() == two.numpy()).all()
