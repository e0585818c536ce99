"""What several test files need: pictures, a small network, real data."""

import contextlib
import gc
import io
import os
import pathlib
import random
import sys
import tempfile
import typing
from unittest import mock

# Before TensorFlow loads: tests run on the CPU, without its chatter, and each
# worker on one core.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="tl_keras_tests_")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image
from warm import WarmPython, subprocess_with
from xdist.scheduler import LoadScopeScheduling

# How long an example takes, other work on the machine says.
settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unhurried")
# Graphs are made of many small objects that live: looked through less often,
# they cost a twentieth less.
gc.set_threshold(50_000, 20, 100)

CHECKOUT = pathlib.Path(__file__).parent.parent
PARTS_OF_NIGHTLY = ("every_network", "fuzz", "acceptance")
# Those that look at `finished`: in one worker, so that it runs once.
OF_A_WHOLE_RUN = ("jobs", "acceptance", "report", "evaluate", "metrics_schema")
# The longest first.
LONG_FILES = (
    *OF_A_WHOLE_RUN, "resume", "features", "backup_callbacks", "exports",
    "backbones", "gate", "fault_tolerance", "going_on", "backup", "training",
    "steps", "run_card_page", "runtimes", "interpolation", "networks",
    "crash_points", "old_runs",
)  # fmt: skip
# Those of five kinds of networks that every run of the suite builds.
ALWAYS_BUILT = ("MobileNetV2", "EfficientNetB0")


def pytest_addoption(parser):
    parser.addoption(
        "--kills", type=int, default=6,
        help="how often test_resume.py kills a run at random",
    )  # fmt: skip
    parser.addoption("--kill_seed", type=int, default=0, help="of the moments")


class ByFile(LoadScopeScheduling):
    """A file stays with one worker, as its fixtures are dear."""

    def _split_scope(self, nodeid):
        name = pathlib.PurePath(nodeid.split("::")[0]).stem
        name = name.removeprefix("test_")
        return "of a whole run" if name in OF_A_WHOLE_RUN else name


@pytest.hookimpl(optionalhook=True)  # pytest-xdist may be switched off.
def pytest_xdist_make_scheduler(config, log):
    """Which tests go to a worker together."""
    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)  # Before it is decided which are left out.
def pytest_collection_modifyitems(items):
    """What is a part of the nightly run is marked as such; long files first.

    A worker takes the next file when it is done with one: one that takes
    minutes, begun last, would leave the other without work.
    """
    turns = {name: turn for turn, name in enumerate(LONG_FILES)}
    for item in items:
        if any(map(item.get_closest_marker, PARTS_OF_NIGHTLY)):
            item.add_marker("nightly")
    items.sort(
        key=lambda item: turns.get(
            item.path.stem.removeprefix("test_"), len(turns)
        )
    )


def networks(*names: str) -> list:
    """Names for a parametrization, most of them for the nightly run."""
    return [
        pytest.param(
            name, marks=() if name in ALWAYS_BUILT else pytest.mark.nightly
        )
        for name in names
    ]


@pytest.fixture(scope="session")
def warm_loaders():
    """Starts what asks an export, in processes that have TensorFlow loaded."""
    with WarmPython("numpy", "tensorflow", blocked="keras") as python:
        yield python


@pytest.fixture(scope="session")
def warm_keras():
    """Starts Pythons that have what tl_keras needs loaded, but tl_keras."""
    with WarmPython("keras", "sklearn.linear_model", "matplotlib") as python:
        yield python


@pytest.fixture(autouse=True)
def _warm_gate(request, monkeypatch):
    """The export's gate asks forked processes; see `real_processes`."""
    children = sys.modules.get("tl_keras.exports.fresh_process")
    if children is None or "real_processes" in request.keywords:
        return

    def start(command, **options):
        warm = request.getfixturevalue("warm_loaders")
        return warm.start(command, **options)

    monkeypatch.setattr(children, "subprocess", subprocess_with(start))


@pytest.fixture(scope="session", autouse=True)
def _no_autotuning():
    """tf.data waits for nothing; `tl_keras.tf_data` has the reason.

    Our own datasets are without autotuning anyway; those that tests and Keras
    make cost the suite minutes.
    """
    from tensorflow.python.data.ops.iterator_ops import OwnedIterator

    from tl_keras.tf_data import paced

    make = OwnedIterator.__init__

    def without(self, dataset=None, *arguments, **named):
        dataset = dataset and paced(dataset)
        make(self, dataset, *arguments, **named)

    with mock.patch.object(OwnedIterator, "__init__", without):
        yield


