"""What lies in a version's `assets.extra/`, which the loader ignores.

In: names and a decoding. Out: `labels.txt` for people, `task.json` where the
task is not one class of several, `input.json` where examples are no pictures,
and
`tf_serving_warmup_requests`, which a server replays before it takes a version
into use, so that no client waits for the first, slow answers. Warm-up needs the
extra `serving` (tensorflow-serving-api); without it there is none.
"""

import importlib.util
import json
import pathlib
from collections.abc import Sequence

import tensorflow as tf

from tl_keras.inputs.input import Input
from tl_keras.tasks.task import Task
from tl_keras.versions import (
    INPUT_FILE,
    LABELS_FILE,
    TASK_FILE,
    labels_text,
    read_stored_kind,
)

WARM_UP_FILE = "tf_serving_warmup_requests"
# A single example, and as many as the batching example allows at once.
WARM_UP_BATCHES = (1, 8)


def write_extras(
    folder: pathlib.Path, class_names: Sequence[str], decoding: Input
) -> None:
    """Fills `assets.extra/` of a SavedModel.

    Args:
        folder: the SavedModel's; it has no such folder yet.
        class_names: of the labels file, by output.
        decoding: of the model; says what the warm-up sends.
    """
    extra = folder / "assets.extra"
    extra.mkdir()
    extra.joinpath(LABELS_FILE).write_text(
        labels_text(class_names), encoding="utf-8"
    )
    if decoding.kind not in ("", "image"):
        text = json.dumps({"kind": decoding.kind}, indent=2)
        folder.joinpath(*INPUT_FILE).write_text(text + "\n", encoding="utf-8")
    if can_warm_up():
        _write_warm_up(extra / WARM_UP_FILE, decoding)


def write_columns(folder: pathlib.Path, columns: Sequence[str]) -> None:
    """Writes which columns of a table an example is made of.

    Args:
        folder: the SavedModel's, with its `assets.extra/`.
        columns: their names, in the order in which they are joined.
    """
    stored = {"kind": read_stored_kind(folder), "columns": list(columns)}
    text = json.dumps(stored, indent=2)
    folder.joinpath(*INPUT_FILE).write_text(text + "\n", encoding="utf-8")


def write_task(folder: pathlib.Path, task: Task) -> None:
    """Writes what `Task.stored` tells, if it tells anything.

    Args:
        folder: the SavedModel's, with its `assets.extra/`.
        task: what is predicted.
    """
    stored = task.stored()
    if stored:
        text = json.dumps(stored, indent=2, allow_nan=False)
        folder.joinpath(*TASK_FILE).write_text(text + "\n", encoding="utf-8")


def can_warm_up() -> bool:
    """Whether the extra `serving` is installed."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def _write_warm_up(file: pathlib.Path, decoding: Input) -> None:
    """Requests to `serving_default`, one for each batch size.

    To that one alone: each signature more would cost a second of every gate.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    sample = decoding.sample()
    with tf.io.TFRecordWriter(str(file)) as writer:
        for count in WARM_UP_BATCHES:
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = "serving_default"
            request.inputs[decoding.serving_name].CopyFrom(
                tf.make_tensor_proto([sample] * count)
            )
            log = prediction_log_pb2.PredictLog(request=request)
            log = prediction_log_pb2.PredictionLog(predict_log=log)
            writer.write(log.SerializeToString())
