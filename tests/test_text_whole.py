"""Texts from a table to a SavedModel that takes strings: a library's use."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from bert_reference import write_tiny_bert
from test_baselines import LABELS, TEXTS

from tl_keras import FeatureStore, Phase, fit_phases
from tl_keras.data.texts import list_texts
from tl_keras.errors import DataError, NotPublishedError
from tl_keras.exports import publish
from tl_keras.inputs.text import TextInput, read_vocabulary
from tl_keras.networks.text import (
    build_text_classifier,
    for_any_length,
    load_text_encoder,
)
from tl_keras.sources import FixedBatches, Texts, TrainingBatches
from tl_keras.strategies.cutting import cut_for, split_at
from tl_keras.tasks.multiclass import evaluate_classifier
from tl_keras.training import Objective

NAMES = ("buying", "lost", "where")


@pytest.fixture(scope="module")
def listing(tmp_path_factory):
    """21 texts to train on, and the same again in other words."""
    file = tmp_path_factory.mktemp("table") / "intents.jsonl"
    names = ("lost", "where", "buying")
    rows = [
        {"text": prefix + text, "label": names[label], "split": split}
        for split, prefix in (
            ("train", ""),
            ("val", "hello, "),
            ("test", "ah! "),
        )
        for text, label in zip(TEXTS, LABELS, strict=True)
    ]
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return list_texts(str(file))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def text_input(folder):
    return TextInput(read_vocabulary(folder), max_tokens=16)


@pytest.fixture(scope="module")
def trained(listing, folder, text_input, tmp_path_factory):
    """(model, result, store, splits): the head solved, then a block tuned."""
    keras.utils.set_random_seed(0)
    splits = {s: Texts.of(e, text_input) for s, e in listing.splits.items()}
    encoder = load_text_encoder(
        folder, max_tokens=16, words=len(text_input.vocabulary)
    )
    model = build_text_classifier(encoder, len(listing.class_names))
    store = FeatureStore(tmp_path_factory.mktemp("features"))
    result = fit_phases(
        model,
        [
            Phase("head", 1, 1e-3, solver="lbfgs"),
            Phase("fine_tune", 2, 1e-3, unfreeze_from="block_1"),
        ],
        TrainingBatches(splits["train"], 8),
        FixedBatches(splits["val"], 8),
        features=store,
        objective=Objective(),
        verbose=0,
    )
    return model, result, store, splits


def test_phases_learn_from_stored_work_on_texts(listing, trained):
    model, result, store, splits = trained
    assert [phase.phase.name for phase in result.phases] == [
        "head", "fine_tune",
    ]  # fmt: skip
    evaluation = evaluate_classifier(
        model, splits["test"].batches(8), class_names=list(listing.class_names)
    )
    assert evaluation.metrics["accuracy"] > 0.7
    # Each text of the two splits that are fitted went through the frozen
    # part once, in both phases.
    assert store.examples_computed == 42
    again = FeatureStore(store.root)
    trunk, _ = split_at(model, cut_for(model, "block_1"))
    rows = again.activations(trunk, splits["train"]).rows
    assert rows.shape == (21, 16, 16)
    assert again.examples_computed == 0


@pytest.fixture(scope="module")
def served(trained, text_input, tmp_path_factory):
    """Published: the gate has asked it what it asks of pictures."""
    golden = {"a": b"lost my card", "b": b"where is it?", "c": b"a new house"}
    return pathlib.Path(
        publish(
            for_any_length(trained[0]),
            tmp_path_factory.mktemp("intents"),
            class_names=NAMES,
            golden=golden,
            decoding=text_input,
        ).folder
    )


def test_the_export_takes_strings_and_says_what_is_none(
    served, trained, text_input
):
    model, *_ = trained
    signatures = tf.saved_model.load(str(served)).signatures
    texts = [b"where is my card", b"\xff", b"", "中国 é".encode(), b"a " * 99]
    told = signatures["serving_default"](text=tf.constant(texts))
    ids = text_input.tokenize(texts).ids
    expected = tf.nn.softmax(model(ids, training=False)).numpy()
    expected[1] = 0
    np.testing.assert_allclose(told["probabilities"], expected, atol=1e-4)
    assert told["status"].numpy().tolist() == [
        b"", b"not valid UTF-8", b"", b"", b"",
    ]  # fmt: skip
    assert told["classes"][0, 0] == NAMES[expected[0].argmax()].encode()
    assert told["classes"].numpy()[1].tolist() == [b""] * 3
    assert told["scores"][1, 0] == 0
    short = signatures["token_ids"](token_ids=ids[:, :9])
    assert short["probabilities"].shape == (5, 3)
    features = signatures["features"](text=tf.constant(texts))
    assert features["features"].shape == (5, 16)
    assert not features["features"][1].numpy().any()


@pytest.mark.nightly
def test_an_export_that_tokenizes_otherwise_is_not_published(
    trained, text_input, tmp_path, monkeypatch
):
    """The gate asks texts: here the graph lets capitals stand."""
    cased = TextInput(
        dataclasses.replace(text_input.vocabulary, lowercase=False), 16
    )
    monkeypatch.setattr(
        TextInput, "load_rows", lambda self, texts: rows_of(cased, texts)
    )
    with pytest.raises(NotPublishedError, match="differs from the model by"):
        publish(
            for_any_length(trained[0]),
            tmp_path,
            class_names=NAMES,
            golden={"a": b"Where is the CARD"},
            decoding=text_input,
        )


def rows_of(text_input, texts):
    """As `load_rows`, of any length."""
    tokens = text_input.tokenize(texts)
    return tokens.ids, tokens.status


def test_batches_are_those_of_a_seed_and_an_epoch(listing, text_input):
    texts = Texts.of(listing.splits["train"], text_input)
    train = TrainingBatches(texts, 4, seed=3)
    first = np.concatenate([ids for ids, _ in train(epoch=1)])
    assert first.shape == (21, 16)
    left = train(epoch=1, skip=2).take(4)
    again = np.concatenate([ids for ids, _ in left])
    np.testing.assert_array_equal(first[8:], again)
    other = np.concatenate([ids for ids, _ in train(epoch=2)])
    assert not np.array_equal(first, other)
    np.testing.assert_array_equal(np.sort(first, 0), np.sort(other, 0))
    places = np.concatenate([p for p, _ in train(epoch=1, places=True)])
    np.testing.assert_array_equal(texts.decoded[places], first)
    assert len(texts.take([2, 0])) == 2
    np.testing.assert_array_equal(
        texts.take([2, 0]).decoded, texts.decoded[[2, 0]]
    )


@pytest.mark.parametrize("memory_gb", [1.0, 0.0])
def test_stored_work_is_done_at_the_length_of_the_texts(
    memory_gb, listing, folder, tmp_path, monkeypatch
):
    text_input = TextInput(read_vocabulary(folder), max_tokens=40)
    texts = Texts.of(listing.splits["train"], text_input)
    lengths = texts.lengths
    assert len(set(lengths)) > 1
    assert lengths.max() < 40
    fixed = build_text_classifier(
        load_text_encoder(folder, max_tokens=40), len(NAMES)
    )
    network = for_any_length(fixed)
    trunk, tail = split_at(network, cut_for(network, "block_1"))
    asked = []
    monkeypatch.setattr(
        "tl_keras.features.store.inference",
        lambda model, **how: counting(model, asked),
    )
    kept = FeatureStore(tmp_path, memory_gb=memory_gb)
    found = kept.activations(trunk, texts, batch_size=4)
    # Texts of one length together.
    ordered = np.sort(lengths)
    starts = range(0, len(texts), 4)
    assert sorted(asked) == [ordered[i : i + 4].max() for i in starts]
    batches = [rows for rows, _ in found.batches(4)]
    assert [rows.shape[1] for rows in batches] == [
        lengths[i : i + 4].max() for i in starts
    ]
    whole, _ = split_at(fixed, cut_for(fixed, "block_1"))
    expected = whole.predict(texts.decoded, verbose=0)
    assert found.shape == expected.shape[1:]
    for start, rows in zip(starts, batches, strict=True):
        wanted = expected[start : start + 4, : rows.shape[1]]
        np.testing.assert_allclose(rows, wanted, atol=1e-5)
    logits = np.concatenate([tail(rows) for rows in batches])
    np.testing.assert_allclose(
        logits, fixed.predict(texts.decoded, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize("stored", [True, False])
def test_texts_of_about_one_length_are_trained_on_together(
    stored, listing, folder, tmp_path
):
    text_input = TextInput(read_vocabulary(folder), max_tokens=40)
    texts = Texts.of(listing.splits["train"], text_input, any_length=True)
    lengths, train = texts.lengths, TrainingBatches(texts, 2, seed=1)
    if stored:
        encoder = load_text_encoder(folder, max_tokens=40)
        network = for_any_length(build_text_classifier(encoder, len(NAMES)))
        trunk, _ = split_at(network, cut_for(network, "block_1"))
        train = FeatureStore(tmp_path).training(trunk, train)
    seen = []
    for epoch in (0, 1):
        places = np.concatenate([p for p, _ in train(epoch, places=True)])
        assert sorted(places) == list(range(21))
        seen.append(places.tolist())
        shapes = [rows.shape[1] for rows, _ in train(epoch)]
        pairs = [lengths[places[i : i + 2]] for i in range(0, 21, 2)]
        # A batch is as long as its longest text, and few are of two lengths.
        assert shapes == [pair.max() for pair in pairs]
        assert sum(pair.min() < pair.max() for pair in pairs) <= 2
        left = [rows.shape[1] for rows, _ in train(epoch, skip=3).take(8)]
        assert left == shapes[3:]
    assert seen[0] != seen[1]


def counting(model, asked: list):
    """As `inference`, and notes how long its batches are."""

    def run(batch):
        asked.append(batch.shape[1])
        return model(batch).numpy()

    return run


def test_texts_that_are_cut_are_known(listing, folder, text_input):
    short = TextInput(read_vocabulary(folder), max_tokens=5)
    texts = Texts.of(listing.splits["train"], short)
    whole = Texts.of(listing.splits["train"], text_input)
    assert not whole.cut()
    lengths = (whole.decoded != 0).sum(1)
    ids = np.array(whole.examples.ids)
    assert texts.cut() == ids[lengths > 5].tolist()
    assert 0 < len(texts.cut()) < 21


def test_what_cannot_be_is_refused(listing, text_input):
    texts = Texts.of(listing.splits["train"], text_input)
    with pytest.raises(ValueError, match="expected one of none"):
        texts.shuffled_epoch(4, seed=0, epoch=0, augment="flip")
    bad = listing.splits["train"]
    bad = type(bad)(bad.ids, bad.labels, encoded=(b"\xff",) * len(bad))
    with pytest.raises(DataError, match=r"intents\.jsonl:1: not valid UTF-8"):
        Texts.of(bad, text_input)
