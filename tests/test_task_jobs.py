"""Whole jobs of several labels and of numbers, from the table to the answer.

Two runs, of the smallest network and 40 small pictures, with nothing in them
that stands in but the decoder: what follows training knows the task, and that
is what is asked here (gate, page, evaluate, predict, a second version, resume).
"""

import csv
import json
import types

import numpy as np
import pytest
import tiny
from documents import metrics_validator
from PIL import Image

from tl_keras import TransferConfig, evaluate, predict, run
from tl_keras.errors import ConfigError, DataError
from tl_keras.exports import inspect_export
from tl_keras.jobs import stages
from tl_keras.jobs.first_look import cut_of, list_data
from tl_keras.jobs.searching import Searches
from tl_keras.jobs.task_choice import task_faults
from tl_keras.search import SearchPlan
from tl_keras.train import main as train

COUNT = 40
# A picture to train on that is clearly red or clearly not; see `labels_of`.
WRONG = 17


def write_pictures(root) -> list[tuple[int, int]]:
    """COUNT flat colours; how red and how green each is."""
    random = np.random.default_rng(0)
    levels = random.integers(10, 245, (COUNT, 2))
    for number, (red, green) in enumerate(levels.tolist()):
        noise = random.integers(-8, 9, (20, 24, 3))
        picture = np.clip(np.array([red, green, 60]) + noise, 0, 255)
        Image.fromarray(picture.astype(np.uint8)).save(root / f"{number}.png")
    return levels.tolist()


def write_table(file, header: str, rows) -> None:
    lines = [header, *(f"{i}.png,{cell}" for i, cell in enumerate(rows))]
    file.write_text("\n".join(lines) + "\n")


def labels_of(levels) -> list[str]:
    """red, green, both or none; and one that is everywhere but once.

    Of one picture red is said wrongly, be it there or not.
    """
    rows = []
    for number, (red, green) in enumerate(levels):
        is_red = (red > 128) != (number == WRONG)
        given = ["red"] * is_red + ["green"] * (green > 128)
        rows.append("|".join(given + ["flat"] * (number > 0)))
    return rows


