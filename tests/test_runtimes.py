"""files: those for LiteRT and ONNX, what is refused, and their gate."""

import pathlib
import shutil

import keras
import numpy as np
import pytest

from tl_keras.errors import ConfigError, MachineError
from tl_keras.exports import (
    Evaluated,
    Movement,
    SplitReport,
    files,
    formats,
    gate,
)
from tl_keras.exports.formats import TABLE
from tl_keras.exports.gate import ask_file
from tl_keras.exports.movement import STILL
from tl_keras.exports.reference import Reference
from tl_keras.exports.runtimes import converting
from tl_keras.exports.split import Split
from tl_keras.networks import build_classifier, probabilities_model
from tl_keras.networks.backbones import BACKBONES
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.multilabel.task import Multilabel
from tl_keras.tasks.regression.task import Regression

NAMES = ["apple", "Birne", "čerešňa"]
TASK = Multiclass()
DIFFERS = TASK.differs(NAMES)
ALL = formats.formats_of(("tflite", "onnx"), ("float32", "float16", "int8"))
LACKING = sorted({n for row in ALL for n in formats.missing_modules(row)})
needs_runtimes = pytest.mark.skipif(
    bool(LACKING), reason=f"not installed here: {', '.join(LACKING)}"
)
RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (7, 16, 16, 3), np.uint8)
IDS = [f"picture {number}" for number in range(7)]


@pytest.fixture(scope="module")
def model(tiny_network):
    keras.utils.set_random_seed(0)
    model = build_classifier(str(tiny_network), 3)
    head = model.get_layer("head_logits")
    # Answers far apart, so that a wrong one is seen.
    head.kernel.assign(20 * head.kernel)
    return model


def probabilities(model, pictures=PICTURES) -> np.ndarray:
    return probabilities_model(model).predict(pictures, verbose=0)


def split_of(model) -> files.Squares:
    """Pictures that the model has all right, in two batches."""
    labels = probabilities(model).argmax(axis=-1)
    return files.Squares(
        IDS, labels, lambda: (PICTURES[:4], PICTURES[4:]), NAMES
    )


@pytest.fixture(scope="module")
def made(model, tmp_path_factory):
    """(folder, results) of all files."""
    folder = tmp_path_factory.mktemp("made") / "exports"
    split = split_of(model)
    return folder, files.write_files(model, ALL, folder, split, PICTURES, TASK)


@needs_runtimes
def test_every_file_answers_as_the_model(model, made):
    folder, results = made
    assert [r.refusal for r in results] == [""] * 4
    names = {row.file for row in ALL} | {"labels.txt"}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / "labels.txt").read_text("utf-8").split() == NAMES
    want = probabilities(model)
    for result in results:
        row, file = result.format, folder / result.format.file
        assert result.size == file.stat().st_size > 0
        found = ask_file(file, row, PICTURES)
        assert found.dtype == np.float32
        bound = {"float32": 1e-5, "float16": 0.02, "int8": 0.3}
        apart = np.abs(found - want).max()
        assert apart < bound[row.precision], row.name
        assert apart == pytest.approx(
            result.report.split.largest_difference, abs=1e-5
        )


@needs_runtimes
@pytest.mark.parametrize("name", ["multilabel", "regression"])
def test_files_of_other_tasks_are_asked_by_what_they_say(model, name, tmp_path):
    """Labels that may be together; numbers in a unit of their own."""
    task = {
        "multilabel": Multilabel(thresholds=[0.3, 0.5, 0.7]),
        "regression": Regression([40.0, 1e4, -3.0], [10.0, 500.0, 0.1]),
    }[name]
    answers = Reference(model, task).here(PICTURES)[task.answer]
    targets = answers
    if name == "multilabel":
        targets = (answers >= [0.3, 0.5, 0.7]).astype(int)
    split = files.Squares(IDS, targets, lambda: (PICTURES,), NAMES)
    some = formats.formats_of(("tflite", "onnx"))
    results = files.write_files(model, some, tmp_path, split, PICTURES, task)
    assert [r.refusal for r in results] == ["", ""]
    for result in results:
        found = ask_file(tmp_path / result.format.file, result.format, PICTURES)
        np.testing.assert_allclose(found, answers, rtol=1e-4, atol=1e-4)
        right = 1.0 if name == "multilabel" else None
        assert result.report.split.accuracy == right


