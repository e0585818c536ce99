"""features: computed once, kept by content, complete or absent."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from conftest import networks, write_picture

from tl_keras.errors import MachineError
from tl_keras.features import FeatureStore, keys, shards, trunk_key
from tl_keras.jobs import transfer
from tl_keras.networks import build_classifier
from tl_keras.networks.backbones import BACKBONES
from tl_keras.sources import (
    LabelledExamples,
    TrainingBatches,
    Views,
    load_images,
)
from tl_keras.sources.order import epoch_indices
from tl_keras.strategies import cut_for, split_at

pytestmark = pytest.mark.usefixtures("plain_decoder")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """The graph, its gate and the page are not what is asked."""
    tiny.use(monkeypatch, tiny.QUICK)


@pytest.fixture
def images(color_folder) -> LabelledExamples:
    return load_images(str(color_folder), image_size=16, seed=0).train


def trunk_of(network, place="two") -> keras.Model:
    model = build_classifier(str(network), 2)
    return split_at(model, cut_for(model, place))[0]


def all_rows(activations) -> np.ndarray:
    return np.concatenate([rows for rows, _ in activations.batches(5)])


def expected(trunk, images) -> np.ndarray:
    pixels = np.concatenate([x for x, _ in images.batches(5)])
    return trunk.predict(pixels, verbose=0)


@pytest.mark.parametrize("memory_gb", [1.0, 0.0])
def test_activations_are_the_trunks_in_order(
    memory_gb, images, tiny_network, tmp_path
):
    trunk = trunk_of(tiny_network)
    store = FeatureStore(tmp_path / "s", memory_gb=memory_gb)
    activations = store.activations(trunk, images, batch_size=3)
    assert isinstance(activations.rows, np.ndarray) == bool(memory_gb)
    np.testing.assert_allclose(
        all_rows(activations), expected(trunk, images), atol=1e-5
    )
    for _ in range(2):
        shuffled = activations.shuffled_epoch(5, seed=3, epoch=4)
        fresh = images.shuffled_epoch(5, seed=3, epoch=4)
        for (rows, labels), (pixels, same) in zip(shuffled, fresh, strict=True):
            np.testing.assert_array_equal(labels, same)
            np.testing.assert_allclose(
                rows, trunk.predict_on_batch(pixels), atol=1e-5
            )


def test_a_second_run_does_no_trunk_pass(images, tiny_network, tmp_path):
    first = FeatureStore(tmp_path)
    one = all_rows(first.activations(trunk_of(tiny_network), images))
    assert first.examples_computed == len(images)
    keras.backend.clear_session()
    # A new process would build the network anew: names are counted on.
    build_classifier("VGG16", 2, weights="none", image_size=32)
    second = FeatureStore(tmp_path)
    two = all_rows(second.activations(trunk_of(tiny_network), images))
    assert second.examples_computed == 0
    np.testing.assert_array_equal(one, two)


def test_a_changed_picture_is_computed_alone(
    images, tiny_network, tmp_path, color_folder
):
    FeatureStore(tmp_path / "s").activations(trunk_of(tiny_network), images)
    changed = pathlib.Path(images.examples.files[3])
    write_picture(changed, 777, 2)
    store = FeatureStore(tmp_path / "s")
    trunk = trunk_of(tiny_network)
    rows = all_rows(store.activations(trunk, images))
    assert store.examples_computed == 1
    np.testing.assert_allclose(rows, expected(trunk, images), atol=1e-5)


def test_the_same_bytes_twice_are_one_row(images, tiny_network, tmp_path):
    files = images.examples.files
    shutil.copy(files[0], files[1])
    store = FeatureStore(tmp_path / "s")
    trunk = trunk_of(tiny_network)
    rows = all_rows(store.activations(trunk, images))
    assert store.examples_computed == len(images) - 1
    np.testing.assert_array_equal(rows[0], rows[1])


def changed_weight(trunk):
    trunk.layers[-1].variables or trunk
    variable = trunk.variables[-1]
    variable.assign_add(np.full(variable.shape, 1e-3))
    return trunk


def unscaled(network) -> keras.Model:
    """The small network without the scaling in it."""
    layers = keras.models.load_model(network).layers
    x = inputs = keras.Input((16, 16, 3))
    for layer in layers[2:]:
        x = layer(x)
    return keras.Model(inputs, x)


def test_the_key_is_the_content(tiny_network):
    keys = {
        "plain": trunk_key(trunk_of(tiny_network), "crop"),
        "resize": trunk_key(trunk_of(tiny_network), "pad"),
        "place": trunk_key(trunk_of(tiny_network, "none"), "crop"),
        "weight": trunk_key(changed_weight(trunk_of(tiny_network)), "crop"),
    }
    model = build_classifier(str(tiny_network), 2, precision="mixed_bfloat16")
    bfloat = split_at(model, cut_for(model, "two"))[0]
    keys["precision"] = trunk_key(bfloat, "crop")
    assert len(set(keys.values())) == len(keys)
    # A network of its own scaling takes no second one, so one without.
    scaled = {
        trunk_key(split_at(model, cut_for(model, "two"))[0], "crop")
        for model in (
            build_classifier(unscaled(tiny_network), 2, input_scaling=how)
            for how in ("unit", "tf")
        )
    }
    assert len(scaled | set(keys.values())) == len(keys) + 2
    model = build_classifier(str(tiny_network), 7, head_units=(3,))
    other_head = split_at(model, cut_for(model, "two"))[0]
    assert trunk_key(other_head, "crop") == keys["plain"]


def test_bfloat16_activations_come_back(images, tiny_network, tmp_path):
    model = build_classifier(str(tiny_network), 2, precision="mixed_bfloat16")
    trunk = split_at(model, cut_for(model, "two"))[0]
    for memory_gb in (1.0, 0.0):
        store = FeatureStore(tmp_path / "s", memory_gb=memory_gb)
        rows, _ = next(iter(store.activations(trunk, images).batches(16)))
        assert rows.dtype == tf.bfloat16
        pixels, _ = next(iter(images.batches(16)))
        np.testing.assert_allclose(
            tf.cast(rows, tf.float32),
            tf.cast(trunk(pixels, training=False), tf.float32),
            rtol=0.02, atol=0.02,
        )  # fmt: skip


def test_a_longer_trunk_goes_on_from_a_shorter(images, tiny_network, tmp_path):
    model = build_classifier(str(tiny_network), 2)
    short, long = cut_for(model, "two"), cut_for(model, "none")
    shorter, _ = split_at(model, short)
    longer, _ = split_at(model, long)
    rest = keras.Model(short.tensor, long.tensor)
    store = FeatureStore(tmp_path)
    rows = all_rows(store.activations(longer, images, (shorter, rest)))
    assert store.examples_computed == len(images)
    np.testing.assert_allclose(rows, expected(longer, images), atol=1e-5)
    store.activations(shorter, images)
    assert store.examples_computed == len(images)


def test_what_cannot_fit_is_refused_before_it_starts(
    images, tiny_network, tmp_path, monkeypatch
):
    store = FeatureStore(tmp_path, limit_gb=1e-6)
    with pytest.raises(MachineError, match=r"^feature_cache_gb"):
        store.activations(trunk_of(tiny_network), images)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0)
    )
    store = FeatureStore(tmp_path)
    with pytest.raises(MachineError, match="free disk"):
        store.activations(trunk_of(tiny_network), images)
    assert store.examples_computed == 0


def test_the_longest_unused_goes_first(images, tiny_network, tmp_path):
    need = len(images) * 8 * 8 * 4 * 4 / 1e9  # one trunk's rows, gigabytes
    store = FeatureStore(tmp_path, limit_gb=4 * need)
    kept = {}
    for age, place in ((300, "two"), (200, "none")):
        trunk = trunk_of(tiny_network, place)
        store.activations(trunk, images)
        key = trunk_key(trunk, images.made_by())
        past = time.time() - age
        os.utime(tmp_path / key, (past, past))
        kept[place] = tmp_path / key
    later = FeatureStore(tmp_path, limit_gb=1.5 * need)
    trunk = changed_weight(trunk_of(tiny_network))
    later.activations(trunk, images)
    assert not kept["two"].exists()
    assert kept["none"].exists()
    # The pictures lie in the same folder, and nothing else may be touched.
    assert len(list((tmp_path / "colors").rglob("*.*"))) == 24


def test_a_run_with_another_head_does_no_trunk_pass(
    color_folder, tiny_network, tmp_path, monkeypatch
):
    """Through the whole job: head, seed and learning rate are changed."""
    import dataclasses

    from tl_keras import TransferConfig, jobs

    stores = []
    make = transfer.feature_store

    def remember(config):
        stores.append(make(config))
        return stores[-1]

    monkeypatch.setattr(transfer, "feature_store", remember)
    config = TransferConfig(
        dataset=str(color_folder), backbone=str(tiny_network),
        feature_cache=str(tmp_path / "cache"), unfreeze_from="two",
        head_epochs=1, fine_tune_epochs=1, output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    jobs.run(config)
    jobs.run(
        dataclasses.replace(
            config, head_units=(4,), seed=5, fine_tune_learning_rate=1e-2
        ),
        restart=True,
    )
    assert stores[0].examples_computed == 24
    assert stores[1].examples_computed == 0


def test_the_store_changes_no_number(color_folder, tiny_network, tmp_path):
    import dataclasses

    from tl_keras import TransferConfig, run

    config = TransferConfig(
        dataset=str(color_folder), backbone=str(tiny_network),
        feature_cache=str(tmp_path / "cache"), unfreeze_from="two",
        head_solver="adam", head_epochs=2, fine_tune_epochs=2,
        output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    kept = run(config)
    fresh = run(dataclasses.replace(config, feature_cache="off"), restart=True)
    assert [row["phase"] for row in kept.history] == [
        row["phase"] for row in fresh.history
    ]
    for one, two in zip(kept.history[:2], fresh.history[:2], strict=True):
        assert one["val_loss"] == pytest.approx(two["val_loss"], abs=1e-4)
    assert kept.metrics["phases"][0]["test"]["loss"] == pytest.approx(
        fresh.metrics["phases"][0]["test"]["loss"], abs=1e-4
    )


CHILD = """
    import sys, keras, numpy as np
    from tl_keras.networks import build_classifier
    from tl_keras.strategies import cut_for, split_at
    from tl_keras.sources import load_images
    from tl_keras.features import FeatureStore, store
    store.SHARD_BYTES = 1024  # a shard for each batch: many places to die at
    root, network, cache = sys.argv[1:]
    images = load_images(root, image_size=16).train
    model = build_classifier(network, 2)
    trunk = split_at(model, cut_for(model, "two"))[0]
    print("ready", flush=True)
    FeatureStore(cache).activations(trunk, images, batch_size=1)
    print("done", flush=True)
