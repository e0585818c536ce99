"""networks, strategies: scaling, heads, that frozen means frozen."""

import io
import subprocess
import sys

import keras
import numpy as np
import pytest

from tl_keras import networks
from tl_keras.errors import ConfigError
from tl_keras.networks import (
    backbones,
    build_classifier,
    load_backbone,
    probabilities_model,
)
from tl_keras.strategies import layer_index, set_trainable, training_graph

RANDOM = np.random.default_rng(0)


def pixels(count: int, size: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (count, size, size, 3)).astype(np.float32)


def features_of(model: keras.Model) -> keras.Model:
    """Pixels -> the backbone's output, as it lies in a classifier."""
    head = model.get_layer(networks.FIRST_OF_HEAD)
    return keras.Model(model.inputs, head.input)


# One network of each kind of scaling; every network is behind the marker.
ONE_OF_EACH = {
    "VGG16": 32,  # caffe
    "MobileNetV2": 32,  # tf
    "DenseNet121": 32,  # torch
    "EfficientNetB0": 32,  # in the model, always
    "ConvNeXtTiny": 32,  # in the model
    "MobileNetV3Small": 32,
}


def check_scaling(name: str, size: int) -> None:
    keras.backend.clear_session()
    network = load_backbone(name, image_size=size, weights="none")
    model = build_classifier(network, 2, input_scaling=(
        networks.usual_scaling(name)))  # fmt: skip
    raw = pixels(2, size)
    module = sys.modules[getattr(keras.applications, name).__module__]
    # Called, not `predict`: tracing takes far longer than two pictures.
    expected = np.array(network(module.preprocess_input(raw.copy())))
    received = np.array(features_of(model)(raw))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(received, expected, atol=1e-5 * scale)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_raw_pixels_give_what_the_application_gives(name):
    check_scaling(name, ONE_OF_EACH[name])


@pytest.mark.every_network
@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_raw_pixels_for_every_network(name):
    check_scaling(name, max(backbones.BACKBONES[name].least_size, 32))


def test_uint8_pixels_are_as_good_as_float():
    model = build_classifier("VGG16", 2, weights="none", image_size=32)
    raw = pixels(2, 32)
    np.testing.assert_array_equal(
        model.predict(raw.astype(np.uint8), verbose=0),
        model.predict(raw, verbose=0),
    )


def train_mode_is_inference(model) -> bool:
    graph = training_graph(model)
    batch = pixels(4, model.input_shape[1])
    one, two = (np.array(graph(batch, training=True)) for _ in range(2))
    plain = np.array(model(batch, training=False))
    return bool((one == two).all() and np.allclose(one, plain, atol=1e-5))


def fit_once(model) -> keras.Model:
    graph = training_graph(model)
    graph.compile("adam", keras.losses.SparseCategoricalCrossentropy(True))
    size = model.input_shape[1]
    graph.fit(pixels(8, size), np.arange(8) % 2, batch_size=4, verbose=0)
    return graph


