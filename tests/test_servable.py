"""servable: signatures, sizes, the gate, and publishing."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_keras import pixels
from tl_keras.classifier import build_classifier, probabilities_model
from tl_keras.data.catalogues import png
from tl_keras.errors import NotPublishedError
from tl_keras.servable import export_saved_model, gate

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


def test_signatures_are_what_the_server_needs(version):
    signatures = tf.saved_model.load(version).signatures
    assert set(signatures) == {"serving_default", "serving_float"}
    for signature in signatures.values():
        outputs = signature.structured_outputs
        assert set(outputs) == {"probabilities", "classes", "scores"}
        assert all(output.shape[0] is None for output in outputs.values())
        assert outputs["probabilities"].dtype == tf.float32


def test_variables_are_stored_once(tmp_path):
    """Keras's own export stores them twice (keras issue 23553)."""
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


def test_versions_count_up_and_nothing_else_is_left(model, tmp_path):
    (tmp_path / "7").mkdir()
    version = export_saved_model(
        model, tmp_path, class_names=NAMES, golden=GOLDEN[:1]
    )
    assert version == tmp_path / "8"
    assert sorted(os.listdir(tmp_path)) == ["7", "8"]


def test_a_difference_is_not_published(model, tmp_path, monkeypatch):
    """The weights change between the export and the question."""
    write = export_saved_model.__globals__["_write"]
    bias = model.get_layer("head_logits").bias
    kept = np.array(bias)

    def write_then_change(*arguments):
        write(*arguments)
        bias.assign_add([1e-3, 0, 0])

    monkeypatch.setitem(
        export_saved_model.__globals__, "_write", write_then_change
    )
    with pytest.raises(NotPublishedError, match="differs from the model by"):
        export_saved_model(model, tmp_path, class_names=NAMES, golden=GOLDEN)
    bias.assign(kept)
    assert os.listdir(tmp_path) == []


def test_an_export_that_cannot_run_is_not_published(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(NotPublishedError, match="cannot load and run"):
        gate.check_export(
            tmp_path / "broken",
            GOLDEN,
            np.zeros((3, 16, 16, 3)),
            np.ones((3, 2)),
        )


def test_packages_named_by_a_variable_reach_the_probe(
    model, tmp_path, monkeypatch
):
    """python -I does not read PYTHONPATH; what we run with must do."""
    seen = {}
    real = gate.subprocess.run

    def run(command, **options):
        seen["places"] = command[-1]
        return real(command, **options)

    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    monkeypatch.setattr(gate.subprocess, "run", run)
    export_saved_model(
        model, tmp_path / "out", class_names=NAMES, golden=GOLDEN[:1]
    )
    assert str(tmp_path / "packages") in seen["places"]


def test_nan_does_not_pass_the_gate(monkeypatch):
    monkeypatch.setattr(
        gate, "_ask", lambda *_: {"serving_float": np.full((3, 2), np.nan)}
    )
    with pytest.raises(NotPublishedError):
        gate.check_export("x", GOLDEN, None, np.ones((3, 2)))


def test_bad_arguments_are_told(model, tmp_path):
    with pytest.raises(ValueError, match="at least one encoded"):
        export_saved_model(model, tmp_path, class_names=NAMES, golden=[])
    with pytest.raises(ValueError, match="received 2, expected 3"):
        export_saved_model(
            model, tmp_path, class_names=NAMES[:2], golden=GOLDEN
        )
