"""Model -> a verified, versioned SavedModel for TensorFlow Serving.

    folder = export_saved_model(model, "saved_models/flowers",
                                class_names=["daisy", "rose"], golden=files)

In: a classifier and a few encoded pictures to check it with. Out:
`saved_models/flowers/<n>/`, complete or absent. Before it gets its number, the
export is loaded in a fresh process without Keras and asked the golden
pictures; its answers must be the model's.

Signatures, every output with the batch as its first axis:

| signature         | input                                   |
|-------------------|-----------------------------------------|
| `serving_default` | `image_bytes`: string (batch,), a picture file's bytes |
| `serving_float`   | `pixels`: float32 (batch, size, size, 3), 0 to 255 |

Both give `probabilities` float32 (batch, num_classes) in the order of
labels.txt, and the best k = min(5, num_classes): `classes` string (batch, k)
and `scores` float32 (batch, k), best first.
"""

import pathlib
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tl_keras import atomic
from tl_keras.classifier import probabilities_model
from tl_keras.pixels import Decoding
from tl_keras.servable.gate import check_export

TOP_K = 5
LABELS_FILE = "labels.txt"


def export_saved_model(
    model: keras.Model,
    directory: str | pathlib.Path,
    *,
    class_names: Sequence[str],
    golden: Sequence[bytes],
    decoding: Decoding | None = None,
) -> pathlib.Path:
    """Exports, verifies and publishes the next version.

    Args:
        model: pixels (batch, size, size, 3), 0 to 255 -> logits, as
            `build_classifier` makes it.
        directory: the model's base path; versions are its integer children.
        class_names: in the order of the logits.
        golden: encoded pictures that the export is checked with; real ones.
        decoding: how a file's bytes become the model's square, as in
            training; the centre square when None.

    Returns:
        The published folder, `directory/<largest version + 1>`.

    Raises:
        NotPublishedError: the export's answers are not the model's; nothing
            was published.
        ValueError: no golden pictures, or names that do not match the logits.
    """
    if not golden:
        raise ValueError("golden: expected at least one encoded picture")
    if len(class_names) != model.output_shape[-1]:
        raise ValueError(
            f"class_names: received {len(class_names)}, expected "
            f"{model.output_shape[-1]}, one a logit"
        )
    directory = pathlib.Path(directory)
    decoding = decoding or Decoding(model.input_shape[1])
    answers = probabilities_model(model)
    with atomic.building_folder(directory) as temporary:
        _write(answers, temporary, class_names, decoding)
        pictures = np.stack([decoding.load(tf.constant(g)) for g in golden])
        expected = answers.predict(pictures, verbose=0)
        check_export(temporary, golden, pictures, expected)
        final = directory / str(atomic.next_version(directory))
        atomic.publish_folder(temporary, final)
    return final


def _write(
    answers: keras.Model,
    folder: pathlib.Path,
    class_names: Sequence[str],
    decoding: Decoding,
) -> None:
    """Writes the SavedModel and the files for people."""
    size = answers.input_shape[1]
    names = tf.constant([name.encode() for name in class_names])
    top = min(TOP_K, len(class_names))

    def answer(pictures):
        probabilities = answers(pictures, training=False)
        best = tf.math.top_k(probabilities, top)
        return {
            "probabilities": probabilities,
            "classes": tf.gather(names, best.indices),
            "scores": best.values,
        }

    def serving_default(image_bytes):
        pictures = tf.map_fn(
            lambda encoded: decoding.load(encoded),
            image_bytes,
            fn_output_signature=tf.TensorSpec((size, size, 3), tf.uint8),
        )
        return answer(tf.cast(pictures, tf.float32))

    # No archive.track(model): it would store every variable twice (keras
    # issue 23553); the endpoints' functions hold the variables already.
    archive = keras.export.ExportArchive()
    archive.add_endpoint(
        "serving_default",
        serving_default,
        [tf.TensorSpec((None,), tf.string, name="image_bytes")],
    )
    archive.add_endpoint(
        "serving_float",
        answer,
        [tf.TensorSpec((None, size, size, 3), tf.float32, name="pixels")],
    )
    archive.write_out(str(folder), verbose=False)
    extra = folder / "assets.extra"  # The loader ignores this folder.
    extra.mkdir()
    extra.joinpath(LABELS_FILE).write_text(
        labels_text(class_names), encoding="utf-8"
    )


def labels_text(class_names: Sequence[str]) -> str:
    """One class name a line, in the order of the probabilities."""
    return "".join(f"{name}\n" for name in class_names)
