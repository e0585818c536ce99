"""A network that sees one batch size, whatever the last batch has.

    outputs = outputs_of(model, x, training=True, full=32)   # a row a row of x

In: a batch, and how many examples a full one has. Out: the network's answers
to it. On a GPU cuDNN tries its algorithms for each convolution at each batch
size anew, forward and back, which takes seconds for the odd last batch of an
epoch; what it is filled up with has no answers, so it has no gradients either.
"""

import keras
import tensorflow as tf

from tl_keras.networks import inner_layers


def sees_rows_apart(model: keras.Model) -> bool:
    """Whether what else is in a batch changes no answer in training.

    Args:
        model: as it is fitted; BatchNorm that trains takes means over a batch.
    """
    return not any(
        isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        for layer in inner_layers(model)
    )


def outputs_of(
    model: keras.Model, x, *, training: bool, full: int | None = None
) -> tf.Tensor:
    """What a model answers to a batch.

    Args:
        model: of one output.
        x: its inputs, (batch, ...), one or several.
        training: of Keras's call.
        full: so many rows are given to it, the last one as often as needed;
            None for those of `x` alone.

    Returns:
        (batch, ...), of the rows of `x`.
    """
    if full is None:
        return model(x, training=training)
    count = tf.shape(keras.tree.flatten(x)[0])[0]
    places = tf.minimum(tf.range(tf.maximum(full, count)), count - 1)
    filled = keras.tree.map_structure(lambda rows: tf.gather(rows, places), x)
    return model(filled, training=training)[:count]