@needs_runtimes
def test_a_person_can_open_them_without_tl_keras(model, made):
    """Named tensors, any batch, float32 pixels 0 to 255."""
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    folder, _ = made
    batch = PICTURES[:2].astype(np.float32)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    answers = [session.run(["probabilities"], {"pixels": batch})[0]]
    for precision in ("float32", "float16", "int8"):
        lite = Interpreter(model_path=str(folder / f"model_{precision}.tflite"))
        (given,), (gives,) = lite.get_input_details(), lite.get_output_details()
        assert given["dtype"] == gives["dtype"] == np.float32
        assert list(given["shape_signature"]) == [-1, 16, 16, 3]
        answer = lite.get_signature_runner()(pixels=batch)["probabilities"]
        answers.append(answer)
    said = probabilities(model, batch).argmax(axis=-1)
    for answer in answers:
        assert answer.shape == (2, 3)
        np.testing.assert_allclose(answer.sum(axis=-1), 1, atol=0.05)
        np.testing.assert_array_equal(answer.argmax(axis=-1), said)


@pytest.mark.nightly
@needs_runtimes
def test_a_half_precision_network_is_converted_in_float32(
    tiny_network, tmp_path
):
    """Neither converter knows bfloat16; the weights are float32 anyway."""
    keras.utils.set_random_seed(0)
    model = build_classifier(str(tiny_network), 3, precision="mixed_bfloat16")
    plain = build_classifier(str(tiny_network), 3)
    plain.set_weights(model.get_weights())
    copy = converting.in_float32(model)
    np.testing.assert_array_equal(probabilities(copy), probabilities(plain))
    assert np.abs(probabilities(model) - probabilities(plain)).max() > 1e-5
    some = formats.formats_of(("tflite", "onnx"))
    results = files.write_files(
        model, some, tmp_path, split_of(model), PICTURES, TASK
    )
    assert [r.refusal for r in results] == ["", ""]


def test_a_float32_network_is_converted_itself(model):
    assert converting.in_float32(model) is model


def test_half_precision_inside_a_nested_network_is_seen():
    """A user's network may hold another whole."""
    inputs = keras.Input((8, 8, 3))
    half = keras.layers.Conv2D(2, 3, dtype="mixed_bfloat16")
    inner = keras.Model(inputs, half(inputs), name="inner")
    outer = keras.Input((8, 8, 3))
    # As `build_classifier` makes it no more: it sets the precision itself.
    pooled = keras.layers.GlobalAveragePooling2D()(inner(outer))
    model = keras.Model(outer, keras.layers.Dense(3)(pooled), name="outer")
    copy = converting.in_float32(model)
    assert copy is not model
    layers = copy._flatten_layers(include_self=False)
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    assert half.compute_dtype == "bfloat16"


def test_the_gpus_shortcut_is_left_as_it_was(model):
    import tensorflow as tf

    config = tf.config.experimental
    seen, was = [], config.tensor_float_32_execution_enabled()

    def batches():
        seen.append(config.tensor_float_32_execution_enabled())
        yield PICTURES

    config.enable_tensor_float_32_execution(True)
    try:
        converting.answers_of(model, batches(), DIFFERS)
        assert config.tensor_float_32_execution_enabled()
    finally:
        config.enable_tensor_float_32_execution(was)
    assert seen == [False]


