"""Model -> the SavedModel's signatures: what can be asked, and of what.

    write_signatures(model, folder, class_names, decoding)

In: a classifier and how bytes become its pixels. Out: a SavedModel whose graph
holds the decoder, the network and the labels. One picture that cannot be read
does not fail the batch it came in: its row says why in `status`.
"""

import pathlib
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from tl_keras.inputs.image import pixels
from tl_keras.inputs.image.pixels import Decoding
from tl_keras.networks import FIRST_OF_HEAD, probabilities_model

TOP_K = 5
# What a Classify request's examples carry, as TensorFlow's data sets name it.
EXAMPLE_KEY = "image/encoded"
CLASSIFY = "tensorflow/serving/classify"
# The status of a picture whose header is fine and whose data is not.
DAMAGED = "does not decode"
# Each may hold `max_pixels` in memory, so they are few.
DECODED_AT_ONCE = 2


def write_signatures(
    model: keras.Model,
    folder: pathlib.Path,
    class_names: Sequence[str],
    decoding: Decoding,
) -> None:
    """Writes the SavedModel; see `tl_keras.exports` for what it answers.

    Args:
        model: pixels -> logits, as `build_classifier` makes it.
        folder: an empty folder, or one that is not there.
        class_names: in the order of the logits.
        decoding: how bytes become the model's square.
    """
    functions = _functions(model, class_names, decoding)
    size = decoding.image_size
    encoded = tf.TensorSpec((None,), tf.string, name="image_bytes")
    square = tf.TensorSpec((None, size, size, 3), tf.float32, name="pixels")
    example = tf.TensorSpec((None,), tf.string, name="inputs")
    # No archive.track(model): it would store every variable twice (keras
    # issue 23553); the endpoints' functions hold the variables already.
    archive = keras.export.ExportArchive()
    for name, spec in (
        ("serving_default", encoded),
        ("serving_float", square),
        ("features", encoded),
        ("classify", example),
    ):
        archive.add_endpoint(name, functions[name], [spec])
    archive.write_out(str(folder), verbose=False)
    _name_method(folder, "classify", CLASSIFY)


def answering_model(model: keras.Model) -> keras.Model:
    """Pixels -> {"probabilities", "features"}, float32, batch first."""
    pooled = model.get_layer(FIRST_OF_HEAD).output
    probabilities = probabilities_model(model).outputs[0]
    return keras.Model(
        model.inputs[0], {"probabilities": probabilities, "features": pooled}
    )


def _functions(
    model: keras.Model, class_names: Sequence[str], decoding: Decoding
) -> dict[str, Callable]:
    """Signature -> its function."""
    answering = answering_model(model)
    size = decoding.image_size
    names = tf.constant([name.encode() for name in class_names])
    top = min(TOP_K, len(class_names))

    # Functions of their own, so that they are traced once for all signatures.
    @tf.function(
        input_signature=[tf.TensorSpec((None, size, size, 3), tf.float32)],
        autograph=False,
    )
    def network(pictures):
        return answering(pictures, training=False)

    @tf.function(
        input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
    )
    def decoded(image_bytes):
        return decode_rows(image_bytes, decoding)

    def serving_float(pixels):
        # A server does not hold what it is fed to the signature's shape.
        pixels = tf.ensure_shape(pixels, (None, size, size, 3))
        probabilities = network(pixels)["probabilities"]
        best = tf.math.top_k(probabilities, top)
        return {
            "probabilities": probabilities,
            "classes": tf.gather(names, best.indices),
            "scores": best.values,
        }

    def serving_default(image_bytes):
        pictures, status = decoded(image_bytes)
        answers = serving_float(pictures)
        return _blank_bad_rows(answers, status) | {"status": status}

    def features(image_bytes):
        pictures, status = decoded(image_bytes)
        answers = {"features": network(pictures)["features"]}
        return _blank_bad_rows(answers, status) | {"status": status}

    def classify(inputs):
        found = tf.io.parse_example(
            inputs, {EXAMPLE_KEY: tf.io.FixedLenFeature([], tf.string, "")}
        )
        answers = serving_default(found[EXAMPLE_KEY])
        # The server's Classify knows these two names and refuses others.
        return {name: answers[name] for name in ("classes", "scores")}

    return {
        f.__name__: f
        for f in (serving_default, serving_float, features, classify)
    }


def decode_rows(
    image_bytes: tf.Tensor, decoding: Decoding
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a batch in which some may be no pictures, in graph ops.

    Args:
        image_bytes: string (batch,).
        decoding: how bytes become a square.

    Returns:
        float32 (batch, size, size, 3), 0 to 255, black where nothing could be
        read; and string (batch,): "" or why nothing could.
    """
    size = decoding.image_size
    count = tf.shape(image_bytes, out_type=tf.int64)[0]
    # An op that fails ends a graph's run; in tf.data it ends an element.
    read = (
        tf.data.Dataset.from_tensor_slices(image_bytes)
        .enumerate()
        .map(
            lambda row, encoded: (row, decoding.load(encoded)),
            num_parallel_calls=DECODED_AT_ONCE,
        )
        .ignore_errors()
    )
    # Stands for all that failed, and keeps the batch from being empty.
    black = (tf.constant(-1, tf.int64), tf.zeros((size, size, 3), tf.uint8))
    read = read.concatenate(tf.data.Dataset.from_tensors(black))
    rows, pictures = read.batch(count + 1).get_single_element()
    rows = rows[:-1]
    last = tf.size(rows, out_type=tf.int64)
    place = tf.tensor_scatter_nd_update(
        tf.fill([count], last), rows[:, None], tf.range(last)
    )
    pictures = tf.gather(pictures, place)
    pictures = tf.ensure_shape(pictures, (None, size, size, 3))
    return tf.cast(pictures, tf.float32), _reasons(
        image_bytes, place == last, decoding.max_pixels
    )


def _reasons(
    image_bytes: tf.Tensor, failed: tf.Tensor, max_pixels: int
) -> tf.Tensor:
    """ "" for rows that were read; else what the header says, or DAMAGED."""
    reasons = tf.map_fn(
        lambda encoded: pixels.status(encoded, max_pixels),
        tf.boolean_mask(image_bytes, failed),
    )
    reasons = tf.where(reasons == "", DAMAGED, reasons)
    return tf.tensor_scatter_nd_update(
        tf.fill(tf.shape(image_bytes), ""), tf.where(failed), reasons
    )


def _blank_bad_rows(
    answers: dict[str, tf.Tensor], status: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Zeros and empty strings where there was no picture to answer for."""
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
