"""README.md, and where docs/ starts: what they show to be run is run."""

import json
import os
import pathlib
import re
import runpy
import shlex
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tiny
from conftest import CHECKOUT, write_picture
from documents import (
    PAGES,
    commands,
    heading_anchors,
    python_blocks,
    relative_links,
    sentences,
    shell_lines,
    text_of,
)
from PIL import Image

from tl_keras import check, predict, train

README = "README.md"
CARD = CHECKOUT / "docs" / "images" / "card.png"
START = "docs/pictures.md"
MAINS = {"check": check.main, "predict": predict.main, "train": train.main}
# In the place of the file that Keras would fetch for configs/photos.flags.
SMALL = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"


def words_of(command: str) -> tuple[str, list[str]]:
    """ "python -m tl_keras.check --x=1" -> ("check", ["--x=1"])."""
    _, _, module, *flags = shlex.split(command)
    return module.removeprefix("tl_keras."), flags


def write_photos(folder: pathlib.Path) -> None:
    """What the commands are about: class folders, and a photo."""
    for color, name in enumerate(("rose", "tulip")):
        for number in range(10):
            file = folder / "my_photos" / name / f"{number}.jpg"
            write_picture(file, 10 * color + number, color)
    write_picture(folder / "photo.jpg", 99, 1)


