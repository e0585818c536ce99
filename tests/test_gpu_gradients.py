"""Gradients as a GPU is quick at: the same numbers, by other operations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tl_keras.compute.gpu_gradients import (
    MANY_PLACES,
    add_bias,
    column_sums,
    quick_gradients,
)


@pytest.mark.parametrize(
    "shape", [(3, 5), (2, 7, 7, 4), (2, 256, 128, 3), (1, 181, 183, 2)]
)
@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_sums_are_those_of_all_places(shape, kind):
    rng = np.random.default_rng(0)
    values = tf.cast(rng.normal(0.1, 1, shape), kind)
    sums = column_sums(values)
    assert sums.dtype == tf.float32
    plain = np.asarray(values, np.float64).reshape(-1, shape[-1])
    most = np.abs(plain).sum(0)
    np.testing.assert_array_less(np.abs(sums - plain.sum(0)), 1e-3 * most)


def test_many_places_are_summed_by_products():
    def operations(side):
        spec = tf.TensorSpec((None, side, side, 2), tf.bfloat16)
        graph = tf.function(column_sums).get_concrete_function(spec).graph
        return {operation.type for operation in graph.get_operations()}

    assert 256 * 256 >= MANY_PLACES > 128 * 128
    assert "BatchMatMulV2" in operations(256)
    assert "BatchMatMulV2" not in operations(128)


def model_of(policy):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Conv2D(4, 3, activation="relu", dtype=policy),
        layers.DepthwiseConv2D(3, dtype=policy),
        layers.Flatten(),
        layers.Dense(5, activation="relu", dtype=policy),
        layers.Dense(2),
    ])  # fmt: skip
    for variable in model.trainable_variables:  # No ReLU is dead.
        variable.assign(variable + 0.1)
    return model


def gradients_of(model, wanted):
    x = keras.random.uniform((6, 8, 8, 3), seed=1)

    @tf.function(autograph=False)
    def gradients():
        with quick_gradients(wanted), tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(x, training=True) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    graph = gradients.get_concrete_function().graph
    slow = [o for o in graph.get_operations() if o.type == "BiasAddGrad"]
    return [np.array(g, np.float32) for g in gradients()], len(slow)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float32"])
def test_biases_of_sixteen_bits_alone_get_other_operations(policy):
    model, before = model_of(policy), tf.nn.bias_add
    plain, slow = gradients_of(model, False)
    given, left = gradients_of(model, True)
    assert slow == 4
    # The last Dense is of float32, as heads are.
    assert left == (1 if policy == "mixed_bfloat16" else 4)
    for one, other in zip(given, plain, strict=True):
        np.testing.assert_allclose(
            one, other, rtol=0.02, atol=0.02 * np.abs(other).max()
        )
    assert tf.nn.bias_add is before


def test_an_error_inside_leaves_tensorflow_as_it_was():
    before = tf.nn.bias_add
    with pytest.raises(ZeroDivisionError), quick_gradients():
        assert tf.nn.bias_add is not before
        1 / 0  # noqa: B018
    assert tf.nn.bias_add is before


def test_channels_first_stays_as_it_is():
    values = tf.ones((1, 2, 3, 3), tf.bfloat16)
    bias = tf.constant([1, 2], tf.bfloat16)
    with quick_gradients():
        found = tf.nn.bias_add(values, bias, data_format="NCHW")
    np.testing.assert_array_equal(found[0, :, 0, 0], [2, 3])
    np.testing.assert_array_equal(
        add_bias(tf.ones((1, 2), tf.float16), tf.constant([1, 2], tf.float16)),
        [[2, 3]],
    )