@pytest.fixture(scope="module", autouse=True)
def _forget_the_file():
    """What a file leaves behind is not looked through again and again."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeded():
    """Weights that a test leaves to chance are the same in every run.

    Keras takes the seeds of its initializers from Python's `random`.
    """
    random.seed(0)
    np.random.seed(0)


@pytest.fixture
def plain_decoder(monkeypatch):
    """Pictures are decoded by a small decoder, which is quick to set up."""
    import tiny

    tiny.use_plain_decoder(monkeypatch)


@pytest.fixture(scope="module")
def plain_decoder_throughout():
    """The same for a file whose fixtures are made once and read pictures."""
    import tiny

    with pytest.MonkeyPatch.context() as patch:
        tiny.use_plain_decoder(patch)
        yield


@pytest.fixture
def without_heic(monkeypatch):
    """As where Pillow's plug-in for HEIC is not installed."""
    from tl_keras.inputs.image import formats

    monkeypatch.setattr(formats, "is_installed", lambda kind: kind != "HEIC")


@pytest.fixture
def shared() -> pathlib.Path:
    """The folder of real photographs and ImageNet weights."""
    folder = os.environ.get("TL_KERAS_SHARED")
    if not folder:
        pytest.skip("TL_KERAS_SHARED is not set: no real photographs here")
    return pathlib.Path(folder)


def write_picture(path: pathlib.Path, seed: int, color: int) -> None:
    """A noisy picture in which channel `color` is the bright one."""
    random = np.random.default_rng(seed)
    picture = random.integers(0, 80, (40, 56, 3), dtype=np.uint8)
    picture[..., color] += 150
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture
def color_folder(tmp_path) -> pathlib.Path:
    """Two easy classes, 12 pictures each, in class folders."""
    root = tmp_path / "colors"
    for color, name in enumerate(("blue_not", "green")):
        for number in range(12):
            suffix = ".png" if number % 2 else ".jpg"
            write_picture(
                root / name / f"{number}{suffix}", 100 * color + number, color
            )
    return root


@pytest.fixture(scope="session")
def tiny_network(tmp_path_factory) -> pathlib.Path:
    """A user's own backbone: 16 px, BatchNorm and Dropout in it."""
    import keras

    keras.utils.set_random_seed(1)
    inputs = keras.Input((16, 16, 3), name="picture")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(4, 3, padding="same", name="one_conv")(x)
    x = keras.layers.BatchNormalization(name="one_norm")(x)
    x = keras.layers.ReLU(name="one_relu")(x)
    x = keras.layers.MaxPooling2D(name="one_pool")(x)
    x = keras.layers.Conv2D(6, 3, padding="same", name="two_conv")(x)
    x = keras.layers.BatchNormalization(name="two_norm")(x)
    x = keras.layers.Dropout(0.5, name="two_drop")(x)
    x = keras.layers.ReLU(name="two_relu")(x)
    file = tmp_path_factory.mktemp("network") / "tiny.keras"
    keras.Model(inputs, x, name="tiny").save(file)
    return file


class Finished(typing.NamedTuple):
    """A whole run: the folder with its data, settings, result, what it said,
    and the work that it counted."""

    root: pathlib.Path
    config: "tl_keras.TransferConfig"  # noqa: F821
    result: "tl_keras.RunResult"  # noqa: F821
    printed: str
    works: tuple = ()


@pytest.fixture(scope="session")
def finished(tiny_network, tmp_path_factory) -> Finished:
    """One whole run for all tests, with nothing in it that stands in.

    It is read; a test that changes it takes a copy (`tiny.moved`).
    """
    import tiny

    from tl_keras import progress, run

    root = tmp_path_factory.mktemp("finished")
    config = tiny.config(
        tiny.write_colors(root / "colors"), tiny_network, root / "out",
        head_epochs=12, head_learning_rate=0.1, dropout=0.0, batch_size=6,
        compare_scratch=True,
    )  # fmt: skip
    works, doing = [], progress.doing

    @contextlib.contextmanager
    def noted(*about, **more):
        with doing(*about, **more) as work:
            works.append(work)
            yield work

    with (
        contextlib.redirect_stdout(io.StringIO()) as printed,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(progress, "doing", noted)
        result = run(config)
    return Finished(root, config, result, printed.getvalue(), tuple(works))


@pytest.fixture(scope="session")
def tiny_export(tiny_network, tmp_path_factory) -> pathlib.Path:
    """A run's folder with one version, of the classes blue_not and green."""
    import keras

    from tl_keras import exports
    from tl_keras.exports import fresh_process
    from tl_keras.networks import build_classifier

    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("exports") / "colors"
    golden = folder.parent / "golden.png"
    write_picture(golden, 0, 1)
    # Its gate is not what those who read it ask for.
    with (
        mock.patch.object(exports, "check_export"),
        mock.patch.object(
            fresh_process, "start_loaders", contextlib.nullcontext
        ),
    ):
        exports.export_saved_model(
            build_classifier(str(tiny_network), 2),
            folder,
            class_names=["blue_not", "green"],
            golden=[golden.read_bytes()],
        )
    return folder