@pytest.mark.nightly
@needs_runtimes
def test_what_converters_stumble_over_is_converted_all_the_same(tmp_path):
    """Each is common in Keras's networks, and each was refused once: grouped
    convolutions (XLA functions), exact GELU (Erfc), Normalization (tensors
    that are no variables)."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 3))
    held = {"mean": [90.0, 120.0, 150.0], "variance": [900.0, 800.0, 700.0]}
    x = keras.layers.Normalization(**held)(inputs)
    x = keras.layers.Conv2D(6, 3, groups=3, activation="gelu")(x)
    x = keras.layers.Conv2D(8, 3, groups=2, activation="gelu")(x)
    model = build_classifier(keras.Model(inputs, x, name="odd"), 3)
    assert 0.01 < probabilities(model).std(axis=0).mean() < 0.4
    some = formats.formats_of(("tflite", "onnx"))
    split = split_of(model)
    results = files.write_files(model, some, tmp_path, split, PICTURES, TASK)
    assert [r.refusal for r in results] == ["", ""]
    assert all(r.report.split.largest_difference < 1e-5 for r in results)


@pytest.mark.every_network
@needs_runtimes
@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_application_can_be_converted(name):
    keras.backend.clear_session()
    size = max(32, BACKBONES[name].least_size)
    model = build_classifier(name, 2, weights="none", image_size=size)
    try:
        files.check_convertible(model, ALL)
    except ConfigError as error:
        # The largest ConvNeXt want more than 24 GB.
        if "as happens where memory runs out" not in str(error):
            raise
        pytest.skip(f"the memory here is too small for {name}")


@needs_runtimes
def test_a_wrong_file_is_not_written_and_the_worst_picture_is_named(
    model, tmp_path, monkeypatch
):
    """The converter is handed a head with two classes exchanged."""
    convert = converting.convert

    def spoiled(_, some, folder, pictures, task):
        wrong = keras.models.clone_model(model)
        *rest, kernel, bias = model.get_weights()
        wrong.set_weights([*rest, kernel[:, [1, 0, 2]], bias])
        return convert(wrong, some, folder, pictures)

    monkeypatch.setattr(converting, "convert", spoiled)
    split = split_of(model)
    results = files.write_files(model, ALL, tmp_path, split, PICTURES, TASK)
    assert list(tmp_path.iterdir()) == []
    for result in results:
        assert "; worst is picture " in result.refusal
        assert "for the model, " in result.refusal
        assert len(result.report.split.changed) > 0
        assert result.size > 0
    assert "allowed is 0.0001" in results[0].refusal
    assert "on average, allowed is 0.05" in results[2].refusal


@needs_runtimes
def test_one_file_that_cannot_be_made_hinders_no_other(
    model, made, tmp_path, monkeypatch
):
    """A damaged file, and one that the converter did not make."""

    def spoiled(plain, some, folder, pictures, task):
        shutil.copytree(made[0], folder, dirs_exist_ok=True)
        (folder / "model.onnx").write_bytes(b"no model")
        (folder / "model_int8.tflite").unlink()
        return {"tflite_int8": "no kernel"}

    monkeypatch.setattr(converting, "convert", spoiled)
    split = split_of(model)
    results = files.write_files(model, ALL, tmp_path, split, PICTURES, TASK)
    refusals = {r.format.name: r.refusal for r in results}
    assert refusals["tflite_float32"] == refusals["tflite_float16"] == ""
    assert refusals["tflite_int8"] == "no kernel"
    assert "ONNX Runtime cannot load and run it" in refusals["onnx"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "model_float32.tflite", "model_float16.tflite", "labels.txt",
    }  # fmt: skip


def test_f30_a_converter_that_dies_is_a_reason_and_not_the_end(
    model, tmp_path, monkeypatch
):
    """As a fault in its C++ would end it."""
    script = tmp_path / "convert.py"
    script.write_text("import os\nos.write(2, b'bad!')\nos.abort()")
    monkeypatch.setattr(converting, "HERE", tmp_path)
    folder = tmp_path / "work"
    folder.mkdir()
    reasons = converting.convert(model, ALL, folder, PICTURES)
    assert set(reasons) == {row.name for row in ALL}
    assert set(reasons.values()) == {
        "a fresh process with the converter cannot load and run it (exit code "
        '-6): "bad!"'
    }


def test_a_converter_of_a_large_network_makes_one_file_a_process(
    model, tmp_path, monkeypatch
):
    """Its memory is not given back; one that is killed says so."""
    script = tmp_path / "convert.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "asked = pathlib.Path(sys.argv[2], 'targets.json').read_text()\n"
        "if 'onnx' in asked:\n"
        "    os.kill(os.getpid(), 9)\n"
        "pathlib.Path(sys.argv[3]).write_text('{}')\n"
    )
    monkeypatch.setattr(converting, "HERE", tmp_path)
    folder = tmp_path / "work"
    folder.mkdir()
    killed = (
        "a fresh process with the converter was killed, as happens where "
        "memory runs out"
    )
    together = converting.convert(model, ALL, folder, PICTURES)
    assert together == dict.fromkeys([row.name for row in ALL], killed)
    monkeypatch.setattr(converting, "MAX_BYTES_TOGETHER", 0)
    shutil.rmtree(folder / "saved_model")
    apart = converting.convert(model, ALL, folder, PICTURES)
    assert apart == {"onnx": killed}


@needs_runtimes
def test_what_cannot_be_converted_is_told_at_once_with_the_operation():
    inputs = keras.Input((8, 8, 3))
    bent = keras.ops.erfinv(keras.layers.Conv2D(2, 3)(inputs))
    model = build_classifier(keras.Model(inputs, bent, name="bent"), 3)
    with pytest.raises(ConfigError) as caught:
        files.check_convertible(model, ALL)
    lite, onnx = caught.value.faults
    assert lite == (
        "--export=tflite: model_float32.tflite, model_float16.tflite, "
        "model_int8.tflite cannot be made of this network: LiteRT has no "
        "operation Erfinv - leave tflite out, or choose another --backbone"
    )
    assert "model.onnx cannot be made" in onnx
    assert "ONNX has no operation Erfinv (at " in onnx


def test_a_remedy_leaves_out_what_fails_alone():
    int8, onnx = TABLE["tflite_int8"], TABLE["onnx"]
    assert files._remedy([int8]) == "leave int8 out of --tflite_precision"
    assert files._remedy([onnx]).startswith("leave onnx out")


def test_missing_libraries_are_named_with_what_installs_them(monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MachineError) as caught:
        formats.check_packages(ALL)
    assert caught.value.faults == (
        "--export=tflite: needs ai_edge_litert, not installed here - pip "
        'install "tl_keras[tflite]", or leave tflite out',
        "--export=onnx: needs onnx, tf2onnx, onnxruntime, not installed here "
        '- pip install "tl_keras[onnx]", or leave onnx out',
    )
    formats.check_packages(())


def test_the_extras_install_what_is_imported():
    import tomllib

    from conftest import CHECKOUT

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    for row in ALL:
        wanted = extras[row.kind]
        named = {line.split(">=")[0].replace("-", "_") for line in wanted}
        assert named == set(row.modules)
        assert set(wanted) <= set(extras["dev"])


RIGHT = np.array([0, 1, 2, 0] * 50)
SURE = np.eye(3, dtype=np.float32)[RIGHT] * 0.97 + 0.01


def wrong_in(count: int) -> np.ndarray:
    """Answers that have the first pictures wrong, and barely so."""
    answers = SURE.copy()
    answers[:count] = 0.33
    answers[np.arange(count), (RIGHT[:count] + 1) % 3] = 0.34
    return answers


JUDGED = {
    "equal": ("tflite_float32", SURE, ""),
    "within": ("onnx", SURE + 5e-5, ""),
    "beyond": ("onnx", SURE + 2e-4, "a probability differs by 0.0002, allow"),
    "NaN": ("onnx", np.full_like(SURE, np.nan), "differs by inf"),
    "infinite": ("tflite_int8", np.full_like(SURE, np.inf), "by inf on aver"),
    "half": ("tflite_float16", SURE + 0.004, ""),
    "half, too far": ("tflite_float16", SURE + 0.006, "by 0.006 on average"),
    "one lost": ("tflite_float16", wrong_in(1), ""),
    "two lost": ("tflite_float16", wrong_in(2), "2 of 200 pictures fewer"),
    "int8, four lost": ("tflite_int8", wrong_in(4), ""),
    "int8, five lost": ("tflite_int8", wrong_in(5), "allowed is 4; worst is"),
}


def judge(name: str, answers, want=SURE, movement=STILL) -> SplitReport:
    """What the gate says of a format's answers to 200 pictures."""
    ids = [str(number) for number in range(200)]
    expected = Evaluated(ids, None, want, RIGHT)
    split = Split(expected, answers, DIFFERS, "it")
    return split.report(TABLE[name], movement)


