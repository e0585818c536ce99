"""exports: signatures, sizes, the gate, and publishing."""

import contextlib
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

from tl_keras import exports
from tl_keras.console import on_console
from tl_keras.data.catalogues import png
from tl_keras.errors import NotPublishedError
from tl_keras.exports import (
    Evaluated,
    export_saved_model,
    fresh_process,
    gate,
    inspect_export,
    publish,
    saved_model,
)
from tl_keras.exports.graph import foreign_operations, parse_graph
from tl_keras.exports.inspection import inspect_written
from tl_keras.exports.movement import STILL
from tl_keras.exports.questions import example_of
from tl_keras.inputs.image import pixels
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.networks import build_classifier, probabilities_model
from tl_keras.tasks.multiclass.differs import ClassDiffers
from tl_keras.tasks.multiclass.task import Multiclass

NAMES = ["apple", "Birne", "čerešňa"]
RANDOM = np.random.default_rng(0)
GOLDEN = [
    png(RANDOM.integers(0, 255, (h, w, 3), np.uint8))
    for h, w in ((20, 30), (16, 16), (50, 17))
]


@pytest.fixture(scope="module")
def model(tiny_network):
    keras.utils.set_random_seed(0)
    model = build_classifier(str(tiny_network), 3)
    model.get_layer("head_logits").bias.assign([0.1, -0.2, 0.05])
    return model


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("served")
    return export_saved_model(
        model, directory, class_names=NAMES, golden=GOLDEN
    )


def expected(model) -> np.ndarray:
    pictures = np.stack([pixels.load(g, 16) for g in GOLDEN])
    return probabilities_model(model).predict(pictures, verbose=0)


def test_bytes_give_the_models_probabilities(model, version):
    serve = tf.saved_model.load(version).signatures["serving_default"]
    answer = serve(image_bytes=tf.constant(GOLDEN))
    want = expected(model)
    np.testing.assert_allclose(answer["probabilities"], want, atol=1e-5)
    order = np.argsort(-want, axis=-1)
    classes = [
        [name.decode() for name in row] for row in answer["classes"].numpy()
    ]
    assert classes == [[NAMES[i] for i in row] for row in order]
    np.testing.assert_allclose(
        answer["scores"], np.take_along_axis(want, order, -1), atol=1e-5
    )


def test_pixels_give_the_same(model, version):
    serve = tf.saved_model.load(version).signatures["serving_float"]
    pictures = np.stack([pixels.load(g, 16) for g in GOLDEN])
    answer = serve(pixels=tf.cast(pictures, tf.float32))
    np.testing.assert_allclose(
        answer["probabilities"], expected(model), atol=1e-5
    )


OUTPUTS = {
    "serving_default": {"probabilities", "classes", "scores", "status"},
    "serving_float": {"probabilities", "classes", "scores"},
    "features": {"features", "status"},
    "classify": {"classes", "scores"},
}


def test_signatures_are_what_the_server_needs(version):
    signatures = parse_graph(version).signature_def
    assert set(signatures) == {*OUTPUTS, "__saved_model_init_op"}
    for name, outputs in OUTPUTS.items():
        found = signatures[name].outputs
        assert set(found) == outputs
        for output in found.values():
            sides = [side.size for side in output.tensor_shape.dim]
            assert sides[0] == -1  # the batch
            assert output.dtype in (tf.float32, tf.string)
        method = "classify" if name == "classify" else "predict"
        assert signatures[name].method_name == f"tensorflow/serving/{method}"
    assert set(signatures["classify"].inputs) == {"inputs"}


def test_features_are_the_pooled_backbone_output(model, version):
    serve = tf.saved_model.load(version).signatures["features"]
    pooled = keras.Model(model.inputs, model.get_layer("head_pooling").output)
    pictures = np.stack([pixels.load(g, 16) for g in GOLDEN])
    answer = serve(image_bytes=tf.constant(GOLDEN))
    assert set(answer) == {"features", "status"}
    np.testing.assert_allclose(
        answer["features"], pooled.predict(pictures, verbose=0), atol=1e-5
    )


