"""--min_accuracy, --not_worse_than and --export, in whole runs."""

import csv
import dataclasses
import json
import os
import shutil

import hostile
import numpy as np
import pytest
import test_runtimes
import tiny
from run_folders import Page

from tl_keras import TransferConfig, run, versions
from tl_keras.config import earlier_version
from tl_keras.console import on_console
from tl_keras.data import Examples
from tl_keras.data.catalogues import png
from tl_keras.data.split_record import write_split
from tl_keras.errors import ConfigError, DataError, NotPublishedError
from tl_keras.exports import (
    Export,
    export,
    formats,
    inspect_export,
)
from tl_keras.exports.runtimes import converting
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.jobs import stages, transfer
from tl_keras.jobs.acceptance import Acceptance, NotAcceptedError
from tl_keras.jobs.seen_before import seen_before
from tl_keras.runs import RunFolder
from tl_keras.runs.state import FORMAT, RunState, write_state
from tl_keras.sources import LabelledExamples, LabelledSplits
from tl_keras.train import main

NAMES = ("cat", "dog", "eel")
LABELS = [0, 1, 2, 0, 1, 2]


def read(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def rows_for(predicted) -> np.ndarray:
    """Probabilities with these classes on top; zeros for None."""
    rows = np.full((len(predicted), 3), 0.1, np.float32)
    for row, number in zip(rows, predicted, strict=True):
        row[:] = 0 if number is None else 0.1
        if number is not None:
            row[number] = 0.8
    return rows


def images_of(labels=LABELS) -> LabelledSplits:
    ids = tuple(f"{NAMES[n]}/{i}.jpg" for i, n in enumerate(labels))
    encoded = tuple(id_.encode() for id_ in ids)
    examples = Examples(ids, np.array(labels, np.int32), None, encoded)
    test = LabelledExamples(examples, Decoding(8))
    return LabelledSplits(test, test, test, NAMES, (), {}, "")


@dataclasses.dataclass(frozen=True)
class Stub(Export):
    """An earlier version that answers what it is told to."""

    predicted: tuple = ()
    moves: float = 0.0

    def movement(self, pictures, answers, differs):
        assert len(pictures) == len(answers) == 6
        return self.moves

    def ask(self, pictures):
        asked = [picture.decode() for picture in pictures]
        assert asked == list(images_of().test.examples.ids)[: len(asked)]
        return rows_for(self.predicted[: len(asked)])


def acceptance(tmp_path, said, names=NAMES, moves=0.0, **values) -> Acceptance:
    accept = Acceptance(
        TransferConfig(
            dataset="digits", output_dir=str(tmp_path / "out"), **values
        )
    )
    if said is not None:
        accept.earlier = Stub(
            tmp_path / "pets" / "3",
            None,
            names,
            "",
            predicted=tuple(said),
            moves=moves,
        )
    return accept


def test_a_version_that_is_worse_is_not_taken(tmp_path):
    accept = acceptance(tmp_path, [0, 1, 2, 0, 1, 0])
    with pytest.raises(NotPublishedError) as caught:
        accept(images_of(), rows_for([0, 2, 2, 0, 0, 2]))
    (line,) = caught.value.faults
    assert line == (
        f"not published: worse than {tmp_path}/pets/3 on the same 6 test "
        "pictures: 0.8333 there, 0.6667 here (1 won, 2 lost, McNemar p = 1); "
        "lost: dog/1.jpg (dog, now eel), dog/4.jpg (dog, now cat); all that "
        f"changed: {tmp_path}/out/run/changed.csv"
    )
    assert read(tmp_path / "out/run/changed.csv") == [
        {"id": "dog/1.jpg", "label": "dog", "old": "dog", "new": "eel",
         "change": "lost", "tie": ""},
        {"id": "dog/4.jpg", "label": "dog", "old": "dog", "new": "cat",
         "change": "lost", "tie": ""},
        {"id": "eel/5.jpg", "label": "eel", "old": "cat", "new": "eel",
         "change": "won", "tie": ""},
    ]  # fmt: skip
    found = caught.value.numbers["regression"]
    assert found["version"] == "pets/3"
    assert (found["first_only"], found["second_only"]) == (2, 1)
    assert found["accuracy"] == pytest.approx(5 / 6)
    assert found["accuracy_of_new"] == pytest.approx(4 / 6)
    assert (found["changed"], found["unread"], found["examples"]) == (3, 0, 6)


def test_one_that_is_as_good_or_better_is_taken(tmp_path, capsys):
    """Also where they are right on other pictures."""
    accept = acceptance(tmp_path, [0, 1, 1, 0, 1, 2])
    with on_console():
        accept(images_of(), rows_for([0, 0, 2, 0, 1, 2]))
    printed = capsys.readouterr().out
    assert printed.startswith(f"not worse than {tmp_path}/pets/3 on the same 6")
    assert "(1 won, 1 lost, McNemar p = 1); lost: dog/1.jpg (dog" in printed
    accept(images_of(), rows_for(LABELS))
    assert len(read(tmp_path / "out/run/changed.csv")) == 1


def nearly(rows: np.ndarray, row: int, first: int, second: int) -> np.ndarray:
    """The same, with two classes of a row all but alike."""
    rows = rows.copy()
    rows[row] = 0.01
    rows[row, [first, second]] = 0.4951, 0.4949
    return rows


@pytest.mark.parametrize("whose", ["new", "earlier", "nobody's"])
def test_what_rounding_decides_makes_no_version_worse(tmp_path, capsys, whose):
    """The earlier one has all right; the new one has dog/1 wrong by a hair."""
    accept = acceptance(
        tmp_path, LABELS, moves=1.1 if whose == "earlier" else 0.0
    )
    answers = rows_for([0, 2, 2, 0, 1, 2])
    if whose == "new":
        answers = nearly(answers, 1, 2, 1)
    movement = 0.001 if whose == "new" else 0.0
    if whose == "nobody's":
        with pytest.raises(NotPublishedError, match="0 won, 1 lost, McNemar"):
            accept(images_of(), answers, movement)
        return
    with on_console():
        found = accept(images_of(), answers, movement)["regression"]
    printed = capsys.readouterr().out
    assert "(0 won, 1 lost, 1 of these within rounding, McNemar" in printed
    assert "lost: dog/1.jpg (dog, now eel, within rounding)" in printed
    (row,) = read(tmp_path / "out/run/changed.csv")
    assert (row["change"], row["tie"]) == ("lost", "tie")
    assert (found["ties"], found["first_only"]) == (1, 1)
    assert found["movement_of_new"] == movement
    if whose == "earlier":
        return  # It could have said anything of any picture.
    with pytest.raises(NotPublishedError, match="0 won, 2 lost, 1 of these"):
        worse = answers.copy()
        worse[0] = 0.001, 0.0001, 0.99
        accept(images_of(), worse, movement)


def test_what_was_not_read_is_no_tie(tmp_path):
    accept = acceptance(tmp_path, [None, 1, 2, 0, 1, 2], moves=50.0)
    accept(images_of(), rows_for(LABELS))
    (row,) = read(tmp_path / "out/run/changed.csv")
    assert (row["old"], row["tie"]) == ("", "")


def test_classes_are_matched_by_name_not_by_place(tmp_path):
    accept = acceptance(tmp_path, [2, 1, 0, 2, 1, 0], NAMES[::-1])
    accept.check(images_of())
    found = accept(images_of(), rows_for(LABELS))["regression"]
    assert read(tmp_path / "out/run/changed.csv") == []
    assert found["accuracy"] == 1.0


def test_what_the_earlier_version_cannot_read_it_has_wrong(tmp_path):
    """Zeros would else count for the first class, which is right here."""
    accept = acceptance(tmp_path, [None, 1, 2, None, 1, 2])
    found = accept(images_of(), rows_for(LABELS))["regression"]
    assert found["unread"] == 2
    assert found["accuracy"] == pytest.approx(4 / 6)
    rows = read(tmp_path / "out/run/changed.csv")
    assert [row["old"] for row in rows] == ["", ""]


def test_what_the_earlier_version_was_trained_on_is_told(tmp_path, capsys):
    """Of run.1 here, beside a later run of the same folder."""
    accept = acceptance(tmp_path, LABELS)
    version = tmp_path / "pets" / "3"
    (version / "assets.extra").mkdir(parents=True)
    (version / "assets.extra" / "run_id").write_text("old")
    images = images_of()
    examples = images.test.examples
    for name, run_id, rows in (("run", "new", 6), ("run.1", "old", 2)):
        folder = RunFolder(tmp_path / "pets" / name)
        folder.path.mkdir()
        state = RunState(run_id, "hash", {"keras": "3"}, format=FORMAT)
        write_state(folder, state)
        splits = {"train": examples.take(range(rows))}
        write_split(folder.split, splits, NAMES)
    with on_console():
        accept.check(images)
    told = capsys.readouterr().err
    assert "it was trained or chosen on 2 of these 6 test examples" in told
    np.testing.assert_array_equal(
        seen_before(version, examples), [True] * 2 + [False] * 4
    )
    (version / "assets.extra" / "run_id").write_text("another")
    with on_console():
        accept.check(images)
    assert capsys.readouterr().err == ""


def test_other_classes_are_told(tmp_path):
    accept = acceptance(tmp_path, LABELS, ("cat", "fox", "hen"))
    with pytest.raises(DataError) as caught:
        accept.check(images_of())
    assert "\n".join(caught.value.faults) == (
        f"--not_worse_than={tmp_path}/pets/3: its classes are not those of "
        "this dataset (only there: fox, hen; only here: dog, eel) - name a "
        "version of the same classes, or leave it out"
    )


def test_one_that_cannot_be_asked_is_told_before_training(
    tmp_path, monkeypatch
):
    accept = acceptance(tmp_path, None)
    accept.earlier = Export(
        tmp_path / "pets" / "3", None, NAMES, "", flag="--not_worse_than"
    )

    def fail(graph, folder, pictures, answer):
        assert answer == "probabilities"
        assert folder == tmp_path / "pets" / "3"
        raise NotPublishedError("export not published: a process died")

    monkeypatch.setattr(export, "ask_version", fail)
    with pytest.raises(ConfigError) as caught:
        accept.check(images_of())
    where = f"--not_worse_than={tmp_path}/pets/3"
    assert (
        "\n".join(caught.value.faults)
        == f"{where}: a process died - name another"
    )
    for answers, words in (
        (
            np.ones((1, 2)),
            r"gives \(1, 2\) probabilities for 1 pict.* 3 labels",
        ),
        (np.full((1, 3), np.nan), "gives probabilities that are no numbers"),
    ):
        monkeypatch.setattr(
            export,
            "ask_version",
            lambda graph, folder, pictures, answer, found=answers: (
                list(pictures) and found
            ),
        )
        with pytest.raises(ConfigError, match=words) as caught:
            accept.check(images_of())
        assert caught.value.faults[0].startswith(f"{where}: ")


@pytest.mark.parametrize(("least", "taken"), [(0.5, True), (0.51, False)])
def test_the_least_accuracy_is_kept(tmp_path, least, taken):
    accept = acceptance(tmp_path, None, min_accuracy=least)
    accept.check(images_of())
    answers = rows_for([0, 1, 2, 1, 2, 0])
    if taken:
        numbers = accept(images_of(), answers)
    else:
        with pytest.raises(NotAcceptedError) as caught:
            accept(images_of(), answers)
        numbers = caught.value.numbers
        assert caught.value.faults == (
            "not published: test accuracy 0.5000, --min_accuracy=0.51",
        )
    refused = ["test accuracy 0.5000, --min_accuracy=0.51"]
    expected = {"min_accuracy": least} | ({} if taken else {"refused": refused})
    assert numbers == {"regression": expected}
    assert not (tmp_path / "out").exists()


def test_nothing_asked_is_nothing_done(tmp_path):
    accept = acceptance(tmp_path, None)
    assert accept(images_of(), rows_for([1] * 6)) == {}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """The new version is not asked in other processes, the old one is."""
    tiny.use(
        monkeypatch,
        tiny.QUICK.replacing(tiny.record, stages.record),
    )


@pytest.fixture
def again(finished, tmp_path) -> TransferConfig:
    """The same settings, in a copy of what a run left that has all right."""
    assert finished.result.metrics["test"]["accuracy"] == 1.0
    shutil.copytree(finished.config.output_dir, tmp_path / "out")
    return dataclasses.replace(
        finished.config, output_dir=str(tmp_path / "out"), fine_tune_epochs=0,
        compare_scratch=False,
    )  # fmt: skip


def flags(config: TransferConfig, **values) -> list[str]:
    return dataclasses.replace(config, **values).to_flags().splitlines()


@pytest.mark.usefixtures("plain_decoder")
def test_a_worse_run_leaves_all_but_a_version(again, capsys, monkeypatch):
    """A head that learnt nothing; the version is asked in a process.

    The same command says the same again without training; another standard
    judges the same model anew.
    """
    spoiled = flags(
        again, not_worse_than=again.output_dir, min_accuracy=0.99,
        head_solver="adam", head_epochs=1, head_learning_rate=1e-12,
        calibrate=False,
    )  # fmt: skip
    assert main([*spoiled, "--restart"]) == 6
    low, worse = capsys.readouterr().err.splitlines()
    out = again.run_folder()
    assert low.startswith("error: not published: test accuracy 0.")
    assert worse.startswith(f"error: not published: worse than {out / '1'} on")
    assert all(
        x.endswith(f" - the model is in {out}/run") for x in (low, worse)
    )
    assert sorted(os.listdir(out)) == [".lock", "1", "run", "run.1"]
    metrics = json.loads((out / "run" / "metrics.json").read_text())
    assert metrics["export"] is None
    found = metrics["regression"]
    assert found["version"] == "out/1"
    assert found["accuracy"] == 1.0
    assert found["accuracy_of_new"] == metrics["test"]["accuracy"] < 1.0
    old, new = (
        {r["id"]: r["predicted"] for r in read(out / name / "predictions.csv")}
        for name in ("run.1", "run")
    )
    rows = read(out / "run" / "changed.csv")
    assert {r["id"] for r in rows} == {i for i in old if old[i] != new[i]}
    assert all((r["old"], r["new"]) == (old[r["id"]], new[r["id"]])
               for r in rows)  # fmt: skip
    assert all(r["change"] == "lost" for r in rows)
    for name in ("model.keras", "split.csv", "labels.txt"):
        assert (out / "run" / name).exists()
    page = Page((out / "run" / "report.html").read_text(encoding="utf-8"))
    assert "Version out/1 has" in page.text
    assert "Not published: there is no version" in page.text
    assert "Right there, wrong here" in page.text
    markdown = (out / "run" / "report.md").read_text()
    assert "## Against an earlier" in markdown
    assert "Not published: worse than" in markdown.replace("\\", "")
    assert all(f"- lost: `{row['id']}`" in markdown for row in rows[:12])
    saved = (out / "run" / "model.keras").read_bytes()
    with monkeypatch.context() as patched:
        never = tiny.QUICK.replacing(stages.fit, tiny.end)
        tiny.use(patched, never)
        assert main(spoiled) == 6
    told = capsys.readouterr().err.splitlines()
    assert told[:2] == [low, worse]
    assert "nothing is done again" in told[2]
    relaxed = flags(
        again, min_accuracy=0.01, head_solver="adam", head_epochs=1,
        head_learning_rate=1e-12, calibrate=False,
    )  # fmt: skip
    assert main(relaxed) == 0
    assert sorted(os.listdir(out)) == [".lock", "1", "2", "run", "run.1"]
    assert len((out / "run" / "history.csv").read_text().splitlines()) == 2
    assert len(saved) == (out / "run" / "model.keras").stat().st_size


@pytest.mark.usefixtures("plain_decoder")
@test_runtimes.needs_runtimes
def test_an_equal_run_is_published_with_all_files(again, capsys):
    version = again.run_folder() / "1"
    result = run(
        dataclasses.replace(
            again,
            not_worse_than=str(version),
            export=("saved_model", "tflite", "onnx"),
            tflite_precision=("float16", "int8"),
        ),
        restart=True,
    )
    printed = capsys.readouterr().out
    assert result.version.name == "2"
    assert result.metrics["regression"]["changed"] == 0
    assert f"not worse than {version} on the same 6" in printed
    assert read(result.run_folder / "changed.csv") == []
    folder = result.run_folder / "exports"
    assert {path.name for path in folder.iterdir()} == {
        "model_float16.tflite", "model_int8.tflite", "model.onnx",
        "labels.txt",
    }  # fmt: skip
    numbers = result.metrics["runtimes"]
    assert list(numbers) == ["tflite_float16", "tflite_int8", "onnx"]
    for name, file in numbers.items():
        path = result.run_folder / file["file"]
        assert file["bytes"] == path.stat().st_size
        assert file["refused"] is None
        assert f"{name}: {file['file']}, 0." in printed
        assert f"test accuracy {file['accuracy']:.4f}" in printed
    assert numbers["onnx"]["accuracy"] == result.metrics["test"]["accuracy"]
    assert numbers["onnx"]["largest_difference"] < 1e-5
    stored = json.loads((result.run_folder / "metrics.json").read_text())
    assert stored["runtimes"] == numbers
    assert stored["seconds"]["other_runtimes"] > 0
    page = Page((result.run_folder / "report.html").read_text("utf-8"))
    assert "Other runtimes" in page.text
    markdown = (result.run_folder / "report.md").read_text()
    assert "`exports/model.onnx`" in markdown


@pytest.fixture
def version(tiny_export, tmp_path):
    """A version of the same two classes."""
    return hostile.copied(tiny_export / "1", tmp_path / "old" / "1")


def opened(version, **values):
    """What `--not_worse_than` makes of it."""
    config = TransferConfig(
        dataset="digits", not_worse_than=str(version), **values
    )
    return Acceptance(config).earlier


def refused_alike(version, **values) -> str:
    """The line with which both predict and `--not_worse_than` refuse it."""
    with pytest.raises(DataError) as told:
        inspect_export(version, **values)
    with pytest.raises(ConfigError) as caught:
        opened(version, **values)
    (line,), (other,) = told.value.faults, caught.value.faults
    assert line.startswith(f"--model={version}: ")
    assert other == line.replace("--model=", "--not_worse_than=", 1)
    return other


@pytest.mark.parametrize("edit", hostile.GRAPHS, ids=lambda e: e.__name__)
def test_it_refuses_the_graphs_that_predict_refuses(edit, version, tmp_path):
    made = tmp_path / "made"
    hostile.rewrite(version, lambda saved: edit(saved.meta_graphs[0], made))
    refused_alike(version)
    assert not made.exists()


@pytest.mark.parametrize("edit", hostile.FOLDERS, ids=lambda e: e.__name__)
@pytest.mark.parametrize("trust_model", [False, True])
def test_it_refuses_the_folders_that_predict_refuses(
    edit, trust_model, version, tmp_path
):
    edit(version, tmp_path / "made")
    refused_alike(version, trust_model=trust_model)


def test_two_swapped_labels_are_no_earlier_version(version):
    """With a manifest of before, and with one that agrees with them."""
    labels = version / "assets.extra" / "labels.txt"
    labels.write_text("green\nblue_not\n")
    assert "labels.txt was changed - export it again" in refused_alike(version)
    hostile.seal(version)
    assert "labels.txt has the classes of its graph in" in refused_alike(
        version
    )


def test_an_earlier_version_may_be_trusted(version, capsys):
    assert opened(version).warnings == ()
    (version / "assets.extra" / "manifest.json").unlink()
    line = refused_alike(version)
    assert "it has no assets.extra/manifest.json" in line
    assert "--trust_model loads it" in line
    with on_console():
        earlier = opened(version, trust_model=True)
    assert earlier.labels == ("blue_not", "green")
    told = capsys.readouterr().err
    assert told == f"warning: {version}: {earlier.warnings[0]}\n"


def test_the_graph_that_was_looked_over_is_the_one_that_runs(version, tmp_path):
    """Though the file is exchanged before it is asked."""
    earlier = opened(version)
    read = (version / "saved_model.pb").read_bytes()
    hostile.rewrite(
        version,
        lambda saved: hostile.init_op_writes(
            saved.meta_graphs[0], tmp_path / "made"
        ),
    )
    picture = images_of_colors(1)
    found = earlier.ask(picture)
    assert found.shape == (1, 2)
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert not (tmp_path / "made").exists()
    (version / "saved_model.pb").write_bytes(read)
    hostile.seal(version)
    np.testing.assert_array_equal(opened(version).ask(picture), found)


def images_of_colors(count: int) -> list[bytes]:
    random = np.random.default_rng(0)
    return [
        png(random.integers(0, 255, (20, 24, 3), np.uint8))
        for _ in range(count)
    ]


def refused_before_training(config, monkeypatch, *more) -> int:
    def never(*_):
        raise AssertionError("trained")

    tiny.use(monkeypatch, tiny.QUICK.replacing(stages.fit, never))
    code = main([*flags(config), "--restart", *more])
    assert not (config.run_folder() / "run.1").exists()
    return code


def test_a_version_that_may_write_files_is_not_loaded(
    again, version, monkeypatch, capsys, tmp_path
):
    made = tmp_path / "made"
    hostile.rewrite(
        version, lambda s: hostile.init_op_writes(s.meta_graphs[0], made)
    )
    monkeypatch.setattr(export, "ask_version", None)
    more = f"--not_worse_than={version}"
    assert refused_before_training(again, monkeypatch, more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --not_worse_than={version}: its graph may ")
    assert "WriteFile (at write)" in line
    assert not made.exists()


@pytest.mark.parametrize("fault", ["no labels", "no graph", "no signature"])
def test_what_is_no_version_of_ours_is_refused_before_training(
    fault, again, version, monkeypatch, capsys
):
    if fault == "no labels":
        (version / "assets.extra" / "labels.txt").unlink()
        hostile.seal(version)
    if fault == "no graph":
        (version / "saved_model.pb").unlink()
    if fault == "no signature":
        hostile.rewrite(
            version,
            lambda s: s.meta_graphs[0].signature_def.pop("serving_default"),
        )
    more = f"--not_worse_than={version.parent}"
    assert refused_before_training(again, monkeypatch, more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --not_worse_than={version}: ")
    words = {
        "no labels": "labels.txt is missing",
        "no graph": "saved_model.pb is missing",
        "no signature": "expected a signature serving_default",
    }
    assert words[fault] in line


def test_a_version_of_other_classes_is_refused_before_training(
    again, monkeypatch, capsys
):
    hostile.rename_classes(
        again.run_folder() / "1", ["blue_not", "green"], ["blue_not", "red"]
    )
    more = f"--not_worse_than={again.run_folder()}"
    assert refused_before_training(again, monkeypatch, more) == 3
    err = capsys.readouterr().err
    assert "(only there: red; only here: green)" in err


def test_the_largest_number_is_meant(tmp_path):
    """Whatever is in it: an older one would be another model."""
    for name in (
        "2",
        "10",
        "run",
        "11",
        ".tmp-1",
        "\N{ARABIC-INDIC DIGIT NINE}9",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "12").touch()
    newest = versions.newest_version
    assert newest(tmp_path) == tmp_path / "11"
    assert newest(tmp_path, lambda v: v.name == "11") == tmp_path / "10"
    (tmp_path / "11" / "saved_model.pb").unlink()
    assert newest(tmp_path) == tmp_path / "11"
    assert newest(tmp_path / "2") == tmp_path / "2"
    assert newest(tmp_path / "11") is None
    assert earlier_version(str(tmp_path)) == tmp_path / "11"
    assert earlier_version(str(tmp_path / "run" / "nothing")) is None
    with pytest.raises(OSError, match="nothing"):
        newest(tmp_path / "run" / "nothing")


def test_labels_are_parted_at_line_feeds_alone(tmp_path):
    """Other signs that end a line in Python are part of a name."""
    names = ["one\N{LINE SEPARATOR}two", "three\x85", "four"]
    file = tmp_path / "labels.txt"
    file.write_text(versions.labels_text(names), encoding="utf-8")
    assert versions.read_labels(file) == tuple(names)
    for content, words in (
        (b"", "empty"), (b"a\nb\na\n", "twice"), (b"\xff\n", "utf-8"),
    ):  # fmt: skip
        file.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            versions.read_labels(file)


@pytest.mark.usefixtures("plain_decoder")
@test_runtimes.needs_runtimes
def test_a_file_that_fails_its_gate_is_told_after_all_is_saved(
    again, monkeypatch, capsys
):
    """What is converted is a network of other weights."""
    convert = converting.convert

    def spoiled(plain, some, folder, pictures, task):
        head = plain.get_layer("head_logits")
        head.bias.assign(head.bias + np.array([9.0, 0.0]))
        return convert(plain, some, folder, pictures, task)

    monkeypatch.setattr(converting, "convert", spoiled)
    # Before training it would be called too, for other weights.
    monkeypatch.setattr(transfer, "refuse_unconvertible", lambda _: None)
    assert main([*flags(again), "--restart", "--export=saved_model,onnx"]) == 6
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    folder = again.run_folder() / "run"
    assert line.startswith(f"error: {folder}/exports/model.onnx not written: ")
    assert "allowed is 0.0001" in line
    assert "worst is " in line
    assert line.endswith(" - the SavedModel is published without it")
    assert "onnx: exports/model.onnx not written, a prob" in printed.out
    assert (again.run_folder() / "2" / "saved_model.pb").exists()
    assert not (folder / "exports").exists()
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["export"]["version"] == 2
    assert metrics["runtimes"]["onnx"]["refused"] in line
    assert metrics["runtimes"]["onnx"]["bytes"] > 0


def test_missing_libraries_are_told_before_the_data_is_read(
    again, monkeypatch, capsys
):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda _: None)
    tiny.use(monkeypatch, tiny.QUICK._replace(prepare=None))
    code = main([*flags(again), "--restart", "--export=saved_model,onnx"])
    assert code == 4
    err = capsys.readouterr().err
    assert 'pip install "tl_keras[onnx]", or leave onnx out' in err


BAD = {
    "--export=tflite": "expected saved_model among them",
    "--export=saved_model,torch": "of saved_model, tflite, onnx",
    "--export=saved_model,onnx,onnx": "one or more, with commas between them",
    "--tflite_precision=int8": "--export names no tflite - leave it out",
    "--min_accuracy=93": "a number, 0 to 1",
    "--not_worse_than=nowhere": "a version (a folder with saved_model.pb)",
    "--trust_model": "no --not_worse_than - leave it out",
}


@pytest.mark.parametrize("flag", BAD)
def test_bad_values_are_told_with_2(flag, capsys):
    assert main(["--dataset=digits", flag]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert BAD[flag] in line


def test_lists_of_words_repeat_from_their_flags():
    config = TransferConfig.from_strings(
        {"dataset": "digits", "export": "saved_model, onnx"}
    )
    assert config.export == ("saved_model", "onnx")
    assert "--export=saved_model,onnx\n" in config.to_flags()
    with pytest.raises(ConfigError, match="expected one or more"):
        dataclasses.replace(config, export=("saved_model", 3)).validate()
    with pytest.raises(ConfigError, match="expected one or more"):
        dataclasses.replace(config, export="saved_model").validate()
