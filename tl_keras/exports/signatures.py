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
from tl_keras.networks import FIRST_OF_HEAD, probabilities_model

TOP_K = 5
CLASSIFY = "tensorflow/serving/classify"


def write_signatures(
    model: keras.Model,
    folder: pathlib.Path,
    class_names: Sequence[str],
    decoding: Input,
) -> None:
    """Writes the SavedModel; see `tl_keras.exports` for what it answers.

    Args:
        model: inputs -> logits, as `build_classifier` makes it.
        folder: an empty folder, or one that is not there.
        class_names: in the order of the logits.
        decoding: how bytes become the model's inputs.
    """
    functions = _functions(model, class_names, decoding)
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
        archive.add_endpoint(name, functions[name], specs)
    archive.write_out(str(folder), verbose=False)
    _name_method(folder, "classify", CLASSIFY)


def answering_model(model: keras.Model) -> keras.Model:
    """Inputs -> {"probabilities", "features"}, float32, batch first."""
    pooled = model.get_layer(FIRST_OF_HEAD).output
    probabilities = probabilities_model(model).outputs[0]
    return keras.Model(
        model.input, {"probabilities": probabilities, "features": pooled}
    )


def _functions(
    model: keras.Model, class_names: Sequence[str], decoding: Input
) -> dict[str, Callable]:
    """Signature -> its function."""
    answering = answering_model(model)
    specs = decoding.served_specs
    names = tf.constant([name.encode() for name in class_names])
    top = min(TOP_K, len(class_names))

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
        probabilities = network(tensors)["probabilities"]
        best = tf.math.top_k(probabilities, top)
        return {
            "probabilities": probabilities,
            "classes": tf.gather(names, best.indices),
            "scores": best.values,
        }

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

    functions = (serving_default, features, classify)
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