def test_classify_takes_examples(model, version):
    serve = tf.saved_model.load(version).signatures["classify"]
    examples = [example_of(encoded, "image/encoded") for encoded in GOLDEN]
    empty = tf.train.Example().SerializeToString()
    answer = serve(inputs=tf.constant([*examples, empty]))
    want = expected(model)
    np.testing.assert_allclose(answer["scores"][:3], -np.sort(-want), atol=1e-5)
    first = [row[0].decode() for row in answer["classes"].numpy()]
    assert first == [*(NAMES[i] for i in want.argmax(-1)), ""]
    assert (answer["scores"][3].numpy() == 0).all()


def jpeg(seed: int, side: int = 64) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (side, side, 3))
    return tf.io.encode_jpeg(noise.astype(np.uint8)).numpy()


BAD = {
    "empty file": b"",
    "unknown format": b"<!doctype html>",
    "damaged JPEG header": jpeg(0)[:20],
    "does not decode": jpeg(1)[:-900],
    "too large: 50000 x 50000 pixels": GOLDEN[0][:16]
    + (50000).to_bytes(4, "big") * 2
    + GOLDEN[0][24:],
}


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("reason", BAD)
def test_a_bad_picture_costs_its_row_alone(reason, alone, model, version):
    serve = tf.saved_model.load(version).signatures["serving_default"]
    batch = [BAD[reason]] if alone else [GOLDEN[0], BAD[reason], GOLDEN[1]]
    answer = {
        name: value.numpy()
        for name, value in serve(image_bytes=tf.constant(batch)).items()
    }
    bad = batch.index(BAD[reason])
    told = [text.decode() for text in answer["status"]]
    assert told == [reason if i == bad else "" for i in range(len(batch))]
    assert not answer["probabilities"][bad].any()
    assert not answer["scores"][bad].any()
    assert set(answer["classes"][bad]) == {b""}
    if not alone:
        np.testing.assert_allclose(
            answer["probabilities"][[0, 2]], expected(model)[:2], atol=1e-5
        )


def test_a_batch_of_nothing_but_bad_pictures(version):
    serve = tf.saved_model.load(version).signatures["serving_default"]
    answer = serve(image_bytes=tf.constant(list(BAD.values())))
    assert [text.decode() for text in answer["status"].numpy()] == list(BAD)
    assert not answer["probabilities"].numpy().any()


def test_a_bomb_is_not_decoded(version):
    """12,000 x 12,000 pixels in a file of about 2 kB: 432 MB if decoded."""
    import resource

    small = jpeg(0, 8)
    at = small.index(b"\xff\xc0") + 5
    bomb = small[:at] + (12000).to_bytes(2, "big") * 2 + small[at + 4 :]
    serve = tf.saved_model.load(version).signatures["serving_default"]
    serve(image_bytes=tf.constant(GOLDEN))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = serve(image_bytes=tf.constant([bomb, GOLDEN[0]]))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert answer["status"].numpy().tolist() == [
        b"too large: 12000 x 12000 pixels", b"",
    ]  # fmt: skip
    assert grown < 50_000  # kB


def test_variables_are_stored_once(tmp_path, monkeypatch):
    """Keras's own export stores them twice (keras issue 23553)."""
    monkeypatch.setattr(exports, "check_export", tiny.unchecked)
    monkeypatch.setattr(fresh_process, "start_loaders", contextlib.nullcontext)
    model = build_classifier("VGG16", 2, weights="none", image_size=32)
    version = export_saved_model(
        model, tmp_path, class_names=["a", "b"], golden=GOLDEN
    )
    stored = sum(f.stat().st_size for f in (version / "variables").iterdir())
    need = 4 * model.count_params()
    assert need <= stored < 1.02 * need


def test_labels_lie_where_the_loader_ignores_them(version):
    text = (version / "assets.extra" / "labels.txt").read_text("utf-8")
    assert text == "apple\nBirne\nčerešňa\n"


