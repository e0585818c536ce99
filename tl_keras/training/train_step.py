"""A step of training that mixes its batch, or minimises sharpness too.

    step = train_step_of(model, phase, first=0)
    model.train_function = Steps(step)

In: a compiled model and a phase. Out: a function of a batch, as Keras's own
`train_step`; that itself where the phase asks for nothing else.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from tl_keras.training.filling import outputs_of
from tl_keras.training.mixing import Mixing
from tl_keras.training.phase import Phase

TINY = 1e-12
# Steps of phases are drawn from apart; no phase has so many.
STEPS_BETWEEN = 2**32


def train_step_of(
    model: keras.Model, phase: Phase, first: int, full: int | None = None
) -> Callable:
    """What computes a step of a phase.

    Args:
        model: compiled.
        phase: whose `mixup`, `cutmix` and `sam_rho` it takes.
        first: the number of its first epoch.
        full: of `outputs_of`.

    Returns:
        Batch -> logs. Metrics are of the mixed examples, against the label
        of the larger share.

    Raises:
        ConfigError: CutMix where there are no places to cut from.
    """
    mixing = Mixing(phase.mixup, phase.cutmix, phase.seed)
    mixes = bool(mixing.mixup or mixing.cutmix)
    if not mixes and not phase.sam_rho and full is None:
        return model.train_step
    if mixes:
        mixing.check(model.inputs)
    begin = first * STEPS_BETWEEN

    def step(data):
        x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
        parts = [(tf.constant(1.0), y, weights)]
        if mixes:
            number = tf.cast(model.optimizer.iterations, tf.int64) + begin
            (x,) = keras.tree.flatten(x)
            x, share, other = mixing(x, number)
            parts = [
                (share, y, weights),
                (1 - share, *(_taken(part, other) for part in (y, weights))),
            ]
        states = _states(model)
        before = [tf.identity(state) for state in states]
        outputs, loss, gradients = _pass(model, x, parts, full)
        if phase.sam_rho:
            after = [tf.identity(state) for state in states]
            _assign(states, before)
            gradients = _at_worst(
                model, x, parts, gradients, phase.sam_rho, full
            )
            _assign(states, after)
        model.optimizer.apply(gradients, model.trainable_weights)
        tracked = next(m for m in model.metrics if m.name == "loss")
        tracked.update_state(loss, sample_weight=tf.shape(outputs)[0])
        return model.compute_metrics(x, y, outputs, sample_weight=weights)

    return step


def _taken(part, places):
    return None if part is None else tf.gather(part, places)


def _states(model: keras.Model) -> list[tf.Variable]:
    """What a pass changes itself: seeds of Dropout, means of BatchNorm."""
    return [
        variable.value
        for layer in model.layers
        if layer.trainable
        for variable in layer.non_trainable_variables
    ]


def _assign(variables, values) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _pass(model, x, parts, full):
    """(outputs, loss, its gradients, scaled as the optimizer wants them)."""
    with tf.GradientTape() as tape:
        outputs = outputs_of(model, x, training=True, full=full)
        # Of mixed targets it is a mean, as it is linear in them; written so
        # it serves losses of labels, and other tasks.
        loss = tf.add_n(
            [
                share
                * model.compute_loss(
                    x=x, y=y, y_pred=outputs, sample_weight=w, training=True
                )
                for share, y, w in parts
            ]
        )
        scaled = model.optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, model.trainable_weights)
    return outputs, loss, gradients


def _at_worst(model, x, parts, gradients, rho: float, full):
    """Gradients where the loss rises most within `rho`; the weights stay.

    Reference: Foret and others, "Sharpness-Aware Minimization for Efficiently
    Improving Generalization", 2021.
    """
    pairs = [
        (variable.value, tf.convert_to_tensor(gradient))
        for variable, gradient in zip(
            model.trainable_weights, gradients, strict=True
        )
        if gradient is not None
    ]
    norm = tf.linalg.global_norm([gradient for _, gradient in pairs])
    kept = [tf.identity(variable) for variable, _ in pairs]
    for variable, gradient in pairs:
        away = gradient * (rho / (norm + TINY))
        variable.assign_add(tf.cast(away, variable.dtype))
    _, _, there = _pass(model, x, parts, full)
    _assign([variable for variable, _ in pairs], kept)
    return there
