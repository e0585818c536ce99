"""What a job on texts publishes: words beside the network, or in its place."""

import csv
import json
import types

import numpy as np
import pytest
import tensorflow as tf
from test_baselines import THINGS
from test_text_jobs import BEFORE, KINDS, root, settings, write_table

from tl_keras import TransferConfig, run
from tl_keras.errors import ConfigError, DataError
from tl_keras.exports import inspect_export
from tl_keras.inputs.text import read_vocabulary
from tl_keras.jobs.listing import list_data

__all__ = ["root"]  # a fixture

NONE = "it is good to see the {} here"


def table_with_none(file):
    """As `write_table`, and a class that stands for none of the three."""
    write_table(file)
    with open(file, "a", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(
            (before + NONE.format(thing), "other", split)
            for split, befores in BEFORE.items()
            for before in befores
            for thing in THINGS
        )
    return file


@pytest.fixture(scope="module")
def ran(root):
    """A whole run: 4 s, for all that looks at what it leaves."""
    config = settings(
        root, table_with_none(root / "none.csv"), fine_tune_epochs=0,
        reject=0.1, reject_class="other",
    )  # fmt: skip
    result = run(config)
    served = tf.saved_model.load(str(result.version)).signatures
    page = (result.run_folder / "report.html").read_text("utf-8")
    return types.SimpleNamespace(
        result=result, metrics=result.metrics, served=served, page=page
    )


def test_words_stand_beside_the_network_where_the_folds_say_so(ran):
    published = ran.metrics["published"]
    assert "tf-idf" in published["kept"]
    assert any("(kept)" in line for line in published["candidates"])
    assert ran.metrics["test"] == published["test"] | {
        name: ran.metrics["test"][name] for name in ("ece", "ece_before")
    }
    network = ran.metrics["phases"][0]["test"]["accuracy"]
    assert ran.metrics["test"]["accuracy"] >= network
    (compared,) = [
        c for c in ran.metrics["comparisons"] if c["second"] == "published"
    ]
    assert compared["first"] == ran.metrics["kept_phase"]


def test_the_export_is_what_was_counted(ran):
    listing_names = ran.result.class_names
    assert listing_names == ("buying", "lost", "where")
    texts = [f"win! {kind.format(t)}" for kind, _ in KINDS for t in THINGS]
    told = ran.served["serving_default"](text=tf.constant(texts))
    right = [label for _, label in KINDS for _ in THINGS]
    hits = told["classes"][:, 0].numpy() == np.array(right, "S")
    assert hits.mean() == ran.metrics["test"]["accuracy"]
    assert inspect_export(ran.result.version).kind == "text"
    vectors = ran.served["features"](text=tf.constant(texts))["features"]
    assert vectors.shape == (21, 16)


def test_texts_of_no_class_are_not_learnt_and_measured(ran):
    found = ran.metrics["reject"]
    assert found["none"] == 28
    assert found["known"] == 21
    assert 0.5 < found["auroc"] <= 1
    assert found["share"] == 0.1
    ignored = ran.metrics["data"]["ignored"]
    assert 28 in ignored.values()
    assert "of no class are refused" in ran.page


def test_a_label_below_the_least_probability_is_empty(ran):
    texts = ["win! lost my card", "la la la", NONE.format("card"), "\xff"]
    told = ran.served["serving_default"](text=tf.constant(texts))
    least = ran.metrics["reject"]["least"]
    sure = told["scores"][:, 0].numpy() >= np.float32(least)
    expected = np.where(sure, told["classes"][:, 0].numpy(), b"")
    assert told["label"][:, 0].numpy().tolist() == expected.tolist()
    task = json.loads(
        (ran.result.version / "assets.extra" / "task.json").read_text()
    )
    assert task["least"] == pytest.approx(least)


def test_the_page_says_which_words_decided(ran):
    section = ran.metrics["texts"]
    words = [
        word["text"]
        for row in (*section["mistakes"], *section["uncertain"])
        for word in row["words"]
    ]
    assert {"lost", "where", "new"} & set(words)
    assert "carried by" in ran.page
    assert "published, with words beside" in ran.page
    assert "by answers to examples not learnt from" in ran.page


def test_the_baseline_can_be_what_is_published(root):
    """4 s: a whole run, as it is about the export."""
    config = settings(
        root, write_table(root / "words.csv"), fine_tune_epochs=0,
        baseline="export",
    )  # fmt: skip
    result = run(config)
    metrics = result.metrics
    assert metrics["published"]["kept"] == ["tf-idf"]
    assert (
        metrics["test"]["accuracy"] == (metrics["baseline"]["test"]["accuracy"])
    )
    served = tf.saved_model.load(str(result.version)).signatures
    assert set(served) == {
        "serving_default", "tfidf", "features", "classify",
    }  # fmt: skip
    told = served["serving_default"](text=tf.constant(["lost my card"]))
    assert told["classes"][0, 0] == b"lost"
    page = (result.run_folder / "report.html").read_text("utf-8")
    assert "--baseline=export</span> asks" in page


@pytest.mark.nightly
def test_files_for_other_runtimes_have_the_vocabulary_beside(root, capsys):
    """Of the network alone, whatever stands beside it in the SavedModel."""
    config = settings(
        root, write_table(root / "files.csv"), fine_tune_epochs=0,
        export=("saved_model", "tflite", "onnx"),
    )  # fmt: skip
    result = run(config)
    assert "tf-idf" in result.metrics["published"]["kept"]
    assert "the files hold the network alone" in capsys.readouterr().out
    (phase,) = result.metrics["phases"]
    for file in result.metrics["runtimes"].values():
        assert file["accuracy"] == phase["test"]["accuracy"]
    folder = result.run_folder / "exports"
    assert {file.name for file in folder.iterdir()} == {
        "model_float32.tflite", "model.onnx", "labels.txt", "vocab.txt",
        "tokenizer_config.json",
    }  # fmt: skip
    assert read_vocabulary(folder) == read_vocabulary(root / "bert")


def test_what_does_nothing_is_refused(root, color_folder):
    table = write_table(root / "refused_too.csv")
    for values, line in (
        ({"reject_class": "lost"}, "without --reject nothing is refused"),
        (
            {"export": ("saved_model", "onnx"), "baseline": "export"},
            "leave one of the two out",
        ),
    ):
        with pytest.raises(ConfigError, match=line.replace("--", "")):
            settings(root, table, **values).validate()
    with pytest.raises(ConfigError, match="about texts, not pictures"):
        TransferConfig(dataset=str(color_folder), baseline="export").validate()
    config = settings(root, table, reject=0.1, reject_class="others")
    with pytest.raises(DataError, match="expected one of the classes buying"):
        list_data(config)