@pytest.mark.usefixtures("plain_decoder")
def test_versions_count_up_and_nothing_else_is_left(model, tmp_path):
    (tmp_path / "7").mkdir()
    version = export_saved_model(
        model, tmp_path, class_names=NAMES, golden=GOLDEN[:1]
    )
    assert version == tmp_path / "8"
    assert sorted(os.listdir(tmp_path)) == ["7", "8"]


@pytest.fixture
def changed_after_writing(model, monkeypatch):
    """The weights change between the export and the question."""
    write = saved_model.write
    bias = model.get_layer("head_logits").bias
    kept = np.array(bias)

    def write_then_change(*arguments):
        write(*arguments)
        bias.assign_add([1e-3, 0, 0])

    monkeypatch.setattr(saved_model, "write", write_then_change)
    yield
    bias.assign(kept)


def test_a_difference_is_not_published(model, tmp_path, changed_after_writing):
    with pytest.raises(NotPublishedError) as told:
        publish(
            model,
            tmp_path,
            class_names=NAMES,
            golden=dict(zip(("a.png", "b.png", "c.png"), GOLDEN, strict=True)),
        )
    assert str(told.value) == (
        "export not published: variable head_logits/bias is stored with other "
        "values than the model's, which differ by 0.001"
    )
    assert os.listdir(tmp_path) == []


def evaluated(probabilities) -> Evaluated:
    return Evaluated(
        ["x.png", "y.png", "z.png"], GOLDEN.__getitem__, probabilities
    )


@pytest.mark.usefixtures("plain_decoder")
def test_every_example_of_the_evaluation_is_asked(model, tmp_path):
    folder, passed, _ = publish(
        model, tmp_path, class_names=NAMES, golden={"g": GOLDEN[0]},
        evaluated=evaluated(expected(model)),
    )  # fmt: skip
    assert folder.name == "1"
    np.testing.assert_allclose(passed.answers, expected(model), atol=1e-5)
    assert passed.difference <= 1e-5


@pytest.mark.usefixtures("plain_decoder")
def test_an_example_that_differs_is_named(model, tmp_path):
    want = expected(model)
    want[-1] = want[-1][::-1]
    with pytest.raises(NotPublishedError, match=r"by 0\.\d+ for z\.png \("):
        publish(
            model, tmp_path, class_names=NAMES, golden={"g": GOLDEN[0]},
            evaluated=evaluated(want),
        )  # fmt: skip
    assert os.listdir(tmp_path) == []


def test_a_nan_or_a_missing_example_is_a_difference():
    want = np.full((3, 3), 1 / 3)
    found = want.copy()
    differs = ClassDiffers(NAMES)

    def refusal(found):
        split = gate.Split(evaluated(want), found, differs, "the loader")
        return split.report(gate.SAVED_MODEL, STILL).refusal

    assert refusal(found) == ""
    found[1, 0] = np.nan
    assert "by inf for y.png" in refusal(found)
    with pytest.raises(NotPublishedError, match=r"of shape \(2, 3\), the mod"):
        refusal(found[:2])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_not_published(value, model, tmp_path):
    bias = model.get_layer("head_logits").bias
    kept = np.array(bias)
    bias.assign([0, value, 0])
    with pytest.raises(NotPublishedError, match="head_logits/bias holds NaN"):
        export_saved_model(model, tmp_path, class_names=NAMES, golden=GOLDEN)
    bias.assign(kept)
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_no_export_is_refused(model, tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(NotPublishedError, match="cannot be read"):
        gate.check_export(
            tmp_path,
            model,
            NAMES,
            Decoding(16),
            {"g": GOLDEN[0]},
            Multiclass(),
        )


@pytest.mark.usefixtures("plain_decoder")
@pytest.mark.parametrize("script", ["ask_c.py", "ask_session.py"])
def test_an_export_that_does_not_load_is_not_published(
    script, model, tmp_path, monkeypatch
):
    """One of the two processes ends badly: its last line is told."""
    broken = tmp_path / "scripts"
    shutil.copytree(fresh_process.HERE, broken)
    (broken / script).write_text("raise SystemExit('no such op: Fancy')")
    monkeypatch.setattr(fresh_process, "HERE", broken)
    with pytest.raises(NotPublishedError, match="no such op: Fancy"):
        publish(
            model, tmp_path / "out", class_names=NAMES,
            golden={"g": GOLDEN[0]}, evaluated=evaluated(expected(model)),
        )  # fmt: skip
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("number", "words"),
    [(9, "was killed, as happens where memory"), (11, r"\(exit code -11\)")],
)
@pytest.mark.parametrize("script", ["ask_c.py", "ask_session.py"])
def test_f30_a_process_that_dies_is_told_and_leaves_no_zombie(
    script, number, words, model, tmp_path, monkeypatch
):
    """While pictures are sent to it, or before."""
    for name in ("ask_c.py", "ask_session.py"):
        (tmp_path / name).write_text("import sys\nsys.stdin.read()")
    (tmp_path / script).write_text(f"import os\nos.kill(os.getpid(), {number})")
    monkeypatch.setattr(fresh_process, "HERE", tmp_path)
    with (
        pytest.raises(NotPublishedError, match=words),
        fresh_process.start_loaders() as asking,
    ):
        asking.begin(tmp_path)
        if script == "ask_c.py":
            asking.exact_answers()
        asking.serve([b"x" * 100_000] * 50)
    with contextlib.suppress(ChildProcessError):  # There is none at all.
        assert os.waitpid(-1, os.WNOHANG) == (0, 0)


