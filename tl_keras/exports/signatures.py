"""Model -> the SavedModel's signatures: what can be asked, and of what.

    write_signatures(model, folder, class_names, decoding)

In: a classifier and how bytes become its input. Out: a SavedModel whose graph
holds the decoder, the network and the labels. One example that cannot be read
does not fail the batch it came in: its row says why in `status`.
"""

import pathlib
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tl_keras.inputs.input import Input
from tl_keras.networks import FIRST_OF_HEAD, answers_model, inputs_of
from tl_keras.tasks.multiclass.task import TOP_K, Multiclass
from tl_keras.tasks.task import Task

__all__ = ["TOP_K", "answering_model", "write_signatures"]

CLASSIFY = "tensorflow/serving/classify"


def write_signatures(
    model: keras.Model,
    folder: pathlib.Path,
    class_names: Sequence[str],
    decoding: Input,
    task: Task | None = None,
) -> None:
    """Writes the SavedModel; see `tl_keras.exports` for what it answers.

    Args:
        model: inputs -> outputs, as `build_classifier` makes it.
        folder: an empty folder, or one that is not there.
        class_names: in the order of the outputs.
        decoding: how bytes become the model's inputs.
        task: what is predicted; one class of several when None.
    """
    functions = _functions(model, class_names, decoding, task or Multiclass())
    encoded = tf.TensorSpec((None,), tf.string, name=decoding.serving_name)
    loaded = tf.nest.flatten(decoding.served_specs)
    example = tf.TensorSpec((None,), tf.string, name="inputs")
    # No archive.track(model): it would store every variable twice (keras
    # issue 23553); the endpoints' functions hold the variables already.
    archive = keras.export.ExportArchive()
    for name, specs in (
        ("serving_default", [encoded]),
        (decoding.loaded_signature, loaded),
        ("features", [encoded]),
        ("classify", [example]),
    ):
        if name in functions:
            archive.add_endpoint(name, functions[name], specs)
    archive.write_out(str(folder), verbose=False)
    if "classify" in functions:
        _name_method(folder, "classify", CLASSIFY)


def answering_model(
    model: keras.Model, task: Task | None = None
) -> keras.Model:
    """Inputs -> {`Task.answer`, "features"}, float32, batch first."""
    task = task or Multiclass()
    pooled = model.get_layer(FIRST_OF_HEAD).output
    answers = answers_model(model, task.activation, task.answer).outputs[0]
    return keras.Model(
        inputs_of(model), {task.answer: answers, "features": pooled}
    )


def _functions(
    model: keras.Model,
    class_names: Sequence[str],
    decoding: Input,
    task: Task,
) -> dict[str, Callable]:
    """Signature -> its function."""
    answering = answering_model(model, task)
    specs = decoding.served_specs
    names = tf.constant([name.encode() for name in class_names])

    # Functions of their own, so that they are traced once for all signatures.
    @tf.function(input_signature=[specs], autograph=False)
    def network(tensors):
        return answering(tensors, training=False)

    @tf.function(
        input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
    )
    def load_rows(encoded):
        return decoding.load_rows(encoded)

    def loaded(*tensors):
        # A server does not hold what it is fed to the signature's shape.
        tensors = [
            tf.ensure_shape(tensor, spec.shape)
            for tensor, spec in zip(
                tensors, tf.nest.flatten(specs), strict=True
            )
        ]
        tensors = tf.nest.pack_sequence_as(specs, tensors)
        answers = network(tensors)[task.answer]
        return {task.answer: answers, **task.served(answers, names)}

    def serving_default(encoded):
        tensors, status = load_rows(encoded)
        answers = loaded(*tf.nest.flatten(tensors))
        return _blank_bad_rows(answers, status) | {"status": status}

    def features(encoded):
        tensors, status = load_rows(encoded)
        answers = {"features": network(tensors)["features"]}
        return _blank_bad_rows(answers, status) | {"status": status}

    def classify(inputs):
        key = decoding.example_key
        found = tf.io.parse_example(
            inputs, {key: tf.io.FixedLenFeature([], tf.string, "")}
        )
        answers = serving_default(found[key])
        # The server's Classify knows these two names and refuses others.
        return {name: answers[name] for name in ("classes", "scores")}

    functions = [serving_default, features]
    # Of what has no classes, the server's Classify has nothing to say.
    functions += [classify] if task.classifies else []
    return {f.__name__: f for f in functions} | {
        decoding.loaded_signature: loaded
    }


def _blank_bad_rows(
    answers: dict[str, tf.Tensor], status: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Zeros and empty strings where there was nothing to answer for."""
    fine = (status == "")[:, None]
    return {
        name: tf.where(fine, value, tf.zeros([], value.dtype))
        for name, value in answers.items()
    }


def _name_method(folder: pathlib.Path, signature: str, method: str) -> None:
    """Sets a signature's method; TensorFlow 2 writes "predict" for all."""
    kinds = tf.compat.v1.saved_model.signature_def_utils
    updater = kinds.MethodNameUpdater(str(folder))
    updater.replace_method_name(
        signature_key=signature, method_name=method, tags="serve"
    )
    updater.save()
