"""A strategy: how the weights of a classifier may move in a phase.

    strategy = Freeze("block_13_expand")
    strategy.apply(model)          # sets what trains
    strategy.cut(model)            # what lies before it is computed once
    ...                            # fit
    strategy.merge(model)          # the plain network again

In: a classifier of `build_classifier`. Out: the same model, ready to fit. A
phase takes any object with these four methods (`Phase(strategy=...)`).
"""

import dataclasses
from typing import Protocol, runtime_checkable

import keras

from tl_keras.strategies.cutting import Cut, cut_for
from tl_keras.strategies.freezing import count_trainable_if, set_trainable


@runtime_checkable
class Strategy(Protocol):
    """What a phase asks of a strategy.

    It is compared with `==` and told by `repr` where a run goes on, so that
    a frozen dataclass is the natural kind of object to implement it.

    Example:
        strategy = Freeze("block5")
        isinstance(strategy, Strategy)  # True: any object with these methods is
        Phase("tune", epochs=5, learning_rate=1e-4, strategy=strategy)
    """

    def apply(self, model: keras.Model) -> None:
        """Sets each layer's `trainable`; may add variables to layers."""

    def cut(self, model: keras.Model) -> Cut | None:
        """The last tensor before anything that trains; None for no such."""

    def merge(self, model: keras.Model) -> None:
        """Takes out what `apply` added; the model's answers stay the same."""

    def describe(self) -> str:
        """What trains, in words: "the head alone"."""


@dataclasses.dataclass(frozen=True)
class Freeze:
    """The head trains, and the backbone from a layer on; the rest is frozen.

    Attributes:
        unfreeze_from: "none" (the head alone), "all", or a layer's name or
            beginning.
        train_batch_norm: let BatchNorms of unfrozen layers train.
    """

    unfreeze_from: str = "none"
    train_batch_norm: bool = False

    def apply(self, model: keras.Model) -> None:
        """See `set_trainable`."""
        set_trainable(
            model, self.unfreeze_from, train_batch_norm=self.train_batch_norm
        )

    def cut(self, model: keras.Model) -> Cut | None:
        """See `cut_for`."""
        return cut_for(model, self.unfreeze_from)

    def merge(self, model: keras.Model) -> None:
        """Nothing was added."""

    def count(self, model: keras.Model) -> int:
        """How many parameters `apply` would let train."""
        return count_trainable_if(
            model, self.unfreeze_from, train_batch_norm=self.train_batch_norm
        )

    def describe(self) -> str:
        """What trains, in words."""
        words = {"none": "the head alone", "all": "all layers"}.get(
            self.unfreeze_from, f"the head and {self.unfreeze_from} onward"
        )
        if self.unfreeze_from != "none" and not self.train_batch_norm:
            words += ", BatchNorm still"
        return words