ROOM_ON_CPU = """
import os, sys
sent = sys.stdin.buffer.read().decode("latin1")
if os.environ.get("CUDA_VISIBLE_DEVICES") != "-1":
    sys.exit({fault!r})
open({said!r}, "w").write(sent)
"""


@pytest.mark.parametrize(
    ("fault", "room"),
    [
        ("tensorflow...ResourceExhaustedError: OOM when allocating", True),
        (
            "tensorflow...InternalError: GPU:0 failed. Status: out of memory",
            True,
        ),
        ("tensorflow...InvalidArgumentError: of another kind", False),
    ],
)
def test_an_export_is_asked_on_the_cpu_where_a_gpu_is_full(
    fault, room, tmp_path, monkeypatch, capsys
):
    """A process keeps what it took of a GPU, so that a second finds none."""
    said, streams = tmp_path / "said", []
    script = ROOM_ON_CPU.format(fault=fault, said=str(said))
    (tmp_path / "ask_session.py").write_text(script)
    (tmp_path / "ask_c.py").write_text("import sys\nsys.stdin.read()")
    monkeypatch.setattr(fresh_process, "HERE", tmp_path)
    monkeypatch.setattr(fresh_process, "has_gpu", lambda: True)
    monkeypatch.setattr(fresh_process, "load_answers", lambda file: file)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def read(number):
        streams.append(number)
        return b"picture %d" % number

    with on_console(), fresh_process.start_loaders() as asking:
        asking.begin(tmp_path)
        if room:
            file = asking.serve(exports.Encoded(3, read))
            assert file == tmp_path / "session.npz"
        else:
            with pytest.raises(NotPublishedError, match="of another kind"):
                asking.serve(exports.Encoded(3, read))
    assert streams == [0, 1, 2] * (1 + room)
    assert (fresh_process.ON_CPU in capsys.readouterr().out) == room
    if room:
        assert str(tmp_path) in said.read_text()
        assert "picture 2" in said.read_text()


def test_no_variables_no_version(model, tmp_path, monkeypatch):
    """A folder whose variables are gone is no export."""
    write = saved_model.write

    def write_half(model, folder, *rest):
        write(model, folder, *rest)
        shutil.rmtree(folder / "variables")

    monkeypatch.setattr(saved_model, "write", write_half)
    with pytest.raises(NotPublishedError, match=r"variables claim .* hold 0"):
        export_saved_model(model, tmp_path, class_names=NAMES, golden=GOLDEN)
    assert os.listdir(tmp_path) == []


