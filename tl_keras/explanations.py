"""Where a classifier looks: Grad-CAM for any functional Keras model.

    from tl_keras import grad_cam
    maps = grad_cam(model, pictures)            # of the predicted classes
    maps = grad_cam(model, pictures, classes=[3, 3], layer="block5_conv3")

In: a model from pictures to class scores, and pictures. Out: a map a picture,
as large as it, 0 where nothing speaks for the class and 1 where most does.
"""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tl_keras.keras_globals import standard_globals

BATCH = 8  # where a branch leads past, every layer's output is kept
SQUASHING = ("softmax", "sigmoid")


@standard_globals()
def grad_cam(
    model: keras.Model,
    pictures: np.ndarray,
    *,
    classes: Sequence[int] | None = None,
    layer: str | None = None,
) -> np.ndarray:
    """Grad-CAM: what in a picture speaks for a class.

    The gradient is taken of the class's logit, also where the model ends in
    a softmax or sigmoid, whose own gradient vanishes as it grows sure. The
    model is called as in inference and is not changed.

    Args:
        model: functional or Sequential, channels last, from pictures to
            scores (n, num_classes), or (n, 1) for the second of two classes.
        pictures: (n, height, width, channels), as the model takes them.
        classes: the class to explain for each picture; the predicted one when
            None.
        layer: the layer whose feature map is weighed; the last one with a map
            larger than 1 x 1 when None.

    Returns:
        float32 (n, height, width), 0 to 1; the largest value of each map is
        1, or all of it is 0 where nothing speaks for the class.

    Raises:
        ValueError: a model or layer without a feature map, or classes that do
            not fit the pictures.

    Example:
        heat = grad_cam(model, pictures[:1])[0]

    Reference: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep
    Networks via Gradient-based Localization", 2017.
    """
    pictures = np.asarray(pictures)
    if classes is not None and len(classes) != len(pictures):
        raise ValueError(
            f"classes: expected {len(pictures)}, one a picture, received "
            f"{len(classes)}"
        )
    if not len(pictures):
        return np.zeros(pictures.shape[:3], np.float32)
    explain = _explainer(model, layer)
    maps = []
    for start in range(0, len(pictures), BATCH):
        batch = slice(start, start + BATCH)
        chosen = None if classes is None else np.asarray(classes[batch])
        maps.append(_maps(explain, pictures[batch], chosen))
    return np.concatenate(maps)


def _maps(explain: "_Explainer", pictures, classes) -> np.ndarray:
    """Maps of one batch."""
    pictures = tf.cast(pictures, explain.trunk.inputs[0].dtype)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        features, logits = explain.record(pictures, tape)
        scores = tf.cast(logits, tf.float32)
        if scores.shape[-1] == 1:
            scores = tf.concat([-scores, scores], axis=-1)
        if classes is None:
            classes = tf.argmax(scores, axis=-1).numpy()
        if min(classes) < 0 or max(classes) >= scores.shape[-1]:
            raise ValueError(
                f"classes: expected 0 to {scores.shape[-1] - 1}, received "
                f"{list(map(int, classes))}"
            )
        chosen = tf.gather(scores, classes, axis=1, batch_dims=1)
    slopes = tape.gradient(chosen, features)
    weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))
    heat = tf.cast(heat, tf.float32)
    heat = tf.image.resize(heat[..., None], pictures.shape[1:3])[..., 0]
    most = tf.reduce_max(heat, axis=(1, 2), keepdims=True)
    return tf.math.divide_no_nan(heat, most).numpy()


@dataclasses.dataclass(frozen=True)
class _Explainer:
    """A model around one of its feature maps.

    Attributes:
        trunk: pictures -> feature map.
        tail: feature map -> logits; None where the map is passed by.
        whole: pictures -> (feature map, logits).
    """

    trunk: keras.Model
    tail: keras.Model | None
    whole: keras.Model

    def record(
        self, pictures: tf.Tensor, tape: tf.GradientTape
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """(feature map, logits), with the way between them on the tape."""
        if self.tail is None:
            tape.watch(pictures)
            return self.whole(pictures, training=False)
        # What lies before the map need not be remembered.
        with tape.stop_recording():
            features = self.trunk(pictures, training=False)
        tape.watch(features)
        return features, self.tail(features, training=False)


def _explainer(model: keras.Model, layer: str | None) -> _Explainer:
    """Splits a model at a layer, over the same layers."""
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"model {model.name}: expected a functional or built Sequential "
            "model, whose layers can be seen"
        )
    # A Sequential becomes a graph; a functional model stays what it is.
    graph = keras.Model(model.inputs, model.outputs)
    by_depth = graph._nodes_by_depth
    nodes = [
        n for depth in sorted(by_depth, reverse=True) for n in by_depth[depth]
    ]
    maps = {
        node.operation.name: node.output_tensors[0]
        for node in nodes
        if _is_feature_map(node) and node.operation.name
    }
    if not maps or layer not in (None, *maps):
        raise ValueError(
            f"layer={layer}: expected one with a feature map (batch, height, "
            f"width, channels) larger than 1 x 1: {', '.join(maps) or 'none'}"
        )
    features = maps[layer or list(maps)[-1]]
    logits = _logits(nodes[-1])
    try:
        tail = keras.Model(features, logits)
    except ValueError:  # A branch leads past this map.
        tail = None
    return _Explainer(
        keras.Model(graph.inputs[0], features),
        tail,
        keras.Model(graph.inputs[0], [features, logits]),
    )


def _is_feature_map(node) -> bool:
    if node.is_input:
        return False
    shape = node.output_tensors[0].shape
    # A side that depends on the picture is None, and larger than 1.
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _logits(last):
    """What the last operation squashes, or what it gives if it does not."""
    operation, given = last.operation, last.input_tensors[0]
    if type(operation).__name__.lower() in SQUASHING:
        return given
    activation = getattr(operation, "activation", None)
    if getattr(activation, "__name__", "") not in SQUASHING:
        return last.output_tensors[0]
    if isinstance(operation, keras.layers.Dense):
        logits = keras.ops.matmul(given, operation.kernel)
        return logits + operation.bias if operation.use_bias else logits
    if isinstance(operation, keras.layers.Activation):
        return given
    return last.output_tensors[0]
