"""Optimizers whose updates differ from layer to layer, or pull to the start.

    rates = layer_rates(model, decay=0.9)
    optimizer = adapted(keras.optimizers.Adam(1e-4), rates=rates, l2_sp=0.01)
    model.compile(optimizer, loss)

In: any Keras optimizer. Out: one of the same kind, state and settings. It is
the update that is scaled: Adam divides by the size of the gradients, so that a
scaled gradient would change nothing.
"""

import functools
from collections.abc import Collection, Mapping

import keras
import tensorflow as tf


class _Adapted:
    """What stands before an optimizer's own update of a variable."""

    def adapt(
        self,
        rates: Mapping[str, float],
        l2_sp: float,
        pulled: Collection[str] | None,
    ) -> None:
        """Says how variables are updated, by their paths; before `build`."""
        # Past Keras's tracking: plain numbers, no state.
        vars(self).update(
            _rates=dict(rates), _l2_sp=float(l2_sp), _pulled=pulled
        )

    def build(self, variables):
        """As Keras's; takes what variables hold now as their start."""
        super().build(variables)
        paths = [variable.path for variable in variables]
        vars(self)["_factors"] = [self._rates.get(path, 1.0) for path in paths]
        vars(self)["_starts"] = {}
        if not self._l2_sp:
            return
        for place, variable in enumerate(variables):
            if self._pulled is None or variable.path in self._pulled:
                # A variable of the optimizer, so that it is saved with it.
                start = self.add_variable_from_reference(variable, "start")
                start.assign(variable)
                self._starts[place] = start

    def update_step(self, gradient, variable, learning_rate):
        """A pull to the start, then the optimizer's own step; both scaled."""
        place = self._get_variable_index(variable)
        rate = tf.cast(learning_rate, variable.dtype) * self._factors[place]
        if place in self._starts:
            away = variable - self._starts[place].value
            self.assign_sub(variable, rate * self._l2_sp * away)
        super().update_step(gradient, variable, rate)

    def _apply_weight_decay(self, variables):
        if self.weight_decay is None:
            return
        for variable in variables:
            if self._use_weight_decay(variable):
                place = self._get_variable_index(variable)
                rate = tf.cast(self.learning_rate, variable.dtype)
                share = rate * self.weight_decay * self._factors[place]
                self.assign_sub(variable, share * variable)


@functools.cache
def _adapted_kind(kind: type) -> type:
    return type(kind.__name__, (_Adapted, kind), {})


def adapted(
    optimizer: keras.optimizers.Optimizer,
    *,
    rates: Mapping[str, float] | None = None,
    l2_sp: float = 0.0,
    pulled: Collection[str] | None = None,
) -> keras.optimizers.Optimizer:
    """An optimizer like one given, with other updates.

    Args:
        optimizer: any of Keras's but a LossScaleOptimizer, which takes this
            one; not yet built.
        rates: variable's path -> factor of its learning rate, as of
            `strategies.layer_rates`; 1 for what is not named.
        l2_sp: each step also moves a variable by so many times its learning
            rate back to where it was when the optimizer was built: L2-SP,
            decoupled from the gradient as AdamW's decay is.
        pulled: paths of the variables that are pulled; all for None.

    Returns:
        A new optimizer. Files do not hold what it adds: a model that is saved
        with it is loaded by `compile=False`, and compiled again.

    Raises:
        ValueError: a negative `l2_sp`, or an optimizer that wraps another.

    Example:
        model.compile(adapted(keras.optimizers.SGD(0.1), l2_sp=0.01), loss)

    Reference: Li and others, "Explicit Inductive Bias for Transfer Learning
    with Convolutional Networks", 2018.
    """
    if l2_sp < 0:
        raise ValueError(f"l2_sp={l2_sp}: expected 0 or more")
    if hasattr(optimizer, "inner_optimizer"):
        raise ValueError(
            f"{type(optimizer).__name__}: expected the optimizer in it - wrap "
            "what this function gives"
        )
    kind = _adapted_kind(type(optimizer))
    new = kind.from_config(optimizer.get_config())
    new.adapt(rates or {}, l2_sp, pulled)
    return new
