"""TF-IDF in the graph: what scikit-learn makes of texts, to 1e-5."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from bert_reference import write_tiny_bert
from sklearn.feature_extraction.text import TfidfVectorizer
from test_baselines import LABELS, TEXTS

from tl_keras.baselines import (
    fit_tfidf,
    served_baseline,
    tfidf,
    with_baseline,
)
from tl_keras.errors import ConfigError
from tl_keras.exports import export_saved_model
from tl_keras.inputs.text import TextInput, TfidfInput, read_vocabulary
from tl_keras.inputs.text.plain_letters import plain_letters
from tl_keras.inputs.text.plain_text import WORD, plain
from tl_keras.networks import FIRST_OF_HEAD
from tl_keras.networks.text import build_text_classifier

NASTY = (
    "", "   ", "\u00c9t\u00e9 na\u00efve\u0301",
    "\u039f\u0394\u039f\u03a3 \u03a3", "\ufdfa x", "\ud55c\uad6d\uc5b4",
    "\u0130stanbul \u01c5 \ufb01ne \u00bd \u2122", "a\u0300b c\u0327",
    "x" * 3000, "foo_bar 12.5% don't -- !!", "a b", "\x1ea\x1eb", "\x00 a\x00b",
    "\U0001f600 \U0001f469\u200d\U0001f469", "\u2028line\u2029 a\u00a0b",
    "\u4e2d\u56fd text\u4e2d", "lost LOST lost my card\tcard\r\ncard",
)  # fmt: skip


def any_texts(count: int) -> list[str]:
    """Of signs from all over Unicode, the usual ones more often."""
    draw = random.Random(0)
    ranges = ((32, 127), (0, 0x250), (0x250, 0xD800), (0xE000, 0x33480))
    return [
        "".join(
            chr(draw.randrange(*draw.choice((*ranges, (32, 33), (97, 100)))))
            for _ in range(draw.randrange(1, 40))
        )
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def fitted():
    """(texts, baseline of words and of pieces of words) of odd texts too."""
    texts = [*TEXTS, *NASTY, *any_texts(80)]
    labels = np.arange(len(texts)) % 3
    counts = tfidf._Counts(tfidf.BOTH, texts)
    (model,) = tfidf._fitted(counts.of(texts), labels, [10.0])
    return texts, tfidf.TfidfBaseline(
        tfidf.BOTH, 10.0, 0.0, 0.0, None, None, counts, model
    )


def encoded(texts):
    return [text.encode() for text in texts]


def test_it_decides_as_scikit_learn_does(fitted):
    texts, baseline = fitted
    texts = [*texts, *any_texts(120)[80:]]
    model, decoding = served_baseline(baseline)
    weights, status = decoding.load_rows(encoded(texts))
    assert set(status.numpy()) == {b""}
    # Not by our own class: by the library's, as its documentation names it.
    expected = np.hstack(
        [
            TfidfVectorizer(
                sublinear_tf=True, preprocessor=plain, **arguments
            ).fit(fitted[0]).transform(texts).toarray()
            for arguments in (
                {"token_pattern": WORD, "ngram_range": (1, 2)},
                {"analyzer": "char_wb", "ngram_range": (2, 5)},
            )
        ]
    )  # fmt: skip
    np.testing.assert_allclose(weights, expected, atol=1e-6)
    kernel, bias = baseline.weights()
    logits = expected @ kernel + bias
    assert np.abs(logits).max() > 1
    np.testing.assert_allclose(model(weights), logits, atol=1e-5)


def test_a_text_among_others_is_what_it_is_alone(fitted):
    texts, baseline = fitted
    _, decoding = served_baseline(baseline)
    together, _ = decoding.load_rows(encoded(texts[:12]))
    for row, text in zip(together, texts, strict=False):
        alone = decoding.load(tf.constant(text.encode()))
        np.testing.assert_allclose(alone, row, atol=1e-6)


def test_every_character_becomes_what_python_makes_of_it():
    codes = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    texts = ["".join(map(chr, codes[i : i + 999]))
             for i in range(0, len(codes), 999)]  # fmt: skip
    letters = plain_letters(tf.constant(encoded(texts)))
    expected = [ord(c) for text in texts for c in plain(text)]
    np.testing.assert_array_equal(letters.codes, expected)


def test_of_scikit_learns_own_small_letters_a_final_sigma_alone_differs():
    vectorizer = TfidfVectorizer(strip_accents="unicode")
    theirs = vectorizer.build_preprocessor()
    for text in any_texts(200):
        assert plain(text) == theirs(text).replace("\u03c2", "\u03c3")


def test_what_is_no_utf8_has_a_status_and_empty_batches_pass(fitted):
    _, decoding = served_baseline(fitted[1])
    weights, status = decoding.load_rows([b"lost my card", b"\xff"])
    assert status.numpy().tolist() == [b"", b"not valid UTF-8"]
    assert weights[0].numpy().any()
    assert not weights[1].numpy().any()
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoding.load(tf.constant(b"\xff"))
    assert decoding.load_rows(tf.constant([], tf.string))[0].shape[0] == 0


def test_words_change_when_the_weights_would():
    first = TfidfInput(("a", "b"), (), (1.0, 2.0))
    others = [
        TfidfInput(("a", "c"), (), (1.0, 2.0)),
        TfidfInput(("a",), ("b",), (1.0, 2.0)),
        TfidfInput(("a", "b"), (), (1.0, 2.5)),
    ]
    told = {each.describe() for each in (first, *others)}
    assert len(told) == 4
    assert first.describe() == TfidfInput(("a", "b"), (), (1, 2)).describe()


@pytest.mark.parametrize(("words", "idf"), [((), ()), (("a",), (1.0, 2.0))])
def test_numbers_that_do_not_match_are_refused(words, idf):
    with pytest.raises(ConfigError, match="expected a word or more"):
        TfidfInput(words, (), idf)


def test_it_is_published_and_answers_strings(tmp_path):
    """4 s: the gate starts two processes, and is what this is about."""
    baseline = fit_tfidf(TEXTS, LABELS)
    model, decoding = served_baseline(baseline)
    folder = export_saved_model(
        model,
        tmp_path / "intents",
        class_names=("lost", "where", "buying"),
        golden=[b"lost my card", b"where is it?", "\u00c9t\u00e9".encode()],
        decoding=decoding,
    )
    signatures = tf.saved_model.load(str(folder)).signatures
    asked = ["I LOST the house", "where is the phone", "\xe9t\xe9", "x"]
    told = signatures["serving_default"](text=tf.constant([*asked, b"\xff"]))
    np.testing.assert_allclose(
        told["probabilities"][:4], baseline.probabilities(asked), atol=1e-5
    )
    assert told["classes"][:2, 0].numpy().tolist() == [b"lost", b"where"]
    assert told["status"][4] == b"not valid UTF-8"
    assert not told["probabilities"][4].numpy().any()


def tiny_classifier():
    """Token ids -> logits, of random weights: not what this is about."""
    ids = keras.Input((8,), dtype="int32", name="token_ids")
    width = keras.layers.Embedding(500, 4, name="words")(ids)
    vector = keras.layers.GlobalAveragePooling1D(name="mean")(width)
    encoder = keras.Model(ids, vector, name="tiny")
    return build_text_classifier(encoder, 3)


def test_side_by_side_the_head_gives_the_weighed_sum(tmp_path):
    baseline, model = fit_tfidf(TEXTS, LABELS), tiny_classifier()
    words = read_vocabulary(write_tiny_bert(tmp_path))
    both, decoding = with_baseline(
        model, baseline, (0.5, 2.0), TextInput(words, 8)
    )
    tensors, status = decoding.load_rows(encoded(["lost my card", "what"]))
    expected = 0.5 * model(tensors["token_ids"]).numpy() + 2.0 * (
        baseline.outputs(["lost my card", "what"])
    )
    np.testing.assert_allclose(both(tensors), expected, atol=1e-5)
    assert both.get_layer(FIRST_OF_HEAD).output.shape == (None, 4)
    assert status.numpy().tolist() == [b"", b""]


def test_both_side_by_side_are_published(tmp_path):
    """4 s: two inputs through the gate."""
    baseline, model = fit_tfidf(TEXTS, LABELS), tiny_classifier()
    words = read_vocabulary(write_tiny_bert(tmp_path / "bert"))
    both, decoding = with_baseline(
        model, baseline, (1.0, 2.0), TextInput(words, 8)
    )
    folder = export_saved_model(
        both,
        tmp_path / "intents",
        class_names=("lost", "where", "buying"),
        golden=[b"lost my card", b"where is it?", b"a new house"],
        decoding=decoding,
    )
    signatures = tf.saved_model.load(str(folder)).signatures
    asked = encoded(["I lost it", "the phone", ""])
    told = signatures["serving_default"](text=tf.constant(asked))
    tensors, _ = decoding.load_rows(asked)
    logits = 2.0 * baseline.outputs(["I lost it", "the phone", ""])
    logits += model(tensors["token_ids"]).numpy()
    np.testing.assert_allclose(
        told["probabilities"], tf.nn.softmax(logits), atol=1e-5
    )
    by_tensors = signatures["tensors"](**tensors)
    np.testing.assert_allclose(
        by_tensors["probabilities"], told["probabilities"], atol=1e-6
    )
    features = signatures["features"](text=tf.constant(asked))["features"]
    assert features.shape == (3, 4)
