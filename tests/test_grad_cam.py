"""inputs/image/grad_cam.py: Grad-CAM, where the right region is known."""

import keras
import numpy as np
import pytest

from tl_keras import grad_cam

SIDE, PATCH = 64, 16
PLACES = ((0, 0), (8, 40), (24, 24), (48, 48), (40, 4))


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Grey noise with a red (class 1) or blue (class 0) patch in each."""
    random = np.random.default_rng(0)
    pictures = random.integers(98, 103, (len(PLACES), SIDE, SIDE, 1))
    pictures = np.repeat(pictures, 3, axis=-1).astype(np.float32)
    labels = np.arange(len(PLACES)) % 2
    for picture, (top, left), label in zip(
        pictures, PLACES, labels, strict=True
    ):
        patch = picture[top : top + PATCH, left : left + PATCH]
        patch[..., 0 if label else 2] = 255
        patch[..., 2 if label else 0] = 0
    return pictures, labels


def share_inside(heat: np.ndarray) -> list[float]:
    """Share of each map's mass that lies in its patch."""
    return [
        float(h[t : t + PATCH, x : x + PATCH].sum() / h.sum())
        for h, (t, x) in zip(heat, PLACES, strict=True)
    ]


def colour_network(ending: str) -> keras.Model:
    """The patch alone decides: channels are "redder" and "bluer"."""
    inputs = keras.Input((SIDE, SIDE, 3))
    conv = keras.layers.Conv2D(
        2, 4, strides=4, activation="relu", name="colours"
    )
    x = keras.layers.GlobalAveragePooling2D()(conv(inputs))
    units, activation = {
        "logits": (2, None),
        "softmax": (2, "softmax"),
        "softmax layer": (2, None),
        "activation layer": (2, None),
        "sigmoid": (1, "sigmoid"),
    }[ending]
    dense = keras.layers.Dense(units, activation=activation)
    outputs = dense(x)
    if ending == "softmax layer":
        outputs = keras.layers.Softmax()(outputs)
    if ending == "activation layer":
        outputs = keras.layers.Activation("softmax")(outputs)
    kernel = np.zeros((4, 4, 3, 2), np.float32)
    kernel[:, :, 0], kernel[:, :, 2] = (1, -1), (-1, 1)
    conv.set_weights([kernel, np.full(2, -100.0)])
    # So sure that the softmax's own gradient would be 0.
    weights = np.array([[-1, 1], [1, -1]], np.float32)
    dense.set_weights([weights[:, -units:], np.zeros(units)])
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize(
    "ending",
    ["logits", "softmax", "softmax layer", "activation layer", "sigmoid"],
)
def test_a_patch_that_alone_decides_holds_the_map(ending):
    pictures, labels = planted()
    model = colour_network(ending)
    scores = model.predict(pictures, verbose=0)
    predicted = scores.argmax(-1) if scores.shape[1] > 1 else scores[:, 0] > 0.5
    np.testing.assert_array_equal(predicted, labels)
    heat = grad_cam(model, pictures)
    assert heat.shape == (len(PLACES), SIDE, SIDE)
    assert heat.dtype == np.float32
    np.testing.assert_allclose(heat.max(axis=(1, 2)), 1)
    assert min(share_inside(heat)) >= 0.8


def test_a_trained_network_looks_at_the_patch():
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(1)
    count = 64
    pictures = random.integers(98, 103, (count, SIDE, SIDE, 3)).astype("f4")
    labels = np.arange(count) % 2
    for picture, label in zip(pictures, labels, strict=True):
        top, left = random.integers(0, SIDE - PATCH, 2)
        picture[top : top + PATCH, left : left + PATCH, 2 * (1 - label)] = 255
    inner = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            keras.layers.Rescaling(1 / 50, offset=-2),
            # Grey becomes about 0, and without a bias it says nothing.
            keras.layers.Conv2D(
                8, 4, strides=4, activation="relu", use_bias=False
            ),
        ]
    )  # a network inside a network, as people build them
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            inner,
            keras.layers.GlobalMaxPooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy"
    )
    model.fit(pictures, labels, epochs=30, verbose=0)
    shown, _ = planted()
    model.trainable = False  # A frozen model can be explained too.
    before = [np.array(w) for w in model.get_weights()]
    assert min(share_inside(grad_cam(model, shown))) >= 0.8
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_class_asked_for_is_explained():
    pictures, labels = planted()
    model = colour_network("softmax")
    other = grad_cam(model, pictures, classes=1 - labels)
    assert other.max() == 0  # Nothing there speaks for the other colour.
    mine = grad_cam(model, pictures, classes=labels, layer="colours")
    np.testing.assert_array_equal(mine, grad_cam(model, pictures))


def test_more_pictures_than_a_batch_give_the_same_maps():
    pictures, _ = planted()
    model = colour_network("logits")
    many = grad_cam(model, np.tile(pictures, (5, 1, 1, 1)))
    np.testing.assert_allclose(
        many, np.tile(grad_cam(model, pictures), (5, 1, 1)), atol=1e-6
    )
    assert grad_cam(model, pictures[:0]).shape == (0, SIDE, SIDE)


def test_our_classifiers_and_their_probabilities(tiny_network):
    from tl_keras import build_classifier
    from tl_keras.networks import probabilities_model

    model = build_classifier(str(tiny_network), 3, image_size=16)
    pictures = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3))
    np.testing.assert_allclose(
        grad_cam(model, pictures),
        grad_cam(probabilities_model(model), pictures),
        atol=1e-5,
    )


