"""What trains and what is frozen; frozen means frozen.

In: a classifier. Out: which of its layers would train, their `trainable`, and
the graph to fit.

In `fit`, Keras runs every layer with training=True, whatever it was called
with when the model was built (keras issue 20285); `trainable = False` stops a
BatchNorm but not a Dropout. `training_graph` gives a second model over the same
layers in which every frozen one runs as in inference. Its weights are the
model's weights; there is nothing to copy back. It is saved, cloned and loaded
as any Keras model is, once tl_keras is imported.
"""

import difflib
import inspect
import math

import keras

from tl_keras.errors import ConfigError
from tl_keras.keras_globals import standard_globals
from tl_keras.networks import inner_layers, split_layers


def layer_index(layers: list[keras.Layer], name: str) -> int:
    """Place of the first layer named `name`, or else starting so.

    Raises:
        ConfigError: there is none; lists the near names.
    """
    names = [layer.name for layer in layers]
    if name in names:
        return names.index(name)
    for index, other in enumerate(names):
        if other.startswith(name):
            return index
    near = difflib.get_close_matches(name, names, n=5, cutoff=0.5)
    raise ConfigError(
        f"--unfreeze_from={name}: expected a layer's name, its beginning, "
        "auto, all or none - auto takes this network's last stage; near names: "
        f"{', '.join(near or names[-5:])}"
    )


def first_unfrozen(model: keras.Model, unfreeze_from: str) -> keras.Layer:
    """The first layer, in graph order, that `unfreeze_from` lets train.

    Args:
        model: from `build_classifier`.
        unfreeze_from: "none" (the head's first layer), "all", or a layer's
            name or beginning.

    Raises:
        ConfigError: no such layer.
    """
    backbone, head = split_layers(model)
    if unfreeze_from == "none":
        return head[0]
    if unfreeze_from == "all":
        return backbone[0]
    return backbone[layer_index(backbone, unfreeze_from)]


def trainable_layers(
    model: keras.Model, unfreeze_from: str, *, train_batch_norm: bool = False
) -> list[keras.Layer]:
    """What would train: a question that changes nothing.

        for layer in trainable_layers(model, "block5"):
            print(layer.name)

    A BatchNorm of the backbone is not among them even where its block is
    unfrozen: a small batch's statistics are noise, and accuracy on small data
    collapses.

    Args:
        model: from `build_classifier`.
        unfreeze_from: "none", "all", or a layer (`layer_index`).
        train_batch_norm: let the unfrozen BatchNorms train.

    Returns:
        The head's layers and the backbone's from a layer on; of a nested one
        each layer in it too.

    Raises:
        ConfigError: no such layer.
    """
    backbone, head = split_layers(model)
    first = first_unfrozen(model, unfreeze_from)
    unfrozen = backbone[(backbone + head).index(first) :]
    return [
        inner
        for layer in unfrozen
        for inner in inner_layers(layer)
        if train_batch_norm
        or not isinstance(inner, keras.layers.BatchNormalization)
    ] + [inner for layer in head for inner in inner_layers(layer)]


def set_trainable(
    model: keras.Model, unfreeze_from: str, *, train_batch_norm: bool = False
) -> None:
    """Lets `trainable_layers` train, and no other layer.

    A BatchNorm that does not train stays as it is in all its numbers: its
    statistics, gamma and beta.

    Args:
        model: from `build_classifier`.
        unfreeze_from: "none", "all", or a layer (`layer_index`).
        train_batch_norm: let the unfrozen BatchNorms train.

    Raises:
        ConfigError: no such layer.

    Example:
        model = build_classifier("VGG16", num_classes=5)
        set_trainable(model, "block5")
        count_trainable(model)
    """
    train = trainable_layers(
        model, unfreeze_from, train_batch_norm=train_batch_norm
    )
    chosen = set(map(id, train))
    backbone, head = split_layers(model)
    for layer in backbone + head:
        # From the outside in, as a layer hands its own down to those in it.
        for inner in inner_layers(layer):
            inner.trainable = id(inner) in chosen