@pytest.mark.parametrize("case", JUDGED)
def test_verdicts(case):
    name, answers, words = JUDGED[case]
    verdict = judge(name, answers)
    assert words in verdict.refusal
    assert bool(words) == bool(verdict.refusal)
    if case == "int8, four lost":
        assert verdict.accuracy == 0.98
        assert len(verdict.changed) == 4
        assert verdict.changed[0] == ("0", "apple", "Birne")
        assert verdict.largest_difference == pytest.approx(0.65, abs=1e-5)
        assert verdict.mean_difference == pytest.approx(0.013, abs=1e-5)


def test_a_network_that_rounds_widens_its_files_limits():
    """Its own answers move by as much, and near ties are told as such."""
    near = SURE.copy()
    for row in range(3):
        near[row] = 0.02
        first, second = RIGHT[row], (RIGHT[row] + 1) % 3
        near[row, [first, second]] = 0.4901, 0.4899
    turned = near.copy()
    for row in range(3):
        pair = [RIGHT[row], (RIGHT[row] + 1) % 3]
        turned[row, pair] = near[row, pair[::-1]]
    still = judge("onnx", turned, near)
    assert "3 of 200 pictures fewer are right, allowed is 1" in still.refusal
    assert still.ties == 0
    moves = Movement(1e-4, 3e-4, 1e-3)
    found = judge("onnx", turned, near, moves)
    assert (found.refusal, found.ties, len(found.changed)) == ("", 3, 3)
    far = judge("onnx", turned + 0.002, near, moves)
    assert "differs by 0.0022, allowed is 0.0012" in far.refusal


