"""Where a classifier looks: Grad-CAM for any functional Keras model.

    from tl_keras import grad_cam
    maps = grad_cam(model, pictures)            # of the predicted classes
    maps = grad_cam(model, pictures, classes=[3, 3], layer="block5_conv3")

In: a model from pictures to class scores, and pictures. Out: a map a picture,
as large as it, 0 where nothing speaks for the class and 1 where most does.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from tl_keras.keras_globals import standard_globals
from tl_keras.keras_internals import operation_fn
from tl_keras.networks import as_graph, inner_graph, ordered_nodes

BATCH = 8  # on the tape, every output of the layers behind the map is kept
SQUASHING = ("softmax", "sigmoid")


@standard_globals()
def grad_cam(
    model: keras.Model,
    pictures: np.ndarray,
    *,
    classes: Sequence[int] | None = None,
    layer: str | None = None,
    output: int | str | None = None,
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
            larger than 1 x 1 when None. Also one of a model inside it, by its
            name or, where two have that, as "model/layer".
        output: of a model with several, the number or name of the one whose
            classes are meant.

    Returns:
        float32 (n, height, width), 0 to 1; the largest value of each map is
        1, or all of it is 0 where nothing speaks for the class.

    Raises:
        ValueError: a model or layer without a feature map, several outputs
            and none named, or classes that do not fit the pictures.

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
    explain = _explainer(model, layer, output)
    maps = []
    for start in range(0, len(pictures), BATCH):
        batch = slice(start, start + BATCH)
        chosen = None if classes is None else np.asarray(classes[batch])
        maps.append(_maps(explain, pictures[batch], chosen))
    return np.concatenate(maps)


def _maps(explain: "_Explainer", pictures, classes) -> np.ndarray:
    """Maps of one batch."""
    pictures = tf.cast(pictures, explain.graph.inputs[0].dtype)
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
    if slopes is None:
        raise ValueError(
            f"layer={explain.layer.name}: expected one that this output "
            "depends on - name another layer or output"
        )
    weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
    heat = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))
    heat = tf.cast(heat, tf.float32)
    heat = tf.image.resize(heat[..., None], pictures.shape[1:3])[..., 0]
    most = tf.reduce_max(heat, axis=(1, 2), keepdims=True)
    return tf.math.divide_no_nan(heat, most).numpy()


@dataclasses.dataclass(frozen=True)
class _Explainer:
    """A model, run layer by layer.

    Attributes:
        graph: its layers.
        layer: whose feature map is weighed.
        last: the operation that the scores come from.
    """

    graph: keras.Model
    layer: keras.Operation
    last: keras.Operation

    def record(
        self, pictures: tf.Tensor, tape: tf.GradientTape
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """(feature map, logits), with the way between them on the tape.

        What lies before the map is not remembered, as nothing of it is
        watched.
        """
        seen: dict[str, tf.Tensor] = {}

        def hooked(operation):
            graph = inner_graph(operation)
            if graph is not None and operation is not self.layer:
                return lambda tensor, *_, **__: run(graph, tensor)
            plain = operation_fn(operation, training=False)

            def call(*args, **arguments):
                made = plain(*args, **arguments)
                if operation is self.layer:
                    tape.watch(made)
                    seen["features"] = made
                if operation is self.last:
                    seen["logits"] = _logits(operation, args[0], made)
                return made

            return call

        def run(graph, tensor):
            made = graph._run_through_graph([tensor], operation_fn=hooked)
            return keras.tree.flatten(made)[0]

        run(self.graph, pictures)
        return seen["features"], seen["logits"]


def _explainer(
    model: keras.Model, layer: str | None, output: int | str | None
) -> _Explainer:
    """Finds the layer and the output that are meant."""
    graph = as_graph(model)
    if graph is None or len(graph.inputs) != 1:
        raise ValueError(
            f"model {model.name}: expected a functional or built Sequential "
            "model, whose layers can be seen, with one input"
        )
    maps = dict(_feature_maps(graph))
    nested = {
        path: operation
        for node in ordered_nodes(graph)
        if (inner := inner_graph(node.operation)) is not None
        for path, operation in _feature_maps(inner, f"{node.operation.name}/")
    }
    found = maps.get(layer) or nested.get(layer)
    if layer is None and maps:
        found = list(maps.values())[-1]
    if found is None and layer is not None:
        paths = [p for p in nested if p.endswith(f"/{layer}")]
        if len(paths) > 1:
            raise ValueError(f"layer={layer}: expected one of {paths}")
        found = nested[paths[0]] if paths else None
    if found is None:
        raise ValueError(
            f"layer={layer}: expected one with a feature map (batch, height, "
            "width, channels) larger than 1 x 1: "
            f"{', '.join([*maps, *nested]) or 'none'}"
        )
    return _Explainer(graph, found, _last_of(graph, output))


def _last_of(graph: keras.Model, output: int | str | None) -> keras.Operation:
    """The operation that an output comes from, within models too."""
    outputs = graph.outputs
    names = [tensor._keras_history.operation.name for tensor in outputs]
    if output in names:
        place = names.index(output)
    elif isinstance(output, int) and 0 <= output < len(outputs):
        place = output
    elif output is None and len(outputs) == 1:
        place = 0
    else:
        raise ValueError(
            f"output={output}: expected the number or name of one of "
            f"{len(outputs)} outputs: {', '.join(names)}"
        )
    last = outputs[place]._keras_history.operation
    inner = inner_graph(last)
    return last if inner is None else _last_of(inner, None)


def _feature_maps(
    graph: keras.Model, path: str = ""
) -> Iterator[tuple[str, keras.Operation]]:
    """(name, operation) of each feature map, also of models in models."""
    for node in ordered_nodes(graph):
        if node.operation.name and _is_feature_map(node):
            yield path + node.operation.name, node.operation
        inner = inner_graph(node.operation)
        if path and inner is not None:
            yield from _feature_maps(inner, f"{path}{node.operation.name}/")


def _is_feature_map(node) -> bool:
    if node.is_input:
        return False
    shape = node.output_tensors[0].shape
    # A side that depends on the picture is None, and larger than 1.
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _logits(operation, given, made):
    """What the last operation squashes, or what it makes if it does not."""
    if type(operation).__name__.lower() in SQUASHING:
        return given
    activation = getattr(operation, "activation", None)
    if getattr(activation, "__name__", "") not in SQUASHING:
        return made
    if isinstance(operation, keras.layers.Dense):
        logits = keras.ops.matmul(given, operation.kernel)
        return logits + operation.bias if operation.use_bias else logits
    return given if isinstance(operation, keras.layers.Activation) else made
