"""The whole run: command and Python, files, numbers, faults."""

import copy
import csv
import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from conftest import CHECKOUT

import tl_keras
from tl_keras import TransferConfig, jobs
from tl_keras.errors import (
    ConfigError,
    DataError,
    MachineError,
    NotPublishedError,
)
from tl_keras.inputs.image import pixels
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.jobs import preparation, publishing, stages
from tl_keras.jobs.telling import ending
from tl_keras.runs import RunFolder
from tl_keras.tasks.multiclass import calibration
from tl_keras.train import main


@pytest.fixture
def config(color_folder, tiny_network, tmp_path) -> TransferConfig:
    """A head that is solved and an epoch of fine-tuning."""
    return tiny.config(
        color_folder, tiny_network, tmp_path / "out",
        dropout=0.0, fine_tune_epochs=1, batch_size=6,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """The graph, its gate and the page are real in `finished` alone."""
    tiny.use(monkeypatch, tiny.QUICK)


def run(config: TransferConfig, some=None) -> jobs.RunResult:
    """A run of its own, though the folder may hold another."""
    return tl_keras.run(config, restart=True, stages=some)


def changed(config: TransferConfig, **values) -> TransferConfig:
    return dataclasses.replace(config, **values)


def test_a_run_leaves_what_it_promises(finished):
    result = finished.result
    files = {path.name for path in result.run_folder.iterdir()}
    assert files == {
        "run.flags", "metrics.json", "history.csv", "split.csv", "logs",
        "predictions.csv", "model.keras", "labels.txt", "curves.png",
        "confusion.png", "data_report.json", "data_report.html",
        "report.html", "report.md", "serving", "state.json",
    }  # fmt: skip
    stored = json.loads((result.run_folder / "metrics.json").read_text())
    assert stored == result.metrics
    assert set(stored["test"]) >= {
        "accuracy", "macro_f1", "loss", "examples", "per_class",
        "accuracy_interval", "ece",
    }  # fmt: skip
    assert stored["test"]["accuracy"] >= 5 / 6  # two easy colours
    assert [p["name"] for p in stored["phases"]] == ["head", "fine_tune"]
    assert stored["seconds"]["total"] >= stored["seconds"]["train"] > 0
    assert stored["versions"]["keras"] == keras.__version__
    assert len(stored["data"]["fingerprint"]) == 64
    assert (result.run_folder / "labels.txt").read_text() == "blue_not\ngreen\n"
    assert list((result.run_folder / "logs").rglob("events*"))
    for words in (
        "frozen backbone", "fine-tuned", "from random weights", "<- kept",
        "data: 24 found = 12 train, 6 val, 6 test",
    ):  # fmt: skip
        assert words in finished.printed


def read(path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_predictions_export_and_model_file_agree(finished):
    """The same six files, three ways, the same probabilities."""
    result = finished.result
    rows = read(result.run_folder / "predictions.csv")
    assert len(rows) == result.metrics["test"]["examples"] == 6
    root = finished.config.dataset
    encoded = [pathlib.Path(root, row["id"]).read_bytes() for row in rows]
    names = [f"p:{name}" for name in result.class_names]
    listed = np.array([[float(row[name]) for name in names] for row in rows])
    serve = tf.saved_model.load(result.version).signatures["serving_default"]
    served = serve(image_bytes=tf.constant(encoded))["probabilities"]
    np.testing.assert_allclose(served, listed, atol=1e-5)

    model = keras.models.load_model(result.run_folder / "model.keras")
    pictures = np.stack([pixels.load(e, 16, "crop") for e in encoded])
    np.testing.assert_allclose(
        model.predict(pictures, verbose=0), listed, atol=1e-5
    )
    right = [row["label"] == row["predicted"] for row in rows]
    assert np.mean(right) == result.metrics["test"]["accuracy"]


@pytest.mark.usefixtures("plain_decoder")
def test_a_temperature_is_in_everything_the_run_leaves(config, monkeypatch):
    """The head of the model is the plain run's, divided; classes stay."""
    config = changed(config, fine_tune_epochs=0, train_on_all=False)
    plain = run(changed(config, calibrate=False))
    # Six validation pictures would move nothing.
    monkeypatch.setattr(calibration, "fit_temperature", lambda *_: 2.5)
    warm = run(changed(config, output_dir=config.output_dir + "2"))
    assert plain.metrics["temperature"] is None
    assert "ece_before" not in plain.metrics["test"]
    temperature = 2.5
    assert warm.metrics["temperature"] == {"value": 2.5, "examples": 6}
    for one, two in zip(
        plain.model.get_layer("head_logits").get_weights(),
        warm.model.get_layer("head_logits").get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(one, two * temperature, rtol=1e-5)
    assert warm.metrics["test"]["ece_before"] == pytest.approx(
        plain.metrics["test"]["ece"], abs=1e-4
    )
    rows = [read(r.run_folder / "predictions.csv") for r in (plain, warm)]
    for one, two in zip(*rows, strict=True):
        assert one["predicted"] == two["predicted"]
        assert one["score"] != two["score"]


@pytest.mark.usefixtures("plain_decoder")
def test_no_validation_still_gives_a_whole_run(config, capsys):
    config = changed(config, val_fraction=0.0)
    result = run(config)
    assert result.metrics["kept_phase"] == "fine_tune"
    assert result.metrics["data"]["used"]["val"] == 0
    assert result.metrics["temperature"] is None
    assert "calibration: none" in capsys.readouterr().out
    with pytest.raises(DataError, match=r"^calibrate: given, but .* nothing"):
        run(changed(config, calibrate=True))


@pytest.mark.usefixtures("plain_decoder")
def test_the_flags_of_a_run_repeat_it(config, tmp_path):
    first = run(config)
    out = tmp_path / "again"
    flags = first.run_folder / "run.flags"
    assert main([f"--flagfile={flags}", f"--output_dir={out}"]) == 0
    for name in ("predictions.csv", "split.csv", "history.csv"):
        assert (out / "run" / name).read_bytes() == (
            first.run_folder / name
        ).read_bytes(), name


@pytest.mark.usefixtures("plain_decoder")
def test_a_restart_keeps_the_first_run_and_its_version(config):
    versions = [run(config, tiny.UNTRAINED).version.name for _ in range(2)]
    assert versions == ["1", "2"]
    names = set(os.listdir(config.output_dir))
    assert names == {"1", "2", "run", "run.1", ".lock"}


def test_f17_a_second_run_at_the_same_time_is_refused(config):
    inside = []

    def prepare(_, download):
        with pytest.raises(MachineError, match="another run writes there"):
            run(config)
        inside.append(True)
        raise DataError("enough")

    with pytest.raises(DataError, match="enough"):
        run(config, tiny.QUICK._replace(prepare=prepare))
    assert inside == [True]


def test_what_was_trained_outlives_a_failed_export(config):
    def fail(_):
        raise NotPublishedError("export not published: it differs")

    failing = tiny.UNTRAINED.replacing(tiny.publish, fail)
    with pytest.raises(NotPublishedError, match="the model is in "):
        run(config, failing)
    folder = config.run_folder() / "run"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["export"] is None
    assert metrics["test"]["examples"] == 6
    assert {"model.keras", "predictions.csv", "split.csv"} <= {
        path.name for path in folder.iterdir()
    }
    assert not (config.run_folder() / "1").exists()


def test_a_stage_gives_a_run_and_changes_none(config):
    """What each stage was given is, in the end, as it was."""
    given = []

    def numbers(run):
        return [run.cost, *(one.metrics for one in run.evaluations)]

    def noted(stage):
        def do(run):
            given.append((run, copy.deepcopy(numbers(run))))
            return stage.do(run)

        return stage._replace(do=do)

    some = tiny.UNTRAINED._replace(record=stages.record)
    run(
        config,
        some._replace(
            training=tuple(map(noted, some.training)),
            publishing=tuple(map(noted, some.publishing)),
        ),
    )
    assert len(given) == 7  # Neither other runtimes nor scratch was asked.
    for before, known in given:
        assert numbers(before) == known


def test_a_temperature_leaves_the_fit_it_was_given(config, monkeypatch):
    # Six validation pictures would move nothing.
    monkeypatch.setattr(calibration, "fit_temperature", lambda *_: 2.5)
    seen = []

    def evaluate(given):
        kept = given.fit.phases[given.fit.kept]
        before = copy.deepcopy(kept.best_variables)
        after = stages.evaluate(given)
        seen.append((before, kept, after.fit.phases[after.fit.kept]))
        return after

    run(
        changed(config, fine_tune_epochs=0),
        tiny.QUICK.replacing(stages.evaluate, evaluate),
    )
    ((before, given, after),) = seen
    for one, two in zip(before, given.best_variables, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(
        (one != two).any()
        for one, two in zip(before, after.best_variables, strict=True)
    )


def test_a_stage_that_is_not_there_cannot_be_replaced():
    some = tiny.UNTRAINED.replacing(stages.compare_scratch, tiny.end)
    with pytest.raises(ValueError, match="not a step of these stages"):
        some.replacing(stages.fit, tiny.end)


@pytest.mark.usefixtures("plain_decoder")
def test_options_people_expect_all_run(config):
    result = run(
        changed(
            config,
            optimizer="adamw",
            weight_decay=0.01,
            label_smoothing=0.1,
            class_weights="balanced",
            monitor="val_accuracy",
            early_stopping_patience=1,
            augment="flip_crop_color",
            resize="pad",
            pooling="max",
            head_units=(5,),
            dropout=0.2,
            schedule="constant",
            train_batch_norm=True,
            precision="mixed_bfloat16",
            head_epochs=2,
            fine_tune_epochs=1,
        )
    )
    assert result.metrics["model"]["precision"] == "mixed_bfloat16"
    assert np.isfinite(result.metrics["test"]["loss"])


def test_what_next_is_said_in_metrics_page_and_log(finished):
    told = finished.result.metrics["advice"]["sentences"]
    assert len(told) >= 2
    folder = finished.result.run_folder
    for name in ("report.html", "report.md"):
        assert "What next" in (folder / name).read_text(encoding="utf-8")
    assert "advice, in " in finished.printed
    assert all(line in finished.printed for line in told)


def test_each_stage_of_a_run_is_told_and_counted_to_its_end(finished):
    counted = {}
    for work in finished.works:
        # "fine_tune 1/1", "scratch 13/13".
        counted.setdefault(work.what.split(" ")[0], []).append(work)
    assert set(counted) >= {
        "preparing", "reading", "checking", "features", "training", "solving",
        "fine_tune", "scratch", "evaluating", "exporting", "writing",
        "verifying", "timing", "from",
    }  # fmt: skip
    for what in ("reading", "checking", "features", "fine_tune", "scratch"):
        for work in counted[what]:
            assert work.done == work.total > 0, what
    streamed = max(work.done for work in counted["verifying"])
    assert streamed == finished.result.metrics["test"]["examples"]


def test_a_run_ends_with_what_to_type_next(finished):
    *_, after = finished.printed.split("next:\n")
    result, model = finished.result, finished.result.version.parent
    assert after.splitlines() == [
        f"  open     {result.run_folder / 'report.html'}",
        f"  predict  python -m tl_keras.predict PICTURE.jpg --model={model}",
        f"  serve    cd {result.run_folder / 'serving'} && docker compose up "
        "-d && ./smoke.sh",
    ]
    shown = ending.for_programs(
        result.metrics, result.version, RunFolder(result.run_folder)
    )
    told = json.loads(json.dumps(shown))
    assert told["test"]["accuracy"] == result.metrics["test"]["accuracy"]
    assert "per_class" not in told["test"]
    assert all(os.path.exists(told[n]) for n in ("version", "run", "page"))


def test_dry_run_says_what_would_be_done_and_writes_nothing(config, capsys):
    arguments = config.to_flags().splitlines()
    assert main([*arguments, "--dry_run"]) == 0
    printed = capsys.readouterr().out
    for words in (
        "--unfreeze_from=two", "head: solved exactly",
        "fine_tune: 1 epoch, adam", "time: about", "an estimate from a pass",
        "14 of 388 parameters train", "MB free", "16 x 16 pixels",
    ):  # fmt: skip
        assert words in printed
    assert not os.path.exists(config.output_dir)


def test_list_backbones_needs_no_dataset(capsys):
    assert main(["--list_backbones"]) == 0
    printed = capsys.readouterr().out
    assert "VGG16" in printed
    assert "EfficientNetV2L" in printed


def test_a_broken_picture_is_named(config, color_folder):
    (color_folder / "green" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    (color_folder / "blue_not" / "4.jpg").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        run(config)
    blue, green, limit = caught.value.faults
    assert blue.startswith("blue_not/4.jpg: empty file - ")
    assert green.startswith("green/3.png: PNG ends early - ")
    assert limit.startswith("2 of 24 pictures cannot be used")


def test_an_unknown_layer_is_told_before_the_first_epoch(config, capsys):
    with pytest.raises(ConfigError, match="near names: two_conv"):
        run(changed(config, unfreeze_from="two_konv"))
    assert "phase" not in capsys.readouterr().out


def test_f11_an_output_that_cannot_be_written_is_told_first(config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be written"):
        run(changed(config, output_dir=str(tmp_path / "file" / "out")))


def test_f28_an_output_where_a_kill_could_leave_half_is_refused(
    config, tmp_path, monkeypatch
):
    from tl_keras import atomic

    monkeypatch.setattr(atomic, "OBJECT_STORES", {"overlay", "ext4", "tmpfs"})
    monkeypatch.setattr(atomic, "_mounted_as", lambda _: ["tmpfs", "x"])
    with pytest.raises(MachineError, match="half a model - give a folder on"):
        run(config)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match=r"gs://b/out: expected a path of th"):
        run(changed(config, output_dir="gs://b/out"))


def test_a_run_that_cannot_begin_moves_no_older_one(config, tmp_path):
    older = tmp_path / "out" / "run"
    older.mkdir(parents=True)
    with pytest.raises(ConfigError):
        run(changed(config, unfreeze_from="two_konv"))
    assert sorted(os.listdir(tmp_path / "out")) == [".lock", "run"]


@pytest.mark.usefixtures("plain_decoder")
def test_a_model_of_ours_is_a_backbone_again(config, tmp_path):
    # Its head is solved exactly.
    first = run(changed(config, head_epochs=1, fine_tune_epochs=0))
    again = run(
        changed(
            config, backbone=str(first.run_folder / "model.keras"),
            fine_tune_epochs=0, unfreeze_from="auto",
            output_dir=str(tmp_path / "again"),
        )
    )  # fmt: skip
    assert again.metrics["test"]["loss"] == pytest.approx(
        first.metrics["test"]["loss"], abs=1e-3
    )


def test_f15_running_out_of_memory_is_the_machines_fault(config):
    def no_room(_, download):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    with pytest.raises(MachineError, match="out of memory - halve"):
        run(config, tiny.QUICK._replace(prepare=no_room))


def test_batch_norm_that_is_not_there_cannot_train(config, capsys):
    config = changed(
        config, backbone="letters_vgg", train_batch_norm=True,
        unfreeze_from="all",
    )  # fmt: skip
    with pytest.raises(ConfigError, match="letters_vgg has no BatchNorm"):
        run(config)


def test_cutting_a_split_that_is_there_is_refused(config, color_folder):
    other = color_folder.parent / "elsewhere"
    other.mkdir()
    for name in ("blue_not", "green"):
        (other / name).mkdir()
        (color_folder / name / "0.jpg").rename(other / name / "0.jpg")
    config = changed(config, test_dataset=str(other))
    with pytest.raises(
        DataError, match=r"test_fraction: given, but .* test sp"
    ):
        run(config)


def test_stopping_early_without_validation_is_refused(config):
    with pytest.raises(DataError, match="nothing to validate on"):
        run(changed(config, val_fraction=0.0, early_stopping_patience=2))


def test_the_command_from_another_folder(tmp_path):
    """Quick start in miniature, as a process of its own, from anywhere."""
    flags = CHECKOUT / "configs" / "quickstart.flags"
    command = [
        sys.executable, "-m", "tl_keras.train", f"--flagfile={flags}",
        "--head_epochs=2", "--fine_tune_epochs=1", "--nocompare_scratch",
        "--train_examples_per_class=20", "--val_examples_per_class=5",
    ]  # fmt: skip
    hushing = ("TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")
    ran = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True,
        env={k: v for k, v in os.environ.items() if k not in hushing},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""  # none of TensorFlow's chatter
    assert (tmp_path / "saved_models/quickstart/1/saved_model.pb").exists()
    assert "solved with C=" in ran.stdout
    assert "\nfine_tune 1/1  " in ran.stdout
    assert "Epoch" not in ran.stdout


def quickstart(seed: int, out) -> dict:
    """Its numbers, with nothing that stands in."""
    from tl_keras.config.arguments import read_arguments
    from tl_keras.train import COMMAND

    flags = CHECKOUT / "configs" / "quickstart.flags"
    texts, _, _ = read_arguments(COMMAND, [f"--flagfile={flags}"])
    config = TransferConfig.from_strings(texts)
    return run(
        changed(config, seed=seed, output_dir=str(out / str(seed))),
        stages.STAGES,
    ).metrics


@pytest.mark.acceptance
def test_quick_start_over_five_seeds(tmp_path):
    metrics = [quickstart(seed, tmp_path) for seed in range(5)]
    kept = np.mean([m["test"]["accuracy"] for m in metrics])
    scratch = np.mean([m["scratch"]["test"]["accuracy"] for m in metrics])
    print(f"\nquick start, mean of 5 seeds: {kept:.4f}, scratch {scratch:.4f}")
    assert kept >= 0.88
    assert kept > scratch


@pytest.mark.acceptance
def test_cats_and_dogs_over_three_seeds(shared, tmp_path):
    scores = []
    for seed in range(3):
        config = TransferConfig(
            dataset=str(shared / "data" / "cats_vs_dogs"),
            backbone="MobileNetV2",
            backbone_args="alpha=0.35",
            weights=str(
                shared / "weights" / "mobilenet_v2_0.35_224_notop.weights.h5"
            ),
            seed=seed,
            output_dir=str(tmp_path / str(seed)),
        )
        scores.append(run(config, stages.STAGES).metrics["test"]["accuracy"])
    print(f"\ncats_vs_dogs: {scores}, mean {np.mean(scores):.4f}")
    assert np.mean(scores) >= 0.94


def test_every_rule_for_pixels_reaches_training_and_export(
    config, monkeypatch, tmp_path
):
    from PIL import Image

    config = dataclasses.replace(
        config, alpha_background=(255, 0, 0), bit_depth_scale="none",
        max_pixels=10_000, resize="squash",
    )  # fmt: skip
    clear = Image.new("RGBA", (40, 56), (0, 255, 0, 0))
    clear.save(next(pathlib.Path(config.dataset).rglob("*.png")))
    asked = []
    real = publishing.publish
    monkeypatch.setattr(
        publishing,
        "publish",
        lambda *args, **known: (
            asked.append(known["decoding"]) or real(*args, **known)
        ),
    )
    run(config, tiny.UNTRAINED)
    assert asked == [Decoding(16, "squash", (255, 0, 0), "none", 10_000)]
    images = preparation.prepare(config).labelled
    assert images.train.decoding == asked[0]
    red = [
        pixels
        for split in (images.train, images.val, images.test)
        for batch, _ in split.batches(64)
        for pixels in batch.numpy()
        if (pixels == (255, 0, 0)).all()
    ]
    assert len(red) == 1
