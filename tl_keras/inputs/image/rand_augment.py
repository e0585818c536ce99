"""RandAugment: a few operations of a list, each as strong as the next.

    view = rand_augment(picture, key)

In: a square picture and a key. Out: a view of it, the same for the same key, in
TensorFlow ops alone. Each operation does what Pillow's does.

Reference: Cubuk and others, "RandAugment: Practical automated data augmentation
with a reduced search space", 2020.
"""

import functools
import math
from collections.abc import Callable

import tensorflow as tf

COUNT = 2  # operations a view
MAGNITUDE = 9  # of the paper's 30, its choice for networks of ResNet50's size
MAX_MAGNITUDE = 30
GREY = 128  # where a moved picture leaves nothing
# Weights of red, green and blue in Pillow's grey.
LUMA = (299 / 1000, 587 / 1000, 114 / 1000)


def rand_augment(picture: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """`COUNT` operations, drawn from `OPERATIONS` with replacement.

    Args:
        picture: uint8 tensor (side, side, 3).
        key: int64 tensor (2,), the seed of this view.

    Returns:
        uint8 tensor of the same shape.
    """
    operations = list(OPERATIONS.values())
    for drawn in tf.unstack(tf.random.experimental.stateless_split(key, COUNT)):
        choice = tf.random.stateless_uniform(
            [], drawn, 0, len(operations), tf.int32
        )
        sign = tf.random.stateless_uniform([], drawn + 1) < 0.5
        sign = tf.where(sign, -1.0, 1.0)
        strength = MAGNITUDE / MAX_MAGNITUDE
        branches = [
            functools.partial(operation, picture, strength, sign)
            for operation in operations
        ]
        changed = tf.switch_case(choice, branches)
        picture = tf.ensure_shape(changed, picture.shape)
    return picture


def blend(one: tf.Tensor, two: tf.Tensor, factor) -> tf.Tensor:
    """From one picture (factor 0) through another (1) and beyond, as uint8.

    Args:
        one, two: (height, width, 3), 0 to 255.
        factor: 0 or more.

    Returns:
        uint8 (height, width, 3), cut off as Pillow does.
    """
    one, two = tf.cast(one, tf.float32), tf.cast(two, tf.float32)
    mixed = tf.clip_by_value(one + factor * (two - one), 0, 255)
    return tf.cast(mixed, tf.uint8)


def grey(picture: tf.Tensor) -> tf.Tensor:
    """Pillow's grey, uint8 (height, width, 1)."""
    luma = tf.reduce_sum(tf.cast(picture, tf.float32) * LUMA, -1, keepdims=True)
    return tf.cast(tf.floor(luma + 0.5), tf.uint8)


def brightness(picture: tf.Tensor, factor) -> tf.Tensor:
    """Nearer to black (below 1) or further from it."""
    return blend(tf.zeros_like(picture), picture, factor)


def color(picture: tf.Tensor, factor) -> tf.Tensor:
    """Nearer to its grey (below 1) or further from it."""
    return blend(grey(picture), picture, factor)


def contrast(picture: tf.Tensor, factor) -> tf.Tensor:
    """Nearer to its mean grey (below 1) or further from it."""
    mean = tf.reduce_mean(tf.cast(grey(picture), tf.float32))
    return blend(tf.floor(mean + 0.5), picture, factor)


def sharpness(picture: tf.Tensor, factor) -> tf.Tensor:
    """Nearer to its smoothed self (below 1) or further from it."""
    kernel = tf.constant([[1, 1, 1], [1, 5, 1], [1, 1, 1]], tf.float32) / 13
    kernel = tf.tile(kernel[:, :, None, None], (1, 1, 3, 1))
    wide = tf.cast(picture, tf.float32)
    inner = tf.nn.depthwise_conv2d(
        wide[None], kernel, (1, 1, 1, 1), padding="VALID"
    )
    smooth = tf.pad(tf.floor(inner[0] + 0.5), ((1, 1), (1, 1), (0, 0)))
    edge = tf.pad(
        tf.zeros_like(inner[0]), ((1, 1), (1, 1), (0, 0)), "CONSTANT", 1
    )
    return blend(tf.where(edge > 0, wide, smooth), picture, factor)


def posterize(picture: tf.Tensor, bits: int) -> tf.Tensor:
    """Keeps so many bits of each channel, 1 to 8."""
    return tf.bitwise.bitwise_and(
        picture, tf.constant(256 - 2 ** (8 - bits), tf.uint8)
    )


def solarize(picture: tf.Tensor, threshold: int) -> tf.Tensor:
    """Inverts what is not below a threshold, 0 to 256."""
    low = tf.cast(picture, tf.int32) < threshold
    return tf.where(low, picture, 255 - picture)


def autocontrast(picture: tf.Tensor) -> tf.Tensor:
    """Stretches each channel to 0 to 255."""
    wide = tf.cast(picture, tf.float32)
    low = tf.reduce_min(wide, (0, 1), keepdims=True)
    high = tf.reduce_max(wide, (0, 1), keepdims=True)
    scale = tf.math.divide_no_nan(255.0, high - low)
    # Pillow's table: the level times the scale, and an offset.
    stretched = tf.clip_by_value(wide * scale - low * scale, 0, 255)
    stretched = tf.cast(stretched, tf.uint8)
    return tf.where(high > low, stretched, picture)


def equalize(picture: tf.Tensor) -> tf.Tensor:
    """Makes the levels of each channel equally frequent."""

    def channel(levels):
        histogram = tf.math.bincount(
            tf.reshape(tf.cast(levels, tf.int32), [-1]), minlength=256
        )
        last = tf.reduce_max(tf.where(histogram > 0)[:, 0])
        step = (tf.reduce_sum(histogram) - histogram[last]) // 255
        table = (tf.cumsum(histogram, exclusive=True) + step // 2) // (
            tf.maximum(step, 1)
        )
        table = tf.cast(tf.minimum(table, 255), tf.uint8)
        changed = tf.gather(table, tf.cast(levels, tf.int32))
        return tf.where(step > 0, changed, levels)

    return tf.stack([channel(picture[..., c]) for c in range(3)], -1)


def moved(picture: tf.Tensor, transform: list) -> tf.Tensor:
    """Each pixel is that at (a x + b y + c, d x + e y + f) of the picture.

    Args:
        picture: uint8 (height, width, 3).
        transform: the six numbers a to f.

    Returns:
        The same shape, the nearest pixels; grey outside.
    """
    rows, columns = picture.shape[:2]
    a, b, c, d, e, f = (tf.cast(number, tf.float32) for number in transform)
    y, x = tf.meshgrid(tf.range(rows), tf.range(columns), indexing="ij")
    # Of the middles of pixels, as Pillow counts.
    y, x = tf.cast(y, tf.float32) + 0.5, tf.cast(x, tf.float32) + 0.5
    column = tf.cast(tf.floor(a * x + b * y + c), tf.int32)
    row = tf.cast(tf.floor(d * x + e * y + f), tf.int32)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    places = tf.stack(
        [tf.clip_by_value(row, 0, rows - 1),
         tf.clip_by_value(column, 0, columns - 1)], -1,
    )  # fmt: skip
    taken = tf.gather_nd(picture, places)
    return tf.where(inside[..., None], taken, tf.cast(GREY, tf.uint8))


def rotated(picture: tf.Tensor, degrees) -> tf.Tensor:
    """Turned about its middle, counter-clockwise."""
    rows, columns = picture.shape[:2]
    angle = -degrees * math.pi / 180
    cos, sin = tf.cos(angle), tf.sin(angle)
    x, y = columns / 2, rows / 2
    return moved(
        picture,
        [cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y],
    )


# (picture, strength 0 to 1, sign -1 or 1) -> a view.
OPERATIONS: dict[str, Callable] = {
    "identity": lambda p, s, _: p,
    "autocontrast": lambda p, s, _: autocontrast(p),
    "equalize": lambda p, s, _: equalize(p),
    "rotate": lambda p, s, sign: rotated(p, 30 * s * sign),
    "posterize": lambda p, s, _: posterize(p, 8 - round(4 * s)),
    "solarize": lambda p, s, _: solarize(p, round(256 * (1 - s))),
    "color": lambda p, s, sign: color(p, 1 + 0.9 * s * sign),
    "contrast": lambda p, s, sign: contrast(p, 1 + 0.9 * s * sign),
    "brightness": lambda p, s, sign: brightness(p, 1 + 0.9 * s * sign),
    "sharpness": lambda p, s, sign: sharpness(p, 1 + 0.9 * s * sign),
    "shear_x": lambda p, s, sign: moved(p, [1, 0.3 * s * sign, 0, 0, 1, 0]),
    "shear_y": lambda p, s, sign: moved(p, [1, 0, 0, 0.3 * s * sign, 1, 0]),
    "translate_x": lambda p, s, sign: moved(
        p, [1, 0, 0.45 * s * sign * p.shape[1], 0, 1, 0]
    ),
    "translate_y": lambda p, s, sign: moved(
        p, [1, 0, 0, 0, 1, 0.45 * s * sign * p.shape[0]]
    ),
}
