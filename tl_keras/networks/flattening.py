"""A network with models inside it -> one graph of all their layers.

    graph = flattened(network, 96)
    graph.get_layer("block5_conv3")      # was a layer of a model in it

In: a functional or sequential model, whose layers may be such models again.
Out: a graph over the same layers and variables, in which each can be named,
unfrozen and cut at.
"""

import keras

from tl_keras.keras_internals import Functional

INPUT = "backbone_input"


def flattened(network: keras.Model, size: int) -> keras.Model:
    """The network with all its layers in one graph, for squares of a size.

    A layer whose name is taken by then gets its model's name in front.

    Args:
        network: with one input (batch, height, width, channels).
        size: side of the pictures, in pixels.
    """
    operations = _make_names_unique(network)
    tensor = keras.Input(
        (size, size, network.inputs[0].shape[-1]),
        name=free_name(INPUT, {each.name for each in operations}),
        dtype="float32",
    )
    # Keras answers `layer.output` with the first call that is remembered.
    for operation in operations:
        operation._inbound_nodes.clear()
    outputs = _call(network, tensor)
    return keras.Model(tensor, outputs, name=network.name)


def call_layers(network: keras.Model, tensor):
    """Calls a network's layers one by one on a symbolic tensor."""
    _make_names_unique(network)
    return _call(network, tensor)


def as_graph(model: keras.Model) -> Functional | None:
    """A model's graph if its calls are that graph and nothing else."""
    if isinstance(model, keras.Sequential):
        return getattr(model, "_functional", None)
    plain = isinstance(model, Functional) and (
        type(model).call is Functional.call
    )
    return model if plain else None


def _call(network: keras.Model, tensor):
    graph = as_graph(network)
    if graph is None:
        return network(tensor)
    outputs = graph._run_through_graph([tensor], operation_fn=_inner)
    flat = keras.tree.flatten(outputs)
    return flat[0] if len(flat) == 1 else flat


def _inner(operation):
    """What to call in the place of an operation: its layers, if it has any."""
    if inner_graph(operation) is None:
        return operation
    # A call's own arguments, such as training=False, are those of a person's
    # training; `training_graph` says here which layer runs how.
    return lambda tensor, *_, **__: _call(operation, tensor)


def inner_graph(operation) -> Functional | None:
    """The graph of a model that stands for a layer, one tensor in and out."""
    graph = as_graph(operation) if isinstance(operation, keras.Model) else None
    if graph is None or not len(graph.inputs) == len(graph.outputs) == 1:
        return None
    return graph


def _make_names_unique(network: keras.Model) -> list[keras.Operation]:
    """Renames what has a name that is taken; gives all operations."""
    found: dict[str, keras.Operation] = {}

    def visit(model):
        for operation in as_graph(model).operations:
            if inner_graph(operation) is not None:
                visit(operation)
            elif not isinstance(operation, keras.layers.InputLayer):
                while found.get(operation.name, operation) is not operation:
                    operation.name = f"{model.name}_{operation.name}"
                found[operation.name] = operation

    if as_graph(network) is not None:
        visit(network)
    return list(found.values())


def free_name(name: str, taken: set[str]) -> str:
    """The name, or one like it that is not taken."""
    while name in taken:
        name += "_of_classifier"
    return name
