"""Cuts a network into a frozen trunk and the tail that trains.

    cut = cut_for(model, "block5")     # before the first layer that trains
    trunk, tail = split_at(model, cut)
    tail(trunk(pixels))                # the model's logits

In: a functional model. Out: two models over the same layers and variables, so
that what the tail learns the model has learnt. A cut is a tensor that every
path from input to output passes through; a fine-tune that begins inside a
branch is served by the nearest cut before it.
"""

import dataclasses

import keras

from tl_keras.keras_globals import standard_globals
from tl_keras.networks import inputs_of, multiply_adds, ordered_nodes
from tl_keras.strategies.freezing import first_unfrozen, takes_training


@dataclasses.dataclass(frozen=True)
class Cut:
    """A tensor that every path passes through.

    Attributes:
        after: name of the layer that makes it, or of the last one before
            the operation that does, whose own name Keras counts up.
        position: of that operation, in graph order.
        tensor: the symbolic tensor.
        trunk_share: share of the network's multiply-adds before it, 0 to 1.
    """

    after: str
    position: int
    tensor: keras.KerasTensor
    trunk_share: float


def find_cuts(model: keras.Model) -> list[Cut]:
    """All single-tensor cuts of a functional model, from input to output.

    In any order that puts every operation after its inputs, a tensor is a
    cut exactly if it alone is waited for once it has been made.
    """
    nodes = ordered_nodes(model)
    last_use = {
        id(tensor): position
        for position, node in enumerate(nodes)
        for tensor in node.input_tensors
    }
    costs = [multiply_adds(node) for node in nodes]
    total = max(sum(costs), 1)
    cuts, done, layer = [], 0, ""
    waited_for: set[int] = set()
    for position, node in enumerate(nodes[:-1]):
        done += costs[position]
        if isinstance(node.operation, keras.Layer) or not layer:
            layer = node.operation.name
        waited_for = {t for t in waited_for if last_use[t] > position}
        waited_for |= {id(t) for t in node.output_tensors if id(t) in last_use}
        if len(waited_for) == 1 and id(node.output_tensors[0]) in waited_for:
            cuts.append(
                Cut(
                    layer,
                    position,
                    node.output_tensors[0],
                    done / total,
                )
            )
    return cuts


def cut_for(model: keras.Model, unfreeze_from: str) -> Cut | None:
    """The last cut before anything that trains, or None if there is none.

    Args:
        model: from `build_classifier`.
        unfreeze_from: "none", "all" or a layer, as in `set_trainable`.

    Returns:
        The cut whose trunk is the largest that a phase leaves frozen; None
        where nothing worth keeping lies before what trains.
    """
    layer = first_unfrozen(model, unfreeze_from)
    names = [node.operation.name for node in ordered_nodes(model)]
    start = names.index(layer.name)
    # Joins and activations have nothing to train: they may go to the trunk.
    operations = [node.operation for node in ordered_nodes(model)]
    while start < len(names) and not _acts_in_training(operations[start]):
        start += 1
    cuts = [c for c in find_cuts(model) if c.position < start and c.trunk_share]
    return cuts[-1] if cuts else None


def _acts_in_training(operation) -> bool:
    return isinstance(operation, keras.Layer) and (
        bool(operation.variables) or takes_training(operation)
    )


@standard_globals()
def split_at(model: keras.Model, cut: Cut) -> tuple[keras.Model, keras.Model]:
    """(trunk, tail) over the same layers; tail(trunk(x)) is model(x).

    Args:
        model: the model that `cut` was found in.
        cut: where.

    Returns:
        trunk: the model's input -> the cut's activations.
        tail: those activations -> the model's output.
    """
    trunk = keras.Model(inputs_of(model), cut.tensor, name=f"up_to_{cut.after}")
    tail = keras.Model(cut.tensor, model.outputs[0], name=f"after_{cut.after}")
    return trunk, tail