def test_a_file_of_other_classes_is_refused(model, tmp_path, monkeypatch):
    """Two classes in the place of three."""
    file = tmp_path / "model.onnx"
    file.write_bytes(b"x")
    monkeypatch.setattr(gate, "ask_file", lambda *_: np.zeros((7, 2)))
    split = split_of(model)
    expected = Evaluated(split.ids, None, probabilities(model), split.labels)
    result = files._asked(
        tmp_path, TABLE["onnx"], split, expected, STILL, DIFFERS
    )
    assert result.refusal == (
        "it gives an answer of shape (7, 2), the model (7, 3) for the "
        "evaluated split"
    )
    assert (result.size, result.report) == (1, None)


def test_formats_are_those_that_the_flags_name():
    def names(*arguments):
        return [t.name for t in formats.formats_of(*arguments)]

    assert names(("saved_model",)) == []
    assert names(("saved_model", "onnx")) == ["onnx"]
    assert names(("tflite",)) == ["tflite_float32"]
    assert names(("onnx", "tflite"), ("int8", "float32")) == [
        "tflite_float32", "tflite_int8", "onnx",
    ]  # fmt: skip
    names_of_files = [row.file for row in ALL]
    assert len(set(names_of_files)) == len(names_of_files)
    assert all(pathlib.PurePath(n).name == n for n in names_of_files)
    # Each row says all that the gate needs, and no two are of one name.
    for name, row in TABLE.items():
        assert row.name == name
        assert callable(row.write)
        assert callable(row.start)
        assert row.exact or row.mean > 0
    assert set(TABLE) == {row.name for row in ALL} | {"saved_model"}
