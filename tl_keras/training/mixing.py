"""Mixup and CutMix: a batch of examples mixed with each other.

    mixing = Mixing(mixup=0.2, cutmix=1.0, seed=0)
    x, share, other = mixing(x, step)
    # targets: `share` of y, the rest of tf.gather(y, other)

In: a batch, of pixels or of stored activations, and the step's number. Out: the
mixed batch. What is drawn comes from (seed, step) alone, so that a fit that
goes on mixes as it would have.
"""

import dataclasses
import math
from collections.abc import Sequence

import keras
import numpy as np
import scipy.stats
import tensorflow as tf

from tl_keras.errors import ConfigError

QUANTILES = 1024  # of the distribution of shares; XLA has no gamma to draw


@dataclasses.dataclass(frozen=True)
class Mixing:
    """How batches are mixed; with both, each step draws one of them.

    The example that an answer is named by has the larger share, 0.5 to 1.

    Attributes:
        mixup: parameter of the beta distribution of shares, as in Beta(0.2,
            0.2); 0 for no mixup.
        cutmix: the same of the area that a rectangle leaves; 0 for none.
        seed: of all that is drawn.

    Raises:
        ValueError: a negative parameter.

    Example:
        mixed, share, other = Mixing(mixup=0.2)(pixels, step=7)

    Reference: Zhang and others, "mixup: Beyond Empirical Risk Minimization",
    2018; Yun and others, "CutMix", 2019.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    seed: int = 0

    def __post_init__(self):
        for name in ("mixup", "cutmix"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"{name}={getattr(self, name)}: expected 0 or more"
                )

    def check(self, inputs: Sequence[keras.KerasTensor]) -> None:
        """Refuses what cannot be mixed.

        Args:
            inputs: of a model.

        Raises:
            ConfigError: several inputs, or whole numbers, as of words; CutMix
                of what is not (batch, height, width, channels).
        """
        if len(inputs) > 1 or "int" in inputs[0].dtype:
            raise ConfigError(
                "mixup, cutmix: expected one input of numbers that can be "
                f"averaged, this phase trains on {len(inputs)} of "
                f"{inputs[0].dtype} - leave them out, or unfreeze from a later "
                "layer on"
            )
        shape = inputs[0].shape
        if self.cutmix and len(shape) != 4:
            raise ConfigError(
                f"cutmix={self.cutmix:g}: expected pictures or feature maps to "
                f"cut from, this phase trains on {math.prod(shape[1:]):,} "
                "numbers an example - take mixup, or unfreeze an earlier layer"
            )

    def __call__(
        self, x: tf.Tensor, step: tf.Tensor | int
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """A batch mixed with itself in another order.

        Args:
            x: (b, ...), any number type.
            step: whole number, another one for each step.

        Returns:
            (mixed (b, ...), float32 or of x's own float type; the share of
            each row's own example, float32 scalar from 0.5 to 1; the places
            (b,) of the other examples).
        """
        if not x.dtype.is_floating:
            x = tf.cast(x, tf.float32)
        key = tf.stack(
            [tf.constant(self.seed, tf.int64), tf.cast(step, tf.int64)]
        )
        keys = tf.random.experimental.stateless_split(key, 3)
        other = tf.argsort(
            tf.random.stateless_uniform([tf.shape(x)[0]], keys[0]), stable=True
        )
        draw = tf.random.stateless_uniform([4], keys[1])
        if not self.cutmix:
            return *_mixed(x, other, _share(self.mixup, draw[0])), other
        cut = _cut(x, other, _share(self.cutmix, draw[0]), draw[1:3])
        if not self.mixup:
            return *cut, other
        mixed = _mixed(x, other, _share(self.mixup, draw[0]))
        takes = draw[3] < 0.5
        return (
            tf.where(takes, mixed[0], cut[0]),
            tf.where(takes, mixed[1], cut[1]),
            other,
        )


def _share(alpha: float, draw: tf.Tensor) -> tf.Tensor:
    """The larger of the two shares: the upper half of Beta(alpha, alpha)."""
    middles = 0.5 + (np.arange(QUANTILES) + 0.5) / (2 * QUANTILES)
    table = scipy.stats.beta.ppf(middles, alpha, alpha).astype(np.float32)
    return tf.gather(table, tf.cast(draw * QUANTILES, tf.int32))


def _mixed(x, other, share):
    wide = tf.cast(x, tf.float32)
    mixed = share * wide + (1 - share) * tf.gather(wide, other)
    return tf.cast(mixed, x.dtype), share


def _cut(x, other, share, place):
    """A rectangle of the other example in each; (mixed, its real share)."""
    sides = tf.shape(x)[1:3]
    whole = tf.cast(sides, tf.float32)
    half = whole * tf.sqrt(1 - share) / 2
    low = tf.cast(tf.round(tf.maximum(place * whole - half, 0)), tf.int32)
    high = tf.minimum(place * whole + half, whole)
    high = tf.cast(tf.round(high), tf.int32)
    rows, columns = (
        (tf.range(sides[i]) >= low[i]) & (tf.range(sides[i]) < high[i])
        for i in range(2)
    )
    inside = (rows[:, None] & columns[None, :])[None, :, :, None]
    area = tf.cast(tf.reduce_prod(high - low), tf.float32)
    left = 1 - area / tf.reduce_prod(whole)
    return tf.where(inside, tf.gather(x, other), x), left
