"""`--backbone=mine.keras` as people have them: it works, or is one line."""

import shutil

import keras
import numpy as np
import pytest

from tl_keras.config import TransferConfig
from tl_keras.errors import ConfigError
from tl_keras.jobs.preparation import classifier_on
from tl_keras.networks import (
    build_classifier,
    load_backbone,
    probabilities_model,
    scaling_hint,
    split_layers,
    warm_start,
)
from tl_keras.strategies import set_trainable, training_graph

L = keras.layers


def pictures(count: int = 2, size: int = 8) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, size, size, 3)).astype(np.float32)


def base(name: str = "base", prefix: str = "") -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3, name=f"{prefix}conv", activation="relu")(inputs)
    x = L.BatchNormalization(name=f"{prefix}norm")(x)
    return keras.Model(inputs, x, name=name)


def saved(tmp_path, layers, name="mine", shape=(8, 8, 3), **arguments) -> str:
    """A file of layers called one after another."""
    inputs = x = keras.Input(shape, **arguments)
    for layer in layers:
        x = layer(x)
    file = tmp_path / f"{name}.keras"
    keras.Model(inputs, x, name=name).save(file)
    return str(file)


def one_line(call, *words: str) -> str:
    with pytest.raises(ConfigError) as told:
        call()
    (line,) = told.value.faults
    assert len(line.splitlines()) == 1
    for each in words:
        assert each in line
    return line


# The classifier that is still on it

ENDS = {
    "softmax": ([L.Dense(10, "softmax", name="predictions")],
                "predictions, a softmax of 10"),
    "sigmoid": ([L.Dense(1, "sigmoid", name="out")], "out, a sigmoid of 1"),
    "one unit": ([L.Dense(1, name="out")], "out, one number"),
    "logits": ([L.Dense(7, name="logits")], "logits, logits of 7 classes"),
    "a layer": ([L.Dropout(0.5), L.Dense(7), L.Softmax(name="end")],
                "end, a softmax of 7"),
    "an activation": ([L.Dropout(0.5), L.Dense(7, name="predictions"),
                       L.Activation("softmax", name="act")], "act, a softmax"),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDS)
def test_a_classifier_is_named_with_where_to_cut(case, tmp_path):
    layers, words = ENDS[case]
    pool = L.GlobalAveragePooling2D(name="pool")
    file = saved(tmp_path, [L.Rescaling(1 / 255), base(), pool, *layers])
    line = one_line(lambda: load_backbone(file), words, "--backbone_layer=")
    layer = line.partition("--backbone_layer=")[2].split()[0]
    assert layer == "pool" if case not in ("a layer",) else layer.startswith(
        ("pool", "dense")
    )  # fmt: skip


def test_backbone_layer_cuts_there(tmp_path):
    ends = [L.GlobalAveragePooling2D(name="pool"), L.Dense(1, "sigmoid")]
    file = saved(tmp_path, [base(), *ends])
    whole = keras.models.load_model(file)
    for layer, width in (("pool", 4), ("norm", 4), ("conv", 4)):
        network = load_backbone(file, layer=layer)
        assert network.output_shape[-1] == width
    pool = keras.Model(whole.inputs, whole.get_layer("pool").output)
    np.testing.assert_array_equal(
        load_backbone(file, layer="pool")(pictures()), pool(pictures())
    )
    one_line(
        lambda: load_backbone(file, layer="pol"), "--backbone_layer=pol", "pool"
    )


def test_a_classifier_that_is_asked_for_by_name_is_taken(tmp_path):
    file = saved(tmp_path, [L.Flatten(), L.Dense(3, "sigmoid", name="codes")])
    assert load_backbone(file, layer="codes").output_shape == (None, 3)


def test_backbone_layer_of_an_application_is_idle():
    one_line(
        TransferConfig(
            dataset="digits", backbone="VGG16", backbone_layer="block4_pool"
        ).validate,
        "--backbone_layer: given, but does nothing here",
    )


# Scaling


