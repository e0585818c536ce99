"""strategies.freezing: what would train is asked without changing it."""

import keras
import pytest

from tl_keras.errors import ConfigError
from tl_keras.networks import build_classifier, inner_layers
from tl_keras.strategies import (
    count_trainable,
    count_trainable_if,
    set_trainable,
    trainable_layers,
)

L = keras.layers


@keras.saving.register_keras_serializable("test_freezing")
class Block(L.Layer):
    """Layers in a layer, one of them a BatchNorm."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.conv = L.Conv2D(3, 3, padding="same")
        self.norm = L.BatchNormalization()

    def build(self, shape):
        self.conv.build(shape)
        self.norm.build((*shape[:-1], 3))

    def get_config(self):
        return super().get_config()  # By its being here the name is in it.

    def call(self, x, training=None):
        return self.norm(self.conv(x), training=training)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A classifier on a network that was saved with a frozen layer."""
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(4, 3, padding="same", name="one_conv")(inputs)
    shared = L.Conv2D(4, 1, name="two_shared")
    x = L.Add(name="two_add")([shared(x), shared(x)])
    x = Block(name="three_block")(x)
    x = L.BatchNormalization(name="four_norm")(x)
    network = keras.Model(inputs, x, name="mine")
    network.get_layer("one_conv").trainable = False
    file = tmp_path_factory.mktemp("network") / "mine.keras"
    network.save(file)
    return build_classifier(str(file), 2, head_units=(5,))


def states(model) -> list[bool]:
    return [
        *(part.trainable for layer in model.layers
          for part in inner_layers(layer)),
        *(variable.trainable for variable in model.variables),
    ]  # fmt: skip


WHERE = ["none", "all", "two", "three_block", "four_norm"]


@pytest.mark.parametrize("train_batch_norm", [False, True])
@pytest.mark.parametrize("unfreeze_from", WHERE)
def test_asking_changes_nothing_and_is_what_is_set(
    model, unfreeze_from, train_batch_norm
):
    how = {"train_batch_norm": train_batch_norm}
    for before in WHERE:
        set_trainable(model, before)
        was = states(model)
        said = count_trainable_if(model, unfreeze_from, **how)
        named = trainable_layers(model, unfreeze_from, **how)
        assert states(model) == was
    set_trainable(model, unfreeze_from, **how)
    assert said == count_trainable(model)[0] > 0
    chosen = set(map(id, named))
    for layer in model.layers:
        for part in inner_layers(layer):
            assert part.trainable == (id(part) in chosen), part.name


def test_the_norm_of_a_layer_in_a_layer_stays(model):
    """It is 3 scales and 3 offsets; its block's kernel trains."""
    plain = count_trainable_if(model, "three_block")
    both = count_trainable_if(model, "three_block", train_batch_norm=True)
    assert both - plain == 2 * 3 + 2 * 3  # four_norm has as many


def test_a_layer_that_is_not_there_is_told_by_the_question(model):
    with pytest.raises(ConfigError, match="near names: two_"):
        trainable_layers(model, "two_shered")
