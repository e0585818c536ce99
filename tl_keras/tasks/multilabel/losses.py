"""What is minimised where each label is a question of its own.

    loss = label_loss("asymmetric")
    model.compile(loss=loss)

In: targets and logits (b, labels). Out: a loss for each example, in nats a
label.

Reference: Lin and others, "Focal Loss for Dense Object Detection", 2017;
Ridnik and others, "Asymmetric Loss For Multi-Label Classification", 2021.
"""

from collections.abc import Callable, Sequence

import keras

LOSSES = ("cross_entropy", "focal", "asymmetric")
FOCUS = 2.0  # of focal loss, on what is still wrong
# Of asymmetric loss: hardly any on labels that are there, much on those that
# are not; the latter count for nothing below MARGIN.
FOCUS_ABSENT, FOCUS_PRESENT, MARGIN = 4.0, 0.0, 0.05
TINY = 1e-8


def label_loss(
    kind: str = "cross_entropy",
    positive_weights: Sequence[float] | None = None,
    label_smoothing: float = 0.0,
) -> Callable:
    """The loss of logits (b, labels) against targets (b, labels) of 0 and 1.

    Args:
        kind: one of `LOSSES`.
        positive_weights: what a label that is there counts, one a label; what
            is not there counts 1.
        label_smoothing: share of each target that is drawn to 0.5.

    Returns:
        (targets, logits) -> (b,).

    Example:
        model.compile(loss=label_loss("focal"))
    """
    ops = keras.ops
    weights = 1.0
    if positive_weights is not None:
        weights = ops.convert_to_tensor(list(positive_weights), "float32")

    def loss(targets, logits):
        targets = ops.cast(targets, "float32")
        targets = targets * (1 - label_smoothing) + label_smoothing / 2
        there, absent = ops.log_sigmoid(logits), ops.log_sigmoid(-logits)
        chance = ops.sigmoid(logits)
        if kind == "focal":
            there = there * (1 - chance) ** FOCUS
            absent = absent * chance**FOCUS
        elif kind == "asymmetric":
            there = there * (1 - chance) ** FOCUS_PRESENT
            shifted = ops.maximum(chance - MARGIN, 0.0)
            absent = ops.log(1 - shifted + TINY) * shifted**FOCUS_ABSENT
        cost = weights * targets * there + (1 - targets) * absent
        return -ops.mean(cost, axis=-1)

    return loss