def test_what_cannot_be_explained_is_said():
    flat = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="larger than 1 x 1: none"):
        grad_cam(flat, np.zeros((1, 4)))
    model = colour_network("logits")
    pictures, _ = planted()
    with pytest.raises(ValueError, match=r"layer=colors: .* 1 x 1: colours"):
        grad_cam(model, pictures, layer="colors")
    with pytest.raises(ValueError, match="expected 5, one a picture"):
        grad_cam(model, pictures, classes=[0])
    with pytest.raises(ValueError, match="expected 0 to 1, received"):
        grad_cam(model, pictures, classes=[0, 1, 2, 0, 1])

    class Subclass(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="expected a functional"):
        grad_cam(Subclass(), pictures)


def test_a_map_inside_a_branch_is_explained_too():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    one = keras.layers.Conv2D(4, 3, padding="same", name="one")(inputs)
    two = keras.layers.Conv2D(4, 3, padding="same", name="two")(one)
    joined = keras.layers.Add(name="joined")([one, two])
    pooled = keras.layers.GlobalAveragePooling2D()(joined)
    model = keras.Model(inputs, keras.layers.Dense(3)(pooled))
    pictures = np.random.default_rng(0).uniform(size=(2, 8, 8, 3))
    inside = grad_cam(model, pictures, layer="two", classes=[0, 1])
    # By hand: the pooled sum passes the same gradient to both branches.
    features = keras.Model(inputs, two).predict(pictures, verbose=0)
    weights = model.layers[-1].kernel.numpy()[:, [0, 1]].T / 64
    heat = np.maximum(np.einsum("nhwc,nc->nhw", features, weights), 0)
    expected = heat / heat.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(inside, expected, atol=1e-5)


def nested_network() -> keras.Model:
    """The network of colours as a model in a model, as people build them."""
    whole = colour_network("softmax")
    conv, dense = whole.get_layer("colours"), whole.layers[-1]
    base_input = keras.Input((SIDE, SIDE, 3))
    base = keras.Model(base_input, conv(base_input), name="base")
    inputs = keras.Input((SIDE, SIDE, 3))
    x = base(inputs, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, dense(x))


@pytest.mark.parametrize("layer", [None, "base", "colours", "base/colours"])
def test_a_layer_of_a_model_in_it_can_be_named(layer):
    pictures, _ = planted()
    model = nested_network()
    before = [len(o._inbound_nodes) for o in model.operations]
    heat = grad_cam(model, pictures, layer=layer)
    expected = grad_cam(colour_network("softmax"), pictures)
    np.testing.assert_allclose(heat, expected, atol=1e-5)
    # The model is what it was: nothing was called in its graph.
    assert [len(o._inbound_nodes) for o in model.operations] == before


def test_a_name_that_two_models_have_needs_the_models():
    first, second = (
        keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1, name="c")],
            name=name,
        )
        for name in ("one", "two")
    )
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(second(first(inputs)))
    model = keras.Model(inputs, x)
    pictures = np.ones((1, 8, 8, 3))
    with pytest.raises(ValueError, match=r"one of \['one/c', 'two/c'\]"):
        grad_cam(model, pictures, layer="c")
    assert grad_cam(model, pictures, layer="one/c").shape == (1, 8, 8)


def test_a_head_that_is_a_model_is_explained_by_its_logits():
    pictures, _ = planted()
    whole = colour_network("softmax")
    conv, dense = whole.get_layer("colours"), whole.layers[-1]
    head_input = keras.Input((2,))
    head = keras.Model(head_input, dense(head_input))
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.GlobalAveragePooling2D()(conv(inputs))
    heat = grad_cam(keras.Model(inputs, head(x)), pictures)
    np.testing.assert_allclose(heat, grad_cam(whole, pictures), atol=1e-5)


def test_of_two_outputs_one_is_named():
    pictures, _ = planted()
    whole = colour_network("softmax")
    conv = whole.get_layer("colours")
    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.GlobalAveragePooling2D()(conv(inputs))
    colour = keras.layers.Dense(2, name="colour")
    other = keras.layers.Dense(3, activation="softmax", name="other")
    model = keras.Model(inputs, {"a": colour(x), "b": other(x)})
    colour.set_weights(whole.layers[-1].get_weights())
    with pytest.raises(ValueError, match="2 outputs: colour, other"):
        grad_cam(model, pictures)
    with pytest.raises(ValueError, match="output=third"):
        grad_cam(model, pictures, output="third")
    expected = grad_cam(whole, pictures)
    for output in (0, "colour"):
        heat = grad_cam(model, pictures, output=output)
        np.testing.assert_allclose(heat, expected, atol=1e-5)
    with pytest.raises(ValueError, match="expected 0 to 2"):
        grad_cam(model, pictures, output="other", classes=[3] * len(pictures))


def test_a_map_that_an_output_does_not_use_is_told():
    inputs = keras.Input((8, 8, 3))
    pool = keras.layers.GlobalAveragePooling2D()
    one = keras.layers.Conv2D(2, 3, name="one")(inputs)
    two = keras.layers.Conv2D(2, 3, name="two")(inputs)
    left = keras.layers.Dense(2, name="left")(pool(one))
    right = keras.layers.Dense(2, name="right")(pool(two))
    model = keras.Model(inputs, [left, right])
    pictures = np.ones((1, 8, 8, 3))
    with pytest.raises(ValueError, match="layer=two: expected one that this"):
        grad_cam(model, pictures, layer="two", output="left")
