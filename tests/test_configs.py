"""configs/: each parses, validates, and runs at tiny size."""

import re

import numpy as np
import pytest
import tiny
from conftest import CHECKOUT, write_picture

from tl_keras import run
from tl_keras.config import TransferConfig
from tl_keras.config.arguments import read_arguments
from tl_keras.jobs.planning import plan_phases
from tl_keras.train import COMMAND

CONFIGS = sorted(p.name for p in (CHECKOUT / "configs").glob("*.flags"))


def settings_of(name: str, *more: str) -> TransferConfig:
    arguments = [f"--flagfile=configs/{name}", *more]
    texts, _, faults = read_arguments(COMMAND, arguments)
    assert faults == []
    return TransferConfig.from_strings(texts)


@pytest.fixture(autouse=True)
def in_checkout(monkeypatch):
    """Flag files name each other from the checkout's root."""
    monkeypatch.chdir(CHECKOUT)
    tiny.use(monkeypatch, tiny.QUICK)


def test_the_promised_configs_are_there():
    assert set(CONFIGS) >= {
        "quickstart.flags", "vgg16_classic.flags", "vgg16_two_phase.flags",
        "vgg16_flowers.flags",
    }  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_opens_with_its_command_minutes_and_accuracy(name):
    text = (CHECKOUT / "configs" / name).read_text(encoding="utf-8")
    opening = re.match(r"(#.*\n)+", text).group()
    assert f"--flagfile=configs/{name}" in opening
    words = " ".join(opening.replace("#", " ").split())
    assert "inutes on 2 CPU cores" in words
    assert re.search(r"accuracy[^.]*? (0\.\d|not measured here)", words)


def test_the_classic_recipe_is_word_for_word():
    config = settings_of("vgg16_classic.flags", "--dataset=digits")
    assert config.head_units == (4096, 4096)
    assert (config.dropout, config.batch_size) == (0.5, 32)
    (phase,) = plan_phases(config)
    assert phase.unfreeze_from == "all"
    assert (phase.epochs, phase.optimizer) == (10, "adam")
    assert (phase.learning_rate, phase.schedule) == (1e-3, "constant")
    assert phase.warmup_epochs == 0


@pytest.fixture
def two_folders(tmp_path):
    """The recipe's layout: train_dataset/ and test_dataset/ side by side."""
    for folder, first, count in (
        ("train_dataset", 0, 8), ("test_dataset", 50, 3)
    ):  # fmt: skip
        for color, name in enumerate(("ant", "bee")):
            for number in range(count):
                write_picture(
                    tmp_path / folder / name / f"{number}.png",
                    first + number,
                    color,
                )
    return tmp_path


TINY = ("--weights=none", "--image_size=32", "--batch_size=4")


def test_the_classic_recipe_runs(two_folders, capsys):
    config = settings_of(
        "vgg16_classic.flags", *TINY,
        f"--dataset={two_folders}/train_dataset",
        f"--test_dataset={two_folders}/test_dataset",
        f"--output_dir={two_folders}/out",
        "--fine_tune_epochs=2", "--head_units=16,16",
    )  # fmt: skip
    result = run(config)
    assert [row["epoch"] for row in result.history] == [1, 2]
    assert all(np.isfinite(row["loss"]) for row in result.history)
    assert result.metrics["test"]["examples"] == 6
    printed = capsys.readouterr().out
    assert "all layers" in printed
    assert " s  loss " in printed
    assert "test accuracy: " in printed


def test_the_two_phases_run(two_folders):
    config = settings_of(
        "vgg16_two_phase.flags", *TINY,
        f"--dataset={two_folders}/train_dataset",
        f"--output_dir={two_folders}/out",
        "--head_epochs=1", "--fine_tune_epochs=1",
    )  # fmt: skip
    # The classic recipe's test exports such a network, and checks it.
    result = run(config, stages=tiny.QUICK)
    head, tuned = result.metrics["phases"]
    assert head["trainable_parameters"] == 512 * 2 + 2
    # block5: three 3 x 3 convolutions of 512 channels, and the head.
    block5 = 3 * (3 * 3 * 512 * 512 + 512)
    assert tuned["trainable_parameters"] == block5 + 512 * 2 + 2


def write_tfds(data_dir, name: str) -> None:
    """A prepared TFDS set of that name: five classes, six pictures each."""
    import tensorflow_datasets as tfds

    names = ["dandelion", "daisy", "tulips", "sunflowers", "roses"]
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(),
            "label": tfds.features.ClassLabel(names=names),
        }
    )
    random = np.random.default_rng(0)
    rows = [
        {
            "image": random.integers(0, 255, (20, 24, 3), np.uint8),
            "label": number % 5,
        }
        for number in range(30)
    ]
    import tensorflow as tf

    dataset = tf.data.Dataset.from_generator(
        lambda: rows,
        output_signature={
            "image": tf.TensorSpec((None, None, 3), tf.uint8),
            "label": tf.TensorSpec((), tf.int64),
        },
    )
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name, version="3.0.1", features=features, data_dir=str(data_dir),
        split_datasets={"train": dataset}, description="A stand-in.",
        disable_shuffling=True,
    )  # fmt: skip


def test_the_flowers_run_on_a_stand_in(tmp_path):
    write_tfds(tmp_path / "tfds", "tf_flowers")
    config = settings_of(
        "vgg16_flowers.flags", *TINY,
        f"--data_dir={tmp_path}/tfds", f"--output_dir={tmp_path}/out",
    )  # fmt: skip
    # Its phases are those of the run above.
    result = run(config, stages=tiny.UNTRAINED)
    assert result.class_names == (
        "dandelion", "daisy", "tulips", "sunflowers", "roses"
    )  # fmt: skip
    assert result.metrics["data"]["found"] == 30
    ids = (result.run_folder / "predictions.csv").read_text().splitlines()
    assert ids[1].startswith("tf_flowers/train/")
