"""docs/: pieces of Python of the tasks run, the flags of all are there."""

import dataclasses
import re
import runpy

import numpy as np
import pytest
import tensorflow as tf
from documents import PAGES, commands, python_blocks, text_of

from tl_keras import check, compare, evaluate, predict, report, train
from tl_keras.networks import build_classifier

COMMANDS = {
    module.COMMAND.module.removeprefix("tl_keras."): module.COMMAND
    for module in (check, compare, evaluate, predict, report, train)
}


def ran(page: str, folder, **given) -> dict:
    """The names that are there when the lines under "From Python" have run."""
    (code,) = python_blocks(f"docs/{page}")
    script = folder / "script.py"
    script.write_text(code.replace('"head", 10,', '"head", 1,'))
    return runpy.run_path(str(script), given)


def batches(targets) -> tf.data.Dataset:
    pixels = np.random.default_rng(0).random((8, 16, 16, 3), np.float32)
    return tf.data.Dataset.from_tensor_slices((255 * pixels, targets)).batch(4)


def test_several_labels_from_python(tiny_network, tmp_path):
    targets = np.array([[1, 0], [0, 1]] * 4)
    data, likely = batches(targets), np.tile([[0.9, 0.4], [0.2, 0.8]], (4, 1))
    given = {
        "model": build_classifier(str(tiny_network), 2),
        "train": data, "val": data,
        "val_probabilities": likely, "val_targets": targets,
    }  # fmt: skip
    named = ran("multilabel.md", tmp_path, **given)
    assert named["objective"].task.loss_kind == "asymmetric"
    assert named["thresholds"].tolist() == [0.5, 0.5]


def test_numbers_from_python(tiny_network, tmp_path):
    ages = np.linspace(20, 60, 8).astype(np.float32)
    given = {
        "model": build_classifier(str(tiny_network), 1),
        "train": batches(ages), "val": batches(ages), "train_ages": ages,
    }  # fmt: skip
    named = ran("regression.md", tmp_path, **given)
    assert named["task"].mean == pytest.approx((40.0,))


def test_sets_and_intervals_from_python(tmp_path):
    random = np.random.default_rng(0)
    likely = random.dirichlet([1, 1, 1], 50)
    values = random.normal(size=50)
    given = {
        "val_probabilities": likely, "probabilities": likely,
        "val_labels": likely.argmax(axis=1), "val_values": values,
        "predicted": values + 0.5, "answer": values,
    }  # fmt: skip
    named = ran("conformal.md", tmp_path, **given)
    assert named["in_set"].any(axis=1).mean() >= 0.9
    assert named["margin"] == pytest.approx(0.5)
    assert (named["high"] - named["low"]).mean() == pytest.approx(1.0)


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)])
def test_each_command_has_flags_that_there_are(page):
    for command in commands(page):
        name, flags = re.match(r".*tl_keras\.(\w+) (.*)", command).groups()
        about = COMMANDS[name]
        known = {field.name for field in dataclasses.fields(about.settings)}
        known |= {"flagfile", *about.switches}
        given = set(re.findall(r"--(\w+)", flags))
        assert given <= known, (command, given - known)


def test_the_flags_that_are_spoken_of_are_there():
    """Each `--flag` of a page, whatever command has it."""
    known = {"help", "flagfile", "json", "quiet", "verbosity"}
    for about in COMMANDS.values():
        fields = dataclasses.fields(about.settings)
        known |= {field.name for field in fields} | set(about.switches)
        known |= {
            f"no{f.name}" for f in fields if f.type in (bool, bool | None)
        }
    others = {  # of pip, pytest, mkdocs and benchmarks, or shown as refused
        "epochs", "lr", "pretrained", "kill_seed", "kills", "name", "run",
        "strict", "seed",
        "cache", "count", "draws", "labels", "make", "minutes", "model",
        "photos", "rehearse", "rounds", "seeds", "whole", "dir", "all", "kind",
    }  # fmt: skip
    for page in PAGES:
        told = set(re.findall(r"(?<![\w-])--(\w+)", text_of(page)))
        assert told <= known | others, (page, told - known - others)
