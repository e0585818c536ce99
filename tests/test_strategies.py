"""strategies: LoRA, rates by layer, stages; each against a loop by hand."""

import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_training import data

from tl_keras.errors import ConfigError, DivergedError
from tl_keras.networks import LOGITS, build_classifier, inner_layers
from tl_keras.strategies import (
    Freeze,
    LoRA,
    Strategy,
    count_trainable,
    layer_rates,
    set_trainable,
    unfreezing_stages,
)
from tl_keras.training import (
    Objective,
    Phase,
    adapted,
    fit_phases,
    gradual,
)


def values(model) -> dict[str, np.ndarray]:
    return {v.path: np.array(v) for v in model.variables}


def layers_of_all_kinds() -> keras.Model:
    """Patches, attention with biases and Dropout, a Dense layer, a norm."""
    keras.utils.set_random_seed(2)
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(8, 4, strides=4, name="patches")(x)
    x = layers.Reshape((16, 8))(x)
    y = layers.MultiHeadAttention(2, 4, dropout=0.1, name="attention")(x, x)
    x = layers.LayerNormalization(name="norm")(layers.Add()([x, y]))
    x = layers.Dense(6, activation="gelu", name="wide")(x)
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(x), name="vit")


@pytest.fixture
def vit():
    return build_classifier(layers_of_all_kinds(), 2)