def settings(root, table: str, network, **values) -> TransferConfig:
    return TransferConfig(
        **{
            "dataset": str(root / table), "backbone": str(network),
            "output_dir": str(root.parent / f"out_{table[:-4]}"),
            "batch_size": 8, "fine_tune_epochs": 1, "unfreeze_from": "two",
            "val_fraction": 0.25, "test_fraction": 0.25,
            "near_duplicates": False, **values,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(tiny_network, tmp_path_factory):
    """Both runs, and the folder of the pictures."""
    root = tmp_path_factory.mktemp("tasks") / "pictures"
    root.mkdir()
    levels = write_pictures(root)
    write_table(root / "labels.csv", "path,label", labels_of(levels))
    write_table(root / "red.csv", "path,redness",
                [f"{r / 10 + 0.25}" for r, _ in levels])  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_plain_decoder(patch)
        configs = {
            "labels": settings(root, "labels.csv", tiny_network),
            "red": settings(
                root, "red.csv", tiny_network, target="redness",
                fine_tune_epochs=0, compare_scratch=True,
            ),
        }  # fmt: skip
        results = {name: run(config) for name, config in configs.items()}
        yield types.SimpleNamespace(
            root=root, configs=configs, results=results, levels=levels
        )


def rows_of(file) -> list[dict]:
    with open(file, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", ["labels", "red"])
def test_its_numbers_are_as_documented(name, ran):
    file = ran.results[name].run_folder / "metrics.json"
    metrics_validator().validate(json.loads(file.read_text(encoding="utf-8")))


# Several labels.


def test_a_run_of_several_labels_says_what_it_found(ran):
    result = ran.results["labels"]
    metrics = result.metrics
    assert result.class_names == ("flat", "green", "red")
    assert metrics["task"]["task"] == "multilabel"
    assert len(metrics["task"]["thresholds"]) == 3
    assert metrics["thresholds"] == metrics["task"]["thresholds"]
    assert set(metrics["test"]["per_label"]) == {"flat", "green", "red"}
    assert metrics["test"]["map"] > 0.8
    assert metrics["monitor"] == "val_loss_calibrated"
    # What is there in all of a split is told.
    warnings = metrics["card"]["data"]["warnings"]
    assert any("'flat' is always there in test" in line for line in warnings)
    rows = rows_of(result.run_folder / "predictions.csv")
    assert list(rows[0]) == [
        "id", "label", "predicted", "p:flat", "p:green", "p:red",
    ]  # fmt: skip
    page = (result.run_folder / "report.html").read_text()
    assert "By label, the lowest average precision first" in page
    assert "mAP" in page
    text = (result.run_folder / "report.md").read_text()
    assert "| test split | mAP | 95 % interval | macro-F1 |" in text


def test_a_wrong_label_is_on_the_card_and_in_the_data_report(ran):
    folder = ran.results["labels"].run_folder
    report = json.loads((folder / "data_report.json").read_text())
    label_issues = {s["id"]: s for s in report["label_suspects"]}
    label_issue, red = label_issues[f"{WRONG}.png"], ran.levels[WRONG][0] > 128
    assert label_issue["label"] == ("no red" if red else "red")
    assert label_issue["guess"] == ("red" if red else "no red")
    assert "Labels to look at" in (folder / "data_report.html").read_text()
    page = (folder / "report.html").read_text()
    assert "<h3>Labels to look at</h3>" in page
    sure = f"{100 * label_issue['probability_of_guess']:.1f}&nbsp;%"
    assert f'{label_issue["guess"]}</span> <span class="num">{sure}' in page
    assert f'alt="training picture of {label_issue["label"]}"' in page
    assert "no longer there" not in page


def test_its_export_gives_labels_above_their_thresholds(ran):
    export = inspect_export(ran.results["labels"].version)
    assert export.task.name == "multilabel"
    outputs = export.graph.signature_def["serving_default"].outputs
    assert set(outputs) == {
        "probabilities", "labels", "classes", "scores", "status",
    }  # fmt: skip
    assert "classify" in export.graph.signature_def


def test_splits_have_labels_alike(ran):
    config = ran.configs["labels"]
    listing = list_data(config)
    cut = cut_of(config, listing)
    labels = listing.splits["train"].labels
    part = cut.stratify(labels, [0.5, 0.25, 0.25], 0)
    shares = [labels[part == i].mean(axis=0) for i in range(3)]
    assert np.ptp(shares, axis=0).max() < 0.15
    assert "task: multilabel, since" in listing.told[-1]


def test_evaluate_gives_the_runs_own_numbers_of_labels(ran, tmp_path, capsys):
    result = ran.results["labels"]
    code = evaluate.main(
        [
            f"--model={result.version.parent}",
            f"--dataset={result.run_folder / 'split.csv'}",
            f"--data_dir={ran.root}",
            f"--output_dir={tmp_path}",
        ]
    )
    assert code == 0
    found = json.loads((tmp_path / "metrics.json").read_text())
    for name in ("map", "exact_match", "micro_f1"):
        assert found["test"][name] == pytest.approx(
            result.metrics["test"][name]
        )
    assert not (tmp_path / "confusion.png").exists()
    printed = capsys.readouterr().out
    assert "label  precision  recall" in printed
    assert "mAP: " in printed


def test_predict_gives_all_labels_of_a_picture(ran, tmp_path):
    result = ran.results["labels"]
    code = predict.main(
        [
            f"--model={result.version.parent}", f"--input={ran.root}",
            f"--output_dir={tmp_path / 'out'}", "--include=*.png",
        ]
    )  # fmt: skip
    assert code == 0
    lines = (tmp_path / "out" / "predictions.jsonl").read_text().splitlines()
    rows = {row["id"]: row for row in map(json.loads, lines)}
    assert len(rows) == COUNT
    right = sum(
        ("red" in rows[f"{i}.png"]["labels"]) == (red > 128)
        for i, (red, _) in enumerate(ran.levels)
    )
    assert right > 0.8 * COUNT
    cells = rows_of(tmp_path / "out" / "predictions.csv")
    assert list(cells[0]) == ["id", "labels", "scores", "status", "reason"]
    assert "flat" in cells[1]["labels"].split("|")


def test_a_version_of_labels_is_compared_by_map(ran, capsys, monkeypatch):
    """The same run again is not worse; nothing else is trained for it."""
    config = ran.configs["labels"]
    tiny.use(monkeypatch, tiny.QUICK)
    flags = [
        f"--{line}"
        for line in config.to_flags().replace("--", "").splitlines()
        if not line.startswith("output_dir")
    ]
    out = ran.root.parent / "second"
    model = ran.results["labels"].version.parent
    code = train([*flags, f"--output_dir={out}", f"--not_worse_than={model}"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "not worse than" in printed.out
    metrics = json.loads((out / "run" / "metrics.json").read_text())
    assert metrics["regression"]["map"] == metrics["regression"]["map_of_new"]
    assert metrics["regression"]["verdict"] == "cannot tell"


def test_a_version_of_another_task_is_told_before_training(ran, capsys):
    """What it predicts is no label."""
    model = ran.results["red"].version.parent
    config = settings(
        ran.root, "labels.csv", ran.configs["labels"].backbone,
        output_dir=str(ran.root.parent / "other"), not_worse_than=str(model),
    )  # fmt: skip
    with pytest.raises(DataError, match="it predicts regression, this run"):
        run(config)


def test_a_finished_run_of_labels_is_found_again(ran, capsys):
    again = run(ran.configs["labels"])
    assert "finished before" in capsys.readouterr().out
    assert (
        again.metrics["test"]["map"]
        == (ran.results["labels"].metrics["test"]["map"])
    )


# Numbers.


def test_a_run_of_numbers_answers_in_their_unit(ran):
    result = ran.results["red"]
    test = result.metrics["test"]
    assert result.class_names == ("redness",)
    assert result.metrics["task"]["task"] == "regression"
    truth = np.array([r / 10 + 0.25 for r, _ in ran.levels])
    baseline = result.metrics["card"]["section"]["baseline_mae"]
    assert baseline == pytest.approx(
        np.abs(truth - np.median(truth)).mean(), rel=0.5
    )
    assert test["mae"] < baseline / 2
    assert result.metrics["conformal"]["coverage"] == 0.9
    assert 0.5 <= test["coverage"] <= 1
    rows = rows_of(result.run_folder / "predictions.csv")
    assert list(rows[0]) == [
        "id", "true:redness", "predicted:redness", "low:redness",
        "high:redness",
    ]  # fmt: skip
    # From random weights, in the same unit.
    scratch = result.metrics["scratch"]["test"]
    assert 0 < scratch["mae"] < 100
    assert scratch["examples"] == test["examples"]
    page = (result.run_folder / "report.html").read_text()
    assert "from random weights" in page
    assert "redness: predicted against true" in page
    assert "always answering with the median of training" in page


def test_its_export_gives_values_and_their_interval(ran):
    export = inspect_export(ran.results["red"].version)
    assert export.task.name == "regression"
    outputs = export.graph.signature_def["serving_default"].outputs
    assert set(outputs) == {"values", "columns", "low", "high", "status"}
    assert "classify" not in export.graph.signature_def
    picture = (ran.root / "3.png").read_bytes()
    ((value,),) = export.ask([picture])
    assert value == pytest.approx(ran.levels[3][0] / 10 + 0.25, abs=6)


def test_evaluate_and_predict_give_numbers(ran, tmp_path, capsys):
    result = ran.results["red"]
    code = evaluate.main(
        [
            f"--model={result.version.parent}", f"--dataset={ran.root}/red.csv",
            f"--output_dir={tmp_path / 'e'}",
        ]
    )  # fmt: skip
    assert code == 0
    found = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert found["test"]["examples"] == COUNT
    assert found["test"]["r2"] > 0.5
    assert "mean abs. error: " in capsys.readouterr().out
    code = predict.main(
        [f"--model={result.version.parent}", f"--input={ran.root / '3.png'}"]
    )
    assert code == 0
    printed = capsys.readouterr().out
    assert "3.png: redness " in printed
    assert "redness_low " in printed


def rows_at(ran, name: str, folder, *more: str) -> list[dict]:
    """What predict writes of all pictures."""
    arguments = [
        f"--model={ran.results[name].version.parent}", f"--input={ran.root}",
        "--include=*.png", f"--output_dir={folder}", *more,
    ]  # fmt: skip
    assert predict.main(arguments) == 0
    return rows_of(folder / "predictions.csv")


def test_another_share_can_be_asked_for_when_predicting(ran, tmp_path, capsys):
    plain = rows_at(ran, "red", tmp_path / "plain")
    narrow = rows_at(ran, "red", tmp_path / "narrow", "--coverage=0.5")
    assert list(narrow[0]) == [
        "id", "redness", "redness_low", "redness_high", "status", "reason",
    ]  # fmt: skip
    for one, other in zip(plain, narrow, strict=True):
        assert one["redness"] == other["redness"]
        assert float(one["redness_low"]) < float(other["redness_low"])
        assert float(other["redness_high"]) < float(one["redness_high"])
    model = f"--model={ran.results['red'].version.parent}"
    capsys.readouterr()
    code = evaluate.main(
        [model, f"--dataset={ran.root}/red.csv", "--coverage=0.5",
         f"--output_dir={tmp_path / 'e'}"]
    )  # fmt: skip
    assert code == 0
    found = json.loads((tmp_path / "e" / "metrics.json").read_text())["test"]
    assert found["coverage_asked"] == 0.5
    printed = capsys.readouterr().out
    held = f"coverage: {found['coverage']:.3f} of the truths are held, for 0.5"
    assert f"{held}, by intervals" in printed


@pytest.mark.parametrize(
    ("name", "share", "words"),
    [
        ("red", "0.99", "it had too few validation pictures for that"),
        ("labels", "0.9", "multilabel has neither sets nor intervals"),
    ],
)
def test_a_share_that_cannot_be_promised_is_one_line(
    ran, name, share, words, capsys
):
    model = f"--model={ran.results[name].version.parent}"
    code = predict.main(
        [model, f"--input={ran.root / '3.png'}", f"--coverage={share}"]
    )
    assert code == 2
    said = capsys.readouterr().err
    assert f"--coverage={share}: " in said
    assert words in said
    assert len(said.strip().splitlines()) == 1


# Through a server.


@pytest.mark.parametrize("name", ["labels", "red"])
def test_a_server_says_what_the_export_says(ran, name):
    """Over REST and over gRPC, to the last digit alike."""
    pytest.importorskip("tensorflow_serving")
    from serving_double import Double

    from tl_keras.serving.server_client import connect

    export = inspect_export(ran.results[name].version)
    pictures = [(ran.root / f"{i}.png").read_bytes() for i in range(3)]
    answers = export.ask(pictures)
    expected = export.task.say(answers, export.labels, 5)
    with Double(export.folder.parent, name) as double:
        told, over_grpc = (
            connect(address, name).ask([*pictures, b"nothing"])
            for address in (double.rest, double.grpc)
        )
        squares = np.zeros((2, 16, 16, 3), np.float32)
        pixels = [
            connect(address, name).ask_pixels(squares)
            for address in (double.rest, double.grpc)
        ]
    assert told == over_grpc
    assert pixels[0] == pixels[1]
    assert pixels[0][0].more.keys() == told[0].more.keys()
    assert told[-1].status
    assert told[-1].labels == ()
    for one, other in zip(told[:-1], expected, strict=True):
        assert one.labels == other.labels
        assert set(one.more) == set(other.more)
        if name == "red":
            values = [one.more[key] for key in other.more]
            assert values == pytest.approx(list(other.more.values()), rel=1e-4)
        else:
            assert one.scores == pytest.approx(other.scores, abs=1e-4)


# What does nothing is refused.


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("regression", {"label_smoothing": 0.1}, "--label_smoothing: given"),
        ("regression", {"loss": "focal"}, "--loss=focal: expected auto, huber"),
        ("regression", {"monitor": "val_map"}, "--monitor=val_map: expected"),
        ("multilabel", {"coverage": 0.8}, "--coverage: given"),
        ("multilabel", {"min_accuracy": 0.8}, "--min_accuracy: given"),
        ("multiclass", {"loss": "mae"}, "--loss=mae: expected auto, cross"),
        ("multiclass", {"coverage": 0.8}, ""),
        ("multilabel", {"class_weights": "balanced"}, ""),
    ],
)
def test_settings_of_another_task_are_refused(kind, values, words):
    faults = list(task_faults(TransferConfig(**values), kind))
    assert (words in faults[0]) if words else not faults


def test_so_many_a_class_is_refused_where_there_are_none(ran):
    config = settings(
        ran.root, "labels.csv", "x.keras", train_examples_per_class=3
    )
    with pytest.raises(ConfigError, match="has no classes"):
        cut_of(config, list_data(config))


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--target=age", "only a table has columns"),
        ("--label_separator=;", "only a table"),
        ("--task=regression", "only a table says more"),
    ],
)
def test_a_folder_has_classes_alone(flag, words, tmp_path, capsys):
    (tmp_path / "cats").mkdir()
    assert train([f"--dataset={tmp_path}", flag]) == 2
    assert words in capsys.readouterr().err


# A strategy that folds choose.


@pytest.mark.parametrize(
    ("table", "target", "main"),
    [("labels.csv", {}, "map"), ("red.csv", {"target": "redness"}, "mae")],
)
def test_a_strategy_is_searched_for_other_tasks_too(
    ran, table, target, main, tiny_network, tmp_path, monkeypatch, capsys
):
    """All labels teach, those that validate too, and calibrate what they had
    no part in."""
    plan = SearchPlan(("all layers at 0.0003",), 3, 1.0, 9.0)
    planned = Searches(plan, "")
    monkeypatch.setattr(stages, "plan_for", lambda *_: planned)
    config = settings(
        ran.root, table, tiny_network, strategy="auto", fine_tune_epochs=10,
        unfreeze_from="auto", output_dir=str(tmp_path / "out"), **target,
    )  # fmt: skip
    metrics = run(config, stages=tiny.QUICK).metrics
    head, way = metrics["search"]["candidates"]
    assert head["examples"] == way["examples"] == 30
    assert way["cost"] <= head["cost"]
    low, high = way[f"{main}_interval"]
    assert low <= way[main] <= high
    assert "what the folds say of all 30" in capsys.readouterr().out