KINDS = {
    "tiny": ("with BatchNorm and Dropout", "two"),
    "BatchNorm": ("MobileNetV2", "block_13_expand"),
    "Dropout": ("EfficientNetB0", "block6"),
    "LayerNorm": ("ConvNeXtTiny", "convnext_tiny_stage_3"),
    "plain": ("VGG16", "block5"),
}


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind == "tiny" else pytest.mark.nightly)
        for kind in KINDS
    ],
)
def test_frozen_is_frozen_bit_for_bit(kind, tiny_network):
    """keras issue 20285: trainable=False alone leaves Dropout active."""
    keras.utils.set_random_seed(0)
    name, unfreeze_from = KINDS[kind]
    if kind == "tiny":
        model = build_classifier(str(tiny_network), 2)
    else:
        model = build_classifier(name, 2, weights="none", image_size=32)
    # Weights of BatchNorm and layer scale that would show a wrong mode.
    for variable in model.non_trainable_variables:
        if "moving_variance" in variable.path:
            variable.assign(RANDOM.uniform(0.5, 1.5, variable.shape))
        if "moving_mean" in variable.path:
            variable.assign(RANDOM.normal(0, 0.1, variable.shape))
    set_trainable(model, "none")
    assert train_mode_is_inference(model)
    backbone, head = networks.split_layers(model)
    before = [np.array(v) for layer in backbone for v in layer.variables]
    head_before = np.array(head[-1].kernel)
    fit_once(model)
    after = [np.array(v) for layer in backbone for v in layer.variables]
    assert len(before) > 0
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
    assert (head_before != np.array(head[-1].kernel)).any()

    set_trainable(model, unfreeze_from)
    start = layer_index(backbone, unfreeze_from)
    below = [np.array(v) for layer in backbone[:start] for v in layer.variables]
    norms = batch_norms(backbone)
    still = [np.array(v) for norm in norms for v in norm.variables]
    trained = [np.array(v) for v in model.trainable_variables]
    fit_once(model)
    for old, variable in zip(
        below,
        [v for layer in backbone[:start] for v in layer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(old, np.array(variable))
    for old, variable in zip(
        still, [v for norm in norms for v in norm.variables], strict=True
    ):
        np.testing.assert_array_equal(old, np.array(variable))
    moved = [
        (old != np.array(new)).any()
        for old, new in zip(trained, model.trainable_variables, strict=True)
    ]
    assert np.mean(moved) > 0.9


def batch_norms(layers) -> list[keras.Layer]:
    return [
        layer
        for layer in layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def test_the_dropout_of_an_unfrozen_block_is_active(tiny_network):
    model = build_classifier(str(tiny_network), 2)
    set_trainable(model, "all")
    assert not train_mode_is_inference(model)
    set_trainable(model, "none")
    assert train_mode_is_inference(model)


def test_batch_norm_trains_only_when_asked(tiny_network):
    for train_batch_norm in (False, True):
        model = build_classifier(str(tiny_network), 2)
        set_trainable(model, "two_conv", train_batch_norm=train_batch_norm)
        norms = {n.name: n for n in batch_norms(model.layers)}
        before = {
            k: [np.array(v) for v in n.variables] for k, n in norms.items()
        }
        fit_once(model)
        moved = {
            name: any(
                (old != np.array(new)).any()
                for old, new in zip(before[name], norm.variables, strict=True)
            )
            for name, norm in norms.items()
        }
        assert moved == {"one_norm": False, "two_norm": train_batch_norm}


def test_an_unknown_layer_lists_the_near_ones(tiny_network):
    model = build_classifier(str(tiny_network), 2)
    with pytest.raises(ConfigError, match="two_conv"):
        set_trainable(model, "two_konv")


def test_a_name_wins_over_a_beginning(tiny_network):
    backbone, _ = networks.split_layers(build_classifier(str(tiny_network), 2))
    names = [layer.name for layer in backbone]
    assert names[layer_index(backbone, "two")] == "two_conv"
    assert names[layer_index(backbone, "one_norm")] == "one_norm"


HEADS = {
    "avg": ({}, ["head_pooling", "head_logits"], 6 * 3 + 3),
    "max": ({"pooling": "max"}, ["head_pooling", "head_logits"], 21),
    "flatten": (
        {"pooling": "flatten"},
        ["head_pooling", "head_logits"],
        8 * 8 * 6 * 3 + 3,
    ),
    "dropout": (
        {"dropout": 0.5},
        ["head_pooling", "head_dropout", "head_logits"],
        21,
    ),
    "classic": (
        {"pooling": "flatten", "head_units": (10, 11), "dropout": 0.5},
        ["head_pooling", "head_dense_1", "head_dropout_1", "head_dense_2",
         "head_dropout_2", "head_logits"],
        384 * 10 + 10 + 10 * 11 + 11 + 11 * 3 + 3,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HEADS)
def test_heads(case, tiny_network):
    arguments, names, parameters = HEADS[case]
    model = build_classifier(str(tiny_network), 3, **arguments)
    _, head = networks.split_layers(model)
    assert [layer.name for layer in head] == names
    assert sum(layer.count_params() for layer in head) == parameters
    assert model.output_shape == (None, 3)


def frozen_with_dropout(kind=keras.layers.Dropout):
    """A classifier whose frozen part acts differently in training."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    nested = keras.Sequential(
        [keras.Input((6, 6, 4)), keras.layers.Dropout(0.5)], name="nested"
    )
    x = nested(keras.layers.BatchNormalization(name="bn")(x))
    x = kind(0.2, name="drop")(x)
    model = build_classifier(keras.Model(inputs, x), 2, dropout=0.5)
    set_trainable(model, "none")
    graph = training_graph(model)
    graph.compile("adam", keras.losses.SparseCategoricalCrossentropy(True))
    return model, graph


def varies_in_training(graph, batch) -> bool:
    one, two = (np.array(graph(batch, training=True)) for _ in range(2))
    return bool((one != two).any())


def test_a_training_graph_is_saved_cloned_and_loaded(tmp_path):
    """As ModelCheckpoint does beside the README's snippet."""
    _, graph = frozen_with_dropout()
    batch, labels = pixels(8, 8), np.arange(8) % 2
    graph.fit(
        batch, labels, batch_size=4, verbose=0,
        callbacks=[keras.callbacks.ModelCheckpoint(tmp_path / "all.keras")],
    )  # fmt: skip
    expected = graph.predict(batch, verbose=0)
    loaded = keras.models.load_model(tmp_path / "all.keras")
    np.testing.assert_array_equal(loaded.predict(batch, verbose=0), expected)
    cloned = keras.models.clone_model(graph)
    cloned.set_weights(graph.get_weights())
    for same in (graph, loaded, cloned):
        assert [v.shape for v in same.trainable_variables] == [
            (4, 2), (2,)
        ]  # fmt: skip
        # Dropout of the head is on; without it, nothing else varies.
        assert varies_in_training(same, batch)
        same.get_layer("head_dropout").rate = 0.0
        assert not varies_in_training(same, batch)
    loaded.fit(batch, labels, verbose=0)  # Compiled, with its optimizer.
    assert int(loaded.optimizer.iterations) == 3


def test_a_layer_that_does_not_tell_so_is_loaded_frozen(tmp_path):
    _, graph = frozen_with_dropout(keras.layers.SpatialDropout2D)
    graph.save(tmp_path / "all.keras")
    loaded = keras.models.load_model(tmp_path / "all.keras")
    loaded.get_layer("head_dropout").rate = 0.0
    assert not varies_in_training(loaded, pixels(8, 8))


def test_weights_of_a_training_graph_fit_the_model_and_back(tmp_path):
    model, graph = frozen_with_dropout()
    file = tmp_path / "b.weights.h5"
    graph.fit(
        pixels(8, 8), np.arange(8) % 2, verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint(file, save_weights_only=True)
        ],
    )  # fmt: skip
    trained = model.get_weights()
    other, other_graph = frozen_with_dropout()
    other.load_weights(file)
    for one, two in zip(other.get_weights(), trained, strict=True):
        np.testing.assert_array_equal(one, two)
    model.save_weights(file)
    other_graph.load_weights(file)


def save(path, inputs, outputs) -> str:
    keras.Model(inputs, outputs).save(path)
    return str(path)


def test_a_sequential_file_and_a_vector_output(tmp_path):
    keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, name="conv"),
            keras.layers.GlobalAveragePooling2D(),
        ]
    ).save(tmp_path / "s.keras")
    model = build_classifier(str(tmp_path / "s.keras"), 2)
    assert model.predict(pixels(2, 8), verbose=0).shape == (2, 2)