def test_an_operation_that_is_not_on_the_list_is_refused(version, tmp_path):
    class Writer(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
        def serve(self, image_bytes):
            tf.io.write_file(str(tmp_path / "made"), image_bytes[0])
            return {"status": image_bytes}

    tf.saved_model.save(Writer(), str(tmp_path / "1"))
    with pytest.raises(NotPublishedError, match=r"WriteFile \(at __inference"):
        inspect_written(tmp_path / "1")
    inspect_written(version)


def test_restoring_is_for_the_loader_alone(version):
    """The same operations anywhere else could read any file."""
    graph = parse_graph(version)
    node = graph.graph_def.node.add()
    node.name, node.op = "more", "RestoreV2"
    assert foreign_operations(graph) == {"RestoreV2": "more"}
    graph = parse_graph(version)
    call = graph.graph_def.node.add()
    call.name, call.op = "call", "StatefulPartitionedCall"
    restore = next(
        f.signature.name
        for f in graph.graph_def.library.function
        if any(n.op == "RestoreV2" for n in f.node_def)
    )
    call.attr["f"].func.name = restore
    assert "RestoreV2" in foreign_operations(graph)


@pytest.mark.usefixtures("plain_decoder")
def test_half_precision_gives_float32_and_the_same_numbers(
    tiny_network, tmp_path
):
    """Through both processes; the C++ loader's is asked in float32."""
    keras.utils.set_random_seed(0)
    model = build_classifier(str(tiny_network), 3, precision="mixed_bfloat16")
    head = model.get_layer("head_logits")
    head.kernel.assign(20 * head.kernel)
    folder, passed, _ = publish(
        model, tmp_path, class_names=NAMES, golden={"g": GOLDEN[0]},
        evaluated=evaluated(expected(model)),
    )  # fmt: skip
    assert passed.difference <= 1e-5
    # What answers move by here, found from the published version alone.
    moved = inspect_export(folder).movement(
        GOLDEN, passed.answers, ClassDiffers(NAMES)
    )
    plain = build_classifier(str(tiny_network), 3)
    plain.set_weights(model.get_weights())
    exact, found = expected(plain), passed.answers
    want = np.abs(np.log(exact) - np.log(found)).max()
    assert moved == pytest.approx(float(want), rel=1e-3)
    assert moved > 1e-4
    assert passed.split.movement > 1e-4
    graph = parse_graph(folder)
    kinds = {
        output.dtype
        for signature in graph.signature_def.values()
        for output in signature.outputs.values()
    }
    assert kinds <= {tf.float32.as_datatype_enum, tf.string.as_datatype_enum, 0}
    halves = [
        node
        for function in graph.graph_def.library.function
        for node in function.node_def
        if node.op == "Conv2D"
        and node.attr["T"].type == tf.bfloat16.as_datatype_enum
    ]
    assert halves  # It computes in the run's precision.


@pytest.mark.usefixtures("plain_decoder")
def test_packages_named_by_a_variable_reach_the_probe(
    model, tmp_path, monkeypatch
):
    """python -I does not read PYTHONPATH; what we run with must do."""
    seen = {}
    real = fresh_process.subprocess.Popen

    def start(command, **options):
        seen[pathlib.Path(command[2]).name] = command[3]
        return real(command, **options)

    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setattr(fresh_process.subprocess, "Popen", start)
    export_saved_model(
        model, tmp_path / "out", class_names=NAMES, golden=GOLDEN[:1]
    )
    assert set(seen) == {"ask_c.py", "ask_session.py"}
    for places in seen.values():
        assert str(tmp_path / "packages") in places


def test_bad_arguments_are_told(model, tmp_path):
    with pytest.raises(ValueError, match="at least one encoded"):
        export_saved_model(model, tmp_path, class_names=NAMES, golden=[])
    with pytest.raises(ValueError, match="received 2, expected 3"):
        export_saved_model(
            model, tmp_path, class_names=NAMES[:2], golden=GOLDEN
        )
