"""Random views of training pictures, in TensorFlow ops.

    view = augment_picture(picture, key, "flip_crop")

In: a square picture and a key. Out: a view of it, the same for the same key.
"""

import types

import tensorflow as tf

from tl_keras.inputs.image.rand_augment import rand_augment

# Each of the first four adds to the one before it; the last is a flip and
# RandAugment.
AUGMENTS = ("none", "flip", "flip_crop", "flip_crop_color", "rand")
# A picture has two views by flips: as it is and mirrored, each once.
BY_TURNS = types.MappingProxyType({"flip": "mirror"})
CROP_LEAST_SIDE = 0.75  # of the picture's side
COLOR_SHIFT = 0.15  # largest relative change of brightness, contrast, colour


def augment_picture(
    picture: tf.Tensor, key: tf.Tensor, augment: str
) -> tf.Tensor:
    """A random view of a square picture, the same for the same key.

    Args:
        picture: uint8 tensor (side, side, 3).
        key: int64 tensor (2,), the seed of this view; its second number is
            the view's.
        augment: one of `AUGMENTS`, or "mirror": mirrored where the view's
            number is odd.

    Returns:
        uint8 tensor of the same shape.
    """
    if augment == "none":
        return picture
    if augment == "mirror":
        return tf.where(key[1] % 2 == 1, picture[:, ::-1], picture)
    keys = tf.random.experimental.stateless_split(key, 5)
    picture = tf.image.stateless_random_flip_left_right(picture, keys[0])
    if augment == "flip":
        return picture
    if augment == "rand":
        return rand_augment(picture, keys[1])
    picture = _random_crop(picture, keys[1])
    if augment == "flip_crop":
        return picture
    low, high = 1 - COLOR_SHIFT, 1 + COLOR_SHIFT
    picture = tf.image.convert_image_dtype(picture, tf.float32)
    picture = tf.image.stateless_random_brightness(
        picture, COLOR_SHIFT, keys[2]
    )
    picture = tf.image.stateless_random_contrast(picture, low, high, keys[3])
    picture = tf.image.stateless_random_saturation(picture, low, high, keys[4])
    return tf.saturate_cast(tf.round(picture * 255.0), tf.uint8)


def _random_crop(picture: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """A random square of the picture, brought back to the picture's size."""
    side = picture.shape[0]
    draw = tf.random.stateless_uniform([3], key)
    share = CROP_LEAST_SIDE + (1 - CROP_LEAST_SIDE) * draw[0]
    cut = tf.maximum(1, tf.cast(tf.round(share * side), tf.int32))
    room = tf.cast(side - cut + 1, tf.float32)
    top = tf.cast(draw[1] * room, tf.int32)
    left = tf.cast(draw[2] * room, tf.int32)
    picture = picture[top : top + cut, left : left + cut]
    picture = tf.image.resize(picture, (side, side))
    picture = tf.saturate_cast(tf.round(picture), tf.uint8)
    picture.set_shape((side, side, 3))
    return picture
