"""A fitted baseline as a Keras model, so that it can be exported.

    model, tfidf_input = served_baseline(fit_tfidf(texts, labels))
    export_saved_model(model, "saved_models/intents", class_names=names,
                       golden=texts, decoding=tfidf_input)

    model, both_inputs = with_baseline(classifier, baseline, (0.8, 0.4),
                                       text_input)

In: a `TfidfBaseline`, and perhaps a classifier to stand beside. Out: TF-IDF
weights -> logits, and the input that makes weights of strings in the served
graph.
"""

import keras
import numpy as np

from tl_keras.baselines.tfidf import TfidfBaseline
from tl_keras.inputs.text import TextAndTfidf, TextInput, TfidfInput
from tl_keras.inputs.text.text_input import TOKEN_IDS
from tl_keras.inputs.text.tfidf_input import TFIDF
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import FIRST_OF_HEAD, LOGITS
from tl_keras.networks.text import for_any_length


def tfidf_input(baseline: TfidfBaseline) -> TfidfInput:
    """How texts become the weights that a baseline was fitted to."""
    words, *pieces = baseline.grams()
    return TfidfInput(words, pieces[0] if pieces else (), baseline.idf())


@standard_globals()
def served_baseline(
    baseline: TfidfBaseline,
) -> tuple[keras.Model, TfidfInput]:
    """Makes what the exports take of a fitted baseline.

    Args:
        baseline: from `fit_tfidf`.

    Returns:
        Functional model: float32 TF-IDF weights (batch, columns) -> logits
        (batch, num_classes), with the baseline's own weights; and the
        `decoding` of its export. An export's `features` are the weights.

    Example:
        model, decoding = served_baseline(baseline)
        export_saved_model(model, "intents", class_names=names,
                           golden=[b"where is my card?"], decoding=decoding)
    """
    decoding = tfidf_input(baseline)
    inputs = keras.Input((decoding.columns,), name=TFIDF)
    tensor = keras.layers.Identity(name=FIRST_OF_HEAD, dtype="float32")(inputs)
    kernel, bias = baseline.weights()
    dense = keras.layers.Dense(len(bias), dtype="float32", name=LOGITS)
    model = keras.Model(inputs, dense(tensor), name="tfidf_classifier")
    dense.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
    return model, decoding


@standard_globals()
def with_baseline(
    model: keras.Model,
    baseline: TfidfBaseline,
    weights: tuple[float, float],
    text_input: TextInput,
    head: tuple[np.ndarray, np.ndarray] | None = None,
    beside: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[keras.Model, TextAndTfidf]:
    """A classifier of texts whose head sees TF-IDF weights too.

    Args:
        model: from `build_text_classifier`, trained.
        baseline: from `fit_tfidf`, of the same classes.
        weights: of the model's logits and of the baseline's, as
            `choose_mixture` found them.
        text_input: how texts become the model's token ids.
        head: kernel and bias in the place of those of the model's last layer.
        beside: kernel and bias in the place of the baseline's.

    Returns:
        Functional model for texts of any length: {"token_ids", "tfidf"} ->
        logits, the weighed sum of both, by one Dense layer on what the head
        saw and the TF-IDF weights side by side; and the `decoding` of its
        export, whose `features` are the encoder's.

    Example:
        choice = choose_mixture({"encoder": a, "tf-idf": b}, labels)
        both, decoding = with_baseline(
            model, baseline, choice.kept.weights, text_input)
    """
    served = for_any_length(model)
    decoding = TextAndTfidf(text_input, tfidf_input(baseline))
    last = served.get_layer(LOGITS)
    given = keras.Input((decoding.tfidf.columns,), name=TFIDF)
    join = keras.layers.Concatenate(name="head_and_tfidf", dtype="float32")
    tensor = join([last.input, given])
    dense = keras.layers.Dense(last.units, dtype="float32", name=LOGITS)
    token_ids = served.inputs[0]
    both = keras.Model(
        {TOKEN_IDS: token_ids, TFIDF: given}, dense(tensor), name=served.name
    )
    own = last.get_weights() if head is None else head
    words = baseline.weights() if beside is None else beside
    parts = zip(weights, (own, words), strict=True)
    kernels, biases = zip(
        *([weight * array for array in part] for weight, part in parts),
        strict=True,
    )
    dense.set_weights([np.concatenate(kernels), sum(biases)])
    return both, decoding