def one_dense() -> keras.Model:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.AveragePooling2D(4)(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(5, activation="tanh", name="wide")(x)
    return build_classifier(keras.Model(inputs, x, name="one_dense"), 2)


def test_lora_is_what_a_loop_by_hand_gives():
    model, batches = one_dense(), data(16)
    wide, logits = model.get_layer("wide"), model.get_layer(LOGITS)
    seed = zlib.crc32(wide.path.encode())
    a = tf.Variable(keras.initializers.HeUniform(seed)((48, 2)))
    b = tf.Variable(tf.zeros((2, 5)))
    kernel, bias = np.array(wide.kernel), np.array(wide.bias)
    head = [tf.Variable(np.array(v)) for v in (logits.kernel, logits.bias)]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for _ in range(3):
        for pixels, labels in batches:
            with tf.GradientTape() as tape:
                # 4 x 4 means of 4 x 4 pixels.
                x = tf.reshape(pixels, (-1, 4, 4, 4, 4, 3)) / 255
                x = tf.reshape(tf.reduce_mean(x, (2, 4)), (-1, 48))
                x = tf.cast(x, tf.float32)
                x = tf.tanh(x @ (kernel + 4 / 2 * a @ b) + bias)
                cost = loss(labels, x @ head[0] + head[1])
            variables = [a, b, *head]
            for v, g in zip(variables, tape.gradient(cost, variables)):  # noqa: B905
                v.assign_sub(0.1 * g)
    phase = Phase(
        "tune", 3, 0.1, optimizer="sgd", momentum=0.0, schedule="constant",
        warmup_epochs=0, strategy=LoRA(2, alpha=4),
    )  # fmt: skip
    fit_phases(model, [phase], batches, verbose=0)
    change = 2 * a @ b
    assert np.abs(change).max() > 1e-3
    np.testing.assert_allclose(wide.kernel - kernel, change, atol=1e-6)
    np.testing.assert_array_equal(wide.bias, bias)
    np.testing.assert_allclose(logits.kernel, head[0], atol=1e-6)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_merged_it_is_the_plain_network_that_answers_alike(precision):
    model = build_classifier(layers_of_all_kinds(), 2, precision=precision)
    pixels = next(iter(data(16)))[0]
    plain, before = values(model), model(pixels)
    strategy = LoRA(3)
    promised = strategy.count(model)
    strategy.apply(model)
    assert count_trainable(model)[0] == promised
    np.testing.assert_array_equal(model(pixels), before)
    random = np.random.default_rng(0)
    for layer in strategy.layers(model):
        layer.lora_kernel_b.assign(
            random.normal(0, 0.1, layer.lora_kernel_b.shape)
        )
    adapted_answers = model(pixels)
    assert np.abs(adapted_answers - before).max() > 0.01
    strategy.merge(model)
    atol = 1e-5 if precision == "float32" else 0.05
    np.testing.assert_allclose(model(pixels), adapted_answers, atol=atol)
    after = values(model)
    assert list(after) == list(plain)
    moved = {path for path in after if (after[path] != plain[path]).any()}
    assert moved == {
        "patches/kernel", "wide/kernel", "attention/query/kernel",
        "attention/key/kernel", "attention/value/kernel",
        "attention/attention_output/kernel",
    }  # fmt: skip
    change = after["wide/kernel"] - plain["wide/kernel"]
    # In float32 whatever computes: half precision would show more directions.
    assert np.linalg.matrix_rank(change, tol=1e-5) == 3
    # All can train again, and be adapted again.
    set_trainable(model, "all")
    assert count_trainable(model)[0] == model.count_params()
    strategy.apply(model)
    strategy.merge(model)
    assert not any(
        getattr(layer, "lora_enabled", False) for layer in inner_layers(model)
    )


def test_a_phase_of_lora_moves_what_it_says_and_then_another_may(vit):
    assert isinstance(LoRA(), Strategy)
    before = values(vit)
    result = fit_phases(
        vit, [Phase("head", 1, 0.01), Phase("t", 2, 0.01, strategy=LoRA(2))],
        data(), data(8, 1), objective=Objective(interpolate=False), verbose=0,
    )  # fmt: skip
    tuned = dict(zip(before, result.phases[1].best_variables, strict=True))
    moved = {p for p in before if (tuned[p] != before[p]).any()}
    still = {p for p in before if "norm" in p or "bias" in p}
    assert moved & still == {f"{LOGITS}/bias"}
    assert "attention/query/kernel" in moved
    # Weights between its start and its best are tried as of any tuning.
    assert Objective().interpolates(result.phases[1].phase)
    assert result.phases[1].trainable_parameters == LoRA(2).count(vit)


def test_lora_begins_where_it_is_told_and_is_cut_before(vit):
    strategy = LoRA(2, unfreeze_from="wide")
    assert [x.name for x in strategy.layers(vit)] == ["wide"]
    assert LoRA(2).cut(vit) is None or LoRA(2).cut(vit).trunk_share == 0
    assert strategy.cut(vit).after == "norm"
    with pytest.raises(ConfigError, match="has none"):
        LoRA(unfreeze_from="global").layers(vit)
    with pytest.raises(ValueError, match="rank=0"):
        LoRA(0)


def test_a_lora_that_diverges_leaves_the_plain_network(vit):
    before = values(vit)
    phase = Phase("t", 1, 1e30, optimizer="sgd", strategy=LoRA(2))
    with pytest.raises(DivergedError):
        fit_phases(vit, [phase], data(), verbose=0)
    after = values(vit)
    assert list(after) == list(before)
    for path in before:
        if "seed" not in path:
            np.testing.assert_array_equal(after[path], before[path])


def test_rates_fall_by_each_layer_with_a_kernel(tiny_network):
    model = build_classifier(str(tiny_network), 2)
    rates = layer_rates(model, 0.5)
    assert rates == {
        **{f"{LOGITS}/{name}": 1.0 for name in ("kernel", "bias")},
        **{path: 0.5 for path in rates if path.startswith("two_")},
        **{path: 0.25 for path in rates if path.startswith("one_")},
    }
    assert rates["two_norm/gamma"] == 0.5
    with pytest.raises(ValueError, match="decay=0"):
        layer_rates(model, 0)


STEPS = {
    "adam": lambda **more: keras.optimizers.Adam(0.1, **more),
    "adamw": lambda **more: keras.optimizers.AdamW(
        0.1, weight_decay=0.1, **more
    ),
    "sgd": lambda **more: keras.optimizers.SGD(0.1, momentum=0.9, **more),
}


@pytest.mark.parametrize("kind", STEPS)
def test_a_factor_scales_the_update_whatever_the_optimizer(kind):
    """As a plain optimizer whose whole learning rate is that much smaller."""
    slow, fast, other = (keras.Variable([1.0, -2.0], name=n) for n in "sfo")
    optimizer = adapted(STEPS[kind](), rates={slow.path: 0.25})
    quarter = STEPS[kind]()
    quarter.learning_rate = 0.1 / 4
    reference = STEPS[kind]()
    same = keras.Variable([1.0, -2.0])
    for step in range(5):
        gradient = tf.constant([0.3, 0.1]) * (step + 1)
        optimizer.apply([gradient, gradient], [slow, fast])
        quarter.apply([gradient], [other])
        reference.apply([gradient], [same])
    np.testing.assert_allclose(slow, other, rtol=1e-6)
    np.testing.assert_allclose(fast, same, rtol=1e-6)
    assert np.abs(np.array(slow) - np.array(fast)).min() > 0.01


def test_l2_sp_pulls_to_the_start_and_not_to_zero():
    """Closed form: the distance shrinks by 1 - rate * l2_sp each step."""
    near, far = keras.Variable([1.0], name="near"), keras.Variable([1.0])
    optimizer = adapted(
        keras.optimizers.SGD(0.5), l2_sp=0.2, pulled={near.path}
    )
    optimizer.build([near, far])
    near.assign([3.0])
    far.assign([3.0])
    for _ in range(4):
        optimizer.apply([tf.zeros(1), tf.zeros(1)], [near, far])
    np.testing.assert_allclose(near, [1 + 2 * 0.9**4], rtol=1e-6)
    np.testing.assert_allclose(far, [3.0])
    with pytest.raises(ValueError, match="l2_sp=-1"):
        adapted(keras.optimizers.SGD(), l2_sp=-1)
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    with pytest.raises(ValueError, match="the optimizer in it"):
        adapted(scaled)


def test_a_phase_takes_rates_and_the_pull(tiny_network):
    """The backbone moves less with either, the head is as free as before."""

    def moved(**options):
        keras.utils.set_random_seed(0)
        model = build_classifier(str(tiny_network), 2)
        before = values(model)
        phase = Phase("t", 4, 0.02, unfreeze_from="all", **options)
        fit_phases(model, [phase], data(), verbose=0)
        after = values(model)
        return [
            np.abs(after[path] - before[path]).mean()
            for path in ("one_conv/kernel", f"{LOGITS}/kernel")
        ]

    plain, slow, pulled = moved(), moved(layer_decay=0.1), moved(l2_sp=20.0)
    assert slow[0] < plain[0] / 20
    assert pulled[0] < 0.7 * plain[0]
    assert slow[1] > plain[1] / 2 < 2 * pulled[1]


def test_stages_go_deeper_by_as_many_kernels(vit):
    assert unfreezing_stages(vit, "all", 3) == ["wide", "attention", "all"]
    assert unfreezing_stages(vit, "wide", 3) == ["wide"]
    assert unfreezing_stages(vit, "attention", 2) == ["wide", "attention"]


def test_gradual_unfreezing_is_a_list_of_phases(vit):
    tune = Phase("tune", 5, 1e-3, unfreeze_from="all", layer_decay=0.9)
    phases = gradual(tune, unfreezing_stages(vit, "all", 3))
    assert [(p.name, p.epochs, p.unfreeze_from) for p in phases] == [
        ("tune_1", 1, "wide"), ("tune_2", 2, "attention"), ("tune_3", 2, "all"),
    ]  # fmt: skip
    assert {p.layer_decay for p in phases} == {0.9}
    assert gradual(tune, ["all"]) == [tune]
    with pytest.raises(ValueError, match="2 epochs"):
        gradual(Phase("tune", 2, 1e-3), ["a", "b", "all"])
    with pytest.raises(ValueError, match="strategy"):
        gradual(Phase("tune", 5, 1e-3, strategy=Freeze("all")), ["a", "all"])
