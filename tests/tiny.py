"""Whole jobs on two easy colours, and stages that stand in for slow ones.

    config = tiny.config(folder, network, out)
    run(config, stages=tiny.QUICK)          # trains; makes no export or page
    run(config, stages=tiny.UNTRAINED)      # does not even train

A test takes the whole job where the job is what it is about; else only what it
is about is real.
"""

import contextlib
import dataclasses
import functools
import pathlib
import shutil
from unittest import mock

import numpy as np
import tensorflow as tf
from conftest import write_picture
from tensorflow.core.protobuf import saved_model_pb2

from tl_keras import TransferConfig, exports, run_card
from tl_keras.exports import fresh_process, saved_model
from tl_keras.exports.gate import GateReport
from tl_keras.inputs.image import pixels
from tl_keras.inputs.image.pixels.header import traced
from tl_keras.jobs import stages, transfer
from tl_keras.jobs.stages import STAGES
from tl_keras.jobs.staging import Run, Stages
from tl_keras.sources import decoding
from tl_keras.tasks.multiclass import evaluation
from tl_keras.training import FitResult, PhaseResult, get_variables

NAMES = ("blue_not", "green")


def write_colors(root: pathlib.Path, count: int = 12) -> pathlib.Path:
    """Two easy classes in class folders, so many pictures each."""
    for color, name in enumerate(NAMES):
        for number in range(count):
            suffix = ".png" if number % 2 else ".jpg"
            write_picture(
                root / name / f"{number}{suffix}", 100 * color + number, color
            )
    return root


def config(dataset, network, out, **values) -> TransferConfig:
    """12 pictures to train on, 6 to validate on, 6 to test on."""
    return TransferConfig(
        **{
            "dataset": str(dataset), "backbone": str(network),
            "output_dir": str(out), "head_epochs": 2, "dropout": 0.2,
            "fine_tune_epochs": 2, "unfreeze_from": "two", "batch_size": 5,
            "val_fraction": 0.25, "test_fraction": 0.25, **values,
        }
    )  # fmt: skip


def moved(
    config: TransferConfig, root: pathlib.Path, to: pathlib.Path
) -> TransferConfig:
    """A run and its data copied to another folder, as if made there.

    Args:
        config: of a run whose files all lie in `root`.
        root: the folder that is copied.
        to: where to; may be there.
    """
    shutil.copytree(root, to, dirs_exist_ok=True)
    for flags in to.rglob("run.flags"):
        flags.write_text(flags.read_text().replace(str(root), str(to)))
    return dataclasses.replace(
        config,
        **{
            field.name: value.replace(str(root), str(to))
            for field in dataclasses.fields(config)
            if isinstance(value := getattr(config, field.name), str)
        },
    )


def unchecked(graph_or_folder, *known, **more) -> GateReport:
    """In the place of the gate: the export is as the evaluation was."""
    evaluated = more.get("evaluated", known[-1])
    return GateReport(0.0, evaluated and evaluated.answers, 0)


def no_graph(model, folder: pathlib.Path, *_) -> None:
    """In the place of the SavedModel: a version without a graph."""
    saved = saved_model_pb2.SavedModel()
    saved.meta_graphs.add()
    (folder / "assets.extra").mkdir()
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def publish(run: Run) -> Run:
    """All of publishing but the graph and the gate."""
    with (
        mock.patch.object(saved_model, "write", no_graph),
        mock.patch.object(exports, "check_export", unchecked),
        mock.patch.object(
            fresh_process, "start_loaders", contextlib.nullcontext
        ),
    ):
        return stages.publish(run)


def keep(run: Run) -> Run:
    """All that is kept but the plots."""
    with mock.patch.multiple(
        run_card, plot_curves=mock.DEFAULT, plot_confusion=mock.DEFAULT
    ):
        return stages.keep(run)


def write_metrics(prepared, folder, metrics: dict, model) -> dict:
    """metrics.json without a page."""
    run_card.write_metrics(folder.metrics, metrics)
    return metrics