def count_trainable_if(
    model: keras.Model, unfreeze_from: str, *, train_batch_norm: bool = False
) -> int:
    """How many parameters `set_trainable` would let train.

    Args:
        model, unfreeze_from, train_batch_norm: as of `trainable_layers`.

    Returns:
        What `count_trainable` would say then; the model is left as it is.

    Raises:
        ConfigError: no such layer.
    """
    layers = trainable_layers(
        model, unfreeze_from, train_batch_norm=train_batch_norm
    )
    # A layer that is frozen now says of no variable that it could train;
    # Keras keeps them apart all the same. A shared one is counted once.
    own = {id(v): v for layer in layers for v in layer._trainable_variables}
    return sum(math.prod(variable.shape) for variable in own.values())


@keras.saving.register_keras_serializable("tl_keras")
class TrainingGraph(keras.Model):
    """A functional model whose frozen layers run as in inference in `fit` too.

    Its layers are those that it was made of, each under its own name, so that
    the weights it saves are the weights of a plain model of these layers.
    What is frozen is what is not `trainable` when a function is traced.
    """

    def call(self, inputs, training=None, mask=None):
        """As of any model; frozen layers are called with training=False."""
        if not training:
            return super().call(inputs, training=training, mask=mask)
        outputs = self._run_through_graph(
            self._standardize_inputs(inputs),
            operation_fn=lambda operation: _in_training(operation, training),
        )
        one = isinstance(outputs, (list, tuple)) and len(outputs) == 1
        return outputs[0] if one else outputs

    def get_config(self):
        """Keras's, and the names of frozen layers, which some do not tell."""
        frozen = [layer.name for layer in self.layers if not layer.trainable]
        return {**super().get_config(), "frozen": frozen}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The model, with the same layers frozen."""
        config = dict(config)
        frozen = config.pop("frozen", ())
        model = super().from_config(config, custom_objects)
        for name in frozen:
            model.get_layer(name).trainable = False
        return model


def _in_training(operation, training):
    """An operation of a graph, told whether it trains."""
    if not isinstance(operation, keras.Layer) or not takes_training(operation):
        return operation
    told = False if _is_frozen(operation) else training

    def call(*args, **arguments):
        return operation(*args, **{**arguments, "training": told})

    return call


def _is_frozen(layer: keras.Layer) -> bool:
    """Whether nothing of a layer is to change.

    A `Sequential` that was cloned says that it is trainable; the layers in it
    say that they are not.
    """
    inner = [
        part
        for part in inner_layers(layer)[1:]
        if not isinstance(part, (keras.layers.InputLayer, keras.Model))
    ]
    frozen = inner and not any(part.trainable for part in inner)
    return not layer.trainable or bool(frozen and not layer.trainable_variables)


def takes_training(layer: keras.Layer) -> bool:
    """Whether a layer can be told that this is training."""
    return "training" in inspect.signature(layer.call).parameters


@standard_globals()
def training_graph(model: keras.Model) -> keras.Model:
    """A model to fit: the same layers, the frozen ones as in inference.

    Args:
        model: a functional model whose layers' `trainable` say what is
            frozen, as `set_trainable` leaves them.

    Returns:
        A model of the same inputs and outputs that shares every variable; the
        files of its `save_weights` fit `model`, and those of `model` fit it.

    Raises:
        ConfigError: a frozen layer of somebody's own holds a Dropout or the
            like, and cannot be told to keep it off.

    Example:
        set_trainable(model, "block5")
        fitting = training_graph(model)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        fitting.compile("adam", loss)
        fitting.fit(images.train.shuffled(32))  # `model` has the weights
    """

    for layer in model.layers:
        # Only layers that act differently in training need holding.
        if layer.trainable or takes_training(layer):
            continue
        for inner in inner_layers(layer):
            if takes_training(inner):
                raise ConfigError(
                    f"layer {layer.name}: expected a call with the "
                    f"argument training, since it holds {inner.name} and is "
                    "frozen - add training=None to its call and pass it on"
                )
    return TrainingGraph(model.input, model.output, name=model.name)


def count_trainable(model: keras.Model) -> tuple[int, int]:
    """(parameters that train, all parameters) of a model."""
    train = sum(math.prod(v.shape) for v in model.trainable_variables)
    return train, model.count_params()
