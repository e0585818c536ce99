"""strategies/cutting.py: trunk and tail are the whole."""

import keras
import numpy as np
import pytest
from conftest import networks

from tl_keras.networks import backbones, build_classifier, usual_scaling
from tl_keras.strategies import (
    cut_for,
    find_cuts,
    set_trainable,
    split_at,
    training_graph,
)

RANDOM = np.random.default_rng(0)
FIVE = ("VGG16", "ResNet50", "MobileNetV2", "EfficientNetB0", "ConvNeXtTiny")


def classifier(name: str) -> keras.Model:
    size = max(backbones.BACKBONES[name].least_size, 32)
    return build_classifier(
        name, 3, weights="none", image_size=size,
        input_scaling=usual_scaling(name),
    )  # fmt: skip


def pixels(model, count=2) -> np.ndarray:
    shape = (count, *model.input_shape[1:])
    return RANDOM.integers(0, 256, shape).astype(np.float32)


def check_whole(name: str) -> None:
    model = classifier(name)
    x = pixels(model)
    # Called, not `predict`: tracing takes far longer than two pictures.
    whole = np.array(model(x, training=False))
    shares = []
    for place in (*backbones.BACKBONES[name].stages, "none"):
        cut = cut_for(model, place)
        trunk, tail = split_at(model, cut)
        halves = tail(trunk(x, training=False), training=False)
        np.testing.assert_allclose(
            halves, whole, atol=1e-5 * np.abs(whole).max(), err_msg=place
        )
        shares.append(cut.trunk_share)
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1
    assert shares[-1] > 0.99  # all but the head itself


@pytest.mark.parametrize("name", networks(*FIVE))
def test_trunk_and_tail_are_the_whole(name):
    check_whole(name)


@pytest.mark.every_network
@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_trunk_and_tail_of_every_network(name):
    keras.backend.clear_session()
    check_whole(name)


def branching() -> keras.Model:
    """in -> a -> (b, c) -> add -> d -> pool -> logits."""
    x = keras.Input((8, 8, 3))
    a = keras.layers.Conv2D(4, 3, padding="same", name="a")(x)
    b = keras.layers.Conv2D(4, 3, padding="same", name="b")(a)
    c = keras.layers.Conv2D(4, 1, name="c")(a)
    joined = keras.layers.Add(name="join")([b, c])
    d = keras.layers.Conv2D(5, 3, padding="same", name="d")(joined)
    return keras.Model(x, d, name="branching")


def test_cuts_lie_where_every_path_passes():
    model = build_classifier(branching(), 2)
    names = [cut.after for cut in find_cuts(model)]
    names = [name for name in names if not name.startswith("convert")]
    assert names == ["pixels", "a", "join", "d", "head_pooling"]


@pytest.mark.parametrize(
    ("place", "after"),
    [("a", None), ("b", "a"), ("c", "a"), ("join", "join"), ("d", "join"),
     ("all", None), ("none", "head_pooling")],
)  # fmt: skip
def test_a_place_inside_a_branch_is_served_by_the_cut_before(place, after):
    cut = cut_for(build_classifier(branching(), 2), place)
    assert (cut and cut.after) == after


def test_shares_are_multiply_adds():
    model = build_classifier(branching(), 2)
    places, a, b, c, d = 64, 27 * 4, 36 * 4, 4 * 4, 36 * 5
    total = places * (a + b + c + d) + 5 * 2
    shares = {cut.after: cut.trunk_share for cut in find_cuts(model)}
    assert shares["a"] == pytest.approx(places * a / total)
    assert shares["join"] == pytest.approx(places * (a + b + c) / total)
    assert shares["pixels"] == 0


def test_vgg16_costs_what_the_literature_says():
    """15.3 billion multiply-adds for one picture of 224 x 224."""
    from tl_keras.networks import multiply_adds, ordered_nodes

    model = build_classifier("VGG16", 2, weights="none")
    total = sum(multiply_adds(node) for node in ordered_nodes(model))
    assert total == pytest.approx(15.35e9, rel=0.01)


def test_what_the_tail_learns_the_model_has_learnt(tiny_network):
    model = build_classifier(str(tiny_network), 2)
    set_trainable(model, "two")
    trunk, tail = split_at(model, cut_for(model, "two"))
    x = RANDOM.integers(0, 256, (8, 16, 16, 3)).astype(np.float32)
    before = model.predict(x, verbose=0)
    fitting = training_graph(tail)
    fitting.compile("adam", keras.losses.SparseCategoricalCrossentropy(True))
    activations = trunk.predict(x, verbose=0)
    fitting.fit(activations, np.arange(8) % 2, verbose=0)
    after = model.predict(x, verbose=0)
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(
        tail.predict(activations, verbose=0), after, atol=1e-6
    )