def random_weights(home: pathlib.Path, name: str = SMALL, **arguments) -> None:
    """Puts random weights where Keras keeps those that it fetched."""
    (home / "models").mkdir(parents=True)
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, **arguments
    )
    network.save(home / "models" / name)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder in which the commands can be given, and photos.flags is of a
    network that is small enough."""
    write_photos(tmp_path)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(CHECKOUT / "configs", "configs")
    flags = pathlib.Path("configs", "photos.flags")
    assert "--backbone=MobileNetV2\n" in flags.read_text()
    flags.write_text("--backbone=letters_vgg\n")
    return tmp_path


def test_readme_is_of_one_screen():
    assert len(text_of(README).encode()) <= 10_000


@pytest.mark.parametrize("page", [README, "CHANGELOG.md", "SECURITY.md"])
def test_its_links_lead_somewhere(page):
    for link in relative_links(page):
        file, _, anchor = link.partition("#")
        assert (CHECKOUT / file).exists(), link
        assert not anchor or anchor in heading_anchors(file), link


def test_the_tests_that_readme_names_are_there():
    names = set(re.findall(r"`(test_\w+)`", text_of(README)))
    assert len(names) >= 10
    there = {file.stem for file in (CHECKOUT / "tests").glob("test_*.py")}
    assert names - there == set()


def test_no_sentence_stands_in_two_places():
    places: dict[str, set[str]] = {}
    for page in (*PAGES, "benchmarks/README.md", "SECURITY.md"):
        for sentence in sentences(page):
            places.setdefault(sentence.lower(), set()).add(page)
    assert len(places) > 500
    twice = {what: pages for what, pages in places.items() if len(pages) > 1}
    assert twice == {}


def notes_of_the_card() -> dict:
    """What docs/tools/card_picture.py wrote into the picture."""
    with Image.open(CARD) as picture:
        return picture.text


def test_the_picture_of_the_page_is_small_and_of_the_run_that_is_told():
    assert CARD.stat().st_size <= 150_000
    (told,) = re.findall(r"test accuracy: ([\d.]+)", text_of(README))
    assert notes_of_the_card()["accuracy"] == told


@pytest.mark.nightly
def test_the_picture_is_of_the_page_as_it_is():
    tool = runpy.run_path(str(CHECKOUT / "docs/tools/card_picture.py"))
    assert notes_of_the_card()["templates"] == tool["templates_hash"](), (
        "the page was changed since: docs/contributing.md says how it is taken"
    )


def test_the_numbers_of_readme_are_those_of_its_configs():
    rows = re.findall(
        r"\| `configs/(\w+)\.flags`.*?\| ([\d.]+) \|", text_of(README)
    )
    assert len(rows) == 3
    for name, accuracy in rows:
        opening = text_of(f"configs/{name}.flags").replace("\n#", "")
        told = re.search(r"[Aa]ccuracy\s+([\d.]+)", opening)
        assert told[1].rstrip(".") == accuracy, name


@pytest.mark.parametrize(
    "command",
    dict.fromkeys(
        command
        for command in [*commands(README), *commands(START)]
        if words_of(command)[0] != "predict" and "quickstart" not in command
    ),
)
def test_a_command_runs_as_printed(command, place, monkeypatch, capsys):
    """Without training; the quick start itself is a run of `nightly`."""
    tiny.use(monkeypatch, tiny.UNTRAINED)
    name, flags = words_of(command)
    assert MAINS[name](flags) == 0, capsys.readouterr().err
    if name == "train" and "--dry_run" not in flags:
        assert pathlib.Path("saved_models/my_photos/run/metrics.json").exists()


def test_a_photo_is_asked_as_printed(place, tiny_export, capsys):
    shutil.copytree(tiny_export, "saved_models/my_photos")
    asked = [c for c in commands(README) if words_of(c)[0] == "predict"]
    assert asked
    assert set(asked) <= set(commands(START))
    for command in asked:
        assert predict.main(words_of(command)[1]) == 0
        assert "photo.jpg: " in capsys.readouterr().out


def test_the_script_runs_as_printed(place, monkeypatch, capsys):
    """With random weights, and without training."""
    monkeypatch.setenv("KERAS_HOME", str(place / "keras"))
    random_weights(place / "keras", alpha=0.35)
    tiny.use(monkeypatch, tiny.UNTRAINED)
    (script,) = python_blocks(README)
    pathlib.Path("script.py").write_text(script, encoding="utf-8")
    names = runpy.run_path("script.py")
    *_, answer = capsys.readouterr().out.splitlines()
    assert answer in names["result"].class_names == ("rose", "tulip")


@pytest.fixture
def typed(tmp_path):
    """Runs a line as somebody types it, with random weights; what it said."""
    write_photos(tmp_path)
    random_weights(tmp_path / "keras", alpha=0.35)
    shutil.copytree(CHECKOUT / "configs", tmp_path / "configs")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    environment = {
        "KERAS_HOME": str(tmp_path / "keras"), "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path]),
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": "-1",
        "no_proxy": "127.0.0.1",
    }  # fmt: skip

    def run(line: str, **more: str) -> str:
        ran = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env={**environment, **more},
            capture_output=True, text=True,
        )  # fmt: skip
        assert ran.returncode == 0, (line, ran.stderr)
        return ran.stdout

    return run


@pytest.mark.nightly
@pytest.mark.parametrize("page", [README, START])
def test_all_commands_literally(page, typed, tmp_path):
    """But for those that install, and docker: a stand-in serves."""
    given = dict.fromkeys(commands(page))
    assert any("quickstart" in command for command in given)
    for command in given:
        said = typed(command)
        if "quickstart" in command:
            (told,) = re.findall(r"test accuracy: ([\d.]+)", text_of(page))
            (found,) = re.findall(r"test accuracy: ([\d.]+)", said)
            assert float(found) == pytest.approx(float(told), abs=0.005)
    if page == README:
        pytest.importorskip("tensorflow_serving", reason="extra `serving`")
        from serving_double import Double

        lines = shell_lines(README)
        (smoke,) = [line for line in lines if line.endswith("smoke.sh")]
        (asked,) = [line for line in lines if line.startswith("curl ")]
        with Double(tmp_path / "saved_models/my_photos", "my_photos") as double:
            typed(smoke, URL=double.rest)
            said = typed(asked.replace("http://127.0.0.1:8501", double.rest))
        assert json.loads(said)["predictions"][0]["status"] == ""


# docs/pieces.md


def test_a_piece_in_your_own_fit_runs_as_printed(tmp_path, monkeypatch):
    """With random weights in the place of the file that Keras would fetch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    write_photos(tmp_path)
    pathlib.Path("my_photos").rename("flowers")
    random_weights(tmp_path / "keras", SMALL.replace("0.35", "1.0"))
    script = tmp_path / "script.py"
    code = python_blocks("docs/pieces.md")[0].replace("epochs=5", "epochs=1")
    script.write_text(code, encoding="utf-8")
    names = runpy.run_path(str(script))
    model = keras.models.load_model("classifier.keras")
    assert model.output_shape == (None, 2)
    for one, two in zip(model.variables, names["model"].variables, strict=True):
        assert (one.numpy() == two.numpy()).all()


def test_the_backup_goes_on_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x, y = np.ones((20, 3), np.float32), np.zeros((20, 1), np.float32)
    file = tmp_path / "script.py"
    _, script = python_blocks("docs/pieces.md")
    file.write_text(script.replace("epochs=50", "epochs=3, verbose=0"))
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