"""


@pytest.fixture
def start(tmp_path, color_folder, tiny_network, warm_keras):
    """A function that starts a process which fills a store."""

    def of(cache) -> subprocess.Popen:
        return warm_keras.start(
            [sys.executable, "-c", textwrap.dedent(CHILD), color_folder,
             tiny_network, cache],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return of


def content(cache) -> dict[str, bytes]:
    return {
        str(path.relative_to(cache)): path.read_bytes()
        for path in cache.rglob("*")
        if path.is_file()
    }


def killed_and_completed(tmp_path, start, kills) -> int:
    whole = tmp_path / "whole"
    child = start(whole)
    assert "done" in child.communicate()[0]
    random = np.random.default_rng(kills)
    unfinished = 0
    for kill in range(kills):
        cache = tmp_path / f"cache{kill}"
        child = start(cache)
        child.stdout.readline()
        time.sleep(random.uniform(0, 1.0))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        unfinished += content(cache).keys() != content(whole).keys()
        child = start(cache)
        assert "done" in child.communicate()[0]
        stored = {
            name: value
            for name, value in content(cache).items()
            if ".tmp-" not in name
        }
        assert stored == content(whole)
        shutil.rmtree(cache)
    return unfinished


def test_a_killed_store_is_completed_to_the_same_bytes(tmp_path, start):
    killed_and_completed(tmp_path, start, kills=2)


@pytest.mark.acceptance
def test_twenty_kills(tmp_path, start):
    unfinished = killed_and_completed(tmp_path, start, kills=20)
    print(f"\n20 kills, {unfinished} of them in the middle of storing")
    assert unfinished > 0


def test_two_processes_share_a_store(tmp_path, start):
    cache = tmp_path / "cache"
    children = [start(cache) for _ in range(2)]
    outputs = [child.communicate() for child in children]
    errors = "".join(error[-1500:] for _, error in outputs)
    assert all("done" in out for out, _ in outputs), errors
    assert not [name for name in content(cache) if ".tmp-" in name]


FIVE = ("VGG16", "ResNet50", "MobileNetV2", "EfficientNetB0", "ConvNeXtTiny")


@pytest.mark.parametrize("name", networks(*FIVE))
def test_kept_activations_are_the_networks_and_are_not_computed_twice(
    name, color_folder, tmp_path
):
    """Of one network of each kind: equal to the whole, then no pass at all."""
    images = load_images(str(color_folder), image_size=32).train
    images = images.take(range(5))
    keras.utils.set_random_seed(0)
    model = build_classifier(name, 2, weights="none", image_size=32)
    pixels, _ = next(iter(images.batches(5)))
    whole = model.predict_on_batch(pixels)
    last = BACKBONES[name].stages[-1]
    for place in (last, "none"):
        trunk, tail = split_at(model, cut_for(model, place))
        passes = []
        for _ in range(2):
            store = FeatureStore(tmp_path / "s")
            kept = store.activations(trunk, images)
            rows, _ = next(iter(kept.batches(5)))
            np.testing.assert_allclose(
                tail.predict_on_batch(rows),
                whole,
                # Untrained, it ends in 1e-7: rounding weighs more.
                atol=1e-4 * np.abs(whole).max(),
            )
            passes.append(store.examples_computed)
        assert passes == [5, 0]


def test_a_damaged_shard_is_computed_again(images, tiny_network, tmp_path):
    trunk = trunk_of(tiny_network)
    one = all_rows(FeatureStore(tmp_path / "s").activations(trunk, images))
    (rows_file,) = (tmp_path / "s").rglob("rows.npy")
    rows_file.write_bytes(rows_file.read_bytes()[:200])
    store = FeatureStore(tmp_path / "s")
    two = all_rows(store.activations(trunk, images))
    assert store.examples_computed == len(images)
    np.testing.assert_array_equal(one, two)


def views_of(images, augment="flip_crop", count=3) -> Views:
    return Views.of(images, augment, count)


def test_each_view_has_its_turn_and_belongs_to_its_picture(
    images, tiny_network, tmp_path
):
    trunk = trunk_of(tiny_network)
    views = views_of(images)
    store = FeatureStore(tmp_path / "s")
    train = TrainingBatches(images, 4, seed=7, augment="flip_crop", views=3)
    stored = store.training(trunk, train)
    assert store.examples_computed == 3 * len(images)
    assert stored.rows_per_example == 3
    everything = np.concatenate([x for x, _ in stored.once()])
    pixels = np.concatenate([x for x, _ in views.batches(5)])
    np.testing.assert_allclose(
        everything, trunk.predict(pixels, verbose=0), atol=1e-5
    )
    seen = []
    for epoch in range(3):
        rows = np.concatenate([x for x, _ in stored(epoch)])
        labels = np.concatenate([y for _, y in stored(epoch)])
        order = [int(i) for i, _ in epoch_indices(len(images), 7, epoch)]
        np.testing.assert_array_equal(labels, images.labels[order])
        taken = [
            np.flatnonzero((everything == row).all((1, 2, 3))) for row in rows
        ]
        assert [t[0] // 3 for t in taken] == order
        seen += [int(t[0]) for t in taken]
    assert sorted(seen) == list(range(3 * len(images)))
    again = np.concatenate([x for x, _ in stored(1)])
    np.testing.assert_array_equal(
        again, np.concatenate([x for x, _ in stored(1)])
    )


def test_a_view_depends_on_its_picture_and_number_alone(images):
    both = np.concatenate([x for x, _ in views_of(images).batches(4)])
    some = views_of(images.take([5, 2])).batches(4)
    some = np.concatenate([x for x, _ in some])
    np.testing.assert_array_equal(some[:3], both[15:18])
    np.testing.assert_array_equal(some[3:], both[6:9])
    assert len(np.unique(both, axis=0)) > 2 * len(images)
    more = views_of(images, count=5).content_ids()
    assert set(views_of(images).content_ids()) < set(more)


def test_augmented_runs_with_other_seeds_share_their_views(
    tiny_network, tmp_path, monkeypatch
):
    from tl_keras import TransferConfig, jobs

    stores = []
    make = transfer.feature_store
    monkeypatch.setattr(
        transfer,
        "feature_store",
        lambda c: stores.append(make(c)) or stores[-1],
    )
    counts = {"train": 6, "val": 2, "test": 1}
    for number, (split, count) in enumerate(counts.items()):
        for color, name in enumerate("ab"):
            for i in range(count):
                file = tmp_path / "data" / split / name / f"{i}.png"
                write_picture(file, 100 * number + 10 * color + i, color)
    for seed in (0, 1):
        jobs.run(
            TransferConfig(
                dataset=str(tmp_path / "data"), seed=seed,
                backbone=str(tiny_network), augment="flip_crop",
                augment_views=2, unfreeze_from="two", fine_tune_epochs=2,
                feature_cache=str(tmp_path / "cache"),
                output_dir=str(tmp_path / f"out{seed}"),
            )
        )  # fmt: skip
    computed = 2 * 12 + 4 + 2  # views to train on, validation, test
    assert [store.examples_computed for store in stores] == [computed, 0]


def test_each_phase_is_evaluated_with_its_own_weights(
    color_folder, tiny_network, tmp_path
):
    """Where one phase trains all, no other phase's activations serve it."""
    import dataclasses

    from tl_keras import TransferConfig, run

    config = TransferConfig(
        dataset=str(color_folder), backbone=str(tiny_network),
        head_solver="adam", head_epochs=2, unfreeze_from="all",
        fine_tune_epochs=3, fine_tune_learning_rate=0.02, val_fraction=0.0,
        feature_cache=str(tmp_path / "cache"),
        output_dir=str(tmp_path / "out"),
    )  # fmt: skip
    kept = run(config).metrics["phases"]
    config = dataclasses.replace(config, feature_cache="off")
    fresh = run(config, restart=True).metrics["phases"]
    for one, two in zip(kept, fresh, strict=True):
        assert one["test"]["loss"] == pytest.approx(
            two["test"]["loss"], rel=1e-3
        )
    assert abs(kept[0]["test"]["loss"] - kept[1]["test"]["loss"]) > 0.01


