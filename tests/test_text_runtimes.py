"""Files of token ids for other runtimes, and the vocabulary beside them."""

import dataclasses

import keras
import numpy as np
import pytest
from bert_reference import write_tiny_bert
from test_runtimes import needs_runtimes

from tl_keras.errors import ConfigError
from tl_keras.exports import files, formats
from tl_keras.inputs.text import TextInput, read_vocabulary, write_vocabulary
from tl_keras.networks import probabilities_model
from tl_keras.networks.text import build_text_classifier, load_text_encoder
from tl_keras.tasks.multiclass.task import Multiclass

NAMES = ["buying", "lost", "where"]
TEXTS = [b"lost my card", b"where is the card?", b"a free entry", b"", b"hello"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def vocabulary(folder):
    return read_vocabulary(folder)


@needs_runtimes
def test_files_answer_token_ids_as_the_model(folder, vocabulary, tmp_path):
    """3 s: converters run in a process of their own."""
    import onnxruntime

    keras.utils.set_random_seed(0)
    encoder = load_text_encoder(folder, max_tokens=16)
    model = build_text_classifier(encoder, 3)
    head = model.get_layer("head_logits")
    head.kernel.assign(20 * head.kernel)
    ids = TextInput(vocabulary, 16).tokenize(TEXTS).ids.numpy()
    expected = probabilities_model(model).predict(ids, verbose=0)
    assert np.ptp(expected, axis=0).max() > 0.1
    split = files.Squares(
        [f"text {n}" for n in range(5)],
        expected.argmax(axis=-1),
        lambda: (ids[:2], ids[2:]),
        NAMES,
    )
    some = formats.formats_of(("tflite", "onnx"))
    results = files.write_files(model, some, tmp_path, split, ids, Multiclass())
    assert [result.refusal for result in results] == ["", ""]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(["probabilities"], {"token_ids": ids[:3]})
    np.testing.assert_allclose(found, expected[:3], atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lowercase": False, "strip_accents": False},
        {"strip_accents": False, "split_chinese": False},
    ],
)
def test_the_vocabulary_beside_them_is_read_again(
    vocabulary, settings, tmp_path
):
    written = dataclasses.replace(vocabulary, **settings)
    write_vocabulary(written, tmp_path, max_tokens=16)
    assert read_vocabulary(tmp_path) == written
    again = TextInput(read_vocabulary(tmp_path), 16)
    texts = ["caf\u00e9 \u4e2d\u56fd UNaffable [SEP] \U0001f600".encode()]
    np.testing.assert_array_equal(
        again.tokenize(texts).ids, TextInput(written, 16).tokenize(texts).ids
    )


def test_a_word_that_fits_no_line_is_refused(vocabulary, tmp_path):
    odd = dataclasses.replace(
        vocabulary, words=(*vocabulary.words, "two\nlines")
    )
    with pytest.raises(ConfigError, match="holds a line's end"):
        write_vocabulary(odd, tmp_path, 16)
    assert list(tmp_path.iterdir()) == []
