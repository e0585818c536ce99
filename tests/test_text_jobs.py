"""Whole jobs on texts, from the table to the answer, by the commands.

One run of the tiny BERT with nothing in it that stands in, for all that looks
at what a run leaves; what is about the way there takes stages that are quick.
"""

import csv
import dataclasses
import io
import json
import shutil
import types
import urllib.request

import numpy as np
import pytest
import tensorflow as tf
import tiny
from bert_reference import write_tiny_bert
from serving_double import Double
from test_baselines import THINGS

from tl_keras import TransferConfig, check, evaluate, predict, report, run
from tl_keras.config import EvaluateConfig, PredictConfig
from tl_keras.config.paths import columns_of_model, kind_of_model
from tl_keras.errors import ConfigError, DataError, NotPublishedError
from tl_keras.exports import inspect_export
from tl_keras.exports.extras import write_columns
from tl_keras.exports.manifest import write_manifest
from tl_keras.inputs.text import FIELD_MARK
from tl_keras.jobs import publishing
from tl_keras.jobs.listing import (
    kind_of,
    list_data,
    list_labelled,
    text_columns_of,
)
from tl_keras.serving.server_client import connect
from tl_keras.train import main

KINDS = (("lost my {}", "lost"), ("where is the {}", "where"),
         ("a new {} is free", "buying"))  # fmt: skip
BEFORE = {"train": ("", "hello, "), "val": ("the world: ",), "test": ("win! ",)}


def write_table(file, header=("text", "label", "split"), change=None):
    """42 texts to train on, 21 to validate on and 21 to test on."""
    rows = [
        (before + kind.format(thing), label, split)
        for split, befores in BEFORE.items()
        for before in befores
        for kind, label in KINDS
        for thing in THINGS
    ]
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(map(change, rows) if change else rows)
    return file