def test_a_network_of_grey_pictures(tmp_path):
    inputs = keras.Input((8, 8, 1))
    file = save(tmp_path / "g.keras", inputs, keras.layers.ReLU()(inputs))
    model = build_classifier(file, 2)
    raw = pixels(2, 8)
    grey = features_of(model).predict(raw, verbose=0)
    expected = raw @ np.array([[0.299], [0.587], [0.114]], np.float32)
    np.testing.assert_allclose(grey, expected, rtol=1e-5)


def test_a_network_of_any_size_needs_one(tmp_path):
    inputs = keras.Input((None, None, 3))
    file = save(tmp_path / "a.keras", inputs, keras.layers.Conv2D(2, 3)(inputs))
    with pytest.raises(ConfigError, match="image_size"):
        build_classifier(file, 2)
    assert build_classifier(file, 2, image_size=10).input_shape[1] == 10


def test_the_scaling_of_a_file_can_be_said(tmp_path):
    inputs = keras.Input((8, 8, 3))
    file = save(tmp_path / "i.keras", inputs, keras.layers.ReLU()(inputs))
    raw = pixels(1, 8)
    for scaling, expected in (("none", raw), ("unit", raw / 255)):
        model = build_classifier(file, 2, input_scaling=scaling)
        np.testing.assert_allclose(
            features_of(model).predict(raw, verbose=0), expected, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda f: f.write_text("<html>"), "not readable as a .keras file"),
        (
            lambda f: save(
                f, i := keras.Input((8, 9, 3)), keras.layers.ReLU()(i)
            ),
            "expected a square input",
        ),
        (
            lambda f: save(
                f,
                i := keras.Input((8, 8, 3)),
                keras.layers.ReLU(name="head_x")(i),
            ),
            "no layer named head_",
        ),
        (
            lambda f: save(f, i := keras.Input((8,)), keras.layers.ReLU()(i)),
            "expected one picture input",
        ),
        (
            lambda f: save(
                f, i := keras.Input((8, 8, 4)), keras.layers.ReLU()(i)
            ),
            "expected one picture input",
        ),
    ],
)
def test_a_file_that_is_no_backbone_says_so(tmp_path, make, expected):
    make(tmp_path / "x.keras")
    with pytest.raises(ConfigError, match=expected):
        build_classifier(str(tmp_path / "x.keras"), 2)