def measure(run: Run) -> Run:
    """Nothing is timed."""
    return run


def record(run: Run, seconds: dict) -> dict:
    """All of the record but its page."""
    with mock.patch.object(stages, "record_with_card", write_metrics):
        return stages.record(run, seconds)


def record_stopped(run: Run, why: str, seconds: dict) -> dict:
    """The same of a run that diverged."""
    with mock.patch.object(stages, "record_with_card", write_metrics):
        return stages.record_stopped(run, why, seconds)


def fit(run: Run) -> Run:
    """In the place of training: the weights as they are, after an epoch."""
    (phase, *_) = run.prepared.phases
    logs = {"cross_entropy": 0.5, "accuracy": 0.75}
    variables = get_variables(run.prepared.model)
    result = PhaseResult(phase, 1, 1, 1, logs, variables, seconds=1.0)
    history = [{"phase": phase.name, "epoch": 1, **logs, "learning_rate": 0.0}]
    return run.with_more(fit=FitResult([result], 0, history))


def evaluate(run: Run) -> Run:
    """In the place of asking the model: all are right, fairly surely."""
    names = run.prepared.labelled.class_names
    labels = run.prepared.labelled.test.labels
    likely = np.full((len(labels), len(names)), 0.1 / (len(names) - 1))
    likely[np.arange(len(labels)), labels] = 0.9
    counted = evaluation.count(np.log(likely), labels, names)
    return run.with_more(evaluations=(counted,))


QUICK = (
    STAGES.replacing(stages.keep, keep)
    .replacing(stages.measure, measure)
    .replacing(stages.advise, lambda run: run)
    .replacing(stages.publish, publish)
    .replacing(stages.help_servers, lambda run: run)
    .replacing(stages.record, record)
    .replacing(stages.record_stopped, record_stopped)
)
UNTRAINED = (
    QUICK.replacing(stages.fit, fit)
    .replacing(stages.evaluate, evaluate)
    .replacing(stages.head_of_texts, lambda run: run)
)


@functools.lru_cache(maxsize=4)
def plain_decoder(decoding: pixels.Decoding):
    """In the place of the decoder: PNG and JPEG, squashed to a square.

    The whole one is some 500 operations, which TensorFlow sets up anew in
    each pass over files; that takes longer than all else in a small run.
    """
    side = decoding.image_size

    def load(encoded):
        picture = tf.io.decode_image(encoded, 3, expand_animations=False)
        small = tf.image.resize(picture, (side, side), "nearest")
        return tf.ensure_shape(small, (side, side, 3))

    return traced(load, tf.TensorSpec((), tf.string))


@functools.lru_cache(maxsize=4)
def plain_examine(decoding: pixels.Decoding):
    """The same with a status, which is never a header's."""
    load = plain_decoder(decoding)
    return traced(
        lambda encoded: (load(encoded), tf.constant("")),
        tf.TensorSpec((), tf.string),
    )


def use_plain_decoder(patch) -> None:
    """Pictures are decoded by `plain_decoder` from here on.

    Args:
        patch: has `setattr`, as pytest's monkeypatch.
    """
    patch.setattr(pixels.decoding, "_traced_load", plain_decoder)
    patch.setattr(pixels.decoding, "_traced_examine", plain_examine)
    # What is stored of its pictures is not taken for the real one's.
    real = pixels.Decoding.describe
    patch.setattr(
        pixels.Decoding, "describe", lambda self: f"plain, {real(self)}"
    )
    # Else a batch's graph of one decoder would be found by the other.
    fresh = functools.lru_cache(decoding._traced_batch.__wrapped__)
    patch.setattr(decoding, "_traced_batch", fresh)


def use(monkeypatch, some: Stages) -> None:
    """What `run` and the command do from here on, unless they are told."""
    monkeypatch.setattr(transfer, "STAGES", some)


class CutShortError(Exception):
    """A process that ends here, as far as its folder can tell."""


def end(*_, **__):
    """In the place of a stage: the process ends before it."""
    raise CutShortError
