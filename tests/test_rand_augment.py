"""RandAugment: each operation against Pillow's."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from tl_keras.inputs.image import rand_augment as ours
from tl_keras.inputs.image.augmentation import augment_picture

RANDOM = np.random.default_rng(0)
# Soft, so that each channel has its own range and few levels twice.
PICTURE = (
    np.linspace(20, 200, 24)[:, None, None]
    + RANDOM.integers(0, 50, (24, 24, 3)) * [1, 0.8, 0.5]
).astype(np.uint8)
PILLOW = Image.fromarray(PICTURE)


def affine(*numbers):
    return PILLOW.transform(
        (24, 24), Image.Transform.AFFINE, numbers, Image.Resampling.NEAREST,
        fillcolor=(128, 128, 128),
    )  # fmt: skip


def enhanced(kind, factor):
    return getattr(ImageEnhance, kind)(PILLOW).enhance(factor)


SAME = {
    "autocontrast": (lambda p: ours.autocontrast(p), ImageOps.autocontrast),
    "equalize": (lambda p: ours.equalize(p), ImageOps.equalize),
    "posterize": (
        lambda p: ours.posterize(p, 3), lambda p: ImageOps.posterize(p, 3),
    ),
    "solarize": (
        lambda p: ours.solarize(p, 100), lambda p: ImageOps.solarize(p, 100),
    ),
    "shear": (
        lambda p: ours.moved(p, [1, 0.17, 0, 0, 1, 0]),
        lambda p: affine(1, 0.17, 0, 0, 1, 0),
    ),
    "translate": (
        lambda p: ours.moved(p, [1, 0, 0, 0, 1, -5]),
        lambda p: affine(1, 0, 0, 0, 1, -5),
    ),
    **{
        f"{kind} {factor}": (
            lambda p, f=factor, k=kind: getattr(ours, k.lower())(p, f),
            lambda p, f=factor, k=kind: enhanced(k, f),
        )
        for kind in ("Brightness", "Color", "Contrast", "Sharpness")
        for factor in (0.6, 1.5)
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_it_is_pillows(name):
    mine, theirs = SAME[name]
    want = np.asarray(theirs(PILLOW)).astype(int)
    got = mine(tf.constant(PICTURE)).numpy().astype(int)
    assert np.abs(got - want).max() <= 1
    assert np.abs(want - PICTURE).max() > 5


def test_a_turn_is_pillows_but_for_pixels_on_an_edge():
    got = ours.rotated(tf.constant(PICTURE), 20).numpy().astype(int)
    want = np.asarray(PILLOW.rotate(20, fillcolor=(128, 128, 128)))
    assert (np.abs(got - want).max(-1) > 0).mean() < 0.02
    quarter = ours.rotated(tf.constant(PICTURE), 90.0)
    assert (np.asarray(quarter) != np.rot90(PICTURE)).mean() < 0.1


def test_a_picture_of_one_colour_stays():
    flat = tf.fill((8, 8, 3), tf.cast(7, tf.uint8))
    for operation in (ours.autocontrast, ours.equalize):
        np.testing.assert_array_equal(operation(flat), flat)


def test_a_view_hangs_on_its_key_alone_and_all_operations_come():
    @tf.function
    def view(key):
        return augment_picture(tf.constant(PICTURE), key, "rand")

    keys = [tf.constant([number, 3], tf.int64) for number in range(60)]
    views = [view(key).numpy() for key in keys]
    for key, one in zip(keys[:5], views, strict=False):
        np.testing.assert_array_equal(view(key), one)
    found = collections.Counter(one.tobytes() for one in views)
    assert len(found) > 50
    assert all(one.shape == (24, 24, 3) for one in views)


def test_every_operation_changes_the_picture():
    picture = tf.constant(PICTURE)
    for name, operation in ours.OPERATIONS.items():
        changed = operation(picture, 0.5, tf.constant(1.0)).numpy()
        assert (changed != PICTURE).any() == (name != "identity"), name