def conv(x):
    return keras.layers.Conv2D(2, 3)(x)


@pytest.mark.parametrize(
    ("shape", "outputs", "arguments", "expected"),
    [
        ((16, 20, 3), conv, {}, "expected a square input"),
        ((8, 8, 3), lambda x: [conv(x), conv(x)], {}, "one feature output"),
        ((None, None, 3), conv, {}, "image_size"),
        ((8, 8, 3), conv, {"image_size": 9}, "expected 8"),
        ((8, 8, 3), conv, {"input_scaling": "foo"}, "expected auto or one of"),
    ],
)
def test_a_model_of_yours_is_checked(shape, outputs, arguments, expected):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, outputs(inputs))
    with pytest.raises(ConfigError, match=expected):
        build_classifier(model, 2, **arguments)


def test_a_model_of_any_size_takes_the_one_that_is_said():
    inputs = keras.Input((None, None, 3))
    model = build_classifier(
        keras.Model(inputs, conv(inputs)), 2, image_size=12
    )
    assert model.input_shape == (None, 12, 12, 3)


def test_a_frozen_layer_that_cannot_be_held_still_is_refused():
    class Dropping(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="dropping")
            self.inner = keras.layers.Dropout(0.5, name="inside")

        def call(self, x):
            return self.inner(x)

    inputs = keras.Input((8, 8, 3))
    model = build_classifier(keras.Model(inputs, Dropping()(inputs)), 2)
    set_trainable(model, "none")
    with pytest.raises(ConfigError, match=r"dropping: .* it holds inside"):
        training_graph(model)


def test_a_file_of_another_size_says_both(tiny_network):
    with pytest.raises(ConfigError, match="image_size=20: expected 16"):
        build_classifier(str(tiny_network), 2, image_size=20)


def test_random_weights_differ_from_the_files(tiny_network):
    own, other = (
        load_backbone(str(tiny_network), weights=weights)
        for weights in ("auto", "none")
    )
    loaded = keras.models.load_model(tiny_network)
    kernel = np.array(loaded.get_layer("one_conv").kernel)
    assert (np.array(own.get_layer("one_conv").kernel) == kernel).all()
    assert (np.array(other.get_layer("one_conv").kernel) != kernel).any()