def test_a_trunk_that_has_trained_is_traced_anew(
    images, tiny_network, tmp_path
):
    trunk = trunk_of(tiny_network)
    store = FeatureStore(tmp_path / "s")
    one = all_rows(store.activations(trunk, images))
    changed_weight(trunk)
    two = all_rows(store.activations(trunk, images))
    assert np.abs(one - two).max() > 0
    np.testing.assert_allclose(two, expected(trunk, images), atol=1e-5)


def test_what_this_run_keeps_counts_against_the_limit(
    images, tiny_network, tmp_path
):
    need = len(images) * 8 * 8 * 4 * 4 / 1e9
    store = FeatureStore(tmp_path / "s", limit_gb=1.5 * need)
    store.activations(trunk_of(tiny_network), images)
    with pytest.raises(MachineError, match=r"^feature_cache_gb"):
        store.activations(changed_weight(trunk_of(tiny_network)), images)


def test_a_folder_that_another_run_evicts_does_no_harm(
    images, tiny_network, tmp_path, monkeypatch
):
    store = FeatureStore(tmp_path / "s")
    trunk = trunk_of(tiny_network)
    publish = shards.atomic.publish_folder
    evicted = []

    def after_eviction(temporary, final):
        if not evicted:
            evicted.append(final)
            shutil.rmtree(final.parent)
        publish(temporary, final)

    monkeypatch.setattr(shards.atomic, "publish_folder", after_eviction)
    rows = all_rows(store.activations(trunk, images))
    assert evicted
    np.testing.assert_allclose(rows, expected(trunk, images), atol=1e-5)


class Scaled(keras.layers.Layer):
    """A layer that is not Keras's."""

    def call(self, x):
        return x * 2.0


def test_code_that_is_not_kerass_is_in_the_key(monkeypatch):
    def key():
        x = keras.Input((4, 4, 3))
        model = keras.Model(x, Scaled()(x))
        return trunk_key(model, "crop")

    before = key()
    assert key() == before
    source = keys.inspect.getsource
    monkeypatch.setattr(
        keys.inspect, "getsource", lambda o: source(o).replace("2.0", "3.0")
    )
    assert key() != before

    def unreadable(_):
        raise OSError("no source")

    monkeypatch.setattr(keys.inspect, "getsource", unreadable)
    assert key() != key()


def test_views_are_asked_for_where_pictures_are_augmented(
    images, tiny_network, tmp_path
):
    train = TrainingBatches(images, 4, augment="flip")
    store = FeatureStore(tmp_path / "s")
    with pytest.raises(ValueError, match="views=0: expected 1 or more"):
        store.training(trunk_of(tiny_network), train)
