"""Model -> files for other runtimes, made in a process of their own.

    reasons = convert(model, formats, folder, pictures)

In: a classifier and pictures that int8 is quantized by. Out: a file for each
format, or why there is none. What is converted computes in float32 whatever
the model's precision was: the weights are float32, and neither converter knows
bfloat16.
"""

import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
import tensorflow as tf

from tl_keras.errors import NotPublishedError
from tl_keras.exports.fresh_process import PREFIX, fresh_python
from tl_keras.exports.movement import Movement, measure
from tl_keras.exports.reference import Reference
from tl_keras.networks import answers_model, inner_layers, set_precision
from tl_keras.tasks.difference import Differs
from tl_keras.tasks.multiclass.task import Multiclass
from tl_keras.tasks.task import Task

if TYPE_CHECKING:
    from tl_keras.exports.formats import Format

HERE = pathlib.Path(__file__).parent
SIGNATURE = "serving_default"
# What a file's input is called, by its type: pictures, or ids of words.
INPUTS = {"float32": "pixels", "int32": "token_ids"}
MEASURED = 5  # pictures, for how far rounding moves the model's own answers
# int8 of a large network asks it 100 pictures one by one, in slow kernels.
SECONDS = 3600
# Converters give no memory back before they end: of a larger network each file
# is made in a process of its own, though each has to import TensorFlow.
MAX_BYTES_TOGETHER = 100e6


def convert(
    model: keras.Model,
    formats: Sequence["Format"],
    folder: pathlib.Path,
    examples: np.ndarray,
    task: Task | None = None,
) -> dict[str, str]:
    """Writes `folder/<format.file>` for each format.

    Args:
        model: pixels (batch, size, size, 3), 0 to 255, or int32 token ids
            (batch, tokens) -> logits, in float32.
        formats: what to make.
        folder: an empty one; more than the files is written to it.
        examples: uint8 (n, size, size, 3), or int32 (n, tokens), n >= 1, for
            int8.
        task: what is predicted; one class of several when None.

    Returns:
        Format's name -> why its file was not made; {} when all were.
    """
    _write_saved_model(model, folder / "saved_model", task or Multiclass())
    np.save(folder / "representative.npy", examples, allow_pickle=False)
    large = 4 * model.count_params() > MAX_BYTES_TOGETHER
    groups = [[row] for row in formats] if large else [formats]
    reasons: dict[str, str] = {}
    for group in groups:
        reasons |= _converted(group, folder)
    return reasons


def _converted(formats: Sequence["Format"], folder: pathlib.Path) -> dict:
    """Makes some files in one process; the reasons of those it could not."""
    asked = [(f.name, f.kind, f.precision, f.file) for f in formats]
    (folder / "targets.json").write_text(json.dumps(asked), encoding="utf-8")
    faults = folder / "faults.json"
    try:
        with fresh_python(
            HERE / "convert.py", folder, faults, on_cpu=True
        ) as process:
            process.finish("the converter", SECONDS)
    except NotPublishedError as error:
        # It took all files with it, also those that it had made.
        words = "\n".join(error.faults).removeprefix(PREFIX)
        return {row.name: words for row in formats}
    return json.loads(faults.read_text(encoding="utf-8"))


def in_float32(model: keras.Model) -> keras.Model:
    """The model, or its copy that computes in float32 throughout."""
    layers = inner_layers(model)
    if all(layer.compute_dtype == "float32" for layer in layers):
        return model
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    set_precision(copy, "float32")
    # Called again, since a graph keeps the types it was built with. Keras
    # answers `layer.output` with the first call's, so that one is forgotten.
    for operation in copy.operations:
        operation._inbound_nodes.clear()
    given = given_spec(model)
    inputs = keras.Input(
        model.input_shape[1:], name=given.name, dtype=given.dtype.name
    )
    return keras.Model(inputs, copy.call(inputs), name=model.name)


def given_spec(model: keras.Model) -> tf.TensorSpec:
    """What the files of a model take: as it does, with a name that says it."""
    given = model.inputs[0]
    dtype = "int32" if given.dtype.startswith("int") else "float32"
    return tf.TensorSpec(model.input_shape, dtype, name=INPUTS[dtype])


def answers_of(
    model: keras.Model,
    batches: Iterable[np.ndarray],
    differs: Differs,
    task: Task | None = None,
) -> tuple[np.ndarray, Movement]:
    """Answers to all pictures, as every file should give them.

    Args:
        model: the classifier, computing in float32.
        batches: what the model takes, arrays (b, ...); at least one.
        differs: how answers are compared.
        task: what is predicted; one class of several when None.

    Returns:
        They, float32 (n, outputs); and how far rounding moves those of
        the first few, as `differs` measures it.
    """
    reference = Reference(model, task)
    kept = tf.config.experimental.tensor_float_32_execution_enabled()
    # On a GPU it would round what is multiplied to 10 bits; no file does.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        answers, some = [], None
        for batch in batches:
            some = batch[:MEASURED] if some is None else some
            answers.append(reference.here(batch)[differs.answer])
        return np.concatenate(answers), measure(reference, some, differs)
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(kept)


def _write_saved_model(
    model: keras.Model, folder: pathlib.Path, task: Task
) -> None:
    """Pixels or token ids to answers alone, with names for both."""
    answering = answers_model(model, task.activation, task.answer)

    @tf.function(input_signature=[given_spec(model)], autograph=False)
    def answer(given):
        return {task.answer: answering(given, training=False)}

    # Not tracked, or each variable is stored twice (keras issue 23553).
    archive = keras.export.ExportArchive()
    archive.add_endpoint(SIGNATURE, answer)
    archive.write_out(str(folder), verbose=False)