def test_model_keras_opens_without_tl_keras(tmp_path, warm_keras):
    """Every scaling, and built-in layers only: a process of plain Keras."""
    raw = pixels(2, 32)
    np.save(tmp_path / "raw.npy", raw)
    for name in ("VGG16", "MobileNetV2", "DenseNet121"):
        model = probabilities_model(
            build_classifier(name, 2, weights="none", image_size=32)
        )
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", model(raw, training=False))
    code = (
        "import sys, numpy as np, keras\n"
        "raw = np.load('raw.npy')\n"
        "for name in ('VGG16', 'MobileNetV2', 'DenseNet121'):\n"
        "    model = keras.models.load_model(name + '.keras')\n"
        "    got = np.array(model(raw, training=False))\n"
        "    want = np.load(name + '.npy')\n"
        "    assert np.abs(got - want).max() < 1e-5, name\n"
        "    assert np.allclose(got.sum(-1), 1, atol=1e-5)\n"
        "assert 'tl_keras' not in sys.modules\n"
        "print('same')"
    )
    ran = warm_keras.start(
        [sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said, told = ran.communicate()
    assert said.strip().endswith("same"), told


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_scaling_and_head_stay_float32(precision):
    model = build_classifier(
        "EfficientNetB0", 2, weights="none", image_size=32, precision=precision
    )
    half = precision.removeprefix("mixed_")
    dtypes = {layer.name: layer.compute_dtype for layer in model.layers}
    assert dtypes["head_logits"] == dtypes["head_pooling"] == "float32"
    exact = [
        layer.compute_dtype
        for layer in model.layers
        if isinstance(
            layer, (keras.layers.Rescaling, keras.layers.Normalization)
        )
    ]
    assert exact == ["float32"] * 2
    assert dtypes["stem_conv"] == half
    assert model.outputs[0].dtype == "float32"
    stem = keras.Model(model.inputs, model.get_layer("stem_conv").output)
    assert stem(pixels(1, 32)).dtype == half
    assert all(v.dtype != half for v in model.trainable_variables)


def test_a_layers_output_is_the_classifiers(tiny_network):
    """As in everybody's Grad-CAM: `model.get_layer(name).output`."""
    model = build_classifier(str(tiny_network), 2)
    inner = keras.Model(model.inputs, model.get_layer("two_conv").output)
    assert inner(pixels(1, 16)).shape == (1, 8, 8, 6)


def test_the_summary_is_printable():
    model = build_classifier("letters_vgg", 10)
    buffer = io.StringIO()
    model.summary(print_fn=lambda line: buffer.write(line))
    assert "head_logits" in buffer.getvalue()


def test_random_weights_keep_what_scales_the_input(tmp_path):
    x = keras.Input((8, 8, 3))
    scale = keras.layers.Normalization()
    scale.adapt(RANDOM.uniform(0, 255, (16, 8, 8, 3)))
    conv = keras.layers.Conv2D(4, 3)
    keras.Model(x, conv(scale(x))).save(tmp_path / "own.keras")
    file = str(tmp_path / "own.keras")
    pictures = RANDOM.uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    fresh = networks.load_backbone(file, weights="none")
    kind = keras.layers.Normalization
    (layer,) = [x for x in fresh.layers if isinstance(x, kind)]
    np.testing.assert_allclose(layer(pictures), scale(pictures), atol=1e-5)
    (kernel,) = [x for x in fresh.layers if isinstance(x, keras.layers.Conv2D)]
    assert (np.array(kernel.kernel) != np.array(conv.kernel)).any()


def test_a_layer_of_another_backbone_names_auto():
    """As where block5 of VGG16 was left in a flag file."""
    from tl_keras.strategies.freezing import layer_index

    layers = [keras.layers.ReLU(name=n) for n in ("block_15_add", "out_relu")]
    with pytest.raises(ConfigError, match="auto takes this network's last"):
        layer_index(layers, "block5")