def test_an_application_saved_without_its_scaling_is_hinted_at(tmp_path):
    for name, words in (
        ("mobilenetv2_1.00_96", "--input_scaling=tf"),
        ("resnet50", "--input_scaling=caffe"),
        ("mine", "say by --input_scaling"),
    ):
        file = saved(tmp_path, [L.Conv2D(2, 3)], name)
        hint = scaling_hint(file, load_backbone(file))
        assert words in hint
        assert len(hint.splitlines()) == 1


APPLICATIONS = keras.applications


@pytest.mark.parametrize(
    "layer",
    [L.Rescaling(1 / 255), L.Normalization(mean=[1.0] * 3, variance=[2.0] * 3),
     APPLICATIONS.mobilenet_v2.preprocess_input,
     APPLICATIONS.resnet50.preprocess_input,
     APPLICATIONS.densenet.preprocess_input],
)  # fmt: skip
def test_a_second_scaling_is_refused_and_none_is_hinted_at(layer, tmp_path):
    file = saved(tmp_path, [layer, L.Conv2D(2, 3)], "mobilenetv2_1.00_96")
    network = load_backbone(file)
    assert scaling_hint(file, network) == ""
    one_line(
        lambda: build_classifier(file, 2, input_scaling="tf"),
        "--input_scaling=tf: expected none",
    )
    build_classifier(file, 2, input_scaling="none")


def test_a_scaling_after_the_first_weights_is_no_scaling(tmp_path):
    file = saved(tmp_path, [L.Conv2D(3, 3), L.Rescaling(2.0), L.Conv2D(2, 3)])
    assert scaling_hint(file, load_backbone(file))
    build_classifier(file, 2, input_scaling="unit")


# Names


@pytest.mark.parametrize(
    "name", ["pixels", "input_scaling", "probabilities", "backbone_input"]
)
def test_no_name_of_a_layer_or_input_is_in_the_way(name, tmp_path):
    file = saved(tmp_path, [L.Conv2D(2, 3, name=name)], name=name)
    model = build_classifier(file, 2, input_scaling="unit")
    set_trainable(model, name)
    assert probabilities_model(model)(pictures()).shape == (2, 2)
    file = saved(tmp_path, [L.Conv2D(2, 3)], "input", batch_size=None)
    inputs = keras.Input((8, 8, 3), name=name)
    mine = keras.Model(inputs, L.Conv2D(2, 3)(inputs), name="input_name")
    mine.save(tmp_path / "input.keras")
    model = build_classifier(str(tmp_path / "input.keras"), 2)
    assert probabilities_model(model)(pictures()).shape == (2, 2)


# Models in models


@pytest.mark.parametrize("training", [None, False])
def test_layers_of_a_model_in_it_are_unfrozen_by_name(training, tmp_path):
    inputs = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), base()], name="inner")
    arguments = {} if training is None else {"training": training}
    x = inner(L.Rescaling(1 / 255)(inputs), **arguments)
    mine = keras.Model(inputs, x, name="mine")
    mine.save(tmp_path / "mine.keras")
    model = build_classifier(str(tmp_path / "mine.keras"), 2)
    names = [layer.name for layer in split_layers(model)[0]]
    assert names[-2:] == ["conv", "norm"]
    head = model.get_layer("head_pooling")
    features = keras.Model(model.inputs, head.input)
    np.testing.assert_allclose(
        features(pictures()), mine(pictures()), atol=1e-6
    )
    set_trainable(model, "norm")
    assert not model.get_layer("conv").trainable
    set_trainable(model, "conv")
    assert model.get_layer("conv").trainable
    training_graph(model)


def test_equal_names_in_two_models_get_their_models_name(tmp_path):
    first = keras.Sequential([keras.Input((8, 8, 3)), L.Conv2D(3, 1, name="c")],
                             name="first")  # fmt: skip
    second = keras.Sequential(
        [keras.Input((8, 8, 3)), L.Conv2D(2, 1, name="c")], name="second"
    )
    file = saved(tmp_path, [first, second])
    names = [layer.name for layer in load_backbone(file).layers]
    assert names[1:] == ["c", "second_c"]


