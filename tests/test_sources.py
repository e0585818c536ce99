"""sources: what a fit takes its batches from."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tl_keras.features import FeatureStore
from tl_keras.networks import build_classifier
from tl_keras.sources import (
    EpochSource,
    FixedBatches,
    TensorMemory,
    TrainingBatches,
    as_source,
    load_images,
)
from tl_keras.strategies import cut_for, split_at
from tl_keras.training import Phase, fit_phases


def pairs(batches) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(x.numpy(), y.numpy()) for x, y in batches]


def same(some, others) -> bool:
    return len(some) == len(others) and all(
        np.array_equal(x, a) and np.array_equal(y, b)
        for (x, y), (a, b) in zip(some, others, strict=True)
    )


pytestmark = pytest.mark.usefixtures("plain_decoder")


@pytest.fixture
def images(color_folder):
    return load_images(
        str(color_folder), image_size=16, val_fraction=0.25, test_fraction=0.25
    )


@pytest.fixture(
    params=["files", "memory", "views", "fixed", "stored", "stored fixed"]
)
def source(request, images, tiny_network, tmp_path) -> EpochSource:
    """Each kind of source there is."""
    train = TrainingBatches(images.train, 4, seed=3)
    if request.param == "files":
        return train
    if request.param == "memory":
        return dataclasses.replace(train, memory=TensorMemory(1.0))
    if request.param == "views":
        return dataclasses.replace(train, augment="flip", views=2)
    if request.param == "fixed":
        return FixedBatches(images.train, 4)
    model = build_classifier(str(tiny_network), 2)
    trunk, _ = split_at(model, cut_for(model, "none"))
    store = FeatureStore(tmp_path)
    if request.param == "stored":
        return store.training(
            trunk, dataclasses.replace(train, augment="flip", views=2)
        )
    from tl_keras.features import StoredFixedBatches

    return StoredFixedBatches(store.activations(trunk, images.train), 4)


def test_every_source_keeps_the_protocol(source):
    """Epochs by number, begun in the middle; all rows once, in order."""
    assert isinstance(source, EpochSource)
    assert as_source(source) is source
    for epoch in (0, 2):
        whole = pairs(source(epoch))
        assert same(whole, pairs(source(epoch)))
        begun = source(epoch, 1).take(len(whole) - 1)
        assert same(whole[1:], pairs(begun))
    once = pairs(source.once())
    count = sum(len(y) for _, y in pairs(source(0)))
    assert sum(len(y) for _, y in once) == count * source.rows_per_example
    if source.rows is not None:
        placed = [(source.rows[x], y) for x, y in pairs(source(1, places=True))]
        assert same(placed, pairs(source(1)))


def test_f31_nothing_waits_for_autotuning(source):
    """An iterator of a dataset that is tuned may take a minute to go."""
    for batches in (source(0), source(0, 1), source.once()):
        assert batches.options().autotune.enabled is False


def test_the_order_of_an_epoch_is_its_numbers_alone(images):
    train = TrainingBatches(images.train, 4, seed=3)
    assert not same(pairs(train(0)), pairs(train(1)))
    fixed = FixedBatches(images.train, 4)
    assert same(pairs(fixed(0)), pairs(fixed(1)))


def test_what_others_made_is_taken_as_it_is():
    batches = tf.data.Dataset.from_tensor_slices(
        (np.arange(6.0), np.arange(6))
    ).batch(2)
    given = as_source(batches)
    assert given.batch_size is None
    assert same(pairs(given(5)), pairs(batches))
    assert same(pairs(given.once()), pairs(batches))
    by_epoch = as_source(lambda epoch: batches.skip(epoch))
    assert same(pairs(by_epoch(1)), pairs(batches.skip(1)))
    to_validate_on = as_source(lambda: batches, fixed=True)
    assert same(pairs(to_validate_on(4)), pairs(batches))
    assert as_source(None) is None


class Doubled(EpochSource):
    """Somebody's own: each picture of another source, brighter."""

    def __init__(self, source):
        self.source, self.batch_size = source, source.batch_size

    def _brighter(self, batches):
        return batches.map(lambda x, y: (tf.cast(x, tf.int32) * 2, y))

    def __call__(self, epoch=0, skip=0, *, places=False):
        return self._brighter(self.source(epoch, skip))

    def once(self):
        return self._brighter(self.source.once())


def test_a_source_of_ones_own_trains(images, tiny_network):
    model = build_classifier(str(tiny_network), 2)
    source = Doubled(TrainingBatches(images.train, 4))
    result = fit_phases(model, [Phase("head", 2, 1e-2)], source, verbose=0)
    assert len(result.history) == 2