def settings(root, table, **values) -> TransferConfig:
    return TransferConfig(
        **{
            "dataset": str(table), "backbone": str(root / "bert"),
            "output_dir": str(root / f"out_{table.stem}"), "max_tokens": 24,
            "batch_size": 8, "fine_tune_epochs": 2,
            "fine_tune_learning_rate": 1e-3, "unfreeze_from": "block_1",
            "feature_cache": str(root / "features"), **values,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with the tiny BERT in it."""
    folder = tmp_path_factory.mktemp("texts")
    write_tiny_bert(folder / "bert")
    return folder


@pytest.fixture(scope="module")
def ran(root):
    """A whole run of three classes."""
    config = settings(
        root, write_table(root / "intents.csv"), compare_scratch=True
    )
    return types.SimpleNamespace(
        root=root, config=config, result=run(config), table=config.dataset
    )


# What a run leaves.


def test_a_run_of_texts_learns_and_says_what_it_saw(ran):
    metrics = ran.result.metrics
    assert metrics["input"] == "text"
    assert metrics["test"]["examples"] == 21
    assert metrics["test"]["accuracy"] > 0.7
    assert [phase["name"] for phase in metrics["phases"]] == [
        "head", "fine_tune",
    ]  # fmt: skip
    assert metrics["model"]["max_tokens"] == 24
    assert metrics["model"]["tokens"] == 16  # the longest needs no more
    assert metrics["model"]["texts_cut"] == 0
    # What stays frozen is computed once: 63 texts and the test's.
    assert metrics["cost"]["trunk_passes"]["saved"] > 0


def test_the_baseline_stands_beside_it(ran):
    metrics = ran.result.metrics
    assert "TF-IDF" in metrics["baseline"]["how"]
    assert 0.5 < metrics["baseline"]["test"]["accuracy"] <= 1
    assert metrics["baseline"]["cross_validation"]["accuracy"] > 0.5
    (compared,) = [
        c for c in metrics["comparisons"] if c["first"] == "baseline"
    ]
    assert compared["second"] == metrics["kept_phase"]
    page = (ran.result.run_folder / "report.html").read_text("utf-8")
    assert "TF-IDF, without a network" in page
    assert "TF-IDF" in (ran.result.run_folder / "report.md").read_text("utf-8")


def test_an_encoder_of_random_weights_is_compared(ran):
    metrics = ran.result.metrics
    scratch = metrics["scratch"]["test"]
    assert scratch["examples"] == 21
    # Such small texts it learns as well, but by other weights.
    assert scratch["accuracy"] > 0.7
    assert scratch["loss"] not in [p["test"]["loss"] for p in metrics["phases"]]
    assert "scratch" in {c["first"] for c in metrics["comparisons"]}
    page = (ran.result.run_folder / "report.html").read_text("utf-8")
    assert "trained from random weights" in " ".join(page.split())


def test_an_earlier_version_is_asked_the_same_texts(ran, capsys):
    """A quick run, of work that is stored: the same again is not worse."""
    again = dataclasses.replace(
        ran.config, output_dir=str(ran.root / "second"), compare_scratch=False,
        not_worse_than=str(ran.result.version.parent),
    )  # fmt: skip
    found = run(again, stages=tiny.QUICK).metrics["regression"]
    assert "not worse than" in capsys.readouterr().out
    assert found["verdict"] == "cannot tell"
    assert found["accuracy"] == found["accuracy_of_new"]
    assert found["accuracy"] == ran.result.metrics["test"]["accuracy"]


def test_the_page_shows_texts_and_names_no_pictures(ran):
    for name in ("report.html", "data_report.html"):
        page = (ran.result.run_folder / name).read_text("utf-8")
        body = page.replace("<picture>", "").replace("</picture>", "")
        assert "picture" not in body.partition("<body")[2], name
    page = (ran.result.run_folder / "report.html").read_text("utf-8")
    assert '<p class="excerpt">win! ' in page
    assert "up to 24 tokens" in page


def test_the_page_is_made_again_from_the_folder(ran):
    page = ran.result.run_folder / "report.html"
    before = page.read_bytes()
    assert report.main([f"--run={ran.result.run_folder}"]) == 0
    assert page.read_bytes() == before


def test_the_export_takes_strings(ran):
    export = inspect_export(ran.result.version)
    assert export.kind == "text"
    served = tf.saved_model.load(str(ran.result.version)).signatures
    told = served["serving_default"](
        text=tf.constant([b"lost my card", b"\xff", b""])
    )
    assert set(told) == {"probabilities", "classes", "scores", "status"}
    assert told["status"].numpy().tolist() == [b"", b"not valid UTF-8", b""]
    assert not told["probabilities"][1].numpy().any()
    np.testing.assert_allclose(told["probabilities"][0].numpy().sum(), 1, 1e-5)


def test_model_keras_takes_token_ids_of_any_length(ran):
    import keras

    model = keras.models.load_model(
        ran.result.run_folder / "model.keras", compile=False
    )
    ids = np.zeros((2, 5), np.int32)
    ids[:, :2] = 3
    assert model(ids).shape == (2, 3)


# Evaluate and predict.


def test_evaluate_gives_the_runs_own_numbers(ran, tmp_path, capsys):
    arguments = [
        f"--model={ran.result.version}", f"--dataset={ran.table}",
        f"--output_dir={tmp_path / 'again'}",
    ]  # fmt: skip
    assert evaluate.main(arguments) == 0
    told = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert told["input"] == "text"
    known = ran.result.metrics["test"]
    assert told["test"]["accuracy"] == known["accuracy"]
    assert told["test"]["loss"] == pytest.approx(known["loss"], abs=1e-4)
    printed = capsys.readouterr().out
    assert "21 texts of test" in " ".join(printed.split())
    assert "picture" not in printed


def asked(capsys, *arguments) -> list[str]:
    """What predict prints, without the books."""
    assert predict.main(list(arguments)) == 0
    return capsys.readouterr().out.splitlines()


def test_one_text_is_asked_by_itself(ran, capsys):
    first, *rest = asked(
        capsys, "lost my card", f"--model={ran.result.version}"
    )
    assert first.startswith("the text: ")
    assert {"lost", "where", "buying"} <= set(first.replace(",", " ").split())
    assert "1 found = 1 predicted + 0 unreadable + 0 ignored" in rest


@pytest.mark.parametrize("path", ["reviews.csv", "texts/new", "note.txt"])
def test_a_path_that_leads_nowhere_is_no_text(ran, path, capsys):
    model = f"--model={ran.result.version}"
    assert predict.main([f"--input={path}", model]) == 2
    assert f"--input={path}: expected a folder" in capsys.readouterr().err


def test_a_table_is_asked_and_shown(ran, tmp_path, capsys):
    file = tmp_path / "new.csv"
    file.write_text('number,review\n1,"lost my, card"\n2,\n3,where is it?\n')
    out = tmp_path / "answers"
    lines = asked(
        capsys, f"--input={file}", f"--model={ran.result.version}",
        f"--output_dir={out}",
    )  # fmt: skip
    assert f"{file}: texts are from the column review" in lines
    with open(out / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == [
        "new.csv:2",
        "new.csv:3",
        "new.csv:4",
    ]
    assert [row["status"] for row in rows] == ["ok", "unreadable", "ok"]
    page = (out / "gallery.html").read_text("utf-8")
    assert '<p class="excerpt">lost my, card</p>' in page
    assert "picture" not in page.partition("<body")[2]
    # The same command does nothing again; other texts are another input.
    assert "all of it was there already" in asked(
        capsys, f"--input={file}", f"--model={ran.result.version}",
        f"--output_dir={out}",
    )  # fmt: skip
    file.write_text(file.read_text().replace("it?", "that?"))
    assert predict.main([
        f"--input={file}", f"--model={ran.result.version}",
        f"--output_dir={out}",
    ]) == 3  # fmt: skip
    assert "1 changed" in capsys.readouterr().err


def test_hostile_rows_are_rows_with_a_status(ran, tmp_path, capsys):
    file = tmp_path / "hostile.csv"
    file.write_bytes(
        "number,review\n1,lost my café\n2,\n3,".encode()
        + b"x" * 10_000
        + b"\n4,where \xff is it\n5,one,two\n6,where is it\n"
    )
    out = tmp_path / "answers"
    asked(
        capsys, f"--input={file}", f"--model={ran.result.version}",
        f"--output_dir={out}",
    )  # fmt: skip
    with open(out / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["status"], row["reason"].split(" - ")[0]) for row in rows] == [
        ("ok", ""),
        ("unreadable", "no text in it"),
        ("ok", ""),
        ("unreadable", "not valid UTF-8"),
        ("unreadable", "3 cells; expected 2"),
        ("ok", ""),
    ]
    assert "quotes" in rows[4]["reason"]
    assert rows[4]["reason"].count(" - ") == 1


def test_a_folder_and_lines_are_asked(ran, tmp_path, capsys, monkeypatch):
    (tmp_path / "in").mkdir()
    for name, text in (("a.txt", "lost my phone"), ("b.txt", "where is it")):
        (tmp_path / "in" / name).write_text(text)
    (tmp_path / "in" / "c.png").write_bytes(b"no text")
    model = f"--model={ran.result.version}"
    lines = asked(capsys, f"--input={tmp_path / 'in'}", model)
    assert [line.split(":")[0] for line in lines[:2]] == ["a.txt", "b.txt"]
    assert "  ignored 1: not a .txt" in lines
    given = io.BytesIO(b"lost my phone\n\nwhere is it\nwhere \xff\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(given))
    typed = asked(capsys, "--input=-", model)
    assert [line.split(": ")[1] for line in typed[:2]] == [
        line.split(": ")[1] for line in lines[:2]
    ]
    # Numbers are those of the lines that were given.
    assert [line.split(":")[0] for line in typed[:2]] == ["line 1", "line 3"]
    assert typed[2].startswith("line 4: unreadable, not valid UTF-8")
    assert "  ignored 1: an empty line" in typed


def test_the_columns_that_were_told_are_known_to_the_export(
    ran, tmp_path, capsys, monkeypatch
):
    """Whoever asks it of such a table reads the same, and no others."""
    model = tmp_path / "model" / "1"
    shutil.copytree(ran.result.version, model)
    (model / "assets.extra/manifest.json").unlink()
    write_columns(model, ["title", "note"])
    write_manifest(model)
    assert kind_of_model(str(model)) == "text"
    assert columns_of_model(str(model)) == ("title", "note")
    assert columns_of_model(str(ran.result.version)) == ()
    served = PredictConfig(server="http://h:1", model_name="m", input="t.csv")
    monkeypatch.chdir(model)
    assert text_columns_of(served) == ()
    table = tmp_path / "t.csv"
    text = "title,note,text,label\n"
    text += "lost,my card,where is it,lost\nwhere,is it,lost my card,find\n"
    table.write_text(text)
    flags = [f"--model={model}", f"--input={table}"]
    lines = asked(capsys, *flags)
    told = f"{table}: texts are from the column title, note"
    assert told in lines
    named = asked(capsys, *flags, "--text_column=title,note")
    # But for how long it took.
    assert named[:-1] == lines[:-1]
    config = EvaluateConfig(model=str(model), dataset=str(table))
    listing = list_labelled(config, "multiclass", kind="text")
    assert (
        listing.splits["train"].read(0) == f"lost{FIELD_MARK}my card".encode()
    )
    table.write_text(text.replace("note", "remark"))
    assert predict.main(flags) == 3
    error = capsys.readouterr().err
    assert "expected the column 'note'" in error
    assert "name another by --text_column" in error


def test_a_run_hands_the_columns_that_it_was_told_on(ran, monkeypatch):
    given = {}

    def publish(*_, **named):
        given.update(named)
        raise NotPublishedError("as far as that")

    monkeypatch.setattr(publishing, "publish", publish)
    monkeypatch.setattr(publishing, "served", lambda prepared: None)
    examples = list_data(ran.config).splits["test"]
    test = types.SimpleNamespace(examples=examples, decoding=None)
    prepared = types.SimpleNamespace(
        labelled=types.SimpleNamespace(test=test, class_names=()),
        task=None,
        config=dataclasses.replace(ran.config, text_column="title, body"),
    )
    evaluation = types.SimpleNamespace(answers=None)
    with pytest.raises(NotPublishedError):
        publishing.export(prepared, evaluation, "", None)
    assert given["columns"] == ("title", "body")


def test_texts_that_taught_the_model_are_told(ran, capsys):
    flags = [f"--model={ran.result.version}", f"--dataset={ran.table}"]
    assert evaluate.main([*flags, "--split=all"]) == 0
    told = capsys.readouterr().err
    assert "warning: 63 of 84 texts are those that this model" in told
    assert evaluate.main(flags) == 0
    assert "warning" not in capsys.readouterr().err


def test_a_picture_is_no_text(ran, tmp_path, capsys):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01" + b"\xab" * 50)
    code = predict.main([f"--model={ran.result.version}", f"--input={photo}"])
    assert code == 3
    assert "expected text, found zero bytes" in capsys.readouterr().err


def test_a_server_is_asked_by_strings(ran, tmp_path, capsys):
    base = ran.result.version.parent
    with Double(base, "intents") as double:
        body = json.dumps({"instances": ["lost my card", "é"]}).encode()
        address = f"{double.rest}/v1/models/intents:predict"
        with urllib.request.urlopen(address, body) as answer:
            (first, second) = json.loads(answer.read())["predictions"]
        client = connect(double.rest, "intents")
        assert client.kind() == "text"
        (told,) = client.ask([b"lost my card"])
        texts = [b"lost my card", "é".encode(), b"", b"\xff"]
        by_grpc = connect(double.grpc, "intents")
        assert by_grpc.kind() == "text"
        answers = by_grpc.ask(texts)
        assert answers == client.ask(texts)
        server = (f"--server={double.rest}", "--model_name=intents")
        lines = asked(capsys, "lost my card", *server)
    assert first["status"] == second["status"] == ""
    assert list(told.labels) == first["classes"]
    assert answers[0] == told
    assert [answer.status for answer in answers] == [
        "", "", "", "not valid UTF-8",
    ]  # fmt: skip
    assert f"{told.labels[0]} {told.scores[0]:.4f}" in lines[1]


def test_settings_about_pictures_are_refused(ran, tmp_path, capsys):
    model = f"--model={ran.result.version}"
    table = f"--input={ran.table}"
    assert predict.main([table, model, "--path_column=photo"]) == 2
    assert "about pictures, not texts" in capsys.readouterr().err
    assert evaluate.main(
        [model, f"--dataset={ran.table}", "--path_column=photo"]
    ) == 2  # fmt: skip
    assert "about pictures, not texts" in capsys.readouterr().err


# Before anything is trained.


def test_what_means_nothing_for_texts_is_refused_at_once(root, capsys):
    table = write_table(root / "refused.csv")
    code = main([
        f"--dataset={table}", f"--backbone={root / 'bert'}", "--image_size=64",
        "--augment=flip", "--max_tokens=41", "--export=saved_model,onnx",
        "--warm_start=x", "--baseline=export",
    ])  # fmt: skip
    told = capsys.readouterr().err
    assert code == 2
    for line in ("--image_size: given", "--augment: given", "expected 40 or",
                 "--baseline=export: such a file takes"):  # fmt: skip
        assert line in told, line


def test_a_setting_about_texts_means_nothing_for_pictures(color_folder):
    config = TransferConfig(dataset=str(color_folder), max_tokens=9)
    with pytest.raises(ConfigError, match="about texts, not pictures"):
        config.validate()


def test_texts_without_an_encoder_say_what_is_missing(root, capsys):
    table = write_table(root / "bare.csv")
    assert main([f"--dataset={table}", f"--output_dir={root / 'none'}"]) == 2
    told = capsys.readouterr().err
    assert "holds texts; --backbone=VGG16 takes pictures" in told
    assert "--backbone=DIR" in told
    assert not (root / "none").exists()


def spoilt(root, name, file, content=None):
    """The tiny BERT with a file cut to `content`, or without it."""
    folder = shutil.copytree(root / "bert", root / name)
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("file", "share", "line"),
    [
        ("config.json", None, "an encoder's has config.json in it"),
        ("vocab.txt", None, "expected vocab.txt or tokenizer.json, found"),
        ("model.safetensors", None, "expected model.safetensors or"),
        ("model.safetensors", 0.0, "is 0 bytes long; expected 8 or more"),
        ("model.safetensors", 0.9, "its tensors end at byte"),
    ],
)
def test_an_encoder_that_is_not_whole_is_refused_in_a_line(
    file, share, line, root, tmp_path, capsys
):
    content = None
    if share is not None:
        content = (root / "bert" / file).read_bytes()
        content = content[: int(share * len(content))]
    folder = spoilt(root, f"{file}_{share}", file, content)
    table = write_table(tmp_path / "t.csv")
    out = tmp_path / "out"
    assert main([
        f"--dataset={table}", f"--backbone={folder}", f"--output_dir={out}",
        "--max_tokens=24",
    ]) == 2  # fmt: skip
    told = capsys.readouterr().err.splitlines()
    (one,) = told
    assert one.startswith("error: ")
    assert line in one
    assert not out.exists()


def test_an_encoder_takes_no_pictures(root, color_folder, capsys):
    assert main([
        f"--dataset={color_folder}", f"--backbone={root / 'bert'}",
        "--max_tokens=24",
    ]) in (2, 3)  # fmt: skip
    told = capsys.readouterr().err
    assert "no .txt" in told, told


def test_a_table_of_both_is_refused_with_both_commands(root, tmp_path):
    file = tmp_path / "both.csv"
    file.write_text("image,text,label\na.jpg,hello,x\nb.jpg,the world,y\n")
    config = TransferConfig(dataset=str(file))
    with pytest.raises(ConfigError) as told:
        kind_of(config)
    line = "\n".join(told.value.faults)
    assert f"--dataset={file} --backbone=DIR reads the texts" in line
    assert f"--dataset={file} --input_kind=image the pictures" in line
    for said in ({"input_kind": "image"}, {"backbone": "MobileNetV2"}):
        assert kind_of(dataclasses.replace(config, **said)) == "image"
    encoder = dataclasses.replace(config, backbone=str(root / "bert"))
    assert kind_of(encoder) == "text"


def test_the_check_names_faults_by_row(tmp_path, capsys):
    file = tmp_path / "t.csv"
    file.write_text(
        "text,label\nfree entry,spam\nFree  entry!,ham\n,ham\n\x07,spam\n"
        "see <b>you</b> at ten,ham\ncall me,ham\nwin a prize,spam\n"
    )
    assert check.main([f"--dataset={file}", "--max_bad_fraction=0.5"]) == 3
    printed = capsys.readouterr()
    assert "t.csv:2: the same text as t.csv:3 under 'ham'" in printed.out
    assert "t.csv:3: the same text as t.csv:2 under 'spam'" in printed.out
    assert "t.csv:4: no text in it" in printed.out
    assert "t.csv:5: empty: nothing in it can be seen" in printed.out
    assert "HTML left in: t.csv:6" in printed.out


def test_texts_in_two_splits_stop_a_run_or_are_allowed(root, capsys):
    def change(row):
        text, label, split = row
        return text.replace("win! ", "hello, "), label, split

    config = settings(root, write_table(root / "leaking.csv", change=change))
    with pytest.raises(DataError, match="the same text in train and test"):
        run(config, stages=tiny.UNTRAINED)
    allowed = dataclasses.replace(config, allow_leakage=True)
    metrics = run(allowed, stages=tiny.UNTRAINED).metrics
    assert metrics["leakage"]["test"] == 21
    assert "21 of 21 texts of test" in capsys.readouterr().out


def test_texts_that_are_too_long_are_told(root, capsys):
    config = settings(root, write_table(root / "long.csv"), max_tokens=5)
    metrics = run(config, stages=tiny.UNTRAINED).metrics
    assert metrics["model"]["texts_cut"] > 20
    assert "lose their end to max_tokens=5" in capsys.readouterr().out


def test_an_encoder_of_few_positions_needs_no_setting(root, capsys):
    def longer(row):
        return (row[0] * 20, *row[1:])

    table = write_table(root / "few.csv", change=longer)
    config = settings(root, table, max_tokens=128)
    metrics = run(config, stages=tiny.UNTRAINED).metrics
    assert metrics["model"]["max_tokens"] == 40  # as many as it has
    assert "lose their end to max_tokens=40" in capsys.readouterr().out


def test_class_folders_and_several_columns(root, tmp_path):
    for kind, label in KINDS:
        (tmp_path / "folders" / label).mkdir(parents=True)
        for thing in THINGS:
            (tmp_path / "folders" / label / f"{thing}.txt").write_text(
                kind.format(thing)
            )
    config = settings(root, tmp_path / "folders")
    assert len(list_data(config).splits["train"]) == 21
    file = tmp_path / "two.csv"
    file.write_text("title,body,label\nfree,entry,spam\nmy,card,ham\n")
    listing = list_data(settings(root, file, text_column="title,body"))
    assert listing.splits["train"].encoded[0] == b"free\x1eentry"


# Other tasks.


def test_several_labels(root):
    def change(row):
        text, label, split = row
        more = "|home" if "house" in text or "letter" in text else ""
        return text, label + more, split

    table = write_table(root / "labels.csv", change=change)
    result = run(settings(root, table, fine_tune_epochs=0), stages=tiny.QUICK)
    assert result.class_names == ("buying", "home", "lost", "where")
    assert result.metrics["task"]["task"] == "multilabel"
    assert result.metrics["test"]["map"] > 0.6
    assert "for each label" in result.metrics["baseline"]["how"]
    assert result.metrics["baseline"]["test"]["map"] > 0.6


def test_numbers(root):
    stars = {"lost": 1.5, "where": 3.5, "buying": 4.5}

    def change(row):
        text, label, split = row
        return text, stars[label], split

    table = write_table(
        root / "stars.csv", ("text", "stars", "split"), change=change
    )
    result = run(
        settings(root, table, fine_tune_epochs=0, target="stars"),
        stages=tiny.QUICK,
    )
    assert result.class_names == ("stars",)
    assert result.metrics["test"]["mae"] < 1
    assert "ridge" in result.metrics["baseline"]["how"]
    assert result.metrics["baseline"]["test"]["mae"] < 1
