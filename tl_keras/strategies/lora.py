"""LoRA: a kernel moves by a product of two thin matrices.

    strategy = LoRA(rank=8)                  # on all of the backbone
    Phase("fine_tune", 10, 1e-3, strategy=strategy)

In: a classifier of `build_classifier`. Out: the same, Keras's `enable_lora` on
kernels of its backbone; after `merge` the plain network again, whose kernels
hold what was learnt.

Reference: Hu and others, "LoRA: Low-Rank Adaptation of Large Language Models",
2021.
"""

import dataclasses
import math
import zlib

import keras
import numpy as np

from tl_keras.errors import ConfigError
from tl_keras.networks import inner_layers, split_layers
from tl_keras.strategies.cutting import Cut, cut_for
from tl_keras.strategies.freezing import (
    count_trainable_if,
    layer_index,
    set_trainable,
)

# Those with `enable_lora`; a convolution's kernel is a Dense layer's at each
# place. Dense layers in a MultiHeadAttention are EinsumDense.
KINDS = (
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
)
FACTORS = ("lora_kernel_a", "lora_kernel_b")


def suits_lora(model: keras.Model, unfreeze_from: str) -> bool:
    """Whether Dense or attention layers change, which LoRA was made for.

    Args:
        model: from `build_classifier`.
        unfreeze_from: as of `LoRA`.

    Example:
        suits_lora(model, "block_4")  # True of an encoder of texts
    """
    dense = keras.layers.Dense, keras.layers.EinsumDense
    return any(
        isinstance(inner, dense)
        for outer in LoRA(unfreeze_from=unfreeze_from)._unfrozen(model)
        for inner in inner_layers(outer)
    )


@dataclasses.dataclass(frozen=True)
class LoRA:
    """The head trains, and low-rank changes of the backbone's kernels.

    All else is frozen: biases, normalizations, embeddings.

    Attributes:
        rank: width of the two factors, 1 or more.
        alpha: their product counts `alpha / rank` times; `rank` if None.
        unfreeze_from: "all", or the layer's name or beginning from which on
            kernels are changed; what lies before is computed once.

    Raises:
        ValueError: a rank below 1.

    Example:
        tune = Phase("fine_tune", 10, 1e-3, strategy=LoRA(rank=4))
        fit_phases(model, [head, tune], train, val)  # `model` is merged
    """

    rank: int = 8
    alpha: float | None = None
    unfreeze_from: str = "all"

    def __post_init__(self):
        if self.rank < 1:
            raise ValueError(f"rank={self.rank}: expected 1 or more")

    def layers(self, model: keras.Model) -> list[keras.Layer]:
        """Those whose kernels change, in graph order.

        Args:
            model: from `build_classifier`.

        Returns:
            Layers of the backbone, of those that hold others the inner ones.

        Raises:
            ConfigError: there is none, or one that cannot be changed so.
        """
        # By id, as one may be in several places.
        found = {
            id(inner): inner
            for outer in self._unfrozen(model)
            for inner in inner_layers(outer)
            if isinstance(inner, KINDS)
        }
        if not found:
            raise ConfigError(
                f"LoRA from {self.unfreeze_from}: expected a Dense, attention "
                f"or convolution layer there, {model.name} has none - unfreeze "
                "layers instead, or begin earlier"
            )
        for layer in found.values():
            if layer.kernel_constraint or layer.quantization_mode:
                raise ConfigError(
                    f"LoRA: layer {layer.name} has a constrained or quantized "
                    "kernel, which no product can be added to - begin after it"
                )
        return list(found.values())

    def apply(self, model: keras.Model) -> None:
        """Adds the factors; they, and the head, are all that trains.

        Args:
            model: from `build_classifier`; its answers stay the same, as one
                factor begins at 0.

        Raises:
            ConfigError: see `layers`.
        """
        chosen = self.layers(model)
        set_trainable(model, "none")
        ids = set(map(id, chosen))
        for outer in self._unfrozen(model):
            for part in inner_layers(outer):  # from the outside in
                within = inner_layers(part)
                part.trainable = any(id(layer) in ids for layer in within)
                for variable in part._trainable_variables:
                    variable.trainable = False
        for layer in chosen:
            # Drawn from the name: a run that goes on draws the same.
            seed = zlib.crc32(layer.path.encode())
            layer.enable_lora(
                self.rank,
                lora_alpha=self._alpha(),
                a_initializer=keras.initializers.HeUniform(seed),
            )

    def cut(self, model: keras.Model) -> Cut | None:
        """The last cut before the first kernel that changes."""
        ids = set(map(id, self.layers(model)))
        first = next(
            outer
            for outer in self._unfrozen(model)
            if ids & set(map(id, inner_layers(outer)))
        )
        return cut_for(model, first.name)

    def merge(self, model: keras.Model) -> None:
        """Adds each product to its kernel, and takes the factors out.

        Args:
            model: that `apply` was given; its head trains then, and nothing
                else.
        """
        for layer in self.layers(model):
            if not layer.lora_enabled:
                continue
            # Not `layer.kernel`, which may be of half precision.
            a, b = (np.asarray(getattr(layer, name)) for name in FACTORS)
            kernel = np.asarray(layer._kernel)
            change = (self._alpha() / self.rank) * (a @ b)
            layer._kernel.assign((kernel + change).astype(kernel.dtype))
            layer.lora_enabled = False
            layer.lora_rank = layer.lora_alpha = None
            layer._tracker.unlock()
            for name in FACTORS:
                # Not `delattr`, which collects all garbage each time.
                layer._untrack_variable(vars(layer).pop(name))
            layer._tracker.lock()
        set_trainable(model, "none")

    def count(self, model: keras.Model) -> int:
        """How many parameters `apply` would let train."""
        factors = 0
        for layer in self.layers(model):
            *ins, outs = layer._kernel.shape
            factors += self.rank * (math.prod(ins) + outs)
        return factors + count_trainable_if(model, "none")

    def describe(self) -> str:
        """What trains, in words."""
        where = "the backbone's kernels"
        if self.unfreeze_from != "all":
            where = f"kernels from {self.unfreeze_from} onward"
        return f"the head, and {where} by LoRA of rank {self.rank}"

    def _alpha(self) -> float:
        return float(self.rank if self.alpha is None else self.alpha)

    def _unfrozen(self, model: keras.Model) -> list[keras.Layer]:
        backbone, _ = split_layers(model)
        if self.unfreeze_from == "all":
            return backbone
        return backbone[layer_index(backbone, self.unfreeze_from) :]