def test_weights_of_a_file_are_those_of_the_model_in_it(tmp_path):
    file = saved(tmp_path, [L.Rescaling(1 / 255), base()])
    mine = keras.models.load_model(file)
    mine.set_weights([w + 1 for w in mine.get_weights()])
    mine.save_weights(tmp_path / "w.weights.h5")
    network = load_backbone(file, weights=str(tmp_path / "w.weights.h5"))
    np.testing.assert_array_equal(network(pictures()), mine(pictures()))


# Precision


@pytest.mark.parametrize(
    "policy",
    ["mixed_float16", "float16", "mixed_bfloat16", "bfloat16", "float64"],
)
def test_what_runs_is_what_is_asked_for(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    try:
        file = saved(tmp_path, [L.Rescaling(1 / 255), base()])
    finally:
        keras.config.set_dtype_policy("float32")
    network = load_backbone(file)
    assert {v.dtype for v in network.variables} == {"float32"}
    mine = keras.models.load_model(file)
    for old, new in zip(mine.weights, network.weights, strict=True):
        np.testing.assert_array_equal(np.array(old, np.float32), new)
    for asked, runs in (("float32", "float32"), ("mixed_bfloat16", "bfloat16")):
        model = classifier_on(
            load_backbone(file),
            TransferConfig(dataset="digits", backbone=file, precision=asked),
            2,
        )
        assert model.get_layer("conv").compute_dtype == runs
        assert model.get_layer("conv").output.dtype == runs
        assert {v.dtype for v in model.variables} == {"float32"}


def test_a_model_of_yours_runs_in_what_is_asked_for():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mine = base()
    finally:
        keras.config.set_dtype_policy("float32")
    model = build_classifier(mine, 2)
    assert model.get_layer("head_pooling").input.dtype == "float32"
    keras.config.set_dtype_policy("float16")
    try:
        mine = base()
    finally:
        keras.config.set_dtype_policy("float32")
    one_line(lambda: build_classifier(mine, 2), "in float16", "conv/kernel")


def test_a_uint8_input_is_taken(tmp_path):
    layers = [L.Rescaling(1 / 255), L.Conv2D(2, 3)]
    file = saved(tmp_path, layers, dtype="uint8")
    mine = keras.models.load_model(file)
    np.testing.assert_allclose(
        load_backbone(file)(pictures()),
        mine(pictures().astype(np.uint8)),
        atol=1e-6,
    )


def test_quantized_layers_are_one_line(tmp_path):
    mine = keras.Sequential([keras.Input((8, 8, 3)), L.Dense(4), L.Flatten()])
    mine.quantize("int8")
    mine.save(tmp_path / "q.keras")
    one_line(
        lambda: load_backbone(str(tmp_path / "q.keras")),
        "its layers are quantized, int8",
    )


# Layers of somebody's own


class Scaled(L.Layer):
    """A layer that Keras does not have."""

    def call(self, x):
        return x / 255


def test_a_custom_layer_is_named_with_how_to_register_it(tmp_path):
    long = L.Conv2D(3, 3, name="c" * 300)
    file = saved(tmp_path, [long, Scaled(name="mine")])
    one_line(
        lambda: load_backbone(file),
        "mine is of Scaled, which Keras does not have",
        "@keras.saving.register_keras_serializable(package='mine')",
    )


def test_a_registered_layer_is_taken_and_without_it_named(tmp_path):
    registered = keras.saving.register_keras_serializable("shop")(
        type("Halved", (Scaled,), {})
    )
    file = saved(tmp_path, [registered(name="h"), L.Conv2D(2, 3)])
    assert load_backbone(file).output_shape == (None, 6, 6, 2)
    del keras.saving.get_custom_objects()["shop>Halved"]
    one_line(lambda: load_backbone(file), "h is of shop>Halved", "'shop'")


def test_a_loss_of_somebodys_own_is_no_hindrance(tmp_path):
    inputs = keras.Input((8, 8, 3))
    mine = keras.Model(inputs, L.Conv2D(2, 3)(inputs))

    def odd(true, predicted):
        return keras.ops.mean(predicted - true)

    mine.compile("adam", loss=odd)
    mine.save(tmp_path / "c.keras")
    load_backbone(str(tmp_path / "c.keras"))


def test_a_lambda_is_refused_with_the_safe_way(tmp_path):
    file = saved(tmp_path, [L.Lambda(lambda x: x / 255, name="prep")])
    words = "prep is a Lambda, a program", "such as Rescaling"
    one_line(lambda: load_backbone(file), *words)
    keras.config.enable_unsafe_deserialization()
    try:
        one_line(lambda: load_backbone(file), *words)
    finally:
        keras.src.backend.common.global_state.set_global_attribute(
            "safe_mode_saving", None
        )


# Forms and formats


@pytest.mark.parametrize("name", ["mine", "mine.zip", "mine.h5", "VGG"])
def test_the_name_of_the_file_does_not_matter(name, tmp_path):
    path = tmp_path / name
    shutil.copy(saved(tmp_path, [base()]), path)
    assert load_backbone(str(path)).output_shape == (None, 6, 6, 4)
    config = TransferConfig(dataset="digits", backbone=str(path))
    config.validate()
    assert config.resolved().backbone == str(path)


def test_a_legacy_model_and_a_saved_model_are_one_line(tmp_path):
    base().save(tmp_path / "old.h5")
    base().export(tmp_path / "exported", verbose=False)
    for name, words in (
        ("old.h5", "a whole model of Keras 2 in HDF5"),
        ("exported", "a SavedModel"),
    ):
        file = str(tmp_path / name)
        one_line(lambda file=file: load_backbone(file), words)
        settings = TransferConfig(dataset="digits", backbone=file)
        one_line(settings.validate, words)


def test_channels_first_is_one_line(tmp_path):
    conv = L.Conv2D(2, 3, name="conv", data_format="channels_first")
    for name, layers, shape in (
        ("a", [conv], (3, 8, 8)),
        ("b", [L.Permute((3, 1, 2)), conv], (8, 8, 3)),
        ("c", [L.ReLU()], (3, 8, 8)),
    ):
        file = saved(tmp_path, layers, name, shape)
        one_line(lambda file=file: load_backbone(file), "channels last")


def test_two_inputs_and_outputs_are_one_line(tmp_path):
    one, two = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    joined = L.Add()([one, two])
    keras.Model([one, two], joined).save(tmp_path / "in.keras")
    one_line(lambda: load_backbone(str(tmp_path / "in.keras")), "2 inputs")
    features = L.Conv2D(2, 3, name="conv")(one)
    both = {"a": features, "b": L.Flatten()(features)}
    keras.Model(one, both).save(tmp_path / "out.keras")
    file = str(tmp_path / "out.keras")
    one_line(lambda: load_backbone(file), "2 outputs", "--backbone_layer=NAME")
    network = load_backbone(file, layer="conv")
    assert network.output_shape == (None, 6, 6, 2)


# Another run's model, for --warm_start


def test_a_runs_model_is_taken_whatever_it_is_named(tiny_network, tmp_path):
    old, new = (build_classifier(str(tiny_network), 2) for _ in range(2))
    old.get_layer("two_conv").kernel.assign_add(
        keras.ops.ones_like(old.get_layer("two_conv").kernel)
    )
    probabilities_model(old).save(tmp_path / "model.keras")
    (tmp_path / "model.keras").rename(tmp_path / "mine.bin")
    told = warm_start(new, str(tmp_path / "mine.bin"), ["a", "b"])
    assert told.startswith("warm start: backbone of")
    np.testing.assert_array_equal(
        old.get_layer("two_conv").kernel, new.get_layer("two_conv").kernel
    )


def test_what_is_no_runs_model_is_one_line(tiny_network, tmp_path):
    model = build_classifier(str(tiny_network), 2)
    model.save_weights(tmp_path / "w.weights.h5")
    custom = saved(tmp_path, [Scaled(name="mine")], "custom")
    for file, words in (
        (str(tiny_network), "found tiny, another network"),
        (str(tmp_path / "w.weights.h5"), "weights of Keras 3 in HDF5"),
        (custom, "mine is of Scaled, which Keras does not have"),
    ):
        one_line(
            lambda file=file: warm_start(model, file, ["a", "b"]),
            f"--warm_start={file}: ", words,
        )  # fmt: skip
